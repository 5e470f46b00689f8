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
import { binaryLogarithm, exponentialMinusOne, logarithmOnePlus, multiply } from "./series.ts";
import { roundReal, valueOf } from "./x87-transcendental.ts";

const MINUS_ONE: Extended = { significand: INTEGER_BIT, signExponent: 0xbfff };
const MINUS_HALF: Extended = { significand: INTEGER_BIT, signExponent: 0xbffe };

/** F2XM1: 2^a − 1. Beyond −1…1, where the manual defines nothing, silicon leaves the operand. */
export function f2xm1(a: Unpacked, control: X87Control): Extended {
  const nan = propagateNaN(EXTENDED, a, a, control);
  if (nan !== null) return packExtended(nan);
  if (a.isZero) return packExtended(zeroParts(a.negative));
  if (a.isInfinity) return a.negative ? MINUS_ONE : packExtended(infinityParts(EXTENDED, false));
  if (a.denormal) control.flags |= Exception.DE;
  if (a.exponent < 0) return roundReal(exponentialMinusOne(valueOf(a)), control);
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
  return roundReal(multiply(binaryLogarithm(valueOf(x)), valueOf(y)), control);
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
  return roundReal(multiply(logarithmOnePlus(valueOf(x)), valueOf(y)), control);
}
