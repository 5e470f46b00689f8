/** String comparison and the odd ones of SSE4.1. */

import type { Builder } from "../../ir/builder.ts";
import type { Value } from "../../ir/value.ts";
import { Register } from "../../state.ts";
import { define, defineWithContext } from "../registry.ts";

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
