/**
 * x87 arithmetic and comparisons. Argument 0: destination register; argument 1: kind of the source ({@link SourceKind});
 * argument 2: the source's register number or bits; argument 3: how many registers are popped afterwards.
 */

import { defineHelper } from "../../helpers.ts";
import type { X87Control } from "../../softfloat/control.ts";
import { type Extended, type Unpacked, unpackInteger } from "../../softfloat/format.ts";
import { fadd, fcom, fdiv, fmul, fsqrt, fsub, fucom, fxam } from "../../softfloat/x87-arithmetic.ts";
import { FastArithmetic } from "../../softfloat/x87-fast-arithmetic.ts";
import { f2xm1, fyl2x, fyl2xp1 } from "../../softfloat/x87-logarithmic.ts";
import { fprem, fprem1, type PartialRemainder } from "../../softfloat/x87-remainder.ts";
import { frndint, fscale, fxtract } from "../../softfloat/x87-scale.ts";
import { fcos, fpatan, fptan, fsin, fsincos, isOutOfRange } from "../../softfloat/x87-trigonometric.ts";
import { FastOperand, readSource } from "./source.ts";
import { CONDITIONS, INDEFINITE, Status, X87Unit } from "./unit.ts";

export const unit = new X87Unit();
const fast = new FastArithmetic();
const fastTarget = new FastOperand(unit);
const fastSource = new FastOperand(unit);

interface Arithmetic {
  exact(a: Unpacked, b: Unpacked, control: X87Control): Extended;
  /** As the operations of {@link FastArithmetic}. */
  fast(a: FastOperand, b: FastOperand): boolean;
}
const ARITHMETIC: Readonly<Record<string, Arithmetic>> = {
  fadd: { exact: fadd, fast: (a, b) => fast.add(a, b) },
  fmul: { exact: fmul, fast: (a, b) => fast.multiply(a, b) },
  fsub: { exact: fsub, fast: (a, b) => fast.add(a, b.negate()) },
  fsubr: { exact: (a, b, control) => fsub(b, a, control), fast: (a, b) => fast.add(a.negate(), b) },
  fdiv: { exact: fdiv, fast: (a, b) => fast.divide(a, b) },
  fdivr: { exact: (a, b, control) => fdiv(b, a, control), fast: (a, b) => fast.divide(b, a) },
};
for (const [name, operation] of Object.entries(ARITHMETIC)) {
  defineHelper(`x87.${name}`, (cpu) => {
    unit.attach(cpu);
    const destination = cpu.argumentI32(0);
    const pops = cpu.argumentI32(3);
    if (
      unit.isUsualMode &&
      fastTarget.loadRegister(destination) &&
      fastSource.loadSource(cpu) &&
      operation.fast(fastTarget, fastSource)
    ) {
      unit.writeRounded(destination, fast);
      unit.pop(pops);
      return;
    }
    const operand = readSource(cpu, unit);
    if (operand === undefined || unit.isEmpty(destination)) {
      if (!unit.underflow()) return;
      unit.write(destination, INDEFINITE);
    } else {
      const result = operation.exact(unit.read(destination), operand, unit.control);
      if (!unit.finish()) return;
      unit.write(destination, result);
    }
    unit.pop(pops);
  });
}

/** Operations on ST(0). */
const UNARY: Readonly<Record<string, (a: Unpacked, control: X87Control) => Extended>> = {
  fsqrt,
  frndint,
  f2xm1,
};
for (const [name, operation] of Object.entries(UNARY)) {
  defineHelper(`x87.${name}`, (cpu) => {
    unit.attach(cpu);
    if (unit.isEmpty(0)) {
      if (unit.underflow()) unit.write(0, INDEFINITE);
      return;
    }
    const result = operation(unit.read(0), unit.control);
    if (unit.finish()) unit.write(0, result);
  });
}

/** Operations on ST(1) and ST(0) whose result replaces both. */
for (const [name, operation] of [
  ["fyl2x", fyl2x],
  ["fyl2xp1", fyl2xp1],
  ["fpatan", fpatan],
] as const) {
  defineHelper(`x87.${name}`, (cpu) => {
    unit.attach(cpu);
    if (unit.isEmpty(0) || unit.isEmpty(1)) {
      if (!unit.underflow()) return;
      unit.write(1, INDEFINITE);
    } else {
      const result = operation(unit.read(1), unit.read(0), unit.control);
      if (!unit.finish()) return;
      unit.write(1, result);
    }
    unit.pop();
  });
}

defineHelper("x87.fscale", (cpu) => {
  unit.attach(cpu);
  if (unit.isEmpty(0) || unit.isEmpty(1)) {
    if (unit.underflow()) unit.write(0, INDEFINITE);
    return;
  }
  const result = fscale(unit.read(0), unit.read(1), unit.control);
  if (unit.finish()) unit.write(0, result);
});

for (const [name, operation] of [
  ["fprem", fprem],
  ["fprem1", fprem1],
] as const) {
  defineHelper(`x87.${name}`, (cpu) => {
    unit.attach(cpu);
    if (unit.isEmpty(0) || unit.isEmpty(1)) {
      unit.status &= ~Status.C2;
      if (unit.underflow()) unit.write(0, INDEFINITE);
      return;
    }
    const { result, condition, conditionMask }: PartialRemainder = operation(
      unit.read(0),
      unit.read(1),
      unit.control,
    );
    if (unit.finish(condition, conditionMask)) unit.write(0, result);
  });
}

/** FSIN and FCOS; an operand out of range stays and sets C2. */
for (const [name, operation] of [
  ["fsin", fsin],
  ["fcos", fcos],
] as const) {
  defineHelper(`x87.${name}`, (cpu) => {
    unit.attach(cpu);
    if (unit.isEmpty(0)) {
      if (unit.underflow()) unit.write(0, INDEFINITE);
      unit.status &= ~Status.C2;
      return;
    }
    const operand = unit.read(0);
    if (isOutOfRange(operand)) {
      unit.finish(Status.C2, Status.C2);
      return;
    }
    const result = operation(operand, unit.control);
    if (unit.finish(0, Status.C2)) unit.write(0, result);
  });
}

/** Operations that replace ST(0) and push a second result. */
function definePair(
  name: string,
  outOfRange: boolean,
  operation: (a: Unpacked, control: X87Control) => readonly [replaced: Extended, pushed: Extended],
): void {
  defineHelper(`x87.${name}`, (cpu) => {
    unit.attach(cpu);
    const empty = unit.isEmpty(0);
    if (empty || !unit.isEmpty(-1)) {
      const masked = empty ? unit.underflow() : unit.overflow();
      if (outOfRange) unit.status &= ~Status.C2;
      if (!masked) return;
      unit.write(0, INDEFINITE);
      unit.top = unit.top - 1;
      unit.write(0, INDEFINITE);
      return;
    }
    const operand = unit.read(0);
    if (outOfRange && isOutOfRange(operand)) {
      unit.finish(Status.C2, Status.C2);
      return;
    }
    const [replaced, pushed] = operation(operand, unit.control);
    if (!unit.finish(0, outOfRange ? Status.C2 : 0)) return;
    unit.write(0, replaced);
    unit.top = unit.top - 1;
    unit.write(0, pushed);
  });
}
definePair("fsincos", true, (a, control) => {
  const { sine, cosine } = fsincos(a, control);
  return [sine, cosine];
});
definePair("fptan", true, (a, control) => {
  const { tangent, pushed } = fptan(a, control);
  return [tangent, pushed];
});
definePair("fxtract", false, (a, control) => {
  const { exponent, significand } = fxtract(a, control);
  return [exponent, significand];
});

// ---- comparisons ----

/** C3, C2 and C0: empty registers are unordered. The exceptions are still to be noted. */
function compare(operation: typeof fcom, other: Unpacked | undefined): number {
  return other === undefined || unit.isEmpty(0) ? CONDITIONS : operation(unit.read(0), other, unit.control);
}

for (const [name, operation] of [
  ["fcom", fcom],
  ["fucom", fucom],
] as const) {
  /** Into C3, C2, C0, even if an unmasked exception keeps the operands from being popped. */
  defineHelper(`x87.${name}`, (cpu) => {
    unit.attach(cpu);
    if (compareWithStatus(operation, readSource(cpu, unit))) unit.pop(cpu.argumentI32(3));
  });
  /** Into RFLAGS, likewise: result 0 has ZF, PF, CF. C1 stays. */
  defineHelper(`x87.${name}i`, (cpu) => {
    unit.attach(cpu);
    const pops = cpu.argumentI32(3);
    const other = readSource(cpu, unit);
    const missing = other === undefined || unit.isEmpty(0);
    const conditions = compare(operation, other);
    const completed = missing ? unit.underflow() : unit.finishQuietly();
    cpu.setResultI32(0, conditions >> 8);
    if (completed) unit.pop(pops);
  });
}

function compareWithStatus(operation: typeof fcom, other: Unpacked | undefined): boolean {
  const missing = other === undefined || unit.isEmpty(0);
  const conditions = compare(operation, other);
  const completed = missing ? unit.underflow() : unit.finish();
  unit.status = (unit.status & ~CONDITIONS) | conditions;
  return completed;
}

const ZERO = unpackInteger(0);
defineHelper("x87.ftst", (cpu) => {
  unit.attach(cpu);
  compareWithStatus(fcom, ZERO);
});

defineHelper("x87.fxam", (cpu) => {
  unit.attach(cpu);
  const sign = (unit.raw(0).signExponent & 0x8000) !== 0 ? Status.C1 : 0;
  const conditions = unit.isEmpty(0) ? Status.C3 | Status.C0 | sign : fxam(unit.read(0));
  unit.status = (unit.status & ~(CONDITIONS | Status.C1)) | conditions;
});
