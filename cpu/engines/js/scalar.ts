/**
 * WebAssembly's scalar operations that JavaScript has no operator for, by names that read well in generated code.
 *
 * An i64 is a BigInt from 0 to 2^64 - 1 unless said otherwise, an i32 a number, an f32 or f64 a number whose NaN has lost
 * its payload: where bits matter, generated code carries the bits.
 */

const bits64 = new BigUint64Array(1);
const bits32 = new Int32Array(bits64.buffer);
const double = new Float64Array(bits64.buffer);
const single = new Float32Array(bits64.buffer);

/** The low half of any BigInt, signed: i32.wrap_i64. */
export function low32(x: bigint): number {
  bits64[0] = x;
  return bits32[0];
}

export function rotateLeft64(x: bigint, count: bigint): bigint {
  const by = count & 63n;
  return BigInt.asUintN(64, (x << by) | (x >> (64n - by)));
}

export function rotateRight64(x: bigint, count: bigint): bigint {
  return rotateLeft64(x, 64n - (count & 63n));
}

export function rotateLeft32(x: number, count: number): number {
  return (x << count) | (x >>> (32 - (count & 31)));
}

export function rotateRight32(x: number, count: number): number {
  return rotateLeft32(x, 32 - (count & 31));
}

export function leadingZeros64(x: bigint): bigint {
  bits64[0] = x;
  return BigInt(bits32[1] !== 0 ? Math.clz32(bits32[1]) : 32 + Math.clz32(bits32[0]));
}

export function trailingZeros32(x: number): number {
  return x === 0 ? 32 : 31 - Math.clz32(x & -x);
}

export function trailingZeros64(x: bigint): bigint {
  bits64[0] = x;
  return BigInt(bits32[0] !== 0 ? trailingZeros32(bits32[0]) : 32 + trailingZeros32(bits32[1]));
}

export function ones32(x: number): number {
  const pairs = x - ((x >>> 1) & 0x55555555);
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

export function ones64(x: bigint): bigint {
  bits64[0] = x;
  return BigInt(ones32(bits32[0]) + ones32(bits32[1]));
}

// ---- floating point ----

/** f64.reinterpret_i64 */
export function doubleOf(bits: bigint): number {
  bits64[0] = bits;
  return double[0];
}

/** i64.reinterpret_f64 */
export function bitsOfDouble(x: number): bigint {
  double[0] = x;
  return bits64[0];
}

/** f32.reinterpret_i32 */
export function singleOf(bits: number): number {
  bits32[0] = bits;
  return single[0];
}

/** i32.reinterpret_f32 */
export function bitsOfSingle(x: number): number {
  single[0] = x;
  return bits32[0];
}

/** To the nearest integer, ties to even: nearest. */
export function roundToEven(x: number): number {
  const magnitude = Math.abs(x);
  // From 2^52 on there are only integers, and not below: adding and taking away 2^52 rounds as the FPU does.
  if (!(magnitude < 0x10000000000000)) return x;
  const rounded = magnitude + 0x10000000000000 - 0x10000000000000;
  return x < 0 || Object.is(x, -0) ? -rounded : rounded;
}

/** An integer of any size up to 64 bits to f32, rounded once. */
export function integerToSingle(x: bigint): number {
  const magnitude = x < 0n ? -x : x;
  if (magnitude < 0x20000000000000n) return Math.fround(Number(x));
  // 11 low bits go; one bit that stands for them all is enough for the rounding to 24 bits.
  const short =
    Number(magnitude >> 11n) + ((magnitude & 0x7ffn) !== 0n && (magnitude & 0x800n) === 0n ? 1 : 0);
  return Math.fround((x < 0n ? -short : short) * 2048);
}

/** Truncates to a signed i32, the ends for what does not fit, 0 for NaN. */
export function saturateI32(x: number): number {
  if (Number.isNaN(x)) return 0;
  return Math.max(-0x80000000, Math.min(0x7fffffff, Math.trunc(x))) | 0;
}

export function saturateU32(x: number): number {
  if (Number.isNaN(x)) return 0;
  return Math.max(0, Math.min(0xffffffff, Math.trunc(x))) | 0;
}

export function saturateI64(x: number): bigint {
  if (Number.isNaN(x)) return 0n;
  if (x >= 0x8000000000000000) return 0x7fffffffffffffffn;
  if (x <= -0x8000000000000000) return 0x8000000000000000n;
  return BigInt.asUintN(64, BigInt(Math.trunc(x)));
}

export function saturateU64(x: number): bigint {
  if (!(x > 0)) return 0n;
  return x >= 0x10000000000000000 ? 0xffffffffffffffffn : BigInt(Math.trunc(x));
}

/** The one with the smaller value; NaN if one is NaN; -0 is smaller than 0. */
export const minimum = Math.min;
export const maximum = Math.max;
