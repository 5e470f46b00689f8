/** RFLAGS from the lazy fields of a register context (cpu/state.ts), and back. */

import { FLAG_CARRIES, FLAG_CARRY, FLAG_SIGN, FLAG_ZERO, FLAGS_OTHER, Flag } from "./state.ts";

const ARITHMETIC_FLAGS = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.OF;
const KNOWN_FLAGS = Flag.TF | Flag.IF | Flag.DF | (3 << 12) | Flag.NT | Flag.RF | Flag.VM | Flag.AC | Flag.ID;

/** @param words a context as 32-bit words */
export function readRflags(words: Int32Array): number {
  const carry = words[FLAG_CARRY >> 2] & 1;
  const carriesLow = words[FLAG_CARRIES >> 2];
  const overflow = (words[(FLAG_CARRIES >> 2) + 1] >>> 31) ^ carry;
  const zero = (words[FLAG_ZERO >> 2] | words[(FLAG_ZERO >> 2) + 1]) === 0;
  const sign = words[(FLAG_SIGN >> 2) + 1] < 0;
  let parity = words[FLAG_SIGN >> 2] & 0xff;
  parity ^= parity >> 4;
  parity = (0x9669 >> (parity & 15)) & 1;
  return (
    2 |
    carry |
    (parity << 2) |
    (carriesLow & Flag.AF) |
    (zero ? Flag.ZF : 0) |
    (sign ? Flag.SF : 0) |
    (overflow << 11) |
    words[FLAGS_OTHER >> 2]
  );
}

export function writeRflags(words: Int32Array, value: number): void {
  const carry = value & 1;
  const overflow = (value >> 11) & 1;
  words[FLAG_CARRY >> 2] = carry;
  words[FLAG_CARRIES >> 2] = value & Flag.AF;
  words[(FLAG_CARRIES >> 2) + 1] = (overflow ^ carry) << 31;
  words[FLAG_ZERO >> 2] = (value & Flag.ZF) !== 0 ? 0 : 1;
  words[(FLAG_ZERO >> 2) + 1] = 0;
  words[FLAG_SIGN >> 2] = (value & Flag.PF) !== 0 ? 0 : 1;
  words[(FLAG_SIGN >> 2) + 1] = (value & Flag.SF) !== 0 ? -0x80000000 : 0;
  words[FLAGS_OTHER >> 2] = value & ~ARITHMETIC_FLAGS & KNOWN_FLAGS;
}
