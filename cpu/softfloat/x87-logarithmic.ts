/** F2XM1, FYL2X and FYL2XP1 (Intel SDM vol. 2). */

import { invalid, propagateNaN } from "./arithmetic.ts";
import { Exception, type X87Control } from "./control.ts";
import {
  EXTENDED,
  type Extended,
  INTEGER_BIT,
  infinityParts,
  packExtended,
  repackExtended,
  type Unpacked,
  zeroParts,
} from "./format.ts";
import {
  add,
  binaryLogarithm,
  divide,
  exponentialMinusOne,
  leadingExponent,
  ln2,
  logarithmOnePlus,
  multiply,
  ONE,
  type Real,
  subtract,
  twoLog2e,
} from "./series.ts";
import { internal, realOf, roundReal } from "./x87-transcendental.ts";

const TWO: Real = { mantissa: 2n, exponent: 0 };
/** Positive, and far below every bit of a logarithm. */
const EPSILON: Real = { mantissa: 1n, exponent: -150 };
const MINUS_ONE: Extended = { significand: INTEGER_BIT, signExponent: 0xbfff };
const MINUS_HALF: Extended = { significand: INTEGER_BIT, signExponent: 0xbffe };

/** Leading coefficients as silicon has them: 66 bits of ln 2, and of 2 log2 e rounded up. */
const LN2: Real = { mantissa: 0x2_c5c8_5fdf_473d_e6afn, exponent: -66 };
const TWO_LOG2E: Real = { mantissa: 0x2_e2a8_eca5_705f_c2efn, exponent: -64 };

/** Below 1/8 from 0 (of F2XM1) or 1 (of a logarithm), silicon uses one polynomial; beyond there are tables. */
const POLYNOMIAL_EXPONENT = -4;
/** Below 2^−68, F2XM1 is a multiplication. */
const TINY_EXPONENT = -69;

/** 2^x − 1 for |x| < 1. */
function exponential(x: Real): Real {
  if (leadingExponent(x) <= TINY_EXPONENT) return multiply(x, LN2);
  const exact = exponentialMinusOne(x);
  if (leadingExponent(x) > POLYNOMIAL_EXPONENT) return exact;
  return add(internal(multiply(x, LN2)), subtract(exact, multiply(x, ln2())));
}

/** log2(1 + x) for small |x|: a series in u = 2 log2 e × x ÷ (2 + x). */
function logarithmNearOne(x: Real): Real {
  const denominator = add(x, TWO);
  const u = internal(divide(internal(multiply(x, TWO_LOG2E)), internal(denominator)));
  const rest = subtract(logarithmOnePlus(x), multiply(divide(x, denominator), twoLog2e()));
  return internal(add(u, rest));
}

/** log2 x from the tables. What the one for 1 adds is visible when x is a power of two. */
function logarithmFarFromOne(x: Real): Real {
  return internal(add(binaryLogarithm(x), EPSILON));
}

/** F2XM1: 2^a − 1. Beyond −1…1, where the manual defines nothing, silicon leaves the operand. */
export function f2xm1(a: Unpacked, control: X87Control): Extended {
  const nan = propagateNaN(EXTENDED, a, a, control);
  if (nan !== null) return packExtended(nan);
  if (a.isZero) return packExtended(zeroParts(a.negative));
  if (a.isInfinity) return a.negative ? MINUS_ONE : packExtended(infinityParts(EXTENDED, false));
  if (a.denormal) control.flags |= Exception.DE;
  if (a.exponent < 0) return roundReal(exponential(realOf(a)), control);
  control.flags |= Exception.PE;
  return a.negative && a.exponent === 0 && a.significand === INTEGER_BIT ? MINUS_HALF : repackExtended(a);
}

function zero(negative: boolean): Extended {
  return packExtended(zeroParts(negative));
}

function infinity(negative: boolean): Extended {
  return packExtended(infinityParts(EXTENDED, negative));
}

/** FYL2X: y × log2 x for ST(1) = y and ST(0) = x. */
export function fyl2x(y: Unpacked, x: Unpacked, control: X87Control): Extended {
  const nan = propagateNaN(EXTENDED, y, x, control);
  if (nan !== null) return packExtended(nan);
  if (x.negative && !x.isZero) return packExtended(invalid(EXTENDED, control));
  if (x.isZero) {
    if (y.isZero) return packExtended(invalid(EXTENDED, control));
    if (!y.isInfinity) control.flags |= Exception.ZE;
    return infinity(!y.negative);
  }
  const isOne = x.isFinite && x.exponent === 0 && x.significand === INTEGER_BIT;
  if ((isOne && y.isInfinity) || (x.isInfinity && y.isZero)) return packExtended(invalid(EXTENDED, control));
  if (x.denormal || y.denormal) control.flags |= Exception.DE;
  if (isOne) return zero(y.negative);
  const negative = y.negative !== (x.isFinite && x.exponent < 0);
  if (x.isInfinity || y.isInfinity) return infinity(negative);
  if (y.isZero) return zero(negative);
  const aboveOne = subtract(realOf(x), ONE);
  const near = leadingExponent(aboveOne) <= POLYNOMIAL_EXPONENT;
  const logarithm = near ? logarithmNearOne(aboveOne) : logarithmFarFromOne(realOf(x));
  return roundReal(multiply(logarithm, realOf(y)), control);
}

/**
 * FYL2XP1: y × log2(1 + x) for ST(1) = y and ST(0) = x. The manual defines it for −(1 − √½) ≤ x ≤ √½ − 1 only; silicon
 * computes all of x > −1 and leaves x ≤ −1.
 */
export function fyl2xp1(y: Unpacked, x: Unpacked, control: X87Control): Extended {
  const nan = propagateNaN(EXTENDED, y, x, control);
  if (nan !== null) return packExtended(nan);
  const negative = y.negative !== x.negative;
  if ((x.isZero && y.isInfinity) || (x.isInfinity && (x.negative || y.isZero))) {
    return packExtended(invalid(EXTENDED, control));
  }
  if (x.denormal || y.denormal) control.flags |= Exception.DE;
  if (x.isZero || y.isZero) return zero(negative);
  if (x.isInfinity || y.isInfinity) return infinity(negative);
  if (x.negative && x.exponent >= 0) {
    control.flags |= Exception.PE;
    return repackExtended(x);
  }
  const near = x.exponent <= POLYNOMIAL_EXPONENT;
  const logarithm = near ? logarithmNearOne(realOf(x)) : logarithmFarFromOne(add(realOf(x), ONE));
  return roundReal(multiply(logarithm, realOf(y)), control);
}
