/**
 * Add, multiply, divide, square root and fused multiply-add on unpacked operands: exactly rounded, with every special
 * case of Intel SDM vol. 1, 4.8 and 4.9. SSE and x87 share these; they differ in the {@link FloatControl} they bring.
 */

import { Exception, type FloatControl, Rounding } from "./control.ts";
import {
  bitLength,
  type Format,
  indefiniteParts,
  infinityParts,
  Kind,
  type Parts,
  quietParts,
  type Unpacked,
  zeroParts,
} from "./format.ts";
import { POWER, round } from "./round.ts";

/** Beyond this distance the smaller summand only matters as "something": 64 bits, guard, round. */
const FAR = 66;

/** Reports an invalid operation and gives its masked response. */
export function invalid(format: Format, control: FloatControl): Parts {
  control.flags |= Exception.IE;
  return indefiniteParts(format);
}

/** The response to operands of which at least one is a NaN or an unsupported encoding; null when none is. */
export function propagateNaN(format: Format, a: Unpacked, b: Unpacked, control: FloatControl): Parts | null {
  if (a.kind < Kind.QuietNaN && b.kind < Kind.QuietNaN) return null;
  if (a.kind === Kind.Unsupported || b.kind === Kind.Unsupported) return invalid(format, control);
  if (a.isSignaling || b.isSignaling) control.flags |= Exception.IE;
  return quietParts(format, control.selectNaN(a, b));
}

function noteDenormals(a: Unpacked, b: Unpacked, control: FloatControl): void {
  if (a.denormal || b.denormal) control.flags |= Exception.DE;
}

/** a + b, or a − b. */
export function add(
  format: Format,
  a: Unpacked,
  b: Unpacked,
  control: FloatControl,
  subtract = false,
): Parts {
  const negativeB = b.negative !== subtract;
  if (a.kind !== Kind.Finite || b.kind !== Kind.Finite) {
    const nan = propagateNaN(format, a, b, control);
    if (nan !== null) return nan;
    if (a.isInfinity && b.isInfinity && a.negative !== negativeB) return invalid(format, control);
    noteDenormals(a, b, control);
    if (a.isInfinity) return infinityParts(format, a.negative);
    if (b.isInfinity) return infinityParts(format, negativeB);
    if (!a.isZero) return round(format, a.negative, a.exponent, a.significand, 64, control);
    if (!b.isZero) return round(format, negativeB, b.exponent, b.significand, 64, control);
    return a.negative === negativeB ? zeroParts(a.negative) : cancelled(control);
  }
  noteDenormals(a, b, control);
  return addFinite(format, a, a.negative, b, negativeB, control);
}

/** The sign of an exact zero difference. */
function cancelled(control: FloatControl): Parts {
  return zeroParts(control.rounding === Rounding.Down);
}

function addFinite(
  format: Format,
  a: Unpacked,
  negativeA: boolean,
  b: Unpacked,
  negativeB: boolean,
  control: FloatControl,
): Parts {
  let large = a;
  let small = b;
  let negative = negativeA;
  if (b.exponent > a.exponent || (b.exponent === a.exponent && b.significand > a.significand)) {
    large = b;
    small = a;
    negative = negativeB;
  }
  const distance = large.exponent - small.exponent;
  const shift = Math.min(distance, FAR);
  const addend = distance > FAR ? 1n : small.significand;
  const aligned = shift === 0 ? large.significand : large.significand << BigInt(shift);
  if (negativeA === negativeB) {
    const sum = aligned + addend;
    const carry = sum >= POWER[64 + shift] ? 1 : 0;
    return round(format, negative, large.exponent + carry, sum, 64 + shift + carry, control);
  }
  const difference = aligned - addend;
  if (difference >= POWER[63 + shift]) {
    return round(format, negative, large.exponent, difference, 64 + shift, control);
  }
  if (difference === 0n) return cancelled(control);
  const width = bitLength(difference);
  return round(format, negative, large.exponent - (64 + shift - width), difference, width, control);
}

export function multiply(format: Format, a: Unpacked, b: Unpacked, control: FloatControl): Parts {
  const negative = a.negative !== b.negative;
  if (a.kind !== Kind.Finite || b.kind !== Kind.Finite) {
    const nan = propagateNaN(format, a, b, control);
    if (nan !== null) return nan;
    if ((a.isZero && b.isInfinity) || (a.isInfinity && b.isZero)) return invalid(format, control);
    noteDenormals(a, b, control);
    return a.isInfinity || b.isInfinity ? infinityParts(format, negative) : zeroParts(negative);
  }
  noteDenormals(a, b, control);
  const product = a.significand * b.significand;
  const exponent = a.exponent + b.exponent;
  return product >= POWER[127]
    ? round(format, negative, exponent + 1, product, 128, control)
    : round(format, negative, exponent, product, 127, control);
}

/** a ÷ b. */
export function divide(format: Format, a: Unpacked, b: Unpacked, control: FloatControl): Parts {
  const negative = a.negative !== b.negative;
  if (a.kind !== Kind.Finite || b.kind !== Kind.Finite) {
    const nan = propagateNaN(format, a, b, control);
    if (nan !== null) return nan;
    if ((a.isZero && b.isZero) || (a.isInfinity && b.isInfinity)) return invalid(format, control);
    if (b.isZero && !a.isInfinity) {
      control.flags |= Exception.ZE;
      return infinityParts(format, negative);
    }
    noteDenormals(a, b, control);
    return a.isInfinity ? infinityParts(format, negative) : zeroParts(negative);
  }
  noteDenormals(a, b, control);
  const dividend = a.significand << 66n;
  let quotient = dividend / b.significand;
  if (quotient * b.significand !== dividend) quotient |= 1n;
  const exponent = a.exponent - b.exponent;
  return quotient >= POWER[66]
    ? round(format, negative, exponent, quotient, 67, control)
    : round(format, negative, exponent - 1, quotient, 66, control);
}

/** ⌊√value⌋ for any value. */
export function integerSquareRoot(value: bigint): bigint {
  if (value < 2n) return value;
  const length = bitLength(value);
  // The top 104 bits, an even number of bits above the rest, give 52 good bits to start Newton's iteration from above.
  const shift = Math.max(0, length - 104 + (length & 1));
  let root = (BigInt(Math.ceil(Math.sqrt(Number(value >> BigInt(shift))))) + 1n) << BigInt(shift / 2);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

export function squareRoot(format: Format, a: Unpacked, control: FloatControl): Parts {
  if (a.kind !== Kind.Finite) {
    const nan = propagateNaN(format, a, a, control);
    if (nan !== null) return nan;
    if (a.isZero) return zeroParts(a.negative);
    return a.negative ? invalid(format, control) : infinityParts(format, false);
  }
  if (a.negative) return invalid(format, control);
  noteDenormals(a, a, control);
  const odd = a.exponent & 1;
  // 63 + 69 is even, so that the root of an even power of two has a whole exponent; 131…133 bits give a root of 66 or 67.
  const radicand = a.significand << BigInt(69 + odd);
  let root = integerSquareRoot(radicand);
  if (root * root !== radicand) root |= 1n;
  return round(format, false, (a.exponent - odd) / 2, root, root >= POWER[66] ? 67 : 66, control);
}

/** Options of {@link multiplyAdd}: the four FMA families. */
export interface MultiplyAddSigns {
  readonly negateProduct: boolean;
  readonly negateAddend: boolean;
}

/**
 * ±(a × b) ± c, rounded once. NaNs win in the order a, b, c (Intel SDM vol. 1, 14.5.2, table 14-17); the callers give
 * the operands in the order of their instruction form.
 */
export function multiplyAdd(
  format: Format,
  a: Unpacked,
  b: Unpacked,
  c: Unpacked,
  signs: MultiplyAddSigns,
  control: FloatControl,
): Parts {
  const negativeProduct = (a.negative !== b.negative) !== signs.negateProduct;
  const negativeAddend = c.negative !== signs.negateAddend;
  if (a.isNaN || b.isNaN || c.isNaN) {
    if (a.isSignaling || b.isSignaling || c.isSignaling) control.flags |= Exception.IE;
    return quietParts(format, a.isNaN ? a : b.isNaN ? b : c);
  }
  const productInfinite = a.isInfinity || b.isInfinity;
  if (productInfinite && (a.isZero || b.isZero)) return invalid(format, control);
  if (productInfinite && c.isInfinity && negativeProduct !== negativeAddend) return invalid(format, control);
  if (a.denormal || b.denormal || c.denormal) control.flags |= Exception.DE;
  if (productInfinite) return infinityParts(format, negativeProduct);
  if (c.isInfinity) return infinityParts(format, negativeAddend);
  if (a.isZero || b.isZero) {
    if (!c.isZero) return round(format, negativeAddend, c.exponent, c.significand, 64, control);
    return negativeProduct === negativeAddend ? zeroParts(negativeProduct) : cancelled(control);
  }
  const product = a.significand * b.significand;
  // Both summands as integer × 2^unit.
  const productUnit = a.exponent + b.exponent - 126;
  if (c.isZero) {
    const width = product >= POWER[127] ? 128 : 127;
    return round(format, negativeProduct, productUnit + width - 1, product, width, control);
  }
  const addendUnit = c.exponent - 63;
  const [sum, unit] = addScaled(
    negativeProduct ? -product : product,
    productUnit,
    negativeAddend ? -c.significand : c.significand,
    addendUnit,
  );
  if (sum === 0n) return cancelled(control);
  const magnitude = sum < 0n ? -sum : sum;
  const width = bitLength(magnitude);
  return round(format, sum < 0n, unit + width - 1, magnitude, width, control);
}

/** x × 2^xUnit + y × 2^yUnit as [integer, unit], the far smaller one jammed. */
function addScaled(x: bigint, xUnit: number, y: bigint, yUnit: number): [bigint, number] {
  if (xUnit < yUnit) return addScaled(y, yUnit, x, xUnit);
  const distance = xUnit - yUnit;
  // |x| ≥ 2^63 and |y| < 2^128: 200 bits apart, y is below every bit that rounding x looks at.
  if (distance <= 200) return [(x << BigInt(distance)) + y, yUnit];
  return [(x << 200n) + (y < 0n ? -1n : 1n), xUnit - 200];
}
