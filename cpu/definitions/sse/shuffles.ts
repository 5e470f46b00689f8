/**
 * Packing, unpacking, shuffles, blends, insertions and extractions. Immediate selectors are values here (one interpreter
 * handler serves them all), so selections are byte swizzles with computed indices.
 */

import type { Builder } from "../../ir/builder.ts";
import type { Value } from "../../ir/value.ts";
import { define } from "../registry.ts";
import { definePacked, defineVector, IOTA, isMmx, readPacked, writePacked } from "./packed.ts";

// ---- packing and unpacking: an MMX result takes half of each source ----

/** Low halves of two vectors side by side: an MMX pair as one vector. */
const joinLow = (b: Builder, x: Value, y: Value) =>
  b.shuffle(x, y, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);

for (const [mnemonic, name] of [
  ["packsswb", "i8x16.narrow_i16x8_s"],
  ["packuswb", "i8x16.narrow_i16x8_u"],
  ["packssdw", "i16x8.narrow_i32x4_s"],
  ["packusdw", "i16x8.narrow_i32x4_u"],
] as const) {
  defineVector(mnemonic, (b, dst, src) => {
    const x = readPacked(b, dst);
    const y = readPacked(b, src);
    const both = isMmx(dst) ? joinLow(b, x, y) : x;
    writePacked(b, dst, b.op(name, both, isMmx(dst) ? both : y));
  });
}

/** Lanes of `bytes` bytes taken alternately from x and y, starting at byte `from`. */
function interleave(bytes: number, from: number): number[] {
  const lanes: number[] = [];
  for (let at = from; lanes.length < 16; at += bytes) {
    for (const source of [0, 16])
      for (let byte = 0; byte < bytes; byte++) lanes.push((at + byte + source) % 32);
  }
  return lanes;
}
for (const [suffix, bytes] of [
  ["bw", 1],
  ["wd", 2],
  ["dq", 4],
  ["qdq", 8],
] as const) {
  defineVector(`punpckl${suffix}`, (b, dst, src) => {
    const x = readPacked(b, dst);
    // The MMX forms read 32 bits of memory only.
    const y = src.isMemory && src.bits === 32 ? b.op("i64x2.splat", src.read()) : readPacked(b, src);
    writePacked(b, dst, b.shuffle(x, y, interleave(bytes, 0)));
  });
  defineVector(`punpckh${suffix}`, (b, dst, src) => {
    const from = isMmx(dst) ? 4 : 8;
    writePacked(b, dst, b.shuffle(readPacked(b, dst), readPacked(b, src), interleave(bytes, from)));
  });
}
definePacked("unpcklps", (b, x, y) => b.shuffle(x, y, interleave(4, 0)));
definePacked("unpckhps", (b, x, y) => b.shuffle(x, y, interleave(4, 8)));
definePacked("unpcklpd", (b, x, y) => b.shuffle(x, y, interleave(8, 0)));
definePacked("unpckhpd", (b, x, y) => b.shuffle(x, y, interleave(8, 8)));

// ---- shuffles with an immediate ----

/** The i-th two-bit field of an i32 selector. */
const field2 = (b: Builder, selector: Value, index: number) =>
  b.and(b.shr(selector, b.const32(2 * index)), b.const32(3));

/** Swizzle indices that pick four dwords, each by a selector 0…3. */
function dwordIndices(b: Builder, selectors: readonly Value[]): Value {
  let indices = b.op("i32x4.splat", b.const32(0));
  selectors.forEach((selector, lane) => {
    const bytes = b.add(b.mul(selector, b.const32(0x04040404)), b.const32(0x03020100));
    indices = b.lane("i32x4.replace_lane", lane, indices, bytes);
  });
  return indices;
}

/** Swizzle indices that pick four words from the half at byte `from`. */
function wordIndices(b: Builder, selector: Value, from: number): Value {
  let indices = b.const128(IOTA);
  for (let word = 0; word < 4; word++) {
    const bytes = b.add(
      b.mul(field2(b, selector, word), b.const32(0x0202)),
      b.const32(0x0100 + from * 0x0101),
    );
    indices = b.lane("i16x8.replace_lane", from / 2 + word, indices, bytes);
  }
  return indices;
}

define("pshufd", (b, dst, src, immediate) => {
  const selector = b.wrap(immediate.read());
  const indices = dwordIndices(
    b,
    [0, 1, 2, 3].map((lane) => field2(b, selector, lane)),
  );
  dst.writeVector(b.op("i8x16.swizzle", src.readVector(true), indices));
});
for (const [mnemonic, from] of [
  ["pshuflw", 0],
  ["pshufhw", 8],
  ["pshufw", 0],
] as const) {
  defineVector(mnemonic, (b, dst, src, immediate) => {
    const indices = wordIndices(b, b.wrap(immediate.read()), from);
    writePacked(b, dst, b.op("i8x16.swizzle", readPacked(b, src), indices));
  });
}
define("shufps", (b, dst, src, immediate) => {
  const selector = b.wrap(immediate.read());
  const select = (low: number) => {
    const fields = [field2(b, selector, low), field2(b, selector, low + 1)];
    return dwordIndices(b, [...fields, ...fields]);
  };
  const x = b.op("i8x16.swizzle", dst.readVector(), select(0));
  const y = b.op("i8x16.swizzle", src.readVector(true), select(2));
  dst.writeVector(b.shuffle(x, y, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]));
});
define("shufpd", (b, dst, src, immediate) => {
  const selector = b.wrap(immediate.read());
  const x = dst.readVector();
  const y = src.readVector(true);
  const pick = (vector: Value, bit: number) =>
    b.select(
      b.and(selector, b.const32(1 << bit)),
      b.lane("i64x2.extract_lane", 1, vector),
      b.lane("i64x2.extract_lane", 0, vector),
    );
  dst.writeVector(b.lane("i64x2.replace_lane", 1, b.op("i64x2.splat", pick(x, 0)), pick(y, 1)));
});

defineVector("pshufb", (b, dst, src) => {
  // Bit 7 of an index gives zero; of the others only the low bits count.
  const last = isMmx(dst) ? 7 : 15;
  const x = readPacked(b, dst);
  const indices = b.op("v128.and", readPacked(b, src), b.op("i8x16.splat", b.const32(0x80 | last)));
  writePacked(b, dst, b.op("i8x16.swizzle", x, indices));
});

/** Swizzle indices i + offset (i32); beyond 15 and below 0 they select nothing. The offset is within ±32. */
const shiftedIndices = (b: Builder, offset: Value) =>
  b.op("i8x16.add", b.const128(IOTA), b.op("i8x16.splat", offset));
const atMost = (b: Builder, value: Value, limit: number) =>
  b.select(b.gtU(value, b.const32(limit)), b.const32(limit), value);

defineVector("palignr", (b, dst, src, immediate) => {
  const x = readPacked(b, dst);
  const y = readPacked(b, src);
  if (isMmx(dst)) {
    const both = joinLow(b, y, x);
    const count = atMost(b, b.wrap(immediate.read()), 16);
    writePacked(b, dst, b.op("i8x16.swizzle", both, shiftedIndices(b, count)));
    return;
  }
  const count = atMost(b, b.wrap(immediate.read()), 32);
  const low = b.op("i8x16.swizzle", y, shiftedIndices(b, count));
  const high = b.op("i8x16.swizzle", x, shiftedIndices(b, b.sub(count, b.const32(16))));
  dst.writeVector(b.op("v128.or", low, high));
});
define("psrldq", (b, dst, immediate) => {
  const count = atMost(b, b.wrap(immediate.read()), 16);
  dst.writeVector(b.op("i8x16.swizzle", dst.readVector(), shiftedIndices(b, count)));
});
define("pslldq", (b, dst, immediate) => {
  const count = atMost(b, b.wrap(immediate.read()), 16);
  dst.writeVector(b.op("i8x16.swizzle", dst.readVector(), shiftedIndices(b, b.neg(count))));
});

// ---- blends ----

/** Lane masks from the bits of an immediate. */
function immediateMask(b: Builder, shape: "i16x8" | "i32x4", immediate: Value): Value {
  const lanes = shape === "i16x8" ? 8 : 4;
  const bits = new Uint8Array(16);
  for (let lane = 0; lane < lanes; lane++) bits[(lane * 16) / lanes] = 1 << lane;
  const wanted = b.const128(bits);
  return b.op(`${shape}.eq`, b.op("v128.and", b.op(`${shape}.splat`, immediate), wanted), wanted);
}
define("pblendw", (b, dst, src, immediate) => {
  const mask = immediateMask(b, "i16x8", b.wrap(immediate.read()));
  dst.writeVector(b.op("v128.bitselect", src.readVector(true), dst.readVector(), mask));
});
define("blendps", (b, dst, src, immediate) => {
  const mask = immediateMask(b, "i32x4", b.wrap(immediate.read()));
  dst.writeVector(b.op("v128.bitselect", src.readVector(true), dst.readVector(), mask));
});
define("blendpd", (b, dst, src, immediate) => {
  const selector = b.wrap(immediate.read());
  // Two bits become four: 0, 3, 12 or 15.
  const low = b.mul(b.and(selector, b.const32(1)), b.const32(3));
  const high = b.mul(b.and(selector, b.const32(2)), b.const32(6));
  const mask = immediateMask(b, "i32x4", b.or(low, high));
  dst.writeVector(b.op("v128.bitselect", src.readVector(true), dst.readVector(), mask));
});
for (const [mnemonic, shape, sign] of [
  ["pblendvb", "i8x16", 7],
  ["blendvps", "i32x4", 31],
  ["blendvpd", "i64x2", 63],
] as const) {
  define(mnemonic, (b, dst, src, selector) => {
    const mask = b.op(`${shape}.shr_s`, selector.readVector(), b.const32(sign));
    dst.writeVector(b.op("v128.bitselect", src.readVector(true), dst.readVector(), mask));
  });
}

// ---- insertions and extractions ----

/** All ones in the lane that the immediate names. */
function laneMask(b: Builder, shape: "i8x16" | "i16x8" | "i32x4", lanes: number, immediate: Value): Value {
  const numbers = new Uint8Array(16);
  for (let lane = 0; lane < lanes; lane++) numbers[(lane * 16) / lanes] = lane;
  if (shape === "i8x16") numbers.set(IOTA);
  return b.op(
    `${shape}.eq`,
    b.const128(numbers),
    b.op(`${shape}.splat`, b.and(immediate, b.const32(lanes - 1))),
  );
}
for (const [mnemonic, shape, lanes] of [
  ["pinsrb", "i8x16", 16],
  ["pinsrw", "i16x8", 8],
  ["pinsrd", "i32x4", 4],
] as const) {
  defineVector(mnemonic, (b, dst, src, immediate) => {
    // Four words only in an MMX register.
    const selector = b.wrap(immediate.read());
    const lane = isMmx(dst) ? b.and(selector, b.const32(3)) : selector;
    const value = b.op(`${shape}.splat`, b.wrap(src.read()));
    const mask = laneMask(b, shape, lanes, lane);
    writePacked(b, dst, b.op("v128.bitselect", value, readPacked(b, dst), mask));
  });
}
define("pinsrq", (b, dst, src, immediate) => {
  const value = src.read();
  const x = dst.readVector();
  const high = b.and(b.wrap(immediate.read()), b.const32(1));
  dst.writeVector(
    b.select(high, b.lane("i64x2.replace_lane", 1, x, value), b.lane("i64x2.replace_lane", 0, x, value)),
  );
});

/** Moves the lane that the immediate names to the front. */
function laneToFront(b: Builder, x: Value, immediate: Value, lanes: number): Value {
  const offset = b.mul(b.and(immediate, b.const32(lanes - 1)), b.const32(16 / lanes));
  return b.op("i8x16.swizzle", x, shiftedIndices(b, offset));
}
for (const [mnemonic, lanes, bits] of [
  ["pextrb", 16, 8],
  ["pextrw", 8, 16],
  ["pextrd", 4, 32],
  ["extractps", 4, 32],
  ["pextrq", 2, 64],
] as const) {
  defineVector(mnemonic, (b, dst, src, immediate) => {
    const selector = b.wrap(immediate.read());
    const lane = isMmx(src) ? b.and(selector, b.const32(3)) : selector;
    const front = laneToFront(b, readPacked(b, src), lane, lanes);
    dst.write(b.zext(b.lane("i64x2.extract_lane", 0, front), bits));
  });
}

/** INSERTPS: source lane from bits 7:6 (registers only), destination from 5:4, zeroed lanes from 3:0. */
define("insertps", (b, dst, src, immediate) => {
  const selector = b.wrap(immediate.read());
  const value = src.isMemory
    ? b.wrap(src.readPart("d0"))
    : b.lane("i32x4.extract_lane", 0, laneToFront(b, src.readVector(), b.shr(selector, b.const32(6)), 4));
  const into = laneMask(b, "i32x4", 4, b.shr(selector, b.const32(4)));
  const merged = b.op("v128.bitselect", b.op("i32x4.splat", value), dst.readVector(), into);
  dst.writeVector(b.op("v128.andnot", merged, immediateMask(b, "i32x4", selector)));
});

// ---- widening moves ----

for (const sign of ["s", "z"] as const) {
  const suffix = sign === "s" ? "s" : "u";
  const steps: readonly (readonly [mnemonic: string, bits: 16 | 32 | 64, ...names: string[]])[] = [
    [`pmov${sign}xbw`, 64, `i16x8.extend_low_i8x16_${suffix}`],
    [`pmov${sign}xbd`, 32, `i16x8.extend_low_i8x16_${suffix}`, `i32x4.extend_low_i16x8_${suffix}`],
    [
      `pmov${sign}xbq`,
      16,
      `i16x8.extend_low_i8x16_${suffix}`,
      `i32x4.extend_low_i16x8_${suffix}`,
      `i64x2.extend_low_i32x4_${suffix}`,
    ],
    [`pmov${sign}xwd`, 64, `i32x4.extend_low_i16x8_${suffix}`],
    [`pmov${sign}xwq`, 32, `i32x4.extend_low_i16x8_${suffix}`, `i64x2.extend_low_i32x4_${suffix}`],
    [`pmov${sign}xdq`, 64, `i64x2.extend_low_i32x4_${suffix}`],
  ];
  for (const [mnemonic, , ...names] of steps) {
    define(mnemonic, (b, dst, src) => {
      const narrow = src.isMemory ? b.op("i64x2.splat", src.read()) : src.readVector();
      dst.writeVector(names.reduce((value, name) => b.op(name, value), narrow));
    });
  }
}
