/** Numbers on their way into x87 registers, in the IR. */

import type { Builder } from "../../ir/builder.ts";
import type { Value } from "../../ir/value.ts";
import type { RegisterValue, Stack } from "./stack.ts";

export const INTEGER_BIT = 1n << 63n;
export const SIGN = 0x8000;
export const EXPONENT = 0x7fff;
export const BIAS = 16383;
/** Biased exponent of 2^63: of a 64-bit integer whose top bit is set. */
const INTEGER_EXPONENT = BIAS + 63;

/** A value, and whether it is a normal number or zero (i32, 0 or 1), about which there is nothing to report. */
export interface PlainValue extends RegisterValue {
  readonly plain: Value;
}

/** Single and double precision: bits of the fraction, bias of the exponent. */
export const FORMATS = { 32: { fraction: 23, bias: 127 }, 64: { fraction: 52, bias: 1023 } } as const;

/** A normal number or zero in single or double precision, from its bits (i64). */
export function widen(b: Builder, bits: Value, size: 32 | 64): PlainValue {
  const { fraction, bias } = FORMATS[size];
  const sign = b.and(b.wrap(b.shrBy(bits, size - 16)), b.const32(SIGN));
  const exponent = b.and(b.wrap(b.shrBy(bits, fraction)), b.const32(2 * bias + 1));
  const isZero = b.eqz(b.shlBy(bits, 65 - size));
  const normal = b.ltU(b.sub(exponent, b.const32(1)), b.const32(2 * bias));
  const significand = b.or(b.shlBy(bits, 63 - fraction), b.const64(INTEGER_BIT));
  const biased = b.add(exponent, b.const32(BIAS - bias));
  return {
    plain: b.or(normal, isZero),
    significand: b.select(isZero, b.const64(0), significand),
    signExponent: b.or(sign, b.select(isZero, b.const32(0), biased)),
  };
}

/** Always exact. */
export function fromInteger(b: Builder, value: Value): PlainValue {
  const isZero = b.eqz(value);
  const sign = b.shrBy(value, 63);
  const magnitude = b.select(b.wrap(sign), b.neg(value), value);
  const zeros = b.clz(magnitude);
  const exponent = b.sub(b.const32(INTEGER_EXPONENT), b.wrap(zeros));
  return {
    plain: b.const32(1),
    significand: b.shl(magnitude, zeros),
    signExponent: b.or(b.shlBy(b.wrap(sign), 15), b.select(isZero, b.const32(0), exponent)),
  };
}

/** What is in a register; an empty one is not plain. */
export function fromRegister(b: Builder, stack: Stack, register: Value): PlainValue {
  const value = stack.read(register);
  const { significand, signExponent } = value;
  const exponent = b.and(signExponent, b.const32(EXPONENT));
  const isNormal = b.and(
    b.ltS(significand, b.const64(0)),
    b.ltU(b.sub(exponent, b.const32(1)), b.const32(2 * BIAS)),
  );
  const isZero = b.and(b.eqz(significand), b.eqz(exponent));
  return { ...value, plain: b.and(stack.isUsed(register), b.or(isNormal, isZero)) };
}
