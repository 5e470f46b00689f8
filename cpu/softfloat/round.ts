/**
 * Rounding an exact (or jammed) value to a format, with the masked responses to overflow, underflow and inexactness.
 * Tininess is detected after rounding, as on every x86 (Intel SDM vol. 1, 4.9.1.5).
 */

import { Exception, type FloatControl, Rounding } from "./control.ts";
import { type Format, infinityParts, type Parts, zeroParts } from "./format.ts";

/**
 * How far an unmasked overflow or underflow moves the exponent of an x87 register (SDM vol. 1, 4.9.1.4 and 4.9.1.5).
 * SSE has no result then; only the flags count, which come from rounding with an unbounded exponent all the same.
 */
const EXPONENT_WRAP = 0x6000;

/** 2^n for the widths that arithmetic meets all the time. */
export const POWER: readonly bigint[] = Array.from({ length: 264 }, (_, n) => 1n << BigInt(n));

/** Whether the bits cut off (`rest` ≠ 0, `shift` of them) add one to the last bit kept. */
function increments(
  rounding: Rounding,
  negative: boolean,
  rest: bigint,
  shift: number,
  keptIsOdd: boolean,
): boolean {
  switch (rounding) {
    case Rounding.NearestEven: {
      const half = shift < POWER.length ? POWER[shift - 1] : 1n << BigInt(shift - 1);
      return rest > half || (rest === half && keptIsOdd);
    }
    case Rounding.Down:
      return negative;
    case Rounding.Up:
      return !negative;
    default:
      return false;
  }
}

function isOdd(value: bigint): boolean {
  return (value & 1n) === 1n;
}

/** The integer nearest to significand ÷ 2^shift by the control's rounding mode. Reports PE and the direction. */
export function shiftRight(
  negative: boolean,
  significand: bigint,
  shift: number,
  control: FloatControl,
): bigint {
  if (shift <= 0) return shift === 0 ? significand : significand << BigInt(-shift);
  const kept = significand >> BigInt(shift);
  const rest = BigInt.asUintN(shift, significand);
  if (rest === 0n) return kept;
  control.flags |= Exception.PE;
  if (!increments(control.rounding, negative, rest, shift, isOdd(kept))) return kept;
  control.roundedUp = true;
  return kept + 1n;
}

/**
 * Rounds ±significand × 2^(exponent − width + 1) to the format.
 * @param exponent of the leading bit
 * @param significand positive. Bits below it may have been jammed into bit 0 (1 if anything was lost), when
 *   width ≥ precision + 2
 * @param width the significand's exact length in bits
 */
export function round(
  format: Format,
  negative: boolean,
  exponent: number,
  significand: bigint,
  width: number,
  control: FloatControl,
): Parts {
  if (exponent < format.minExponent)
    return roundTiny(format, negative, exponent, significand, width, control);
  const rounded = roundUnbounded(format, negative, exponent, significand, width, control);
  if (rounded.biasedExponent <= 2 * format.maxExponent) return rounded;
  control.flags |= Exception.OE;
  if ((control.masks & Exception.OE) !== 0) return overflow(format, negative, control);
  const wrapped = rounded.biasedExponent - EXPONENT_WRAP;
  if (wrapped <= 2 * format.maxExponent) return { ...rounded, biasedExponent: wrapped };
  control.flags |= Exception.PE;
  control.roundedUp = true;
  return infinityParts(format, negative);
}

/** Rounds to the format's precision as if the exponent had no limits. */
function roundUnbounded(
  format: Format,
  negative: boolean,
  exponent: number,
  significand: bigint,
  width: number,
  control: FloatControl,
): Parts {
  const { precision, maxExponent } = format;
  let kept = shiftRight(negative, significand, width - precision, control);
  let biasedExponent = exponent + maxExponent;
  if (kept === POWER[precision]) {
    kept = POWER[precision - 1];
    biasedExponent++;
  }
  return { negative, biasedExponent, significand: store(format, kept) };
}

/** Fills up what a short precision leaves of a register. */
function store({ precision, storedBits }: Format, kept: bigint): bigint {
  return precision === storedBits ? kept : kept << BigInt(storedBits - precision);
}

/** The masked response to overflow (SDM vol. 1, table 4-10). */
function overflow(format: Format, negative: boolean, control: FloatControl): Parts {
  control.flags |= Exception.PE;
  const { rounding } = control;
  const toInfinity =
    rounding === Rounding.NearestEven || (negative ? rounding === Rounding.Down : rounding === Rounding.Up);
  control.roundedUp = toInfinity;
  if (toInfinity) return infinityParts(format, negative);
  const largest = store(format, POWER[format.precision] - 1n);
  return { negative, biasedExponent: 2 * format.maxExponent, significand: largest };
}

/** {@link round} below the smallest normal number. */
function roundTiny(
  format: Format,
  negative: boolean,
  exponent: number,
  significand: bigint,
  width: number,
  control: FloatControl,
): Parts {
  const { precision, minExponent } = format;
  const tiny =
    exponent < minExponent - 1 || !roundsToPower(precision, negative, significand, width, control.rounding);
  if (tiny && (control.masks & Exception.UE) === 0) {
    control.flags |= Exception.UE;
    const rounded = roundUnbounded(format, negative, exponent, significand, width, control);
    const wrapped = rounded.biasedExponent + EXPONENT_WRAP;
    if (wrapped > 0) return { ...rounded, biasedExponent: wrapped };
    control.flags |= Exception.PE;
    control.roundedUp = false;
    return zeroParts(negative);
  }
  if (tiny && control.flushToZero) {
    control.flags |= Exception.UE | Exception.PE;
    return zeroParts(negative);
  }
  let shift = width - precision + (minExponent - exponent);
  let value = significand;
  if (shift > width + 1) {
    // Less than half of the smallest denormal: how much less makes no difference.
    value = 1n;
    shift = 2;
  }
  const flags = control.flags;
  control.flags = 0;
  const kept = shiftRight(negative, value, shift, control);
  if (tiny && (control.flags & Exception.PE) !== 0) control.flags |= Exception.UE;
  control.flags |= flags;
  return { negative, biasedExponent: kept >= POWER[precision - 1] ? 1 : 0, significand: store(format, kept) };
}

/** Whether rounding to `precision` bits, exponent unbounded, gives the next power of two. */
function roundsToPower(
  precision: number,
  negative: boolean,
  significand: bigint,
  width: number,
  rounding: Rounding,
): boolean {
  const shift = width - precision;
  if (shift <= 0) return false;
  const kept = significand >> BigInt(shift);
  if (kept !== POWER[precision] - 1n) return false;
  const rest = BigInt.asUintN(shift, significand);
  return rest !== 0n && increments(rounding, negative, rest, shift, true);
}
