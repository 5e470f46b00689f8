/**
 * Elementary functions to about 180 bits, for the x87 transcendentals: {@link Real} arithmetic on bigints, and power
 * series whose arguments have been made small. Truncation errors stay below 2^−170 of a result, 100 bits beyond a register.
 */

import { bitLength } from "./format.ts";

/** mantissa × 2^exponent; the mantissa has a sign and any length. */
export interface Real {
  readonly mantissa: bigint;
  readonly exponent: number;
}

/** Fraction bits of the fixed-point numbers inside the series. */
const FRACTION = 192;
const FIXED_ONE = 1n << BigInt(FRACTION);
/** Mantissas longer than this are cut. */
const MANTISSA_BITS = 200;

function fixedMultiply(a: bigint, b: bigint): bigint {
  return (a * b) >> BigInt(FRACTION);
}

function fixed({ mantissa, exponent }: Real): bigint {
  const shift = FRACTION + exponent;
  return shift >= 0 ? mantissa << BigInt(shift) : mantissa >> BigInt(-shift);
}

function real(value: bigint): Real {
  return { mantissa: value, exponent: -FRACTION };
}

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}

export const ONE: Real = { mantissa: 1n, exponent: 0 };

export function isZero(a: Real): boolean {
  return a.mantissa === 0n;
}

/** Exponent of the leading bit of a number that is not zero. */
export function leadingExponent({ mantissa, exponent }: Real): number {
  return exponent + bitLength(magnitude(mantissa)) - 1;
}

function shorten(mantissa: bigint, exponent: number): Real {
  const excess = bitLength(magnitude(mantissa)) - MANTISSA_BITS;
  return excess > 0
    ? { mantissa: mantissa >> BigInt(excess), exponent: exponent + excess }
    : { mantissa, exponent };
}

export function negate(a: Real): Real {
  return { mantissa: -a.mantissa, exponent: a.exponent };
}

export function subtract(a: Real, b: Real): Real {
  return add(a, negate(b));
}

export function multiply(a: Real, b: Real): Real {
  return shorten(a.mantissa * b.mantissa, a.exponent + b.exponent);
}

/** Exact when the exponents are close; else the smaller summand only leaves its direction. */
export function add(a: Real, b: Real): Real {
  if (a.exponent < b.exponent) return add(b, a);
  const distance = a.exponent - b.exponent;
  if (distance <= 600) return shorten((a.mantissa << BigInt(distance)) + b.mantissa, b.exponent);
  if (isZero(a)) return b;
  if (leadingExponent(b) > a.exponent - 300) {
    const cut = { mantissa: b.mantissa >> BigInt(distance - 300), exponent: a.exponent - 300 };
    return add(a, cut);
  }
  const direction = b.mantissa < 0n ? -1n : b.mantissa > 0n ? 1n : 0n;
  return { mantissa: (a.mantissa << 300n) + direction, exponent: a.exponent - 300 };
}

/** Cut towards zero to so many significant bits. */
export function truncate({ mantissa, exponent }: Real, bits: number): Real {
  const excess = bitLength(magnitude(mantissa)) - bits;
  if (excess <= 0) return { mantissa, exponent };
  const kept = magnitude(mantissa) >> BigInt(excess);
  return { mantissa: mantissa < 0n ? -kept : kept, exponent: exponent + excess };
}

export function divide(a: Real, b: Real): Real {
  const shift = Math.max(
    0,
    MANTISSA_BITS + bitLength(magnitude(b.mantissa)) - bitLength(magnitude(a.mantissa)),
  );
  return { mantissa: (a.mantissa << BigInt(shift)) / b.mantissa, exponent: a.exponent - b.exponent - shift };
}

/** Scales by a power of two. */
export function scale(a: Real, exponent: number): Real {
  return { mantissa: a.mantissa, exponent: a.exponent + exponent };
}

/** The sum of a series until its terms vanish, each made from the one before. */
function sum(first: bigint, next: (term: bigint, n: number) => bigint): bigint {
  let total = first;
  let term = first;
  for (let n = 1; term !== 0n; n++) {
    term = next(term, n);
    total += term;
  }
  return total;
}

/**
 * The factor of a series x · (1 + …): when the rest vanishes beside 1 its sign still decides about rounding, so a unit
 * of it is left.
 */
function factor(value: bigint, direction: 1n | -1n): Real {
  return real(value === FIXED_ONE ? value + direction : value);
}

/** sin x for |x| ≤ π/4. */
export function sine(x: Real): Real {
  const square = fixed(multiply(x, x));
  const series = sum(FIXED_ONE, (term, n) => -fixedMultiply(term, square) / BigInt(2 * n * (2 * n + 1)));
  return multiply(x, factor(series, -1n));
}

/** cos x for |x| ≤ π/4. */
export function cosine(x: Real): Real {
  const square = fixed(multiply(x, x));
  const series = sum(FIXED_ONE, (term, n) => -fixedMultiply(term, square) / BigInt(2 * n * (2 * n - 1)));
  return factor(series, -1n);
}

/** Σ (±square)^n ÷ (2n + 1): what atan and atanh multiply their argument with. */
function oddReciprocals(square: bigint): bigint {
  let total = FIXED_ONE;
  let power = FIXED_ONE;
  for (let n = 1; power !== 0n && power !== -1n; n++) {
    power = fixedMultiply(power, square);
    total += power / BigInt(2 * n + 1);
  }
  return total;
}

/** atan x for small |x|. */
function arctangentSeries(x: Real): Real {
  return multiply(x, factor(oddReciprocals(-fixed(multiply(x, x))), -1n));
}

/** atanh x for small |x|. */
function hyperbolicArctangentSeries(x: Real): Real {
  return multiply(x, factor(oddReciprocals(fixed(multiply(x, x))), 1n));
}

function ratio(numerator: number, denominator: number): Real {
  return divide({ mantissa: BigInt(numerator), exponent: 0 }, { mantissa: BigInt(denominator), exponent: 0 });
}

/** A table that is computed when it is first read. */
function lazy<Value>(compute: () => Value): () => Value {
  let value: Value | undefined;
  return () => {
    value ??= compute();
    return value;
  };
}

/** π, by Machin's formula. */
export const pi = lazy(() =>
  subtract(scale(arctangentSeries(ratio(1, 5)), 4), scale(arctangentSeries(ratio(1, 239)), 2)),
);

/** ln 2 = 2 atanh ⅓ */
export const ln2 = lazy(() => scale(hyperbolicArctangentSeries(ratio(1, 3)), 1));

/** 2 log2 e: turns atanh into a binary logarithm. */
export const twoLog2e = lazy(() => divide({ mantissa: 2n, exponent: 0 }, ln2()));

/** atan(k ÷ 16) for k = 0…16. */
const ARCTANGENTS = lazy(() => {
  const table: Real[] = [{ mantissa: 0n, exponent: 0 }];
  for (let k = 1; k <= 16; k++) {
    // The addition theorem, from one entry to the next.
    table.push(add(table[k - 1], arctangentSeries(ratio(16, 256 + k * (k - 1)))));
  }
  return table;
});

/** atan x for 0 ≤ x ≤ 1. */
export function arctangent(x: Real): Real {
  const k = Number(fixed(scale(x, 5)) >> BigInt(FRACTION)) + 1;
  const index = k >> 1;
  if (index === 0) return arctangentSeries(x);
  // atan x = atan c + atan((x − c) ÷ (1 + cx))
  const center = { mantissa: BigInt(index), exponent: -4 };
  const rest = divide(subtract(x, center), add(ONE, multiply(x, center)));
  return add(ARCTANGENTS()[index], arctangentSeries(rest));
}

/** log2(k ÷ 32) for k = 32…64, at index k − 32. */
const LOGARITHMS = lazy(() => {
  const table: Real[] = [{ mantissa: 0n, exponent: 0 }];
  for (let k = 33; k <= 64; k++) {
    const step = multiply(hyperbolicArctangentSeries(ratio(1, 2 * k - 1)), twoLog2e());
    table.push(add(table[k - 33], step));
  }
  return table;
});

/** log2 x for any positive x but 1, to a small relative error also near 1. */
export function binaryLogarithm(x: Real): Real {
  const aboveOne = subtract(x, ONE);
  if (leadingExponent(aboveOne) < -5) return logarithmAround(aboveOne, 0);
  const exponent = leadingExponent(x);
  const fraction = subtract(scale(x, -exponent), ONE);
  const k = (Number(fixed(scale(fraction, 6)) >> BigInt(FRACTION)) + 1) >> 1;
  return add({ mantissa: BigInt(exponent), exponent: 0 }, logarithmAround(fraction, k));
}

/** log2(1 + x) for x > −1 but 0, to a small relative error also near 0. */
export function logarithmOnePlus(x: Real): Real {
  return leadingExponent(x) < -5 ? logarithmAround(x, 0) : binaryLogarithm(add(x, ONE));
}

/** log2(1 + x) = log2(1 + k/32) + 2 atanh((x − k/32) ÷ (2 + x + k/32)) ÷ ln 2 */
function logarithmAround(x: Real, k: number): Real {
  const center = { mantissa: BigInt(k), exponent: -5 };
  const z = divide(subtract(x, center), add(add(x, center), { mantissa: 2n, exponent: 0 }));
  const rest = isZero(z) ? z : multiply(hyperbolicArctangentSeries(z), twoLog2e());
  return k === 0 ? rest : add(LOGARITHMS()[k], rest);
}

/** 2^(k ÷ 32) for k = −32…32, at index k + 32. */
const POWERS = lazy(() => {
  const root = add(ONE, exponentialSeries(scale(ln2(), -5)));
  const table: Real[] = [{ mantissa: 1n, exponent: -1 }];
  for (let index = 1; index <= 64; index++) table.push(multiply(table[index - 1], root));
  return table;
});

/** e^x − 1 for small |x|. */
function exponentialSeries(x: Real): Real {
  const small = fixed(x);
  const series = sum(FIXED_ONE, (term, n) => fixedMultiply(term, small) / BigInt(n + 1));
  return multiply(x, factor(series, x.mantissa < 0n ? -1n : 1n));
}

/** 2^x − 1 for |x| < 1, to a small relative error also near x = 0. */
export function exponentialMinusOne(x: Real): Real {
  const k = (Number(fixed(scale(x, 6)) >> BigInt(FRACTION)) + 1) >> 1;
  const rest = add(x, { mantissa: BigInt(-k), exponent: -5 });
  const series = isZero(rest) ? rest : exponentialSeries(multiply(rest, ln2()));
  if (k === 0) return series;
  const power = POWERS()[k + 32];
  return add(subtract(power, ONE), multiply(power, series));
}
