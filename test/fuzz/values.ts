/**
 * Operand values that find bugs: the ends of ranges, powers of two and their neighbours, signed zeros, denormals, NaNs,
 * halfway cases, and values close to one another, mixed with plain random bits.
 */

import type { Random } from "./random.ts";

/** How the bits of a value are to be understood. */
export type Kind = "integer" | "bytes" | "f32" | "f64" | "f80" | "bcd";

const ZEROS_AND_ONES = [0, 1, 2, 3, 7, 8, 10, 15, 16, 31, 32, 33, 63, 64, 127, 128, 255, 256];

/** Writes a 64-bit integer as two words. */
export function integer(random: Random, words: Uint32Array, at: number): void {
  let low = 0;
  let high = 0;
  switch (random.below(10)) {
    case 0:
    case 1:
      low = random.pick(ZEROS_AND_ONES);
      break;
    case 2:
      low = ~random.pick(ZEROS_AND_ONES);
      high = -1;
      break;
    case 3: {
      // 2^n - 1, 2^n, 2^n + 1, or the negative of one of them.
      const bit = random.below(64);
      let value = (1n << BigInt(bit)) + BigInt(random.between(-1, 1));
      if (random.chance(30)) value = -value;
      low = Number(value & 0xffff_ffffn);
      high = Number((value >> 32n) & 0xffff_ffffn);
      break;
    }
    case 4: {
      // The same byte everywhere, as masks and strings have it.
      low = Math.imul(random.below(256), 0x0101_0101);
      high = low;
      break;
    }
    case 5:
      low = random.u32() & random.u32() & random.u32();
      high = random.u32() & random.u32() & random.u32();
      break;
    case 6:
      low = random.u32();
      break;
    case 7:
      low = random.u32() | 0;
      high = low >> 31;
      break;
    default:
      low = random.u32();
      high = random.u32();
  }
  words[at] = low;
  words[at + 1] = high;
}

/** A single-precision number's bits. */
export function f32(random: Random): number {
  const sign = random.chance(50) ? 0x8000_0000 : 0;
  return (sign | f32Magnitude(random)) >>> 0;
}

function f32Magnitude(random: Random): number {
  switch (random.below(13)) {
    case 0:
      return 0;
    case 1:
      return 0x3f80_0000 + random.between(-1, 1); // 1 and its neighbours
    case 2:
      return 0x7f80_0000; // infinity
    case 3:
      return 0x7f80_0001 | (random.u32() & 0x3f_ffff); // signalling NaN
    case 4:
      return 0x7fc0_0000 | (random.u32() & 0x3f_ffff); // quiet NaN
    case 5:
      return random.pick([1, 0x7f_ffff, 0x40_0000, random.u32() & 0x7f_ffff]); // denormal
    case 6:
      return random.pick([0x0080_0000, 0x0080_0001, 0x7f7f_ffff, 0x7f7f_fffe]); // ends of the normal range
    case 7: // n + 0, 1/4, 1/2, 3/4: conversions round these
      return float32Bits(random.below(1 << random.between(1, 22)) + random.below(4) / 4);
    case 8: // around the limits of integers
      return float32Bits(2 ** random.pick([7, 8, 15, 16, 31, 32, 63, 64])) + random.between(-1, 1);
    case 9: // few significand bits: products and sums that are exact or halfway
      return (random.between(90, 164) << 23) | (random.below(16) << 19);
    case 10:
      return (random.between(120, 134) << 23) | (random.u32() & 0x7f_ffff);
    default:
      return random.u32() & 0x7fff_ffff;
  }
}

const floatView = new DataView(new ArrayBuffer(8));

function float32Bits(value: number): number {
  floatView.setFloat32(0, value);
  return floatView.getUint32(0);
}

/** Writes a double-precision number's bits as two words. */
export function f64(random: Random, words: Uint32Array, at: number): void {
  let high = 0;
  let low = 0;
  const value = (number: number) => {
    floatView.setFloat64(0, number);
    high = floatView.getUint32(0);
    low = floatView.getUint32(4);
  };
  switch (random.below(14)) {
    case 0:
      break;
    case 1:
      value(1);
      low = random.below(3);
      break;
    case 2:
      high = 0x7ff0_0000; // infinity
      break;
    case 3:
      high = 0x7ff0_0000 | (random.u32() & 0x7_ffff);
      low = random.u32() | 1; // signalling NaN
      break;
    case 4:
      high = 0x7ff8_0000 | (random.u32() & 0x7_ffff);
      low = random.chance(50) ? random.u32() : 0; // quiet NaN
      break;
    case 5: // denormal
      high = random.pick([0, 0xf_ffff, 0x8_0000, random.u32() & 0xf_ffff]);
      low = random.pick([1, 0xffff_ffff, random.u32()]);
      break;
    case 6: // ends of the normal range
      high = random.pick([0x0010_0000, 0x7fef_ffff]);
      low = random.pick([0, 1, 0xffff_ffff, 0xffff_fffe]);
      break;
    case 7:
      value(random.below(2 ** random.between(1, 32)) + random.below(4) / 4);
      break;
    case 8: // around the limits of integers
      value(2 ** random.pick([31, 32, 63, 64, 15, 52, 53]) + random.between(-2, 2) / 2);
      break;
    case 9: // halfway between two single-precision numbers, or next to it
      high = (random.between(870, 1160) << 20) | (random.u32() & 0xf_ffff);
      low = (random.u32() & 0xe000_0000) | random.pick([0x1000_0000, 0x0fff_ffff, 0x1000_0001, 0]);
      break;
    case 10: // few significand bits
      high = (random.between(990, 1060) << 20) | (random.below(16) << 16);
      break;
    case 11:
      high = (random.between(1010, 1040) << 20) | (random.u32() & 0xf_ffff);
      low = random.u32();
      break;
    default:
      high = random.u32() & 0x7fff_ffff;
      low = random.u32();
  }
  if (random.chance(50)) high |= 0x8000_0000;
  words[at] = low;
  words[at + 1] = high;
}

const INTEGER_BIT = 0x8000_0000;

/** Writes an 80-bit extended-precision number as 10 bytes, the encodings that the x87 does not support among them. */
export function f80(random: Random, bytes: Uint8Array, at: number): void {
  let exponent = 0;
  let high = 0;
  let low = 0;
  switch (random.below(17)) {
    case 0:
      break;
    case 1:
      exponent = 0x3fff; // 1 and numbers near it
      high = INTEGER_BIT;
      low = random.below(3);
      break;
    case 2:
      exponent = 0x7fff; // infinity
      high = INTEGER_BIT;
      break;
    case 3:
      exponent = 0x7fff; // signalling NaN
      high = INTEGER_BIT | (random.u32() & 0x3fff_ffff);
      low = random.u32() | 1;
      break;
    case 4:
      exponent = 0x7fff; // quiet NaN, also the real indefinite
      high = 0xc000_0000 | (random.chance(70) ? random.u32() : 0);
      low = random.chance(70) ? random.u32() : 0;
      break;
    case 5: // denormal, or with the integer bit pseudo-denormal
      high = random.u32() >>> random.between(random.chance(15) ? 0 : 1, 31);
      low = random.u32();
      break;
    case 6: // unnormal, pseudo-infinity, pseudo-NaN: unsupported, so rare
      if (random.chance(70)) exponent = random.between(1, 0x7ffe);
      else exponent = 0x7fff;
      high = random.chance(30) ? 0 : random.u32() & 0x7fff_ffff;
      low = random.chance(30) ? 0 : random.u32();
      break;
    case 7: // ends of the normal range
      exponent = random.pick([1, 2, 0x7ffe, 0x7ffd]);
      high = random.pick([INTEGER_BIT, 0xffff_ffff]);
      low = random.pick([0, 1, 0xffff_ffff, 0xffff_fffe]);
      break;
    case 8: {
      // n + 0, 1/4, 1/2, 3/4
      const quarters = random.below(2 ** random.between(3, 32));
      const shift = Math.clz32(quarters);
      if (quarters !== 0) {
        high = quarters << shift;
        exponent = 0x3fff + 31 - shift - 2;
      }
      break;
    }
    case 9: // around the limits of integers
      exponent = 0x3fff + random.pick([14, 15, 30, 31, 32, 62, 63, 64]);
      high = random.pick([INTEGER_BIT, 0xffff_ffff]);
      low = random.pick([0, 1, 2, 0xffff_ffff, 0xffff_fffe, 0xffff_fc00]);
      break;
    case 10: // halfway between two double- or single-precision numbers, or next to it
      exponent = 0x3fff + random.between(-1100, 1100);
      if (random.chance(50)) {
        high = INTEGER_BIT | random.u32();
        low = (random.u32() & 0xffff_f800) | random.pick([0x400, 0x3ff, 0x401, 0x7ff, 0]);
      } else {
        exponent = 0x3fff + random.between(-160, 140);
        high = INTEGER_BIT | (random.u32() & 0xffff_ff00) | random.pick([0x80, 0x7f, 0x00]);
        low = random.pick([0, 1, 0xffff_ffff]);
      }
      break;
    case 11: // few significand bits
      exponent = 0x3fff + random.between(-40, 40);
      high = INTEGER_BIT | (random.below(16) << 27);
      break;
    case 12:
    case 13:
      exponent = 0x3fff + random.between(-8, 70);
      high = INTEGER_BIT | random.u32();
      low = random.u32();
      break;
    default:
      exponent = random.between(1, 0x7ffe);
      high = INTEGER_BIT | random.u32();
      low = random.u32();
  }
  if (random.chance(50)) exponent |= 0x8000;
  writeWord(bytes, at, low);
  writeWord(bytes, at + 4, high);
  bytes[at + 8] = exponent;
  bytes[at + 9] = exponent >> 8;
}

/** Writes a packed decimal number of 18 digits (Intel SDM vol. 1, 4.7) as 10 bytes; sometimes one that is none. */
function bcd(random: Random, bytes: Uint8Array, at: number): void {
  const digits = random.below(19);
  for (let index = 0; index < 9; index++) {
    const low = 2 * index < digits ? random.below(10) : 0;
    const high = 2 * index + 1 < digits ? random.below(10) : 0;
    bytes[at + index] = (high << 4) | low;
  }
  bytes[at + 9] = random.chance(50) ? 0x80 : 0;
  if (random.chance(5)) bytes[at + random.below(10)] = random.below(256);
}

function writeWord(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word;
  bytes[at + 1] = word >> 8;
  bytes[at + 2] = word >> 16;
  bytes[at + 3] = word >> 24;
}

const pair = new Uint32Array(2);

/** Fills `length` bytes with elements of one kind. */
export function fill(random: Random, kind: Kind, bytes: Uint8Array, start: number, length: number): void {
  const end = start + length;
  switch (kind) {
    case "f80":
    case "bcd":
      for (let at = start; at + 10 <= end; at += 16) {
        if (kind === "f80") f80(random, bytes, at);
        else bcd(random, bytes, at);
      }
      return;
    case "f32": {
      // Packed operands often have related lanes, and sums of near-equal values cancel.
      let last = f32(random);
      for (let at = start; at < end; at += 4) {
        writePart(bytes, at, last, Math.min(4, end - at));
        last = random.chance(15) ? (last ^ 0x8000_0000) + random.between(-1, 1) : f32(random);
      }
      return;
    }
    case "bytes":
      for (let at = start; at < end; at++) {
        bytes[at] = random.chance(40) ? random.pick([0, 1, 0x7f, 0x80, 0x81, 0xfe, 0xff]) : random.below(256);
      }
      return;
    default:
      for (let at = start; at < end; at += 8) {
        if (kind === "f64") f64(random, pair, 0);
        else integer(random, pair, 0);
        writePart(bytes, at, pair[0], Math.min(4, end - at));
        if (at + 4 < end) writePart(bytes, at + 4, pair[1], Math.min(4, end - at - 4));
      }
  }
}

function writePart(bytes: Uint8Array, at: number, word: number, length: number): void {
  for (let index = 0; index < length; index++) bytes[at + index] = word >>> (8 * index);
}
