/**
 * SSE and SSE2 conversions and SSE4.1 rounding, one lane at a time; lanes as in sse.ts. Integers that come out are
 * unsigned bit patterns; the integer indefinite (only the sign bit set) answers whatever does not fit.
 * Sources: Intel SDM vol. 1, 4.8.4.2 and table 4-1; vol. 2, CVT*, ROUNDSS; AMD64 APM vol. 4 for F16C.
 */

import { propagateNaN } from "./arithmetic.ts";
import { Exception, Rounding, type SseControl } from "./control.ts";
import {
  BINARY16,
  BINARY32,
  BINARY64,
  type Format,
  infinityParts,
  type Parts,
  packBinary16,
  packBinary32,
  packBinary64,
  type Unpacked,
  unpackBinary16,
  unpackBinary32,
  unpackBinary64,
  unpackInteger,
  zeroParts,
} from "./format.ts";
import { roundToIntegral, toInteger, withRounding } from "./integer.ts";
import { round } from "./round.ts";

function convert(format: Format, a: Unpacked, control: SseControl): Parts {
  const nan = propagateNaN(format, a, a, control);
  if (nan !== null) return nan;
  if (a.denormal) control.flags |= Exception.DE;
  if (a.isZero) return zeroParts(a.negative);
  if (a.isInfinity) return infinityParts(format, a.negative);
  return round(format, a.negative, a.exponent, a.significand, 64, control);
}

export function cvtss2sd(a: number, control: SseControl): bigint {
  return packBinary64(convert(BINARY64, unpackBinary32(a, control.daz), control));
}
export function cvtsd2ss(a: bigint, control: SseControl): number {
  return packBinary32(convert(BINARY32, unpackBinary64(a, control.daz), control));
}

/** @param value a signed integer of 32 or 64 bits; also CVTDQ2PS and CVTPI2PS */
export function cvtsi2ss(value: number | bigint, control: SseControl): number {
  return packBinary32(convert(BINARY32, unpackInteger(value), control));
}
/** @param value a signed integer of 32 or 64 bits; also CVTDQ2PD and CVTPI2PD */
export function cvtsi2sd(value: number | bigint, control: SseControl): bigint {
  return packBinary64(convert(BINARY64, unpackInteger(value), control));
}

function toInt32(a: Unpacked, control: SseControl): number {
  return Number(toInteger(a, 32, control) ?? 0x8000_0000n) >>> 0;
}
function toInt64(a: Unpacked, control: SseControl): bigint {
  return BigInt.asUintN(64, toInteger(a, 64, control) ?? 0x8000_0000_0000_0000n);
}

/** To a 32-bit integer by MXCSR's rounding mode; also CVTPS2DQ and CVTPS2PI. */
export function cvtss2si32(a: number, control: SseControl): number {
  return toInt32(unpackBinary32(a, control.daz), control);
}
/** To a 64-bit integer by MXCSR's rounding mode. */
export function cvtss2si64(a: number, control: SseControl): bigint {
  return toInt64(unpackBinary32(a, control.daz), control);
}
/** To a 32-bit integer by MXCSR's rounding mode; also CVTPD2DQ and CVTPD2PI. */
export function cvtsd2si32(a: bigint, control: SseControl): number {
  return toInt32(unpackBinary64(a, control.daz), control);
}
/** To a 64-bit integer by MXCSR's rounding mode. */
export function cvtsd2si64(a: bigint, control: SseControl): bigint {
  return toInt64(unpackBinary64(a, control.daz), control);
}

/** To a 32-bit integer by truncation; also CVTTPS2DQ and CVTTPS2PI. */
export function cvttss2si32(a: number, control: SseControl): number {
  return withRounding(control, Rounding.Zero, () => cvtss2si32(a, control));
}
/** To a 64-bit integer by truncation. */
export function cvttss2si64(a: number, control: SseControl): bigint {
  return withRounding(control, Rounding.Zero, () => cvtss2si64(a, control));
}
/** To a 32-bit integer by truncation; also CVTTPD2DQ and CVTTPD2PI. */
export function cvttsd2si32(a: bigint, control: SseControl): number {
  return withRounding(control, Rounding.Zero, () => cvtsd2si32(a, control));
}
/** To a 64-bit integer by truncation. */
export function cvttsd2si64(a: bigint, control: SseControl): bigint {
  return withRounding(control, Rounding.Zero, () => cvtsd2si64(a, control));
}

const ROUNDING_OF_IMMEDIATE = [Rounding.NearestEven, Rounding.Down, Rounding.Up, Rounding.Zero] as const;

/** ROUNDSS' immediate: bits 0…1 rounding mode, bit 2 take MXCSR's instead, bit 3 do not report PE. */
function roundByImmediate(format: Format, a: Unpacked, immediate: number, control: SseControl): Parts {
  const before = control.flags;
  const rounding = (immediate & 4) !== 0 ? control.rounding : ROUNDING_OF_IMMEDIATE[immediate & 3];
  const parts = withRounding(control, rounding, () => roundToIntegral(format, a, control));
  if ((immediate & 8) !== 0) control.flags &= ~Exception.PE | before;
  return parts;
}

/** @param immediate the instruction's */
export function roundss(a: number, immediate: number, control: SseControl): number {
  return packBinary32(roundByImmediate(BINARY32, unpackBinary32(a, control.daz), immediate, control));
}
/** @param immediate the instruction's */
export function roundsd(a: bigint, immediate: number, control: SseControl): bigint {
  return packBinary64(roundByImmediate(BINARY64, unpackBinary64(a, control.daz), immediate, control));
}

/** VCVTPH2PS: denormal halves are converted as numbers whatever MXCSR.DAZ says, and DE is not reported. */
export function cvtph2ps(a: number, control: SseControl): number {
  const flags = control.flags;
  const result = packBinary32(convert(BINARY32, unpackBinary16(a), control));
  control.flags = flags | (control.flags & Exception.IE);
  return result;
}

/** VCVTPS2PH. @param immediate bits 0…1 rounding mode, bit 2 take MXCSR's instead */
export function cvtps2ph(a: number, immediate: number, control: SseControl): number {
  const rounding = (immediate & 4) !== 0 ? control.rounding : ROUNDING_OF_IMMEDIATE[immediate & 3];
  const { flushToZero } = control;
  control.flushToZero = false;
  const operand = unpackBinary32(a, control.daz);
  const result = withRounding(control, rounding, () => packBinary16(convert(BINARY16, operand, control)));
  control.flushToZero = flushToZero;
  return result;
}
