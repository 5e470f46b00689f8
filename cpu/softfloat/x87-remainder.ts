/** FPREM and FPREM1: exact remainders, reduced in steps of at most 63 binary digits of quotient. */

import { invalid, propagateNaN } from "./arithmetic.ts";
import { Exception, type X87Control } from "./control.ts";
import {
  bitLength,
  EXTENDED,
  type Extended,
  type Parts,
  packExtended,
  repackExtended,
  type Unpacked,
  zeroParts,
} from "./format.ts";
import { round } from "./round.ts";
import { Condition } from "./x87-arithmetic.ts";

export interface PartialRemainder {
  readonly result: Extended;
  /** C2: reduction is incomplete. C0, C3, C1: bits 2, 1, 0 of the quotient once it is complete. At their FSW places. */
  readonly condition: number;
  /** Which condition codes are written; the others keep their value. */
  readonly conditionMask: number;
}

/** Truncating remainder of ST(0) = a by ST(1) = b (Intel SDM vol. 2, FPREM). */
export function fprem(a: Unpacked, b: Unpacked, control: X87Control): PartialRemainder {
  return remainder(a, b, false, control);
}

/** IEEE remainder: the quotient is rounded to nearest (Intel SDM vol. 2, FPREM1). */
export function fprem1(a: Unpacked, b: Unpacked, control: X87Control): PartialRemainder {
  return remainder(a, b, true, control);
}

/** After an invalid operation or a NaN, and when an unmasked exception suppresses the result, C0 and C3 stay. */
const REJECTED = Condition.C2 | Condition.C1;
const ALL_CONDITIONS = Condition.C0 | Condition.C1 | Condition.C2 | Condition.C3;

function rejected(parts: Parts): PartialRemainder {
  return { result: packExtended(parts), condition: 0, conditionMask: REJECTED };
}

/** A quotient of zero. */
function unchanged(result: Extended): PartialRemainder {
  return { result, condition: 0, conditionMask: ALL_CONDITIONS };
}

function remainder(a: Unpacked, b: Unpacked, nearest: boolean, control: X87Control): PartialRemainder {
  const nan = propagateNaN(EXTENDED, a, b, control);
  if (nan !== null) return rejected(nan);
  if (a.isInfinity || b.isZero) return rejected(invalid(EXTENDED, control));
  if (a.denormal || b.denormal) control.flags |= Exception.DE;
  if (control.suppressed) return rejected(zeroParts(false));
  if (a.isZero) return unchanged(packExtended(zeroParts(a.negative)));
  if (b.isInfinity) return unchanged(repackExtended(a));
  const distance = a.exponent - b.exponent;
  if (distance < -1) {
    return unchanged(pack(a.negative, a.significand, a.exponent - 63, control));
  }
  if (distance >= 64) {
    // The manual leaves the size of a step open between 32 and 63; this is Intel's.
    const step = (distance & 31) | 32;
    const rest = (a.significand << BigInt(step)) % b.significand;
    const unit = b.exponent - 63 + distance - step;
    return {
      result: pack(a.negative, rest, unit, control),
      condition: Condition.C2,
      conditionMask: ALL_CONDITIONS,
    };
  }
  // Everything in units of b's last bit, or half of it.
  const half = distance < 0 ? 1 : 0;
  const dividend = a.significand << BigInt(distance + half);
  const divisor = b.significand << BigInt(half);
  let quotient = dividend / divisor;
  let rest = dividend % divisor;
  let { negative } = a;
  if (nearest && (2n * rest > divisor || (2n * rest === divisor && (quotient & 1n) === 1n))) {
    quotient += 1n;
    rest = divisor - rest;
    negative = !negative;
  }
  const q = Number(quotient & 7n);
  return {
    result: pack(rest === 0n ? a.negative : negative, rest, b.exponent - 63 - half, control),
    condition:
      ((q & 4) !== 0 ? Condition.C0 : 0) |
      ((q & 2) !== 0 ? Condition.C3 : 0) |
      ((q & 1) !== 0 ? Condition.C1 : 0),
    conditionMask: ALL_CONDITIONS,
  };
}

/** ±magnitude × 2^unit; always exact. */
function pack(negative: boolean, magnitude: bigint, unit: number, control: X87Control): Extended {
  if (magnitude === 0n) return packExtended(zeroParts(negative));
  const width = bitLength(magnitude);
  return packExtended(round(EXTENDED, negative, unit + width - 1, magnitude, width, control));
}
