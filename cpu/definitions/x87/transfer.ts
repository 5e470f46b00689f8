/**
 * x87 loads, stores, exchanges, constants and stack control. Numbers that are normal or zero move without a helper;
 * the others, and stack faults, are a matter for cpu/helpers/x87/transfer.ts.
 */

import type { Builder } from "../../ir/builder.ts";
import type { Operand } from "../../ir/operand.ts";
import type { Value } from "../../ir/value.ts";
import { X87_TAGS } from "../../state.ts";
import { define } from "../registry.ts";
import { precisionIsMasked, type RegisterValue, roundingControl, Stack } from "./stack.ts";
import { BIAS, EXPONENT, FORMATS, fromInteger, INTEGER_BIT, type PlainValue, SIGN, widen } from "./values.ts";
import { defineWaiting } from "./wait.ts";

// ---- loads ----

/** Pushes what was loaded if it is plain and there is room; else the helper does. */
function pushOr(b: Builder, loaded: PlainValue, helper: string, args: readonly Value[]): void {
  const stack = new Stack(b);
  const register = stack.physical(-1);
  b.if(
    b.and(loaded.plain, stack.isEmpty(register)),
    () => {
      stack.push(register, loaded);
      stack.clearC1();
    },
    () => b.helper(helper, args, false),
  );
}

/** Reads an 80-bit operand: significand and the 16 bits above. */
function readExtended(b: Builder, src: Operand): RegisterValue {
  const address = src.address();
  const significand = b.load(address, "u64");
  return { significand, signExponent: b.wrap(b.load(b.add(address, b.const64(8)), "u16")) };
}

defineWaiting("fld", (b, src) => {
  if (!src.isMemory) {
    const stack = new Stack(b);
    const from = stack.physical(src.register);
    const loaded = { plain: stack.isUsed(from), ...stack.read(from) };
    pushOr(b, loaded, "x87.load.st", [b.registerNumber(src.register)]);
  } else if (src.bits === 80) {
    const value = readExtended(b, src);
    const args = [value.significand, value.signExponent];
    pushOr(b, { plain: b.const32(1), ...value }, "x87.load.f80", args);
  } else {
    const bits = src.read();
    pushOr(b, widen(b, bits, src.bits === 32 ? 32 : 64), `x87.load.f${src.bits}`, [bits]);
  }
});
defineWaiting("fild", (b, src) => {
  const bits = src.read();
  pushOr(b, fromInteger(b, b.sext(bits, src.bits)), `x87.load.i${src.bits}`, [bits]);
});
defineWaiting("fbld", (b, src) => {
  const { significand, signExponent } = readExtended(b, src);
  b.helper("x87.load.bcd", [significand, signExponent], false);
});
for (const [mnemonic, significand, signExponent] of [
  ["fld1", INTEGER_BIT, BIAS],
  ["fldz", 0n, 0],
] as const) {
  defineWaiting(mnemonic, (b) => {
    const value = { significand: b.const64(significand), signExponent: b.const32(signExponent) };
    pushOr(b, { plain: b.const32(1), ...value }, `x87.load.${mnemonic}`, []);
  });
}
for (const mnemonic of ["fldl2t", "fldl2e", "fldpi", "fldlg2", "fldln2"]) {
  defineWaiting(mnemonic, (b) => b.helper(`x87.load.${mnemonic}`, [], false));
}

// ---- stores ----

/** What a store makes of ST(0): the bits for memory, and how they were rounded (0 or 1 each). */
interface Rounded {
  readonly plain: Value;
  readonly bits: Value;
  readonly inexact: Value;
  readonly up: Value;
}

/** Whether what was cut off, aligned to the left, adds one to what was kept (0 or 1), by rounding control. */
function roundsUp(b: Builder, kept: Value, rest: Value, inexact: Value, negative: Value): Value {
  const modes = roundingControl(b);
  const half = b.const64(INTEGER_BIT);
  const odd = b.wrap(b.and(kept, b.const64(1)));
  const nearest = b.or(b.gtU(rest, half), b.and(b.eq(rest, half), odd));
  const isMode = (mode: number) => b.eq(modes, b.const32(mode));
  const directed = b.and(inexact, b.or(b.and(isMode(1), negative), b.and(isMode(2), b.eqz(negative))));
  return b.select(b.eqz(modes), nearest, directed);
}

/** To single or double precision, where the result is normal or an exact zero. */
function narrow(b: Builder, { significand, signExponent }: RegisterValue, size: 32 | 64): Rounded {
  const { fraction, bias } = FORMATS[size];
  const sign = b.and(b.shrBy(signExponent, 15), b.const32(1));
  const field = b.and(signExponent, b.const32(EXPONENT));
  const isZero = b.and(b.eqz(significand), b.eqz(field));
  const kept = b.shrBy(significand, 63 - fraction);
  const rest = b.shlBy(significand, fraction + 1);
  const inexact = b.ne(rest, b.const64(0));
  const up = roundsUp(b, kept, rest, inexact, sign);
  const biased = b.sub(field, b.const32(BIAS - bias));
  // Rounding up may take the largest exponent beyond the range.
  const inRange = b.ltU(b.sub(biased, b.const32(1)), b.const32(2 * bias - 1));
  const normal = b.and(inRange, b.ltS(significand, b.const64(0)));
  // The integer bit counts one up in the exponent's place, and so does a carry out of the fraction.
  const exponent = b.shlBy(b.extendU(b.sub(biased, b.const32(1))), fraction);
  const magnitude = b.select(isZero, b.const64(0), b.add(b.add(exponent, kept), b.extendU(up)));
  return {
    plain: b.or(normal, isZero),
    bits: b.or(magnitude, b.shlBy(b.extendU(sign), size - 1)),
    inexact,
    up,
  };
}

/** To an integer, where it fits. */
function toInteger(
  b: Builder,
  { significand, signExponent }: RegisterValue,
  size: number,
  truncate: boolean,
): Rounded {
  const sign = b.and(b.shrBy(signExponent, 15), b.const32(1));
  const field = b.and(signExponent, b.const32(EXPONENT));
  const exponent = b.sub(field, b.const32(BIAS));
  // From 1/2 on a shift of at most 64 leaves all there is to know. Below, it is less than a half, or zero.
  const small = b.ltS(exponent, b.const32(-1));
  const isZero = b.and(b.eqz(significand), b.eqz(field));
  const shift = b.extendU(b.sub(b.const32(63), exponent));
  const below = b.ltS(exponent, b.const32(0));
  const kept = b.select(below, b.const64(0), b.shr(significand, shift));
  const something = b.extendU(b.eqz(isZero));
  const rest = b.select(
    small,
    something,
    b.select(below, significand, b.shl(significand, b.sub(b.const64(64), shift))),
  );
  const inexact = b.ne(rest, b.const64(0));
  const up = truncate ? b.const32(0) : roundsUp(b, kept, rest, inexact, sign);
  const magnitude = b.add(kept, b.extendU(up));
  const value = b.select(sign, b.neg(magnitude), magnitude);
  const fits = b.ltS(exponent, b.const32(size - 1));
  const unchanged = b.leU(magnitude, b.const64((1n << BigInt(size - 1)) - 1n));
  const normalOrZero = b.or(b.ltS(significand, b.const64(0)), isZero);
  return { plain: b.and(b.and(fits, unchanged), normalOrZero), bits: value, inexact, up };
}

/**
 * Stores ST(0). What is not plain the helper computes, then it is stored, and only then the stack changes: the store may
 * fault.
 */
function storeOr(b: Builder, dst: Operand, pops: 0 | 1, format: string, rounded: Rounded): void {
  const stack = new Stack(b);
  const silent = b.or(b.eqz(rounded.inexact), precisionIsMasked(b));
  b.if(
    b.and(b.and(stack.isUsed(stack.physical(0)), rounded.plain), silent),
    () => {
      dst.write(rounded.bits);
      stack.noteRounding(rounded.inexact, rounded.up);
      stack.useAndPop([], pops);
    },
    () => storeByHelper(b, dst, format, pops),
  );
}

function storeByHelper(b: Builder, dst: Operand, format: string, pops: 0 | 1): void {
  b.helper(`x87.store.${format}`, [], false);
  const significand = b.helperResult(0, "i64");
  const signExponent = b.helperResult(1, "i32");
  const suppressed = b.helperResult(2, "i32");
  const status = b.helperResult(3, "i32");
  b.if(b.eqz(suppressed), () => {
    if (dst.bits === 80) writeExtended(b, dst, { significand, signExponent });
    else dst.write(significand);
  });
  b.helper("x87.stored", [status, b.select(suppressed, b.const32(0), b.const32(pops))], false);
}

/** The second part may fault after the first has been written, as on silicon. */
function writeExtended(b: Builder, dst: Operand, { significand, signExponent }: RegisterValue): void {
  const address = dst.address();
  b.store(address, "u64", significand);
  b.store(b.add(address, b.const64(8)), "u16", b.extendU(signExponent));
}

for (const [mnemonic, pops] of [
  ["fst", 0],
  ["fstp", 1],
] as const) {
  defineWaiting(mnemonic, (b, dst) => {
    const stack = new Stack(b);
    const from = stack.physical(0);
    const value = stack.read(from);
    if (!dst.isMemory) {
      const to = stack.physical(dst.register);
      b.if(
        stack.isUsed(from),
        () => {
          stack.write(to, value);
          stack.clearC1();
          stack.useAndPop([to], pops);
        },
        () => b.helper("x87.store.st", [b.registerNumber(dst.register), b.const32(pops)], false),
      );
    } else if (dst.bits === 80) {
      b.if(
        stack.isUsed(from),
        () => {
          writeExtended(b, dst, value);
          stack.clearC1();
          stack.useAndPop([], pops);
        },
        () => storeByHelper(b, dst, "f80", pops),
      );
    } else {
      const size = dst.bits === 32 ? 32 : 64;
      storeOr(b, dst, pops, `f${size}`, narrow(b, value, size));
    }
  });
}
for (const [mnemonic, kind, pops] of [
  ["fist", "i", 0],
  ["fistp", "i", 1],
  ["fisttp", "t", 1],
] as const) {
  defineWaiting(mnemonic, (b, dst) => {
    const stack = new Stack(b);
    const value = stack.read(stack.physical(0));
    storeOr(b, dst, pops, `${kind}${dst.bits}`, toInteger(b, value, dst.bits, kind === "t"));
  });
}
defineWaiting("fbstp", (b, dst) => storeByHelper(b, dst, "bcd", 1));

/** The undocumented twin of FSTP ST(i): if ST(0) is empty it is only popped, without complaint. */
defineWaiting("fstpnce", (b, dst) => {
  const stack = new Stack(b);
  const from = stack.physical(0);
  const to = stack.physical(dst.register);
  const value = stack.read(from);
  b.if(
    stack.isUsed(from),
    () => {
      stack.write(to, value);
      stack.useAndPop([to], 1);
    },
    () => stack.rotate(1),
  );
  stack.clearC1();
});

// ---- between registers ----

defineWaiting("fxch", (b, _first, other) => {
  const stack = new Stack(b);
  const [x, y] = [stack.physical(0), stack.physical(other.register)];
  const [first, second] = [stack.read(x), stack.read(y)];
  b.if(
    b.and(stack.isUsed(x), stack.isUsed(y)),
    () => {
      stack.write(x, second);
      stack.write(y, first);
      stack.clearC1();
    },
    () => b.helper("x87.fxch", [b.registerNumber(other.register)], false),
  );
});
for (const [mnemonic, change] of [
  ["fchs", (b: Builder, signExponent: Value) => b.xor(signExponent, b.const32(SIGN))],
  ["fabs", (b: Builder, signExponent: Value) => b.and(signExponent, b.const32(EXPONENT))],
] as const) {
  defineWaiting(mnemonic, (b) => {
    const stack = new Stack(b);
    const register = stack.physical(0);
    const { significand, signExponent } = stack.read(register);
    b.if(
      stack.isUsed(register),
      () => {
        stack.write(register, { significand, signExponent: change(b, signExponent) });
        stack.clearC1();
      },
      () => b.helper("x87.missing", [], false),
    );
  });
}

// ---- stack control ----

defineWaiting("ffree", (b, st) => {
  const stack = new Stack(b);
  stack.setEmpty(stack.physical(st.register));
});
/** FFREE, then a pop. */
defineWaiting("ffreep", (b, st) => {
  const stack = new Stack(b);
  const tag = (register: Value) => b.shl(b.const32(1), register);
  const freed = b.or(tag(stack.physical(st.register)), tag(stack.physical(0)));
  b.setField(X87_TAGS, "i32", b.and(b.field(X87_TAGS, "i32"), b.not(freed)));
  stack.rotate(1);
});
for (const [mnemonic, by] of [
  ["fincstp", 1],
  ["fdecstp", -1],
] as const) {
  defineWaiting(mnemonic, (b) => {
    const stack = new Stack(b);
    stack.rotate(by);
    stack.clearC1();
  });
}
defineWaiting("fnop", () => undefined);
defineWaiting("fwait", () => undefined);
/** Instructions of the 8087 and 80287 that do nothing any more. */
for (const mnemonic of ["fneni", "fndisi", "fnsetpm"]) define(mnemonic, () => undefined);
