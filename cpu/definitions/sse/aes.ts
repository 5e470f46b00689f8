/**
 * AES-NI (Intel SDM vol. 2, AESENC …; FIPS 197). A state is 16 bytes, column by column, and so is a vector: everything is
 * done on whole vectors, the S-box by sixteen lookups of one row each.
 */

import type { Builder } from "../../ir/builder.ts";
import type { Value } from "../../ir/value.ts";
import { define } from "../registry.ts";
import { IOTA } from "./packed.ts";

/** Multiplication by x in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1. */
function timesX(value: number): number {
  return ((value << 1) ^ ((value & 0x80) !== 0 ? 0x11b : 0)) & 0xff;
}

/** FIPS 197, 5.1.1: the inverse in GF(2^8), then an affine transformation. */
function makeSubstitution(): { box: Uint8Array; inverse: Uint8Array } {
  const box = new Uint8Array(256);
  const inverse = new Uint8Array(256);
  let p = 1;
  let q = 1;
  do {
    p ^= timesX(p); // × 3
    q ^= q << 1; // ÷ 3
    q ^= q << 2;
    q ^= q << 4;
    q &= 0xff;
    if ((q & 0x80) !== 0) q ^= 0x09;
    const rotate = (bits: number) => ((q << bits) | (q >> (8 - bits))) & 0xff;
    box[p] = q ^ rotate(1) ^ rotate(2) ^ rotate(3) ^ rotate(4) ^ 0x63;
  } while (p !== 1);
  box[0] = 0x63;
  for (let value = 0; value < 256; value++) inverse[box[value]] = value;
  return { box, inverse };
}
const { box: S_BOX, inverse: INVERSE_S_BOX } = makeSubstitution();

/** SubBytes: a byte selects from the row of its high nibble; in all others its index is beyond 15 and gives zero. */
function substitute(b: Builder, x: Value, box: Uint8Array): Value {
  const sixteen = b.op("i8x16.splat", b.const32(16));
  let index = x;
  let result = b.op("i8x16.swizzle", b.const128(box.subarray(0, 16)), index);
  for (let row = 16; row < 256; row += 16) {
    index = b.op("i8x16.sub", index, sixteen);
    result = b.op("v128.or", result, b.op("i8x16.swizzle", b.const128(box.subarray(row, row + 16)), index));
  }
  return result;
}

/** ShiftRows: row r moves left by r columns (right, for the inverse). */
function shiftRows(b: Builder, x: Value, inverse: boolean): Value {
  const from = IOTA.map((byte) => (byte + 4 * (byte & 3) * (inverse ? 3 : 1)) & 15);
  return b.shuffle(x, x, from);
}

/** Each column moves up by so many rows. */
function rotateColumns(b: Builder, x: Value, rows: number): Value {
  const from = IOTA.map((byte) => (byte & 12) | ((byte + rows) & 3));
  return b.shuffle(x, x, from);
}

const xor = (b: Builder, ...values: Value[]) => values.reduce((x, y) => b.op("v128.xor", x, y));

/** Every byte times x in GF(2^8). */
function doubled(b: Builder, x: Value): Value {
  const reduction = b.op(
    "v128.and",
    b.op("i8x16.shr_s", x, b.const32(7)),
    b.op("i8x16.splat", b.const32(0x1b)),
  );
  return xor(b, b.op("i8x16.add", x, x), reduction);
}

/** MixColumns: a byte becomes 2a + 3b + c + d, where b, c, d are the bytes below it in its column. */
function mixColumns(b: Builder, x: Value): Value {
  const below = rotateColumns(b, x, 1);
  const pair = xor(b, x, below);
  return xor(b, doubled(b, pair), below, rotateColumns(b, pair, 2));
}

/** InvMixColumns: 14a + 11b + 13c + 9d. It is MixColumns of a + 4 (a + c), … */
function inverseMixColumns(b: Builder, x: Value): Value {
  const fourfold = doubled(b, doubled(b, xor(b, x, rotateColumns(b, x, 2))));
  return mixColumns(b, xor(b, x, fourfold));
}

/** The rounds; the round key is added last. */
const ROUNDS: Readonly<Record<string, (b: Builder, state: Value) => Value>> = {
  aesenc: (b, x) => mixColumns(b, substitute(b, shiftRows(b, x, false), S_BOX)),
  aesenclast: (b, x) => substitute(b, shiftRows(b, x, false), S_BOX),
  aesdec: (b, x) => inverseMixColumns(b, substitute(b, shiftRows(b, x, true), INVERSE_S_BOX)),
  aesdeclast: (b, x) => substitute(b, shiftRows(b, x, true), INVERSE_S_BOX),
};
for (const [mnemonic, round] of Object.entries(ROUNDS)) {
  define(mnemonic, (b, dst, src) => {
    const key = src.readVector(true);
    dst.writeVector(xor(b, round(b, dst.readVector()), key));
  });
}

define("aesimc", (b, dst, src) => dst.writeVector(inverseMixColumns(b, src.readVector(true))));

/** SubWord of dwords 1 and 3, each also rotated and with the round constant added. */
define("aeskeygenassist", (b, dst, src, immediate) => {
  const x = substitute(b, src.readVector(true), S_BOX);
  const words = b.shuffle(x, x, [4, 5, 6, 7, 5, 6, 7, 4, 12, 13, 14, 15, 13, 14, 15, 12]);
  const constant = b.op("i64x2.splat", b.shlBy(b.zext(immediate.read(), 8), 32));
  dst.writeVector(xor(b, words, constant));
});
