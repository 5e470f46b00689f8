/**
 * AES-NI (Intel SDM vol. 2, AESENC …; FIPS 197). A 128-bit state is 16 bytes, column by column.
 */

import type { Cpu } from "../cpu.ts";
import { defineHelper } from "../helpers.ts";

/** Multiplication by x in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1. */
function xtime(value: number): number {
  return ((value << 1) ^ ((value & 0x80) !== 0 ? 0x11b : 0)) & 0xff;
}

function multiply(x: number, y: number): number {
  let product = 0;
  for (let factor = x, bits = y; bits !== 0; bits >>= 1, factor = xtime(factor))
    if ((bits & 1) !== 0) product ^= factor;
  return product;
}

/** FIPS 197, 5.1.1: the inverse in GF(2^8), then an affine transformation. */
function makeSubstitution(): { box: Uint8Array; inverse: Uint8Array } {
  const box = new Uint8Array(256);
  const inverse = new Uint8Array(256);
  let p = 1;
  let q = 1;
  do {
    p ^= xtime(p); // × 3
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

function table(factor: number): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, value) => multiply(value, factor));
}
const TIMES = { 2: table(2), 3: table(3), 9: table(9), 11: table(11), 13: table(13), 14: table(14) } as const;

const scratch = new Uint8Array(16);

/** Row r of the state rotates left by r columns (right, for the inverse). */
function shiftRows(state: Uint8Array, box: Uint8Array, inverse: boolean): void {
  for (let column = 0; column < 4; column++) {
    for (let row = 0; row < 4; row++) {
      const from = (column + (inverse ? 4 - row : row)) & 3;
      scratch[column * 4 + row] = box[state[from * 4 + row]];
    }
  }
  state.set(scratch);
}

function mixColumns(state: Uint8Array): void {
  for (let at = 0; at < 16; at += 4) {
    const [a, b, c, d] = [state[at], state[at + 1], state[at + 2], state[at + 3]];
    state[at] = TIMES[2][a] ^ TIMES[3][b] ^ c ^ d;
    state[at + 1] = a ^ TIMES[2][b] ^ TIMES[3][c] ^ d;
    state[at + 2] = a ^ b ^ TIMES[2][c] ^ TIMES[3][d];
    state[at + 3] = TIMES[3][a] ^ b ^ c ^ TIMES[2][d];
  }
}

function inverseMixColumns(state: Uint8Array): void {
  for (let at = 0; at < 16; at += 4) {
    const [a, b, c, d] = [state[at], state[at + 1], state[at + 2], state[at + 3]];
    state[at] = TIMES[14][a] ^ TIMES[11][b] ^ TIMES[13][c] ^ TIMES[9][d];
    state[at + 1] = TIMES[9][a] ^ TIMES[14][b] ^ TIMES[11][c] ^ TIMES[13][d];
    state[at + 2] = TIMES[13][a] ^ TIMES[9][b] ^ TIMES[14][c] ^ TIMES[11][d];
    state[at + 3] = TIMES[11][a] ^ TIMES[13][b] ^ TIMES[9][c] ^ TIMES[14][d];
  }
}

function addKey(state: Uint8Array, key: Uint8Array): void {
  for (let index = 0; index < 16; index++) state[index] ^= key[index];
}

/** A round: argument 0 is the state and receives the result, argument 1 the round key. */
function defineRound(name: string, round: (state: Uint8Array) => void): void {
  defineHelper(`aes.${name}`, (cpu: Cpu) => {
    const state = cpu.argumentBytes(0);
    round(state);
    addKey(state, cpu.argumentBytes(1));
  });
}
defineRound("aesenc", (state) => {
  shiftRows(state, S_BOX, false);
  mixColumns(state);
});
defineRound("aesenclast", (state) => shiftRows(state, S_BOX, false));
defineRound("aesdec", (state) => {
  shiftRows(state, INVERSE_S_BOX, true);
  inverseMixColumns(state);
});
defineRound("aesdeclast", (state) => shiftRows(state, INVERSE_S_BOX, true));

defineHelper("aes.aesimc", (cpu) => inverseMixColumns(cpu.argumentBytes(0)));

/** SubWord of dwords 1 and 3, and the same rotated and with the round constant of argument 1. */
defineHelper("aes.aeskeygenassist", (cpu) => {
  const state = cpu.argumentBytes(0);
  const constant = cpu.argumentI32(1) & 0xff;
  const source = state.slice();
  for (const [to, from] of [
    [0, 4],
    [8, 12],
  ]) {
    for (let byte = 0; byte < 4; byte++) {
      state[to + byte] = S_BOX[source[from + byte]];
      state[to + 4 + byte] = S_BOX[source[from + ((byte + 1) & 3)]];
    }
    state[to + 4] ^= constant;
  }
});
