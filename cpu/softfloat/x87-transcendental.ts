/**
 * What the x87 transcendental instructions have in common: turning a register into a {@link Real} and back.
 *
 * Intel promises less than one unit in the last place (SDM vol. 1, 8.3.10). These functions round the exact value, which
 * agrees with silicon bit for bit in all but a few per cent of cases; x87.transcendental.test.ts measures how many.
 */

import { Exception, type X87Control } from "./control.ts";
import { bitLength, EXTENDED, type Extended, packExtended, type Unpacked } from "./format.ts";
import { round } from "./round.ts";
import type { Real } from "./series.ts";

/** The magnitude of a finite operand. */
export function magnitudeOf(a: Unpacked): Real {
  return { mantissa: a.significand, exponent: a.exponent - 63 };
}

export function valueOf(a: Unpacked): Real {
  return { mantissa: a.negative ? -a.significand : a.significand, exponent: a.exponent - 63 };
}

/** Rounds a result, not zero, to a register. Transcendental instructions report PE even if it is exact. */
export function roundReal(value: Real, control: X87Control): Extended {
  const negative = value.mantissa < 0n;
  const mantissa = negative ? -value.mantissa : value.mantissa;
  const width = bitLength(mantissa);
  const parts = round(EXTENDED, negative, value.exponent + width - 1, mantissa, width, control);
  control.flags |= Exception.PE;
  return packExtended(parts);
}
