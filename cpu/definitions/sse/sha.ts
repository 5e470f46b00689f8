/**
 * The SHA extensions (Intel SDM vol. 2, SHA1RNDS4 …; FIPS 180-4). Dwords of a vector are numbered from the lowest.
 */

import type { Builder } from "../../ir/builder.ts";
import type { Operand } from "../../ir/operand.ts";
import type { Value } from "../../ir/value.ts";
import { define } from "../registry.ts";

type Dwords = readonly [Value, Value, Value, Value];

function dwords(b: Builder, x: Value): Dwords {
  const lane = (index: number) => b.lane("i32x4.extract_lane", index, x);
  return [lane(0), lane(1), lane(2), lane(3)];
}

function vector(b: Builder, [d0, d1, d2, d3]: Dwords): Value {
  let result = b.op("i32x4.splat", d0);
  [d1, d2, d3].forEach((value, index) => {
    result = b.lane("i32x4.replace_lane", index + 1, result, value);
  });
  return result;
}

/** dst = operation(dst, src), by dwords. */
function defineDwords(mnemonic: string, operation: (b: Builder, x: Dwords, y: Dwords) => Dwords): void {
  define(mnemonic, (b, dst, src) => {
    const y = dwords(b, src.readVector(true));
    dst.writeVector(vector(b, operation(b, dwords(b, dst.readVector()), y)));
  });
}

const rotl = (b: Builder, x: Value, count: number) => b.rotl(x, b.const32(count));
const sum = (b: Builder, ...values: Value[]) => values.reduce((x, y) => b.add(x, y));
const xor = (b: Builder, ...values: Value[]) => values.reduce((x, y) => b.xor(x, y));

// ---- SHA-1 ----

const choose = (b: Builder, x: Value, y: Value, z: Value) => b.xor(z, b.and(x, b.xor(y, z)));
const majority = (b: Builder, x: Value, y: Value, z: Value) => b.xor(b.and(x, b.xor(y, z)), b.and(y, z));
/** K of the four groups of twenty rounds (FIPS 180-4, 4.2.1); their functions are Ch, Parity, Maj, Parity (4.1.1). */
const SHA1_CONSTANTS = [0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6] as const;

define("sha1rnds4", (b, dst, src, immediate) => {
  const w = dwords(b, src.readVector(true));
  const selector = b.wrap(immediate.read());
  const isGroup = (group: number) => b.eq(b.and(selector, b.const32(3)), b.const32(group));
  const pick = (values: readonly Value[]) =>
    b.select(
      b.and(selector, b.const32(2)),
      b.select(isGroup(2), values[2], values[3]),
      b.select(isGroup(0), values[0], values[1]),
    );
  const constant = pick(SHA1_CONSTANTS.map((value) => b.const32(value)));
  let [d, c, x, a]: [Value, Value, Value, Value] = [...dwords(b, dst.readVector())];
  // E is part of the first message dword already.
  let e: Value = b.const32(0);
  for (let round = 0; round < 4; round++) {
    const parity = xor(b, x, c, d);
    const mixed = pick([choose(b, x, c, d), parity, majority(b, x, c, d), parity]);
    const next = sum(b, rotl(b, a, 5), mixed, e, w[3 - round], constant);
    [a, x, c, d, e] = [next, a, rotl(b, x, 30), c, d];
  }
  dst.writeVector(vector(b, [d, c, x, a]));
});

defineDwords("sha1nexte", (b, x, w) => [w[0], w[1], w[2], b.add(w[3], rotl(b, x[3], 30))]);
// W0…W3 stand from the highest dword down, W4 and W5 above in the source: each is xored with the one two places on.
defineDwords("sha1msg1", (b, [w3, w2, w1, w0], [, , w5, w4]) => [
  b.xor(w3, w5),
  b.xor(w2, w4),
  b.xor(w1, w3),
  b.xor(w0, w2),
]);
defineDwords("sha1msg2", (b, x, w) => {
  const w16 = rotl(b, b.xor(x[3], w[2]), 1);
  return [rotl(b, b.xor(x[0], w16), 1), rotl(b, b.xor(x[1], w[0]), 1), rotl(b, b.xor(x[2], w[1]), 1), w16];
});

// ---- SHA-256 ----

/** Σ and σ (FIPS 180-4, 4.1.2): rotations to the right xored; σ's last is a shift. */
const bigSigma = (b: Builder, x: Value, counts: readonly number[]) =>
  xor(b, ...counts.map((count) => b.rotr(x, b.const32(count))));
const smallSigma = (b: Builder, x: Value, [first, second, shift]: readonly [number, number, number]) =>
  xor(b, b.rotr(x, b.const32(first)), b.rotr(x, b.const32(second)), b.shrBy(x, shift));
const sigma0 = (b: Builder, x: Value) => smallSigma(b, x, [7, 18, 3]);
const sigma1 = (b: Builder, x: Value) => smallSigma(b, x, [17, 19, 10]);

/** Two rounds: the destination holds C D G H, the source A B E F, XMM0 the two message dwords with K added. */
define("sha256rnds2", (b, dst, src: Operand, message: Operand) => {
  let [f, e, y, a]: [Value, Value, Value, Value] = [...dwords(b, src.readVector(true))];
  let [h, g, d, c]: [Value, Value, Value, Value] = [...dwords(b, dst.readVector())];
  const wk = dwords(b, message.readVector());
  for (let round = 0; round < 2; round++) {
    const step = sum(b, h, bigSigma(b, e, [6, 11, 25]), choose(b, e, f, g), wk[round]);
    const next = sum(b, step, bigSigma(b, a, [2, 13, 22]), majority(b, a, y, c));
    [a, y, c, d, e, f, g, h] = [next, a, y, c, b.add(d, step), e, f, g];
  }
  dst.writeVector(vector(b, [f, e, y, a]));
});
defineDwords("sha256msg1", (b, [w0, w1, w2, w3], [w4]) => [
  b.add(w0, sigma0(b, w1)),
  b.add(w1, sigma0(b, w2)),
  b.add(w2, sigma0(b, w3)),
  b.add(w3, sigma0(b, w4)),
]);
defineDwords("sha256msg2", (b, x, [, , w14, w15]) => {
  const w16 = b.add(x[0], sigma1(b, w14));
  const w17 = b.add(x[1], sigma1(b, w15));
  return [w16, w17, b.add(x[2], sigma1(b, w16)), b.add(x[3], sigma1(b, w17))];
});
