/** AVX moves: whole vectors, halves, broadcasts, and clearing registers. */

import { define, defineWithContext, type InstructionContext } from "../registry.ts";
import { readWide, type Wide, writeWide, zero } from "./wide.ts";

/** Alignment is a matter of the row. */
for (const mnemonic of "vmovups vmovupd vmovdqu vlddqu vmovaps vmovapd vmovdqa vmovntps vmovntpd vmovntdq vmovntdqa".split(
  " ",
)) {
  define(mnemonic, (b, dst, src) => {
    for (const operand of [dst, src]) operand.requireAligned();
    writeWide(b, dst, readWide(src));
  });
}

for (const [mnemonic, operation] of [
  ["vpbroadcastb", "i8x16.splat"],
  ["vpbroadcastw", "i16x8.splat"],
  ["vpbroadcastd", "i32x4.splat"],
  ["vbroadcastss", "i32x4.splat"],
  ["vpbroadcastq", "i64x2.splat"],
  ["vbroadcastsd", "i64x2.splat"],
] as const) {
  define(mnemonic, (b, dst, src) => {
    const value = src.read();
    const vector = b.op(operation, operation === "i64x2.splat" ? value : b.wrap(value));
    writeWide(b, dst, dst.bits === 256 ? [vector, vector] : [vector]);
  });
}
for (const mnemonic of ["vbroadcastf128", "vbroadcasti128"]) {
  define(mnemonic, (b, dst, src) => {
    const vector = src.readVector();
    writeWide(b, dst, [vector, vector]);
  });
}

for (const type of ["f", "i"]) {
  define(`vinsert${type}128`, (b, dst, first, src, immediate) => {
    const value = src.readVector();
    const upper = b.and(b.wrap(immediate.read()), b.const32(1));
    const [low, high = low] = readWide(first);
    const result: Wide = [b.select(upper, low, value), b.select(upper, value, high)];
    writeWide(b, dst, result);
  });
  define(`vextract${type}128`, (b, dst, src, immediate) => {
    const [low, high = low] = readWide(src);
    writeWide(b, dst, [b.select(b.and(b.wrap(immediate.read()), b.const32(1)), high, low)]);
  });
}

/** Outside of 64-bit mode there are eight, and the others stay as they are. */
const registersOf = ({ codeSize }: InstructionContext) => [...Array(codeSize === 64 ? 16 : 8).keys()];

defineWithContext("vzeroupper", (b, _operands, context) => {
  for (const register of registersOf(context)) b.setXmm(register, zero(b), "high");
});
defineWithContext("vzeroall", (b, _operands, context) => {
  for (const register of registersOf(context)) {
    b.setXmm(register, zero(b));
    b.setXmm(register, zero(b), "high");
  }
});
