/** FRNDINT, FSCALE and FXTRACT. */

import { invalid, propagateNaN } from "./arithmetic.ts";
import { Exception, type X87Control } from "./control.ts";
import {
  EXTENDED,
  type Extended,
  infinityParts,
  type Parts,
  packExtended,
  repackExtended,
  type Unpacked,
  zeroParts,
} from "./format.ts";
import { roundToIntegral } from "./integer.ts";
import { round } from "./round.ts";
import { fild } from "./x87-convert.ts";

/** FRNDINT: to an integer by rounding control. */
export function frndint(a: Unpacked, control: X87Control): Extended {
  if (a.denormal) control.flags |= Exception.DE;
  return packExtended(roundToIntegral(EXTENDED, a, control));
}

/** Scales beyond this overflow or underflow whatever the operand, even when the exponent may wrap. */
const MAX_SCALE = 0x1_0000;

/** FSCALE: a × 2^trunc(b), for ST(0) = a and ST(1) = b. */
export function fscale(a: Unpacked, b: Unpacked, control: X87Control): Extended {
  const parts = scale(a, b, control);
  return parts === null ? repackExtended(a) : packExtended(parts);
}

/** Null if the operand stays as it is. */

function scale(a: Unpacked, b: Unpacked, control: X87Control): Parts | null {
  const nan = propagateNaN(EXTENDED, a, b, control);
  if (nan !== null) return nan;
  if (b.isInfinity && (b.negative ? a.isInfinity : a.isZero)) return invalid(EXTENDED, control);
  if (a.denormal || b.denormal) control.flags |= Exception.DE;
  if (a.isInfinity) return infinityParts(EXTENDED, a.negative);
  if (a.isZero) return zeroParts(a.negative);
  if (b.isInfinity) return b.negative ? zeroParts(a.negative) : infinityParts(EXTENDED, a.negative);
  if (b.isZero) return null;
  return round(EXTENDED, a.negative, a.exponent + scaleOf(b), a.significand, 64, control);
}

/** trunc(b), limited to ±{@link MAX_SCALE}. */
function scaleOf(b: Unpacked): number {
  if (b.exponent < 0) return 0;
  if (b.exponent >= 16) return b.negative ? -MAX_SCALE : MAX_SCALE;
  const magnitude = Number(b.significand >> BigInt(63 - b.exponent));
  return b.negative ? -magnitude : magnitude;
}

/** What FXTRACT makes of ST(0): the exponent replaces it and the significand is pushed above. */
export interface Extracted {
  readonly exponent: Extended;
  readonly significand: Extended;
}

/** FXTRACT. */
export function fxtract(a: Unpacked, control: X87Control): Extracted {
  const nan = propagateNaN(EXTENDED, a, a, control);
  if (nan !== null) {
    const both = packExtended(nan);
    return { exponent: both, significand: both };
  }
  if (a.isZero) {
    control.flags |= Exception.ZE;
    return {
      exponent: packExtended(infinityParts(EXTENDED, true)),
      significand: packExtended(zeroParts(a.negative)),
    };
  }
  if (a.isInfinity) {
    return {
      exponent: packExtended(infinityParts(EXTENDED, false)),
      significand: packExtended(infinityParts(EXTENDED, a.negative)),
    };
  }
  if (a.denormal) control.flags |= Exception.DE;
  return {
    exponent: fild(a.exponent),
    significand: { significand: a.significand, signExponent: (a.negative ? 0x8000 : 0) | 0x3fff },
  };
}
