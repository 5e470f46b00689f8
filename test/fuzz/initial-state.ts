/** Random registers at the start of a case. */

import { Flag } from "../../cpu/state.ts";
import { type Case, Fx } from "./case.ts";
import type { Random } from "./random.ts";
import { f80, fill, integer, type Kind } from "./values.ts";

const ARITHMETIC = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.OF;
/** Bit 1 is always set (Intel SDM vol. 1, 3.4.3), and interrupts are on in user mode. */
export const FIXED_FLAGS = 2 | Flag.IF;

/** All exceptions masked, rounding to nearest: MXCSR after reset (SDM vol. 1, 10.2.3), FCW after FNINIT (8.1.5). */
export const MXCSR_DEFAULT = 0x1f80;
export const FCW_DEFAULT = 0x37f;

const RSP = 4;
const VECTOR_KINDS: readonly Kind[] = ["f32", "f64", "integer", "bytes"];

export function randomFlags(random: Random): number {
  let flags = FIXED_FLAGS | (random.u32() & ARITHMETIC);
  if (random.chance(20)) flags |= Flag.DF;
  return flags;
}

/** Has some cases end behind their first instruction, in a single step. The oracle needs a stack pointer for it that can be. */
export function randomTrap(random: Random, into: Case): void {
  const rsp = into.gpr[RSP];
  if (random.chance(4) && BigInt.asIntN(48, rsp) === BigInt.asIntN(64, rsp)) into.rflags |= Flag.TF;
}

/** @param unmasked percentage of values with some exceptions unmasked */
export function randomMxcsr(random: Random, unmasked: number): number {
  if (random.chance(40)) return MXCSR_DEFAULT;
  let value = random.u32() & 0xe07f; // FTZ, rounding, DAZ, sticky flags
  if (random.chance(60)) value &= ~0x8040;
  value |= random.chance(unmasked) ? random.u32() & 0x1f80 : 0x1f80;
  return value;
}

/** Precision control 1 is reserved (SDM vol. 1, 8.1.5.2); bit 6 reads as 1. */
export function randomFcw(random: Random, unmasked: number): number {
  if (random.chance(40)) return FCW_DEFAULT;
  const precision = random.pick([0, 2, 3, 3]);
  const rounding = random.below(4);
  const masks = random.chance(unmasked) ? random.below(64) : 0x3f;
  return (rounding << 10) | (precision << 8) | 0x40 | masks;
}

/** A status word that goes with a control word: the summary bits agree (SDM vol. 1, 8.1.3.3). */
function randomFsw(random: Random, fcw: number, pending: number, top: number): number {
  let flags = random.chance(50) ? 0 : random.below(128);
  if (!random.chance(pending)) flags &= fcw & 0x3f;
  const summary = (flags & ~fcw & 0x3f) !== 0 ? 0x8080 : 0;
  return (random.u32() & 0x4700) | summary | flags | (top << 11);
}

/**
 * Fills in everything but RIP and memory.
 * @param kind what most vector registers hold
 * @param unmasked percentage of cases with unmasked floating-point exceptions
 */
export function randomRegisters(random: Random, into: Case, kind: Kind, unmasked: number): void {
  for (let register = 0; register < 16; register++) integer(random, into.gprWords, 2 * register);
  into.rflags = randomFlags(random);

  const { fx } = into;
  fx.fill(0, 0, Fx.ST);
  into.mxcsr = randomMxcsr(random, unmasked);
  into.fcw = randomFcw(random, unmasked);
  // As a rule the top registers are in use; sometimes the stack is full or empty, or the tags have holes.
  let depth = random.below(9);
  if (random.chance(50)) depth = random.between(2, 6);
  const top = random.chance(10) ? random.below(8) : (8 - depth) & 7;
  into.fsw = randomFsw(random, into.fcw, unmasked / 2, top);
  into.ftw = random.chance(10) ? random.below(256) : (0xff << (8 - depth)) & 0xff;
  for (let index = 0; index < 8; index++) {
    const at = Fx.ST + 16 * index;
    if (index > 0 && random.chance(15)) copyNear(random, fx, at, at - 16);
    else f80(random, fx, at);
    fx.fill(0, at + 10, at + 16);
  }
  const vectorKind = kind === "f80" || kind === "bcd" ? "f64" : kind;
  for (let index = 0; index < 16; index++) {
    const at = Fx.XMM + 16 * index;
    if (index > 0 && random.chance(10)) fx.copyWithin(at, at - 16, at);
    else fill(random, random.chance(75) ? vectorKind : random.pick(VECTOR_KINDS), fx, at, 16);
  }
  const { ymm } = into;
  const highKind = random.chance(75) ? vectorKind : random.pick(VECTOR_KINDS);
  for (let at = 0; at < ymm.length; at += 16) {
    if (random.chance(5)) ymm.set(fx.subarray(Fx.XMM + at, Fx.XMM + at + 16), at);
    else fill(random, highKind, ymm, at, 16);
  }
}

/** A neighbour of another extended number, perhaps negated: sums cancel, quotients are near 1. */
function copyNear(random: Random, bytes: Uint8Array, to: number, from: number): void {
  bytes.copyWithin(to, from, from + 10);
  bytes[to] ^= random.below(4);
  if (random.chance(50)) bytes[to + 9] ^= 0x80;
  if (random.chance(30)) bytes[to + 8] += random.between(-2, 2);
}
