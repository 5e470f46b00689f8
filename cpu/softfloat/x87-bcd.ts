/**
 * FBLD and FBSTP: packed BCD, 18 decimal digits in bytes 0…8 and the sign in bit 7 of byte 9 (Intel SDM vol. 1, 4.7).
 * An 80-bit value here is those ten bytes as a little-endian number.
 */

import { Exception, type X87Control } from "./control.ts";
import type { Extended, Unpacked } from "./format.ts";
import { toInteger } from "./integer.ts";
import { fild } from "./x87-convert.ts";

const SIGN = 1n << 79n;
/** The packed BCD integer indefinite (SDM vol. 1, table 4-4). */
const INDEFINITE = 0xffff_c000_0000_0000_0000n;
const LIMIT = 10n ** 18n;

/** Exact. Digits above 9, which are undefined, count with their value as on silicon. */
export function fbld(packed: bigint): Extended {
  let magnitude = 0n;
  for (let digit = 17; digit >= 0; digit--)
    magnitude = magnitude * 10n + ((packed >> BigInt(4 * digit)) & 15n);
  const { significand, signExponent } = fild(magnitude);
  return { significand, signExponent: signExponent | ((packed & SIGN) !== 0n ? 0x8000 : 0) };
}

/** @returns the indefinite, with IE, for NaNs, infinities and integers of more than 18 digits */
export function fbstp(a: Unpacked, control: X87Control): bigint {
  const { flags } = control;
  const value = toInteger(a, 64, control);
  if (value === null) return INDEFINITE;
  const magnitude = value < 0n ? -value : value;
  if (magnitude >= LIMIT) {
    control.flags = flags | Exception.IE;
    control.roundedUp = false;
    return INDEFINITE;
  }
  return BigInt(`0x${magnitude}`) | (a.negative ? SIGN : 0n);
}
