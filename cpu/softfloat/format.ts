/**
 * Binary floating-point formats, and the two shapes a number takes on its way through the arithmetic:
 * {@link Unpacked} operands (the same for every format) and {@link Parts} of a rounded result.
 * Sources: IEEE 754-2019, 3.4; Intel SDM vol. 1, 4.2.2 and 8.2.2.
 */

/** What rounding has to know of a destination. */
export interface Format {
  /** Significand bits, including the integer bit. */
  readonly precision: number;
  /** Significand bits that a stored number has; those beyond `precision` are zero, except in NaNs. */
  readonly storedBits: number;
  /** Exponent of the smallest normal number. */
  readonly minExponent: number;
  /** Exponent of the largest finite number, and the bias. */
  readonly maxExponent: number;
}

export const BINARY16: Format = { precision: 11, storedBits: 11, minExponent: -14, maxExponent: 15 };
export const BINARY32: Format = { precision: 24, storedBits: 24, minExponent: -126, maxExponent: 127 };
export const BINARY64: Format = { precision: 53, storedBits: 53, minExponent: -1022, maxExponent: 1023 };
/** x87 double extended precision: 64 bits with an explicit integer bit, 15 bits of exponent. */
export const EXTENDED: Format = { precision: 64, storedBits: 64, minExponent: -16382, maxExponent: 16383 };
/** x87 registers under precision control "single": short significand, full exponent range (SDM vol. 1, 8.1.5.2). */
export const EXTENDED_SINGLE: Format = {
  precision: 24,
  storedBits: 64,
  minExponent: -16382,
  maxExponent: 16383,
};
/** x87 registers under precision control "double". */
export const EXTENDED_DOUBLE: Format = {
  precision: 53,
  storedBits: 64,
  minExponent: -16382,
  maxExponent: 16383,
};

export const Kind = {
  Zero: 0,
  Finite: 1,
  Infinity: 2,
  QuietNaN: 3,
  SignalingNaN: 4,
  /** x87 encodings that the 80387 and later reject: unnormals, pseudo-infinities, pseudo-NaNs (SDM vol. 1, 8.2.2). */
  Unsupported: 5,
} as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

export const INTEGER_BIT = 1n << 63n;
const QUIET_BIT = 1n << 62n;

/** An operand taken apart, in a shape that does not depend on its format. */
export class Unpacked {
  readonly kind: Kind;
  readonly negative: boolean;
  /** Exponent of the leading bit; only for finite numbers. */
  readonly exponent: number;
  /**
   * Bit 63 set, except for zero and unsupported encodings. A finite number is significand × 2^(exponent − 63); of a NaN
   * this is the payload, aligned to the left.
   */
  readonly significand: bigint;
  /** It was a denormal (or pseudo-denormal) in the format it came from: raises DE. */
  readonly denormal: boolean;

  constructor(kind: Kind, negative: boolean, exponent: number, significand: bigint, denormal: boolean) {
    this.kind = kind;
    this.negative = negative;
    this.exponent = exponent;
    this.significand = significand;
    this.denormal = denormal;
  }

  get isNaN(): boolean {
    return this.kind === Kind.QuietNaN || this.kind === Kind.SignalingNaN;
  }
  get isSignaling(): boolean {
    return this.kind === Kind.SignalingNaN;
  }
  get isZero(): boolean {
    return this.kind === Kind.Zero;
  }
  get isInfinity(): boolean {
    return this.kind === Kind.Infinity;
  }
  get isFinite(): boolean {
    return this.kind === Kind.Zero || this.kind === Kind.Finite;
  }
}

/** A result as a format stores it. */
export interface Parts {
  readonly negative: boolean;
  /** 0 for zeros and denormals, 2 × maxExponent + 1 for infinities and NaNs. */
  readonly biasedExponent: number;
  /** `storedBits` bits, including the integer bit. */
  readonly significand: bigint;
}

/** An x87 register: what FSTP m80 writes, without its order of bytes. */
export interface Extended {
  /** 64 bits, unsigned. */
  readonly significand: bigint;
  /** 16 bits: sign in bit 15, biased exponent below. */
  readonly signExponent: number;
}

const LONG = 1n << 256n;

/** Number of significant bits; 0 for 0. */
export function bitLength(value: bigint): number {
  if (value >= LONG) {
    const digits = value.toString(16);
    return digits.length * 4 + 28 - Math.clz32(Number.parseInt(digits[0], 16));
  }
  let length = 0;
  let rest = value;
  while (rest >= 0x1_0000_0000n) {
    rest >>= 32n;
    length += 32;
  }
  return length + 32 - Math.clz32(Number(rest));
}

function zero(negative: boolean, denormal = false): Unpacked {
  return new Unpacked(Kind.Zero, negative, 0, 0n, denormal);
}

function infinityOrNaN(negative: boolean, significand: bigint): Unpacked {
  const kind =
    significand === INTEGER_BIT
      ? Kind.Infinity
      : (significand & QUIET_BIT) !== 0n
        ? Kind.QuietNaN
        : Kind.SignalingNaN;
  return new Unpacked(kind, negative, 0, significand, false);
}

/** An IEEE interchange format with an implicit integer bit. */
function unpackImplicit(
  format: Format,
  negative: boolean,
  field: number,
  fraction: bigint,
  daz: boolean,
): Unpacked {
  const { precision, minExponent, maxExponent } = format;
  if (field === 0) {
    if (fraction === 0n || daz) return zero(negative);
    const length = bitLength(fraction);
    const exponent = minExponent - (precision - length);
    return new Unpacked(Kind.Finite, negative, exponent, fraction << BigInt(64 - length), true);
  }
  const significand = INTEGER_BIT | (fraction << BigInt(64 - precision));
  if (field === 2 * maxExponent + 1) return infinityOrNaN(negative, significand);
  return new Unpacked(Kind.Finite, negative, field - maxExponent, significand, false);
}

/** Bits of a half-precision number; the conversions of F16C honour neither DAZ nor FTZ. */
export function unpackBinary16(bits: number): Unpacked {
  return unpackImplicit(BINARY16, (bits & 0x8000) !== 0, (bits >> 10) & 0x1f, BigInt(bits & 0x3ff), false);
}

/** @param daz a denormal counts as zero (SSE with MXCSR.DAZ) */
export function unpackBinary32(bits: number, daz = false): Unpacked {
  return unpackImplicit(BINARY32, bits >>> 31 !== 0, (bits >>> 23) & 0xff, BigInt(bits & 0x7f_ffff), daz);
}

/** @param daz a denormal counts as zero (SSE with MXCSR.DAZ) */
export function unpackBinary64(bits: bigint, daz = false): Unpacked {
  const high = Number(BigInt.asUintN(64, bits) >> 52n);
  return unpackImplicit(BINARY64, (high & 0x800) !== 0, high & 0x7ff, BigInt.asUintN(52, bits), daz);
}

export function unpackExtended(significand: bigint, signExponent: number): Unpacked {
  const negative = (signExponent & 0x8000) !== 0;
  const field = signExponent & 0x7fff;
  if (significand >= INTEGER_BIT) {
    if (field === 0x7fff) return infinityOrNaN(negative, significand);
    // Field 0 here is a pseudo-denormal: the value of field 1.
    return new Unpacked(Kind.Finite, negative, (field === 0 ? 1 : field) - 0x3fff, significand, field === 0);
  }
  if (field !== 0) return new Unpacked(Kind.Unsupported, negative, 0, significand, false);
  if (significand === 0n) return zero(negative);
  const length = bitLength(significand);
  const normalized = significand << BigInt(64 - length);
  return new Unpacked(Kind.Finite, negative, EXTENDED.minExponent - (64 - length), normalized, true);
}

/** A two's complement integer of any of the x87 and SSE sizes. */
export function unpackInteger(value: bigint | number): Unpacked {
  const integer = BigInt(value);
  if (integer === 0n) return zero(false);
  const magnitude = integer < 0n ? -integer : integer;
  const length = bitLength(magnitude);
  return new Unpacked(Kind.Finite, integer < 0n, length - 1, magnitude << BigInt(64 - length), false);
}

export function packBinary16(parts: Parts): number {
  return (
    ((parts.negative ? 0x8000 : 0) | (parts.biasedExponent << 10) | Number(parts.significand & 0x3ffn)) >>> 0
  );
}

export function packBinary32(parts: Parts): number {
  const fraction = Number(parts.significand) & 0x7f_ffff;
  return ((parts.negative ? 0x8000_0000 : 0) | (parts.biasedExponent << 23) | fraction) >>> 0;
}

export function packBinary64(parts: Parts): bigint {
  const high = (parts.negative ? 0x800 : 0) | parts.biasedExponent;
  return (BigInt(high) << 52n) | BigInt.asUintN(52, parts.significand);
}

export function packExtended({ negative, biasedExponent, significand }: Parts): Extended {
  return { significand, signExponent: (negative ? 0x8000 : 0) | biasedExponent };
}

/** A finite number from a register as it was there, without the checks of rounding: it is tiny and nobody notices. */
export function repackExtended(a: Unpacked): Extended {
  const sign = a.negative ? 0x8000 : 0;
  const below = EXTENDED.minExponent - a.exponent;
  return below > 0
    ? { significand: a.significand >> BigInt(below), signExponent: sign }
    : { significand: a.significand, signExponent: sign | (a.exponent + EXTENDED.maxExponent) };
}

export function zeroParts(negative: boolean): Parts {
  return { negative, biasedExponent: 0, significand: 0n };
}

export function infinityParts(format: Format, negative: boolean): Parts {
  return {
    negative,
    biasedExponent: 2 * format.maxExponent + 1,
    significand: 1n << BigInt(format.storedBits - 1),
  };
}

/** A NaN made quiet and cut to the format: the masked response to a NaN operand. */
export function quietParts(format: Format, nan: Unpacked): Parts {
  return {
    negative: nan.negative,
    biasedExponent: 2 * format.maxExponent + 1,
    significand: (nan.significand | QUIET_BIT) >> BigInt(64 - format.storedBits),
  };
}

/** The QNaN floating-point indefinite: the masked response to an invalid operation (SDM vol. 1, 4.8.3.7). */
export function indefiniteParts(format: Format): Parts {
  return {
    negative: true,
    biasedExponent: 2 * format.maxExponent + 1,
    significand: 3n << BigInt(format.storedBits - 2),
  };
}
