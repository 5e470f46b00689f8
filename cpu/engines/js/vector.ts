/**
 * 128-bit vectors in JavaScript: WebAssembly's vector instructions under their own names, so that generated code reads
 * `i32x4.add(x, y)`. A vector is four 32-bit words and never changes. Tested against WebAssembly itself, every operation.
 */

import { ones32, roundToEven, saturateI32, saturateU32 } from "./scalar.ts";

/** Lane i of four is `d<i>`, as a signed number. */
export class V128 {
  constructor(
    readonly d0: number,
    readonly d1: number,
    readonly d2: number,
    readonly d3: number,
  ) {}

  /** Most significant digit first, as debuggers show vector registers. */
  toString(): string {
    const words = [this.d3, this.d2, this.d1, this.d0];
    return `0x${words.map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("_")}`;
  }
}

export const ZERO = new V128(0, 0, 0, 0);

/** One operand, or the result, as lanes of every shape. */
class Lanes {
  private readonly buffer = new ArrayBuffer(16);
  readonly i8 = new Int8Array(this.buffer);
  readonly u8 = new Uint8Array(this.buffer);
  readonly i16 = new Int16Array(this.buffer);
  readonly u16 = new Uint16Array(this.buffer);
  readonly i32 = new Int32Array(this.buffer);
  readonly u32 = new Uint32Array(this.buffer);
  readonly i64 = new BigInt64Array(this.buffer);
  readonly u64 = new BigUint64Array(this.buffer);
  readonly f32 = new Float32Array(this.buffer);
  readonly f64 = new Float64Array(this.buffer);

  put({ d0, d1, d2, d3 }: V128): this {
    const { i32 } = this;
    i32[0] = d0;
    i32[1] = d1;
    i32[2] = d2;
    i32[3] = d3;
    return this;
  }

  take(): V128 {
    const { i32 } = this;
    return new V128(i32[0], i32[1], i32[2], i32[3]);
  }
}

const A = new Lanes();
const B = new Lanes();
const R = new Lanes();

type NumberView = "i8" | "u8" | "i16" | "u16" | "i32" | "u32" | "f32" | "f64";
type BigView = "i64" | "u64";
/** What generated code calls: operands and results as the instruction's types say. */
export type VectorOperation = (...operands: never[]) => V128 | number | bigint | boolean;
type Operations = Record<string, VectorOperation>;

/** Lane by lane: each lane of the result from those of the operands. Typed arrays cut results to size. */
function map1(view: NumberView, f: (x: number) => number) {
  const [x, r] = [A[view], R[view]];
  return (a: V128) => {
    A.put(a);
    for (let lane = 0; lane < r.length; lane++) r[lane] = f(x[lane]);
    return R.take();
  };
}

function map2(view: NumberView, f: (x: number, y: number) => number) {
  const [x, y, r] = [A[view], B[view], R[view]];
  return (a: V128, b: V128) => {
    A.put(a);
    B.put(b);
    for (let lane = 0; lane < r.length; lane++) r[lane] = f(x[lane], y[lane]);
    return R.take();
  };
}

function bigMap1(view: BigView, f: (x: bigint) => bigint) {
  const [x, r] = [A[view], R[view]];
  return (a: V128) => {
    A.put(a);
    r[0] = f(x[0]);
    r[1] = f(x[1]);
    return R.take();
  };
}

function bigMap2(view: BigView, f: (x: bigint, y: bigint) => bigint) {
  const [x, y, r] = [A[view], B[view], R[view]];
  return (a: V128, b: V128) => {
    A.put(a);
    B.put(b);
    r[0] = f(x[0], y[0]);
    r[1] = f(x[1], y[1]);
    return R.take();
  };
}

/** All ones in the lanes where the comparison holds. */
function compare(view: NumberView, f: (x: number, y: number) => boolean) {
  const [x, y] = [A[view], B[view]];
  const r = x.length === 16 ? R.i8 : x.length === 8 ? R.i16 : x.length === 4 ? R.i32 : R.i64;
  return (a: V128, b: V128) => {
    A.put(a);
    B.put(b);
    for (let lane = 0; lane < x.length; lane++) {
      const holds = f(x[lane], y[lane]);
      if (r === R.i64) r[lane] = holds ? -1n : 0n;
      else r[lane] = holds ? -1 : 0;
    }
    return R.take();
  };
}

function bigCompare(f: (x: bigint, y: bigint) => boolean) {
  return bigMap2("i64", (x, y) => (f(x, y) ? -1n : 0n));
}

/** Result lanes from operand lanes of half the width, `from` on. */
function widen(from: NumberView, to: NumberView, start: number, f: (x: number) => number = (x) => x) {
  const [x, r] = [A[from], R[to]];
  return (a: V128) => {
    A.put(a);
    for (let lane = 0; lane < r.length; lane++) r[lane] = f(x[start + lane]);
    return R.take();
  };
}

function bigWiden(from: "i32" | "u32", start: number) {
  return (a: V128) => {
    const x = A.put(a)[from];
    R.i64[0] = BigInt(x[start]);
    R.i64[1] = BigInt(x[start + 1]);
    return R.take();
  };
}

function multiplyWide(from: NumberView, to: NumberView, start: number) {
  const [x, y, r] = [A[from], B[from], R[to]];
  return (a: V128, b: V128) => {
    A.put(a);
    B.put(b);
    // 32-bit products may pass 2^53 only in bigMultiplyWide.
    for (let lane = 0; lane < r.length; lane++) r[lane] = x[start + lane] * y[start + lane];
    return R.take();
  };
}

function bigMultiplyWide(from: "i32" | "u32", start: number) {
  return (a: V128, b: V128) => {
    const x = A.put(a)[from];
    const y = B.put(b)[from];
    R.i64[0] = BigInt(x[start]) * BigInt(y[start]);
    R.i64[1] = BigInt(x[start + 1]) * BigInt(y[start + 1]);
    return R.take();
  };
}

function addPairs(from: NumberView, to: NumberView) {
  const [x, r] = [A[from], R[to]];
  return (a: V128) => {
    A.put(a);
    for (let lane = 0; lane < r.length; lane++) r[lane] = x[2 * lane] + x[2 * lane + 1];
    return R.take();
  };
}

/** The lanes of both operands, cut to half the width by saturation. */
function narrow(from: NumberView, to: NumberView, least: number, most: number) {
  const [x, y, r] = [A[from], B[from], R[to]];
  const saturate = clamp(least, most);
  return (a: V128, b: V128) => {
    A.put(a);
    B.put(b);
    const half = x.length;
    for (let lane = 0; lane < half; lane++) {
      r[lane] = saturate(x[lane]);
      r[half + lane] = saturate(y[lane]);
    }
    return R.take();
  };
}

function clamp(least: number, most: number): (x: number) => number {
  return (x) => (x < least ? least : x > most ? most : x);
}

function shift(view: NumberView, bits: number, f: (x: number, count: number) => number) {
  const [x, r] = [A[view], R[view]];
  return (a: V128, count: number) => {
    const by = count & (bits - 1);
    A.put(a);
    for (let lane = 0; lane < r.length; lane++) r[lane] = f(x[lane], by);
    return R.take();
  };
}

function bigShift(view: BigView, f: (x: bigint, count: bigint) => bigint) {
  return (a: V128, count: number) => {
    const by = BigInt(count & 63);
    return bigMap1(view, (x) => f(x, by))(a);
  };
}

function allTrue(view: NumberView) {
  return (a: V128) => A.put(a)[view].every((lane) => lane !== 0);
}

/** The lanes' sign bits, lane 0's in bit 0. */
function signBits(view: "i8" | "i16" | "i32") {
  return (a: V128) => {
    const x = A.put(a)[view];
    let mask = 0;
    for (let lane = 0; lane < x.length; lane++) if (x[lane] < 0) mask |= 1 << lane;
    return mask;
  };
}

function extract(view: NumberView) {
  return (a: V128, lane: number) => A.put(a)[view][lane];
}

function replace(view: NumberView) {
  return (a: V128, lane: number, value: number) => {
    R.put(a)[view][lane] = value;
    return R.take();
  };
}

function splat(view: NumberView) {
  return (value: number) => {
    R[view].fill(value);
    return R.take();
  };
}

function bitwise(f: (x: number, y: number) => number) {
  return (a: V128, b: V128) => new V128(f(a.d0, b.d0), f(a.d1, b.d1), f(a.d2, b.d2), f(a.d3, b.d3));
}

// ---- the shapes ----

/** What lanes of 8, 16 and 32 bits have in common. */
function integerLanes(bits: 8 | 16 | 32): Operations {
  const signed = bits === 8 ? "i8" : bits === 16 ? "i16" : "i32";
  const unsigned = bits === 8 ? "u8" : bits === 16 ? "u16" : "u32";
  return {
    splat: splat(signed),
    replace_lane: replace(signed),
    eq: compare(signed, (x, y) => x === y),
    ne: compare(signed, (x, y) => x !== y),
    lt_s: compare(signed, (x, y) => x < y),
    lt_u: compare(unsigned, (x, y) => x < y),
    gt_s: compare(signed, (x, y) => x > y),
    gt_u: compare(unsigned, (x, y) => x > y),
    le_s: compare(signed, (x, y) => x <= y),
    le_u: compare(unsigned, (x, y) => x <= y),
    ge_s: compare(signed, (x, y) => x >= y),
    ge_u: compare(unsigned, (x, y) => x >= y),
    abs: map1(signed, (x) => Math.abs(x)),
    neg: map1(signed, (x) => -x),
    all_true: allTrue(signed),
    bitmask: signBits(signed),
    shl: shift(signed, bits, (x, count) => x << count),
    shr_s: shift(signed, bits, (x, count) => x >> count),
    shr_u: shift(unsigned, bits, (x, count) => x >>> count),
    add: map2(signed, (x, y) => x + y),
    sub: map2(signed, (x, y) => x - y),
    min_s: map2(signed, Math.min),
    min_u: map2(unsigned, Math.min),
    max_s: map2(signed, Math.max),
    max_u: map2(unsigned, Math.max),
  };
}

/** Saturating sums and rounded averages: lanes of 8 and 16 bits. */
function saturatingLanes(bits: 8 | 16): Operations {
  const [signed, unsigned] = bits === 8 ? (["i8", "u8"] as const) : (["i16", "u16"] as const);
  const most = 2 ** bits - 1;
  const half = 2 ** (bits - 1);
  const toSigned = clamp(-half, half - 1);
  const toUnsigned = clamp(0, most);
  return {
    extract_lane_s: extract(signed),
    extract_lane_u: extract(unsigned),
    add_sat_s: map2(signed, (x, y) => toSigned(x + y)),
    add_sat_u: map2(unsigned, (x, y) => toUnsigned(x + y)),
    sub_sat_s: map2(signed, (x, y) => toSigned(x - y)),
    sub_sat_u: map2(unsigned, (x, y) => toUnsigned(x - y)),
    avgr_u: map2(unsigned, (x, y) => (x + y + 1) >>> 1),
  };
}

/** Where the comparison holds y, else x: bits are kept, NaNs too. */
function pseudo(view: "f32" | "f64", chooses: (x: number, y: number) => boolean) {
  const [x, y, words] = [A[view], B[view], 16 / A[view].BYTES_PER_ELEMENT];
  return (a: V128, b: V128) => {
    A.put(a);
    B.put(b);
    for (let lane = 0; lane < words; lane++) {
      const from = chooses(x[lane], y[lane]) ? B : A;
      if (view === "f32") R.i32[lane] = from.i32[lane];
      else R.i64[lane] = from.i64[lane];
    }
    return R.take();
  };
}

function floatLanes(view: "f32" | "f64"): Operations {
  return {
    splat: splat(view),
    extract_lane: extract(view),
    replace_lane: replace(view),
    eq: compare(view, (x, y) => x === y),
    ne: compare(view, (x, y) => x !== y),
    lt: compare(view, (x, y) => x < y),
    gt: compare(view, (x, y) => x > y),
    le: compare(view, (x, y) => x <= y),
    ge: compare(view, (x, y) => x >= y),
    ceil: map1(view, Math.ceil),
    floor: map1(view, Math.floor),
    trunc: map1(view, Math.trunc),
    nearest: map1(view, roundToEven),
    sqrt: map1(view, Math.sqrt),
    add: map2(view, (x, y) => x + y),
    sub: map2(view, (x, y) => x - y),
    mul: map2(view, (x, y) => x * y),
    div: map2(view, (x, y) => x / y),
    min: map2(view, Math.min),
    max: map2(view, Math.max),
    pmin: pseudo(view, (x, y) => y < x),
    pmax: pseudo(view, (x, y) => x < y),
  };
}

export const v128: Operations = {
  not: (a: V128) => new V128(~a.d0, ~a.d1, ~a.d2, ~a.d3),
  and: bitwise((x, y) => x & y),
  andnot: bitwise((x, y) => x & ~y),
  or: bitwise((x, y) => x | y),
  xor: bitwise((x, y) => x ^ y),
  bitselect: (yes: V128, no: V128, mask: V128) => {
    const choose = (x: number, y: number, m: number) => (x & m) | (y & ~m);
    return new V128(
      choose(yes.d0, no.d0, mask.d0),
      choose(yes.d1, no.d1, mask.d1),
      choose(yes.d2, no.d2, mask.d2),
      choose(yes.d3, no.d3, mask.d3),
    );
  },
  any_true: (a: V128) => (a.d0 | a.d1 | a.d2 | a.d3) !== 0,
};

export const i8x16: Operations = {
  ...integerLanes(8),
  ...saturatingLanes(8),
  /** 16 indices into the 32 bytes of both operands. */
  shuffle: (a: V128, b: V128, ...lanes: number[]) => {
    A.put(a);
    B.put(b);
    for (let lane = 0; lane < 16; lane++)
      R.u8[lane] = lanes[lane] < 16 ? A.u8[lanes[lane]] : B.u8[lanes[lane] - 16];
    return R.take();
  },
  swizzle: map2Indexed(),
  popcnt: map1("u8", ones32),
  narrow_i16x8_s: narrow("i16", "i8", -0x80, 0x7f),
  narrow_i16x8_u: narrow("i16", "u8", 0, 0xff),
};

/** Bytes of the first operand by index, 0 for indices from 16 on. */
function map2Indexed() {
  return (a: V128, b: V128) => {
    A.put(a);
    B.put(b);
    for (let lane = 0; lane < 16; lane++) R.u8[lane] = B.u8[lane] < 16 ? A.u8[B.u8[lane]] : 0;
    return R.take();
  };
}

export const i16x8: Operations = {
  ...integerLanes(16),
  ...saturatingLanes(16),
  mul: map2("i16", Math.imul),
  q15mulr_sat_s: map2("i16", (x, y) => Math.min(0x7fff, (x * y + 0x4000) >> 15)),
  extadd_pairwise_i8x16_s: addPairs("i8", "i16"),
  extadd_pairwise_i8x16_u: addPairs("u8", "i16"),
  narrow_i32x4_s: narrow("i32", "i16", -0x8000, 0x7fff),
  narrow_i32x4_u: narrow("i32", "u16", 0, 0xffff),
  extend_low_i8x16_s: widen("i8", "i16", 0),
  extend_high_i8x16_s: widen("i8", "i16", 8),
  extend_low_i8x16_u: widen("u8", "i16", 0),
  extend_high_i8x16_u: widen("u8", "i16", 8),
  extmul_low_i8x16_s: multiplyWide("i8", "i16", 0),
  extmul_high_i8x16_s: multiplyWide("i8", "i16", 8),
  extmul_low_i8x16_u: multiplyWide("u8", "i16", 0),
  extmul_high_i8x16_u: multiplyWide("u8", "i16", 8),
};

export const i32x4: Operations = {
  ...integerLanes(32),
  extract_lane: extract("i32"),
  mul: map2("i32", Math.imul),
  dot_i16x8_s: (a: V128, b: V128) => {
    const x = A.put(a).i16;
    const y = B.put(b).i16;
    for (let lane = 0; lane < 4; lane++) {
      R.i32[lane] = x[2 * lane] * y[2 * lane] + x[2 * lane + 1] * y[2 * lane + 1];
    }
    return R.take();
  },
  extadd_pairwise_i16x8_s: addPairs("i16", "i32"),
  extadd_pairwise_i16x8_u: addPairs("u16", "i32"),
  extend_low_i16x8_s: widen("i16", "i32", 0),
  extend_high_i16x8_s: widen("i16", "i32", 4),
  extend_low_i16x8_u: widen("u16", "i32", 0),
  extend_high_i16x8_u: widen("u16", "i32", 4),
  extmul_low_i16x8_s: multiplyWide("i16", "i32", 0),
  extmul_high_i16x8_s: multiplyWide("i16", "i32", 4),
  extmul_low_i16x8_u: multiplyWide("u16", "i32", 0),
  extmul_high_i16x8_u: multiplyWide("u16", "i32", 4),
  trunc_sat_f32x4_s: widen("f32", "i32", 0, saturateI32),
  trunc_sat_f32x4_u: widen("f32", "i32", 0, saturateU32),
  trunc_sat_f64x2_s_zero: truncateLow(saturateI32),
  trunc_sat_f64x2_u_zero: truncateLow(saturateU32),
};

function truncateLow(saturate: (x: number) => number) {
  return (a: V128) => {
    const x = A.put(a).f64;
    return new V128(saturate(x[0]), saturate(x[1]), 0, 0);
  };
}

export const i64x2: Operations = {
  splat: (value: bigint) => {
    R.i64.fill(BigInt.asIntN(64, value));
    return R.take();
  },
  extract_lane: (a: V128, lane: number) => A.put(a).u64[lane],
  replace_lane: (a: V128, lane: number, value: bigint) => {
    R.put(a).u64[lane] = value;
    return R.take();
  },
  eq: bigCompare((x, y) => x === y),
  ne: bigCompare((x, y) => x !== y),
  lt_s: bigCompare((x, y) => x < y),
  gt_s: bigCompare((x, y) => x > y),
  le_s: bigCompare((x, y) => x <= y),
  ge_s: bigCompare((x, y) => x >= y),
  abs: bigMap1("i64", (x) => (x < 0n ? -x : x)),
  neg: bigMap1("i64", (x) => -x),
  all_true: (a: V128) => (a.d0 | a.d1) !== 0 && (a.d2 | a.d3) !== 0,
  bitmask: (a: V128) => (a.d1 >>> 31) | ((a.d3 >>> 31) << 1),
  shl: bigShift("i64", (x, count) => x << count),
  shr_s: bigShift("i64", (x, count) => x >> count),
  shr_u: bigShift("u64", (x, count) => x >> count),
  add: bigMap2("i64", (x, y) => x + y),
  sub: bigMap2("i64", (x, y) => x - y),
  mul: bigMap2("i64", (x, y) => x * y),
  extend_low_i32x4_s: bigWiden("i32", 0),
  extend_high_i32x4_s: bigWiden("i32", 2),
  extend_low_i32x4_u: bigWiden("u32", 0),
  extend_high_i32x4_u: bigWiden("u32", 2),
  extmul_low_i32x4_s: bigMultiplyWide("i32", 0),
  extmul_high_i32x4_s: bigMultiplyWide("i32", 2),
  extmul_low_i32x4_u: bigMultiplyWide("u32", 0),
  extmul_high_i32x4_u: bigMultiplyWide("u32", 2),
};

const SIGN = -0x80000000;
const MAGNITUDE = 0x7fffffff;

export const f32x4: Operations = {
  ...floatLanes("f32"),
  abs: (a: V128) => new V128(a.d0 & MAGNITUDE, a.d1 & MAGNITUDE, a.d2 & MAGNITUDE, a.d3 & MAGNITUDE),
  neg: (a: V128) => new V128(a.d0 ^ SIGN, a.d1 ^ SIGN, a.d2 ^ SIGN, a.d3 ^ SIGN),
  convert_i32x4_s: widen("i32", "f32", 0),
  convert_i32x4_u: widen("u32", "f32", 0),
  demote_f64x2_zero: (a: V128) => {
    const x = A.put(a).f64;
    R.put(ZERO).f32[0] = x[0];
    R.f32[1] = x[1];
    return R.take();
  },
};

export const f64x2: Operations = {
  ...floatLanes("f64"),
  abs: (a: V128) => new V128(a.d0, a.d1 & MAGNITUDE, a.d2, a.d3 & MAGNITUDE),
  neg: (a: V128) => new V128(a.d0, a.d1 ^ SIGN, a.d2, a.d3 ^ SIGN),
  convert_low_i32x4_s: widen("i32", "f64", 0),
  convert_low_i32x4_u: widen("u32", "f64", 0),
  promote_low_f32x4: widen("f32", "f64", 0),
};

/** By shape: what stands before the dot of an instruction's name. */
export const SHAPES: Readonly<Record<string, Operations>> = {
  v128,
  i8x16,
  i16x8,
  i32x4,
  i64x2,
  f32x4,
  f64x2,
};
