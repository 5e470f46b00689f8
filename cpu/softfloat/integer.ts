/** From floating point to integers: shared by the SSE conversions, ROUNDSS & co. and the x87 store instructions. */

import { propagateNaN } from "./arithmetic.ts";
import { Exception, type FloatControl, type Rounding } from "./control.ts";
import {
  bitLength,
  type Format,
  infinityParts,
  Kind,
  type Parts,
  type Unpacked,
  zeroParts,
} from "./format.ts";
import { round, shiftRight } from "./round.ts";

/** |a| rounded to an integer, in the direction that a's sign and the rounding mode give. */
function roundMagnitude(a: Unpacked, control: FloatControl): bigint {
  // Below 1/4 all that matters is that there is something.
  if (a.exponent < -2) return shiftRight(a.negative, 1n, 2, control);
  return shiftRight(a.negative, a.significand, 63 - a.exponent, control);
}

/**
 * The operand as an integer by the control's rounding mode; reports PE. Null, with IE and nothing else, for NaNs,
 * infinities and unsupported encodings, and if the result does not fit `bits` bits two's complement. Denormals are not
 * reported: to a conversion they are merely inexact.
 */
export function toInteger(a: Unpacked, bits: number, control: FloatControl): bigint | null {
  if (a.kind === Kind.Zero) return 0n;
  if (a.kind === Kind.Finite && a.exponent <= bits) {
    const flags = control.flags;
    const magnitude = roundMagnitude(a, control);
    const value = a.negative ? -magnitude : magnitude;
    if (BigInt.asIntN(bits, value) === value) return value;
    control.flags = flags;
    control.roundedUp = false;
  }
  control.flags |= Exception.IE;
  return null;
}

/** The operand rounded to an integer, staying a floating-point number of the format it came from. */
export function roundToIntegral(format: Format, a: Unpacked, control: FloatControl): Parts {
  const nan = propagateNaN(format, a, a, control);
  if (nan !== null) return nan;
  if (a.isZero) return zeroParts(a.negative);
  if (a.isInfinity) return infinityParts(format, a.negative);
  if (a.exponent >= 63) return round(format, a.negative, a.exponent, a.significand, 64, control);
  const magnitude = roundMagnitude(a, control);
  if (magnitude === 0n) return zeroParts(a.negative);
  const width = bitLength(magnitude);
  return round(format, a.negative, width - 1, magnitude, width, control);
}

/** Runs `operation` with another rounding mode. */
export function withRounding<Result>(
  control: FloatControl,
  rounding: Rounding,
  operation: () => Result,
): Result {
  const saved = control.rounding;
  control.rounding = rounding;
  const result = operation();
  control.rounding = saved;
  return result;
}
