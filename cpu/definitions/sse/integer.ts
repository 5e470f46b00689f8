/** Lane-wise packed-integer arithmetic, comparisons and logic: MMX to SSE4.2. */

import type { Builder } from "../../ir/builder.ts";
import type { Value } from "../../ir/value.ts";
import { define } from "../registry.ts";
import {
  definePacked,
  definePackedUnary,
  defineVector,
  direct,
  type PackedOperation,
  readPacked,
  writePacked,
} from "./packed.ts";

const DIRECT: Readonly<Record<string, string>> = {
  paddb: "i8x16.add",
  paddw: "i16x8.add",
  paddd: "i32x4.add",
  paddq: "i64x2.add",
  paddsb: "i8x16.add_sat_s",
  paddsw: "i16x8.add_sat_s",
  paddusb: "i8x16.add_sat_u",
  paddusw: "i16x8.add_sat_u",
  psubb: "i8x16.sub",
  psubw: "i16x8.sub",
  psubd: "i32x4.sub",
  psubq: "i64x2.sub",
  psubsb: "i8x16.sub_sat_s",
  psubsw: "i16x8.sub_sat_s",
  psubusb: "i8x16.sub_sat_u",
  psubusw: "i16x8.sub_sat_u",
  pmullw: "i16x8.mul",
  pmulld: "i32x4.mul",
  pmaddwd: "i32x4.dot_i16x8_s",
  pcmpeqb: "i8x16.eq",
  pcmpeqw: "i16x8.eq",
  pcmpeqd: "i32x4.eq",
  pcmpeqq: "i64x2.eq",
  pcmpgtb: "i8x16.gt_s",
  pcmpgtw: "i16x8.gt_s",
  pcmpgtd: "i32x4.gt_s",
  pcmpgtq: "i64x2.gt_s",
  pminub: "i8x16.min_u",
  pminsb: "i8x16.min_s",
  pminuw: "i16x8.min_u",
  pminsw: "i16x8.min_s",
  pminud: "i32x4.min_u",
  pminsd: "i32x4.min_s",
  pmaxub: "i8x16.max_u",
  pmaxsb: "i8x16.max_s",
  pmaxuw: "i16x8.max_u",
  pmaxsw: "i16x8.max_s",
  pmaxud: "i32x4.max_u",
  pmaxsd: "i32x4.max_s",
  pavgb: "i8x16.avgr_u",
  pavgw: "i16x8.avgr_u",
  pand: "v128.and",
  por: "v128.or",
  pxor: "v128.xor",
  andps: "v128.and",
  andpd: "v128.and",
  orps: "v128.or",
  orpd: "v128.or",
  xorps: "v128.xor",
  xorpd: "v128.xor",
};
for (const [mnemonic, name] of Object.entries(DIRECT)) definePacked(mnemonic, direct(name));

/** ~x & y; WebAssembly's andnot is x & ~y. */
const andNot: PackedOperation = (b, x, y) => b.op("v128.andnot", y, x);
for (const mnemonic of ["pandn", "andnps", "andnpd"]) definePacked(mnemonic, andNot);

for (const [mnemonic, name] of [
  ["pabsb", "i8x16.abs"],
  ["pabsw", "i16x8.abs"],
  ["pabsd", "i32x4.abs"],
] as const) {
  definePackedUnary(mnemonic, (b, x) => b.op(name, x));
}

/** High halves of 16 × 16 → 32-bit products. */
const highProducts =
  (sign: "s" | "u"): PackedOperation =>
  (b, x, y) => {
    const low = b.op(`i32x4.extmul_low_i16x8_${sign}`, x, y);
    const high = b.op(`i32x4.extmul_high_i16x8_${sign}`, x, y);
    return b.shuffle(low, high, [2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31]);
  };
definePacked("pmulhw", highProducts("s"));
definePacked("pmulhuw", highProducts("u"));

const EVEN_DWORDS = [0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11];
const evenProducts =
  (sign: "s" | "u"): PackedOperation =>
  (b, x, y) =>
    b.op(`i64x2.extmul_low_i32x4_${sign}`, b.shuffle(x, x, EVEN_DWORDS), b.shuffle(y, y, EVEN_DWORDS));
definePacked("pmuludq", evenProducts("u"));
definePacked("pmuldq", evenProducts("s"));

/** Rounded high product; the one overflow, -1 × -1, wraps on x86 and saturates in WebAssembly. */
definePacked("pmulhrsw", (b, x, y) => {
  const minimum = b.op("i16x8.splat", b.const32(-0x8000));
  const overflow = b.op("v128.and", b.op("i16x8.eq", x, minimum), b.op("i16x8.eq", y, minimum));
  return b.op("v128.xor", b.op("i16x8.q15mulr_sat_s", x, y), overflow);
});

/** Unsigned bytes × signed bytes, adjacent products added with saturation. */
definePacked("pmaddubsw", (b, x, y) => {
  const shift = (name: string, value: Value) => b.op(name, value, b.const32(8));
  const evenX = b.op("v128.and", x, b.op("i16x8.splat", b.const32(0xff)));
  const evenY = shift("i16x8.shr_s", shift("i16x8.shl", y));
  const even = b.op("i16x8.mul", evenX, evenY);
  const odd = b.op("i16x8.mul", shift("i16x8.shr_u", x), shift("i16x8.shr_s", y));
  return b.op("i16x8.add_sat_s", even, odd);
});

/** Sum of absolute differences of eight bytes, in each half. */
definePacked("psadbw", (b, x, y) => {
  const difference = b.op("i8x16.sub", b.op("i8x16.max_u", x, y), b.op("i8x16.min_u", x, y));
  const words = b.op("i16x8.extadd_pairwise_i8x16_u", difference);
  const dwords = b.op("i32x4.extadd_pairwise_i16x8_u", words);
  const high = b.op("i64x2.shr_u", dwords, b.const32(32));
  const low = b.op("v128.and", dwords, b.op("i64x2.splat", b.const64(0xffffffff)));
  return b.op("i64x2.add", high, low);
});

/** x with the sign of y: negated, zero or kept. */
for (const [suffix, shape] of [
  ["b", "i8x16"],
  ["w", "i16x8"],
  ["d", "i32x4"],
] as const) {
  definePacked(`psign${suffix}`, (b, x, y) => {
    const zero = b.op("i64x2.splat", b.const64(0));
    const negated = b.op("v128.bitselect", b.op(`${shape}.neg`, x), x, b.op(`${shape}.lt_s`, y, zero));
    return b.op("v128.andnot", negated, b.op(`${shape}.eq`, y, zero));
  });
}

// ---- shifts: the count is the same for all lanes; counts beyond the lane give zeros (or signs) ----

function shifted(
  b: Builder,
  shape: "i16x8" | "i32x4" | "i64x2",
  kind: "shl" | "shr_u" | "shr_s",
  x: Value,
  count: Value,
): Value {
  const width = shape === "i16x8" ? 16 : shape === "i32x4" ? 32 : 64;
  const tooFar = b.gtU(count, b.const64(width - 1));
  if (kind === "shr_s") {
    return b.op(`${shape}.${kind}`, x, b.wrap(b.select(tooFar, b.const64(width - 1), count)));
  }
  const zero = b.op("i64x2.splat", b.const64(0));
  return b.select(tooFar, zero, b.op(`${shape}.${kind}`, x, b.wrap(count)));
}

for (const [mnemonic, shape, kind] of [
  ["psllw", "i16x8", "shl"],
  ["pslld", "i32x4", "shl"],
  ["psllq", "i64x2", "shl"],
  ["psrlw", "i16x8", "shr_u"],
  ["psrld", "i32x4", "shr_u"],
  ["psrlq", "i64x2", "shr_u"],
  ["psraw", "i16x8", "shr_s"],
  ["psrad", "i32x4", "shr_s"],
] as const) {
  defineVector(mnemonic, (b, dst, count) => {
    const x = readPacked(b, dst);
    const amount =
      count.kind === "immediate" ? count.read() : b.lane("i64x2.extract_lane", 0, readPacked(b, count));
    writePacked(b, dst, shifted(b, shape, kind, x, amount));
  });
}

// ---- horizontal additions ----

const EVEN_WORDS = [0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29];
const ODD_WORDS = EVEN_WORDS.map((lane) => lane + 2);
const EVEN_LONGS = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27];
const ODD_LONGS = EVEN_LONGS.map((lane) => lane + 4);
for (const [mnemonic, name, even, odd] of [
  ["phaddw", "i16x8.add", EVEN_WORDS, ODD_WORDS],
  ["phaddd", "i32x4.add", EVEN_LONGS, ODD_LONGS],
  ["phaddsw", "i16x8.add_sat_s", EVEN_WORDS, ODD_WORDS],
  ["phsubw", "i16x8.sub", EVEN_WORDS, ODD_WORDS],
  ["phsubd", "i32x4.sub", EVEN_LONGS, ODD_LONGS],
  ["phsubsw", "i16x8.sub_sat_s", EVEN_WORDS, ODD_WORDS],
] as const) {
  defineVector(mnemonic, (b, dst, src) => {
    let x = readPacked(b, dst);
    let y = readPacked(b, src);
    // The eight bytes of an MMX destination and source make one vector, of which the low half is the result.
    if (dst.kind === "mmx") {
      x = b.shuffle(x, y, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
      y = x;
    }
    writePacked(b, dst, b.op(name, b.shuffle(x, y, even), b.shuffle(x, y, odd)));
  });
}

// ---- tests and masks ----

/** PTEST: ZF = (x & y) == 0, CF = (~x & y) == 0. */
define("ptest", (b, dst, src) => {
  const x = dst.readVector();
  const y = src.readVector(true);
  const zero = b.eqz(b.op("v128.any_true", b.op("v128.and", x, y)));
  const carry = b.eqz(b.op("v128.any_true", b.op("v128.andnot", y, x)));
  b.flags.setAll({ zero, carry });
});

defineVector("pmovmskb", (b, dst, src) => {
  const mask = b.extendU(b.op("i8x16.bitmask", readPacked(b, src)));
  dst.write(src.kind === "mmx" ? b.zext(mask, 8) : mask);
});
define("movmskps", (b, dst, src) => dst.write(b.extendU(b.op("i32x4.bitmask", src.readVector()))));
define("movmskpd", (b, dst, src) => dst.write(b.extendU(b.op("i64x2.bitmask", src.readVector()))));
