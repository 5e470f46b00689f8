/** FSIN, FCOS, FSINCOS, FPTAN and FPATAN (Intel SDM vol. 2; vol. 1, 8.3.8 for π). */

import { invalid, propagateNaN } from "./arithmetic.ts";
import { Exception, type X87Control } from "./control.ts";
import { EXTENDED, type Extended, Kind, packExtended, type Unpacked, zeroParts } from "./format.ts";
import {
  arctangent,
  cosine,
  divide,
  leadingExponent,
  negate,
  ONE,
  pi,
  type Real,
  scale,
  sine,
  subtract,
} from "./series.ts";
import { internal, magnitudeOf, realOf, roundReal } from "./x87-transcendental.ts";

/** π/2 as the processor knows it: 66 bits of π, so that sines of large numbers are those of another π than ours. */
const HALF_PI: Real = { mantissa: 0xc_90fd_aa22_168c_234cn, exponent: -67 };

/** Operands from here on are left alone and C2 is set: "source operand is out of range". */
const OUT_OF_RANGE_EXPONENT = 63;

const FLOAT_ONE: Extended = { significand: 0x8000_0000_0000_0000n, signExponent: 0x3fff };

/** x = quotient × π/2 + rest with |rest| ≤ π/4, exactly. Only the last two bits of the quotient are kept. */
interface Reduced {
  readonly quadrant: number;
  readonly rest: Real;
}

function reduce(a: Unpacked): Reduced {
  if (a.exponent < -1) return { quadrant: 0, rest: realOf(a) };
  const value = realOf(a);
  const scaled = value.mantissa << BigInt(value.exponent - HALF_PI.exponent);
  const half = HALF_PI.mantissa >> 1n;
  let quotient = (scaled + half) / HALF_PI.mantissa;
  // Division truncates; the quotient must round down for the rest to be centred.
  if (quotient * HALF_PI.mantissa > scaled + half) quotient -= 1n;
  const rest = { mantissa: scaled - quotient * HALF_PI.mantissa, exponent: HALF_PI.exponent };
  return { quadrant: Number(BigInt.asUintN(2, quotient)), rest };
}

/** Below 2^−68, sines and tangents are their argument and cosines are 1, in every rounding mode. */
const TINY_EXPONENT = -69;
/** Below 2^−40, arcus tangents are their argument in every rounding mode. */
const TINY_ARCTANGENT_EXPONENT = -41;

function isTiny({ quadrant, rest }: Reduced): boolean {
  return quadrant === 0 && leadingExponent(rest) <= TINY_EXPONENT;
}

function sineOf({ quadrant, rest }: Reduced): Real {
  const value = (quadrant & 1) === 0 ? sine(rest) : cosine(rest);
  return (quadrant & 2) === 0 ? value : negate(value);
}

function cosineOf({ quadrant, rest }: Reduced): Real {
  return sineOf({ quadrant: quadrant + 1, rest });
}

function tangentOf({ quadrant, rest }: Reduced): Real {
  const [s, c] = [internal(sine(rest)), internal(cosine(rest))];
  return (quadrant & 1) === 0 ? divide(s, c) : negate(divide(c, s));
}

/** ST(0) is out of range: it stays, nothing is pushed, C2 is set. Else C2 is cleared. */
export function isOutOfRange(a: Unpacked): boolean {
  return a.kind === Kind.Finite && a.exponent >= OUT_OF_RANGE_EXPONENT;
}

/** Answers everything but finite numbers other than zero. */
function special(a: Unpacked, ofZero: Extended, control: X87Control): Extended | null {
  const nan = propagateNaN(EXTENDED, a, a, control);
  if (nan !== null) return packExtended(nan);
  if (a.isInfinity) return packExtended(invalid(EXTENDED, control));
  if (a.isZero) return ofZero;
  if (a.denormal) control.flags |= Exception.DE;
  return null;
}

/** FSIN. The caller has made sure that the operand {@link isOutOfRange} not. */
export function fsin(a: Unpacked, control: X87Control): Extended {
  const answer = special(a, packExtended(zeroParts(a.negative)), control);
  if (answer !== null) return answer;
  const reduced = reduce(a);
  return roundReal(isTiny(reduced) ? reduced.rest : sineOf(reduced), control);
}

/** FCOS. The caller has made sure that the operand {@link isOutOfRange} not. */
export function fcos(a: Unpacked, control: X87Control): Extended {
  const answer = special(a, FLOAT_ONE, control);
  if (answer !== null) return answer;
  const reduced = reduce(a);
  return roundReal(isTiny(reduced) ? ONE : cosineOf(reduced), control);
}

/** FSINCOS: the sine replaces ST(0), then the cosine is pushed. C1 tells of the cosine. */
export function fsincos(a: Unpacked, control: X87Control): { sine: Extended; cosine: Extended } {
  const sine = fsin(a, control);
  control.roundedUp = false;
  return { sine, cosine: fcos(a, control) };
}

/** FPTAN: the tangent replaces ST(0), then 1.0 is pushed, or once more the tangent if it is a NaN. */
export function fptan(a: Unpacked, control: X87Control): { tangent: Extended; pushed: Extended } {
  const answer = special(a, packExtended(zeroParts(a.negative)), control);
  if (answer !== null) return { tangent: answer, pushed: a.isZero ? FLOAT_ONE : answer };
  const reduced = reduce(a);
  const tangent = isTiny(reduced) ? reduced.rest : tangentOf(reduced);
  return { tangent: roundReal(tangent, control), pushed: FLOAT_ONE };
}

/** FPATAN: the angle of the point (x = ST(0), y = ST(1)), in −π…π. */
export function fpatan(y: Unpacked, x: Unpacked, control: X87Control): Extended {
  const nan = propagateNaN(EXTENDED, y, x, control);
  if (nan !== null) return packExtended(nan);
  if (y.denormal || x.denormal) control.flags |= Exception.DE;
  const angle = angleOf(y, x);
  if (angle === null) return packExtended(zeroParts(y.negative));
  return roundReal(y.negative ? negate(angle) : angle, control);
}

/** The magnitude of the angle; null if it is zero. */
function angleOf(y: Unpacked, x: Unpacked): Real | null {
  if (y.isZero || (x.isInfinity && !y.isInfinity)) return x.negative ? pi() : null;
  if (y.isInfinity && x.isInfinity) {
    const quarter = scale(pi(), -2);
    return x.negative ? subtract(pi(), quarter) : quarter;
  }
  const halfPi = scale(pi(), -1);
  if (y.isInfinity || x.isZero) return halfPi;
  const steep = y.exponent > x.exponent || (y.exponent === x.exponent && y.significand > x.significand);
  const quotient = steep ? divide(magnitudeOf(x), magnitudeOf(y)) : divide(magnitudeOf(y), magnitudeOf(x));
  const flat = arctangentOf(internal(quotient));
  const acute = steep ? subtract(halfPi, flat) : flat;
  return x.negative ? subtract(pi(), acute) : acute;
}

function arctangentOf(quotient: Real): Real {
  return leadingExponent(quotient) <= TINY_ARCTANGENT_EXPONENT ? quotient : arctangent(quotient);
}
