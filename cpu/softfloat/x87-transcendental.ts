/**
 * What the x87 transcendental instructions have in common: turning a register into a {@link Real} and back, and the
 * precision that silicon works with.
 *
 * Intel promises less than one unit in the last place (SDM vol. 1, 8.3.10) and documents no more. These functions compute
 * the exact value and imitate the few steps that decide most about the last bit. Those were found by comparing candidates
 * with one Intel Xeon (virtual, so its model is not known; it has AMX) in truncating mode: multiplications and divisions
 * keep 67 bits and drop the rest, leading coefficients are 66 bits long. What remains different is one unit, of tables
 * and polynomials that we do not know; x87-transcendental.test.ts measures how often.
 */

import { Exception, type X87Control } from "./control.ts";
import { bitLength, EXTENDED, type Extended, packExtended, type Unpacked } from "./format.ts";
import { round } from "./round.ts";
import { type Real, truncate } from "./series.ts";

/** Significand bits inside the processor. */
const INTERNAL_BITS = 67;

/** An intermediate result as the processor keeps it. */
export function internal(value: Real): Real {
  return truncate(value, INTERNAL_BITS);
}

/** The magnitude of a finite operand. */
export function magnitudeOf(a: Unpacked): Real {
  return { mantissa: a.significand, exponent: a.exponent - 63 };
}

export function realOf(a: Unpacked): Real {
  return { mantissa: a.negative ? -a.significand : a.significand, exponent: a.exponent - 63 };
}

/** Rounds a result, not zero, to a register. PE is reported even if it is exact, and so is UE with a denormal. */
export function roundReal(value: Real, control: X87Control): Extended {
  const negative = value.mantissa < 0n;
  const mantissa = negative ? -value.mantissa : value.mantissa;
  const width = bitLength(mantissa);
  const parts = round(EXTENDED, negative, value.exponent + width - 1, mantissa, width, control);
  control.flags |= parts.biasedExponent === 0 ? Exception.PE | Exception.UE : Exception.PE;
  return packExtended(parts);
}
