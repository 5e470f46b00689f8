/**
 * FADD, FSUB, FMUL and FDIV of normal numbers, rounded to nearest with 64 bits: what nearly all x87 arithmetic is. It
 * works on 32-bit halves instead of BigInts and allocates nothing, which is five times as fast; everything else is left to
 * x87-arithmetic.ts. The result of an operation stands in the fields.
 */

const SIGN = 0x8000;
const EXPONENT = 0x7fff;
const BIAS = 0x3fff;
const MAXIMUM_EXPONENT = 0x7ffe;
const TWO_32 = 0x1_0000_0000;
const HALF = 0x8000_0000;

/** A register's contents, the significand in unsigned halves. */
export interface Halves {
  readonly low: number;
  readonly high: number;
  readonly signExponent: number;
}

/** Neither zero, denormal, infinite, a NaN nor an unsupported encoding. */
export function isNormal({ high, signExponent }: Halves): boolean {
  const exponent = signExponent & EXPONENT;
  return (high & HALF) !== 0 && exponent !== 0 && exponent <= MAXIMUM_EXPONENT;
}

/** The high half of the product of two unsigned 32-bit numbers. */
function productHigh(a: number, b: number): number {
  const low = Math.floor((a * (b & 0xffff)) / 0x1_0000);
  return Math.floor((a * (b >>> 16) + low) / 0x1_0000);
}

export class FastArithmetic implements Halves {
  low = 0;
  high = 0;
  signExponent = 0;
  /** The result is not exact: PE. */
  inexact = false;
  /** It was rounded away from zero: C1. */
  up = false;

  /**
   * a + b, both {@link isNormal}.
   * @returns false if overflow or underflow has to be dealt with: the fields mean nothing then
   */
  add(a: Halves, b: Halves): boolean {
    const distance = (a.signExponent & EXPONENT) - (b.signExponent & EXPONENT);
    if (distance < 0 || (distance === 0 && isSmaller(a, b))) return this.addSmaller(b, a, -distance);
    return this.addSmaller(a, b, distance);
  }

  /** |a| ≥ |b|; b's exponent is lower by `distance`. */
  private addSmaller(a: Halves, b: Halves, distance: number): boolean {
    const { low: bLow, high: bHigh } = b;
    // b aligned to a: two halves and 32 bits below them, the last of which is 1 if anything was lost.
    let high = 0;
    let low = 0;
    let rest = 1;
    const shift = distance & 31;
    const left = 32 - shift;
    if (distance < 32) {
      high = bHigh >>> shift;
      low = shift === 0 ? bLow : ((bLow >>> shift) | (bHigh << left)) >>> 0;
      rest = shift === 0 ? 0 : (bLow << left) >>> 0;
    } else if (distance < 64) {
      low = bHigh >>> shift;
      rest = shift === 0 ? bLow : ((bLow >>> shift) | (bHigh << left)) >>> 0;
      if (shift !== 0 && bLow << left !== 0) rest = (rest | 1) >>> 0;
    } else if (distance < 66) {
      rest = bHigh >>> shift;
      if (bLow !== 0 || (shift !== 0 && bHigh << left !== 0)) rest = (rest | 1) >>> 0;
    }
    if (((a.signExponent ^ b.signExponent) & SIGN) !== 0) return this.subtract(a, low, high, rest);
    const exponent = a.signExponent & EXPONENT;
    const sign = a.signExponent & SIGN;
    low += a.low;
    high += a.high;
    if (low >= TWO_32) {
      low -= TWO_32;
      high++;
    }
    if (high < TWO_32) return this.round(sign, exponent, low, high, rest);
    high -= TWO_32;
    rest = ((low << 31) | (rest >>> 1) | (rest & 1)) >>> 0;
    low = ((high << 31) | (low >>> 1)) >>> 0;
    return this.round(sign, exponent + 1, low, ((high >>> 1) | HALF) >>> 0, rest);
  }

  /** The difference of magnitudes, normalized; `low`, `high` and `rest` are the smaller one. */
  private subtract(a: Halves, bLow: number, bHigh: number, bRest: number): boolean {
    let exponent = a.signExponent & EXPONENT;
    let rest = -bRest;
    let low = a.low - bLow;
    let high = a.high - bHigh;
    if (rest < 0) {
      rest += TWO_32;
      low--;
    }
    if (low < 0) {
      low += TWO_32;
      high--;
    }
    while (high === 0) {
      if (low === 0 && rest === 0) return this.exactZero();
      high = low;
      low = rest;
      rest = 0;
      exponent -= 32;
    }
    const shift = Math.clz32(high);
    if (shift !== 0) {
      const right = 32 - shift;
      high = ((high << shift) | (low >>> right)) >>> 0;
      low = ((low << shift) | (rest >>> right)) >>> 0;
      rest = (rest << shift) >>> 0;
      exponent -= shift;
    }
    return this.round(a.signExponent & SIGN, exponent, low, high, rest);
  }

  private exactZero(): boolean {
    this.low = 0;
    this.high = 0;
    this.signExponent = 0;
    this.inexact = false;
    this.up = false;
    return true;
  }

  /** a × b, both {@link isNormal}. As {@link add}. */
  multiply(a: Halves, b: Halves): boolean {
    const { low: aLow, high: aHigh } = a;
    const { low: bLow, high: bHigh } = b;
    const lowest = Math.imul(aLow, bLow);
    // Columns of 32 bits; sums of four such numbers are exact.
    let second = productHigh(aLow, bLow) + (Math.imul(aLow, bHigh) >>> 0) + (Math.imul(aHigh, bLow) >>> 0);
    let third =
      productHigh(aLow, bHigh) +
      productHigh(aHigh, bLow) +
      (Math.imul(aHigh, bHigh) >>> 0) +
      Math.floor(second / TWO_32);
    let high = productHigh(aHigh, bHigh) + Math.floor(third / TWO_32);
    second >>>= 0;
    third >>>= 0;
    let exponent = (a.signExponent & EXPONENT) + (b.signExponent & EXPONENT) - BIAS + 1;
    if (high < HALF) {
      high = ((high << 1) | (third >>> 31)) >>> 0;
      third = ((third << 1) | (second >>> 31)) >>> 0;
      // What comes up from the lowest column, only matters as something.
      second = (second << 1) >>> 0;
      exponent--;
    }
    if (lowest !== 0) second = (second | 1) >>> 0;
    return this.round((a.signExponent ^ b.signExponent) & SIGN, exponent, third, high, second);
  }

  /** a ÷ b, both {@link isNormal}. As {@link add}. */
  divide(a: Halves, b: Halves): boolean {
    const { low: aLow, high: aHigh } = a;
    const { low: bLow, high: bHigh } = b;
    // Long division with digits of 22 bits: digit × digit and carries are exact in a double.
    const b2 = bHigh >>> 12;
    const b1 = ((bHigh & 0xfff) << 10) | (bLow >>> 22);
    const b0 = bLow & DIGIT_MASK;
    const divisor = bHigh * TWO_32 + bLow;
    let r2 = aHigh >>> 12;
    let r1 = ((aHigh & 0xfff) << 10) | (aLow >>> 22);
    let r0 = aLow & DIGIT_MASK;
    const aboveOne = !isSmaller(a, b);
    if (aboveOne) {
      r0 -= b0;
      r1 -= b1;
      r2 -= b2;
      if (r0 < 0) {
        r0 += DIGIT;
        r1--;
      }
      if (r1 < 0) {
        r1 += DIGIT;
        r2--;
      }
    }
    let upper = 0;
    let middle = 0;
    let digit = 0;
    for (let step = 0; step < 3; step++) {
      upper = middle;
      middle = digit;
      // An estimate, at most one too high or too low.
      digit = Math.floor((((r2 * DIGIT + r1) * DIGIT + r0) / divisor) * DIGIT);
      let t0 = -digit * b0;
      let t1 = r0 - digit * b1;
      let t2 = r2 * DIGIT + r1 - digit * b2;
      for (;;) {
        const carry = Math.floor(t0 / DIGIT);
        const next = Math.floor((t1 + carry) / DIGIT);
        r0 = t0 - carry * DIGIT;
        r1 = t1 + carry - next * DIGIT;
        r2 = t2 + next;
        const change = r2 < 0 ? -1 : isLess(r0, r1, r2, b0, b1, b2) ? 0 : 1;
        if (change === 0) break;
        digit += change;
        t0 -= change * b0;
        t1 -= change * b1;
        t2 -= change * b2;
      }
    }
    // 66 bits of the fraction, after the one before the point or beginning with a one themselves.
    const spare = aboveOne ? 3 : 2;
    let high = upper * 2 ** (12 - spare) + Math.floor(middle / 2 ** (10 + spare));
    if (aboveOne) high += HALF;
    const low = (middle % 2 ** (10 + spare)) * 2 ** (22 - spare) + Math.floor(digit / 2 ** spare);
    const below = digit % 2 ** spare;
    const rest = below * 2 ** (32 - spare) + ((r0 | r1 | r2) !== 0 ? 1 : 0);
    const exponent = (a.signExponent & EXPONENT) - (b.signExponent & EXPONENT) + BIAS - (aboveOne ? 0 : 1);
    return this.round((a.signExponent ^ b.signExponent) & SIGN, exponent, low, high, rest);
  }

  /** To nearest, even if halfway; `rest` are the 32 bits below the low half, the last jammed. */
  private round(sign: number, unrounded: number, low: number, high: number, rest: number): boolean {
    const up = rest > HALF || (rest === HALF && (low & 1) !== 0);
    let exponent = unrounded;
    this.low = low;
    this.high = high;
    if (up) {
      this.low = (low + 1) >>> 0;
      if (this.low === 0) this.high = (high + 1) >>> 0;
      if (this.high === 0) {
        this.high = HALF;
        exponent++;
      }
    }
    this.inexact = rest !== 0;
    this.up = up;
    this.signExponent = sign | exponent;
    return exponent > 0 && exponent <= MAXIMUM_EXPONENT;
  }
}

const DIGIT = 0x40_0000;
const DIGIT_MASK = DIGIT - 1;

/** The significand of a is less than that of b. */
function isSmaller(a: Halves, b: Halves): boolean {
  return a.high === b.high ? a.low < b.low : a.high < b.high;
}

function isLess(a0: number, a1: number, a2: number, b0: number, b1: number, b2: number): boolean {
  if (a2 !== b2) return a2 < b2;
  return a1 === b1 ? a0 < b0 : a1 < b1;
}
