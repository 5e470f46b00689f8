/**
 * x87 loads, stores, exchanges and constants: what the definitions (cpu/definitions/x87/transfer.ts) do not do themselves,
 * namely stack faults, and numbers that are not simply moved.
 */

import { defineHelper } from "../../helpers.ts";
import { Exception, type X87Control } from "../../softfloat/control.ts";
import type { Extended, Unpacked } from "../../softfloat/format.ts";
import { fbld, fbstp } from "../../softfloat/x87-bcd.ts";
import * as Constants from "../../softfloat/x87-constants.ts";
import { fild, fist, fisttp, fld32, fld64, fst32, fst64 } from "../../softfloat/x87-convert.ts";
import { unit } from "./arithmetic.ts";
import { INDEFINITE } from "./unit.ts";

/** Loads. Argument 0: the low 64 bits, argument 1: bits 64…79. */
function defineLoad(name: string, load: (low: bigint, high: number, control: X87Control) => Extended): void {
  defineHelper(`x87.load.${name}`, (cpu) => {
    unit.attach(cpu);
    if (!unit.isEmpty(-1)) {
      if (unit.overflow()) unit.pushIndefinite();
      return;
    }
    const value = load(cpu.argument64(0), cpu.argumentI32(1) & 0xffff, unit.control);
    unit.finish();
    // Alone among the instructions, loads of denormals have their result even if DE is not masked.
    if ((unit.control.unmasked & Exception.IE) === 0) unit.push(value);
  });
}
defineLoad("f32", (low, _high, control) => fld32(Number(BigInt.asUintN(32, low)), control));
defineLoad("f64", (low, _high, control) => fld64(low, control));
defineLoad("f80", (significand, signExponent) => ({ significand, signExponent }));
defineLoad("i16", (low) => fild(BigInt.asIntN(16, low)));
defineLoad("i32", (low) => fild(BigInt.asIntN(32, low)));
defineLoad("i64", (low) => fild(BigInt.asIntN(64, low)));
defineLoad("bcd", (low, high) => fbld((BigInt(high) << 64n) | low));

const CONSTANTS: Readonly<Record<string, (control: X87Control) => Extended>> = {
  fld1: Constants.fld1,
  fldz: Constants.fldz,
  fldl2t: Constants.fldl2t,
  fldl2e: Constants.fldl2e,
  fldpi: Constants.fldpi,
  fldlg2: Constants.fldlg2,
  fldln2: Constants.fldln2,
};
for (const [name, constant] of Object.entries(CONSTANTS)) {
  defineLoad(name, (_low, _high, control) => constant(control));
}

/** FLD ST(i): argument 0. */
defineHelper("x87.load.st", (cpu) => {
  unit.attach(cpu);
  const index = cpu.argumentI32(0);
  // Underflow wins over overflow.
  if (unit.isEmpty(index)) {
    if (unit.underflow()) unit.pushIndefinite();
  } else if (!unit.isEmpty(-1)) {
    if (unit.overflow()) unit.pushIndefinite();
  } else {
    const value = unit.raw(index);
    unit.finish();
    unit.push(value);
  }
});

/**
 * Stores, first half: computes and changes nothing. Result 0: the low 64 bits, result 1: bits 64…79, result 2: 1 if
 * nothing is to be stored, result 3: the new status word.
 */
function defineStore(
  name: string,
  store: (a: Unpacked, control: X87Control, raw: Extended) => readonly [low: bigint, high: number],
  indefinite: readonly [low: bigint, high: number],
): void {
  defineHelper(`x87.store.${name}`, (cpu) => {
    unit.attach(cpu);
    const before = unit.status;
    let [low, high] = indefinite;
    let suppressed: boolean;
    if (unit.isEmpty(0)) suppressed = !unit.underflow();
    else {
      [low, high] = store(unit.read(0), unit.control, unit.raw(0));
      suppressed = !unit.finish();
    }
    cpu.setResult64(0, low);
    cpu.setResultI32(1, high);
    cpu.setResultI32(2, suppressed ? 1 : 0);
    cpu.setResultI32(3, unit.status);
    unit.status = before;
  });
}
const integer = (bits: 16 | 32 | 64, convert: typeof fist) => (a: Unpacked, control: X87Control) =>
  [BigInt.asUintN(64, convert(a, bits, control)), 0] as const;
defineStore("f32", (a, control) => [BigInt(fst32(a, control)), 0], [0xffc0_0000n, 0]);
defineStore("f64", (a, control) => [fst64(a, control), 0], [0xfff8_0000_0000_0000n, 0]);
defineStore("f80", (_a, _control, raw) => [raw.significand, raw.signExponent], [
  INDEFINITE.significand,
  INDEFINITE.signExponent,
]);
for (const bits of [16, 32, 64] as const) {
  const indefinite = [1n << BigInt(bits - 1), 0] as const;
  defineStore(`i${bits}`, integer(bits, fist), indefinite);
  defineStore(`t${bits}`, integer(bits, fisttp), indefinite);
}
defineStore(
  "bcd",
  (a, control) => {
    const packed = fbstp(a, control);
    return [BigInt.asUintN(64, packed), Number(packed >> 64n)];
  },
  [0xc000_0000_0000_0000n, 0xffff],
);

/** Stores, second half. Argument 0: the status word; argument 1: how many registers are popped. */
defineHelper("x87.stored", (cpu) => {
  unit.attach(cpu);
  unit.status = cpu.argumentI32(0);
  unit.pop(cpu.argumentI32(1));
});

/** FST(P) ST(i): argument 0 is i, argument 1 how many registers are popped. */
defineHelper("x87.store.st", (cpu) => {
  unit.attach(cpu);
  const index = cpu.argumentI32(0);
  let value = INDEFINITE;
  if (unit.isEmpty(0)) {
    if (!unit.underflow()) return;
  } else {
    value = unit.raw(0);
    unit.finish();
  }
  unit.write(index, value);
  unit.pop(cpu.argumentI32(1));
});

/** FXCH: argument 0 is i. An empty register counts as the indefinite. */
defineHelper("x87.fxch", (cpu) => {
  unit.attach(cpu);
  const index = cpu.argumentI32(0);
  const missing = unit.isEmpty(0) || unit.isEmpty(index);
  if (missing) {
    if (!unit.underflow()) return;
  } else unit.finish();
  const first = unit.isEmpty(0) ? INDEFINITE : unit.raw(0);
  const second = unit.isEmpty(index) ? INDEFINITE : unit.raw(index);
  unit.write(0, second);
  unit.write(index, first);
});

/** ST(0) is or becomes the indefinite, because it or another operand is missing: FCHS, FABS, FCMOVcc. */
defineHelper("x87.missing", (cpu) => {
  unit.attach(cpu);
  if (unit.underflow()) unit.write(0, INDEFINITE);
});
