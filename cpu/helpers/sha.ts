/**
 * The SHA extensions (Intel SDM vol. 2, SHA1RNDS4 …; FIPS 180-4). Argument 0 is the destination and receives the result,
 * argument 1 the source; dwords are numbered from the lowest.
 */

import type { Cpu } from "../cpu.ts";
import { defineHelper } from "../helpers.ts";

function dwords(cpu: Cpu, slot: number): Int32Array {
  const bytes = cpu.argumentBytes(slot);
  return new Int32Array(bytes.buffer, bytes.byteOffset, 4);
}

const rotl = (value: number, bits: number) => (value << bits) | (value >>> (32 - bits));
const rotr = (value: number, bits: number) => (value >>> bits) | (value << (32 - bits));

type Mix = (b: number, c: number, d: number) => number;
const parity: Mix = (b, c, d) => b ^ c ^ d;
/** f and K of the four groups of twenty rounds (FIPS 180-4, 4.1.1 and 4.2.1). */
const SHA1_ROUNDS: readonly (readonly [mix: Mix, constant: number])[] = [
  [(b, c, d) => (b & c) ^ (~b & d), 0x5a827999],
  [parity, 0x6ed9eba1],
  [(b, c, d) => (b & c) ^ (b & d) ^ (c & d), 0x8f1bbcdc],
  [parity, 0xca62c1d6],
];

defineHelper("sha.sha1rnds4", (cpu) => {
  const x = dwords(cpu, 0);
  const w = dwords(cpu, 1);
  const [mix, constant] = SHA1_ROUNDS[cpu.argumentI32(2) & 3];
  let [d, c, b, a] = x;
  let e = 0;
  for (let round = 0; round < 4; round++) {
    // E is part of the first message dword already.
    const next = (rotl(a, 5) + mix(b, c, d) + e + w[3 - round] + constant) | 0;
    [a, b, c, d, e] = [next, a, rotl(b, 30), c, d];
  }
  x.set([d, c, b, a]);
});
defineHelper("sha.sha1nexte", (cpu) => {
  const x = dwords(cpu, 0);
  const w = dwords(cpu, 1);
  const e = (w[3] + rotl(x[3], 30)) | 0;
  x.set([w[0], w[1], w[2], e]);
});
defineHelper("sha.sha1msg1", (cpu) => {
  const x = dwords(cpu, 0);
  const y = dwords(cpu, 1);
  // W0…W3 stand from the highest dword down, W4 and W5 above in the source: each is xored with the one two places on.
  const [w3, w2, w1, w0] = x;
  x.set([w3 ^ y[2], w2 ^ y[3], w1 ^ w3, w0 ^ w2]);
});
defineHelper("sha.sha1msg2", (cpu) => {
  const x = dwords(cpu, 0);
  const w = dwords(cpu, 1);
  const w16 = rotl(x[3] ^ w[2], 1);
  const w17 = rotl(x[2] ^ w[1], 1);
  const w18 = rotl(x[1] ^ w[0], 1);
  const w19 = rotl(x[0] ^ w16, 1);
  x.set([w19, w18, w17, w16]);
});

/** Two rounds of SHA-256: source 0 holds C D G H, source 1 A B E F, argument 2 the two message dwords with K added. */
defineHelper("sha.sha256rnds2", (cpu) => {
  const x = dwords(cpu, 0);
  const y = dwords(cpu, 1);
  const wk = dwords(cpu, 2);
  let [h, g, d, c] = x;
  let [f, e, b, a] = y;
  for (let round = 0; round < 2; round++) {
    const choice = (e & f) ^ (~e & g);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const sum1 = rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25);
    const sum0 = rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22);
    const step = (h + sum1 + choice + wk[round]) | 0;
    [a, b, c, d, e, f, g, h] = [(step + sum0 + majority) | 0, a, b, c, (d + step) | 0, e, f, g];
  }
  x.set([f, e, b, a]);
});
const sigma0 = (w: number) => rotr(w, 7) ^ rotr(w, 18) ^ (w >>> 3);
const sigma1 = (w: number) => rotr(w, 17) ^ rotr(w, 19) ^ (w >>> 10);
defineHelper("sha.sha256msg1", (cpu) => {
  const x = dwords(cpu, 0);
  const w4 = dwords(cpu, 1)[0];
  const [w0, w1, w2, w3] = x;
  x.set([w0 + sigma0(w1), w1 + sigma0(w2), w2 + sigma0(w3), w3 + sigma0(w4)]);
});
defineHelper("sha.sha256msg2", (cpu) => {
  const x = dwords(cpu, 0);
  const [, , w14, w15] = dwords(cpu, 1);
  const w16 = (x[0] + sigma1(w14)) | 0;
  const w17 = (x[1] + sigma1(w15)) | 0;
  x.set([w16, w17, x[2] + sigma1(w16), x[3] + sigma1(w17)]);
});
