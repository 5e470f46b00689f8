/** AES, SHA, carry-less multiplication, string comparison, and the odd ones of SSE4.1. */

import type { Builder } from "../../ir/builder.ts";
import type { Value } from "../../ir/value.ts";
import { Register } from "../../state.ts";
import { define, defineWithContext } from "../registry.ts";

/** dst = helper(dst, src) */
for (const mnemonic of ["aesenc", "aesenclast", "aesdec", "aesdeclast"]) {
  define(mnemonic, (b, dst, src) => {
    const key = src.readVector(true);
    b.helper(`aes.${mnemonic}`, [dst.readVector(), key], false);
    dst.writeVector(b.helperResult(0, "v128"));
  });
}
define("aesimc", (b, dst, src) => {
  b.helper("aes.aesimc", [src.readVector(true)], false);
  dst.writeVector(b.helperResult(0, "v128"));
});
define("aeskeygenassist", (b, dst, src, immediate) => {
  b.helper("aes.aeskeygenassist", [src.readVector(true), b.wrap(immediate.read())], false);
  dst.writeVector(b.helperResult(0, "v128"));
});

for (const mnemonic of ["sha1nexte", "sha1msg1", "sha1msg2", "sha256msg1", "sha256msg2"]) {
  define(mnemonic, (b, dst, src) => {
    const y = src.readVector(true);
    b.helper(`sha.${mnemonic}`, [dst.readVector(), y], false);
    dst.writeVector(b.helperResult(0, "v128"));
  });
}
define("sha1rnds4", (b, dst, src, immediate) => {
  const y = src.readVector(true);
  b.helper("sha.sha1rnds4", [dst.readVector(), y, b.wrap(immediate.read())], false);
  dst.writeVector(b.helperResult(0, "v128"));
});
define("sha256rnds2", (b, dst, src, message) => {
  const y = src.readVector(true);
  b.helper("sha.sha256rnds2", [dst.readVector(), y, message.readVector()], false);
  dst.writeVector(b.helperResult(0, "v128"));
});

/** Product of two 64-bit polynomials over GF(2): one shifted operand for each bit of the other. */
define("pclmulqdq", (b, dst, src, immediate) => {
  const selector = b.wrap(immediate.read());
  const half = (x: Value, bit: number) =>
    b.select(
      b.and(selector, b.const32(1 << bit)),
      b.lane("i64x2.extract_lane", 1, x),
      b.lane("i64x2.extract_lane", 0, x),
    );
  const y = src.readVector(true);
  const multiplicand = half(dst.readVector(), 0);
  const zero = b.const64(0);
  const rest = b.variable(half(y, 4));
  const low = b.variable(zero);
  const high = b.variable(zero);
  const count = b.variable(zero);
  b.loop(() => {
    const bits = rest.get();
    const shift = count.get();
    const mask = b.neg(b.and(bits, b.const64(1)));
    const shifted = b.shl(multiplicand, shift);
    // The bits shifted out; shifting by 64 would be a shift by 0.
    const spilled = b.shr(b.shrBy(multiplicand, 1), b.xor(shift, b.const64(63)));
    const newLow = b.xor(low.get(), b.and(shifted, mask));
    const newHigh = b.xor(high.get(), b.and(spilled, mask));
    low.set(newLow);
    high.set(newHigh);
    const left = b.shrBy(bits, 1);
    rest.set(left);
    count.set(b.add(shift, b.const64(1)));
    return b.ne(left, zero);
  });
  dst.writeVector(b.lane("i64x2.replace_lane", 1, b.op("i64x2.splat", low.get()), high.get()));
});

/** The smallest word and its index. */
define("phminposuw", (b, dst, src) => {
  const x = src.readVector(true);
  // (word << 3 | lane) orders by word, then by lane.
  let best: Value | undefined;
  for (let lane = 0; lane < 8; lane++) {
    const word = b.lane("i16x8.extract_lane_u", lane, x);
    const key = b.or(b.shl(word, b.const32(3)), b.const32(lane));
    best = best === undefined ? key : b.select(b.ltU(key, best), key, best);
  }
  if (best === undefined) return;
  const word = b.shr(best, b.const32(3));
  const index = b.and(best, b.const32(7));
  const packed = b.extendU(b.or(word, b.shl(index, b.const32(16))));
  dst.writeVector(b.lane("i64x2.replace_lane", 0, b.const128(new Uint8Array(16)), packed));
});

/** Eight sums of absolute differences of four bytes, at consecutive offsets of the destination. */
define("mpsadbw", (b, dst, src, immediate) => {
  const selector = b.wrap(immediate.read());
  const iota = b.const128([...Array(16).keys()]);
  const rotate = (x: Value, offset: Value) =>
    b.op("i8x16.swizzle", x, b.op("i8x16.add", iota, b.op("i8x16.splat", offset)));
  const y = src.readVector(true);
  const from = b.and(b.shl(selector, b.const32(2)), b.const32(12));
  const block = b.op("i32x4.splat", b.lane("i32x4.extract_lane", 0, rotate(y, from)));
  const x = rotate(dst.readVector(), b.and(selector, b.const32(4)));
  const difference = (lanes: readonly number[]) => {
    const window = b.shuffle(x, x, lanes);
    return b.op("i8x16.sub", b.op("i8x16.max_u", window, block), b.op("i8x16.min_u", window, block));
  };
  // Two bytes at a time: offsets 0…3 in one vector, 4…7 in the other.
  const windows = (first: number) =>
    [0, 1, 2, 3].flatMap((offset) => [0, 1, 2, 3].map((byte) => first + offset + byte));
  const sums = (first: number) =>
    b.op("i32x4.extadd_pairwise_i16x8_u", b.op("i16x8.extadd_pairwise_i8x16_u", difference(windows(first))));
  dst.writeVector(b.op("i16x8.narrow_i32x4_u", sums(0), sums(4)));
});

// ---- string comparison ----

function stringCompare(mnemonic: string, explicit: boolean, mask: boolean): void {
  defineWithContext(mnemonic, (b, [first, second, immediate], { operandSize }) => {
    const y = second.readVector(false);
    const args = [first.readVector(), y, b.wrap(immediate.read())];
    if (explicit) args.push(lengths(b, operandSize === 64 ? 64 : 32));
    b.helper(explicit ? "pcmpestr" : "pcmpistr", args, false);
    const flags = b.helperResult(2, "i32");
    const bit = (position: number) => b.and(b.shr(flags, b.const32(position)), b.const32(1));
    b.flags.setAll({ carry: bit(0), zero: bit(6), sign: bit(7), overflow: bit(11), parity: b.const32(0) });
    if (mask) b.setXmm(0, b.helperResult(0, "v128"));
    else b.setGpr(Register.RCX, b.helperResult(1, "i64"));
  });
}

/** EAX and EDX (RAX and RDX with REX.W) as signed numbers. */
function lengths(b: Builder, bits: 32 | 64): Value {
  const length = (register: number) => b.sext(b.gpr(register, bits), bits);
  return b.lane("i64x2.replace_lane", 1, b.op("i64x2.splat", length(Register.RAX)), length(Register.RDX));
}
stringCompare("pcmpestri", true, false);
stringCompare("pcmpestrm", true, true);
stringCompare("pcmpistri", false, false);
stringCompare("pcmpistrm", false, true);
