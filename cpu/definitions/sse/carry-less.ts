/**
 * PCLMULQDQ: the product of two polynomials over GF(2) (Intel SDM vol. 2).
 *
 * In the ordinary product of integers in which only every fourth bit can be set, up to fifteen ones meet at such a bit and
 * the carries stay in the three bits above it (only from the last one they go on, beyond the 64 bits that are kept). So
 * sixteen multiplications of masked factors make the low half of the product, and those of the reversed factors the high
 * half. The method is BearSSL's (src/hash/ghash_ctmul64.c).
 */

import type { Builder } from "../../ir/builder.ts";
import type { Value } from "../../ir/value.ts";
import { define } from "../registry.ts";

/** Bits 0, 4, 8 …; the others by shifting. */
const EVERY_FOURTH = 0x1111_1111_1111_1111n;

/** The low 64 bits of the product. */
function lowProduct(b: Builder, x: readonly Value[], y: readonly Value[]): Value {
  let result: Value | undefined;
  for (let bits = 0; bits < 4; bits++) {
    let sum: Value | undefined;
    for (let index = 0; index < 4; index++) {
      const product = b.mul(x[index], y[(bits - index) & 3]);
      sum = sum === undefined ? product : b.xor(sum, product);
    }
    if (sum === undefined) break;
    const wanted = b.and(sum, b.const64(EVERY_FOURTH << BigInt(bits)));
    result = result === undefined ? wanted : b.or(result, wanted);
  }
  return result ?? b.const64(0);
}

function everyFourth(b: Builder, x: Value): Value[] {
  return [0, 1, 2, 3].map((bits) => b.and(x, b.const64(EVERY_FOURTH << BigInt(bits))));
}

/** Bit 0 becomes bit 63 and so on. */
function reverse(b: Builder, x: Value): Value {
  const swap = (value: Value, mask: bigint, distance: number) =>
    b.or(b.and(b.shrBy(value, distance), b.const64(mask)), b.shlBy(b.and(value, b.const64(mask)), distance));
  const nibbles = swap(swap(x, 0x5555_5555_5555_5555n, 1), 0x3333_3333_3333_3333n, 2);
  const bytes = b.op("i64x2.splat", swap(nibbles, 0x0f0f_0f0f_0f0f_0f0fn, 4));
  const reversed = b.shuffle(bytes, bytes, [7, 6, 5, 4, 3, 2, 1, 0, 7, 6, 5, 4, 3, 2, 1, 0]);
  return b.lane("i64x2.extract_lane", 0, reversed);
}

/** Bits 0 and 4 of the immediate choose the halves of the sources. */
define("pclmulqdq", (b, dst, src, immediate) => {
  const selector = b.wrap(immediate.read());
  const half = (x: Value, bit: number) =>
    b.select(
      b.and(selector, b.const32(1 << bit)),
      b.lane("i64x2.extract_lane", 1, x),
      b.lane("i64x2.extract_lane", 0, x),
    );
  const y = half(src.readVector(true), 4);
  const x = half(dst.readVector(), 0);
  const low = lowProduct(b, everyFourth(b, x), everyFourth(b, y));
  // The product of the reversed factors, 127 bits, begins with bit 126 of theirs.
  const mirrored = lowProduct(b, everyFourth(b, reverse(b, x)), everyFourth(b, reverse(b, y)));
  const high = b.shrBy(reverse(b, mirrored), 1);
  dst.writeVector(b.lane("i64x2.replace_lane", 1, b.op("i64x2.splat", low), high));
});
