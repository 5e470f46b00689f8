/**
 * x87 loads, stores and constants: values between registers and memory formats. How an instruction uses the control is
 * told in x87-arithmetic.ts; for stores, any unmasked exception but PE suppresses the result.
 */

import { propagateNaN } from "./arithmetic.ts";
import { Exception, type FloatControl, Rounding, type X87Control } from "./control.ts";
import {
  BINARY32,
  BINARY64,
  EXTENDED,
  type Extended,
  type Format,
  infinityParts,
  type Parts,
  packBinary32,
  packBinary64,
  packExtended,
  type Unpacked,
  unpackBinary32,
  unpackBinary64,
  unpackInteger,
  zeroParts,
} from "./format.ts";
import { toInteger, withRounding } from "./integer.ts";
import { round } from "./round.ts";

function convert(format: Format, a: Unpacked, control: FloatControl): Parts {
  const nan = propagateNaN(format, a, a, control);
  if (nan !== null) return nan;
  if (a.isZero) return zeroParts(a.negative);
  if (a.isInfinity) return infinityParts(format, a.negative);
  return round(format, a.negative, a.exponent, a.significand, 64, control);
}

function load(a: Unpacked, control: X87Control): Extended {
  if (a.denormal) control.flags |= Exception.DE;
  return packExtended(convert(EXTENDED, a, control));
}

/** FLD m32fp: reports DE, and IE for a signaling NaN. (FLD m80fp and FLD ST(i) copy and report nothing.) */
export function fld32(bits: number, control: X87Control): Extended {
  return load(unpackBinary32(bits), control);
}

/** FLD m64fp: reports DE, and IE for a signaling NaN. */
export function fld64(bits: bigint, control: X87Control): Extended {
  return load(unpackBinary64(bits), control);
}

/** FILD: exact. @param value signed, up to 64 bits */
export function fild(value: bigint | number): Extended {
  const integer = BigInt(value);
  if (integer === 0n) return { significand: 0n, signExponent: 0 };
  const { negative, exponent, significand } = unpackInteger(integer);
  return { significand, signExponent: (negative ? 0x8000 : 0) | (exponent + EXTENDED.maxExponent) };
}

/** FST m32fp and FSTP m32fp. */
export function fst32(a: Unpacked, control: X87Control): number {
  const parts = convert(BINARY32, a, control);
  control.preventStore();
  return packBinary32(parts);
}

/** FST m64fp and FSTP m64fp. */
export function fst64(a: Unpacked, control: X87Control): bigint {
  const parts = convert(BINARY64, a, control);
  control.preventStore();
  return packBinary64(parts);
}

/** FIST and FISTP. @returns signed; the integer indefinite −2^(bits − 1) for what does not fit, with IE */
export function fist(a: Unpacked, bits: 16 | 32 | 64, control: X87Control): bigint {
  return toInteger(a, bits, control) ?? -(1n << BigInt(bits - 1));
}

/** FISTTP: as {@link fist} but always truncates. */
export function fisttp(a: Unpacked, bits: 16 | 32 | 64, control: X87Control): bigint {
  return withRounding(control, Rounding.Zero, () => fist(a, bits, control));
}
