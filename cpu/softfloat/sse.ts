/**
 * SSE and SSE2 arithmetic and comparison on one lane: bit patterns in, bit pattern out, exceptions into the control.
 * binary32 lanes are unsigned 32-bit numbers, binary64 lanes unsigned 64-bit bigints. Functions bear the name of the
 * scalar instruction; packed forms apply them to each lane with one control.
 * Sources: Intel SDM vol. 2 and vol. 1, 4.8.3.5, 11.5 and appendix E.4.
 */

import { add, divide, type MultiplyAddSigns, multiply, multiplyAdd, squareRoot } from "./arithmetic.ts";
import { Relation, relate } from "./compare.ts";
import { Exception, type SseControl } from "./control.ts";
import {
  BINARY32,
  BINARY64,
  Kind,
  packBinary32,
  packBinary64,
  type Unpacked,
  unpackBinary32,
  unpackBinary64,
} from "./format.ts";

function single(bits: number, control: SseControl): Unpacked {
  return unpackBinary32(bits, control.daz);
}

function double(bits: bigint, control: SseControl): Unpacked {
  return unpackBinary64(bits, control.daz);
}

export function addss(a: number, b: number, control: SseControl): number {
  return packBinary32(add(BINARY32, single(a, control), single(b, control), control));
}
export function addsd(a: bigint, b: bigint, control: SseControl): bigint {
  return packBinary64(add(BINARY64, double(a, control), double(b, control), control));
}

/** a − b */
export function subss(a: number, b: number, control: SseControl): number {
  return packBinary32(add(BINARY32, single(a, control), single(b, control), control, true));
}
/** a − b */
export function subsd(a: bigint, b: bigint, control: SseControl): bigint {
  return packBinary64(add(BINARY64, double(a, control), double(b, control), control, true));
}

export function mulss(a: number, b: number, control: SseControl): number {
  return packBinary32(multiply(BINARY32, single(a, control), single(b, control), control));
}
export function mulsd(a: bigint, b: bigint, control: SseControl): bigint {
  return packBinary64(multiply(BINARY64, double(a, control), double(b, control), control));
}

/** a ÷ b */
export function divss(a: number, b: number, control: SseControl): number {
  return packBinary32(divide(BINARY32, single(a, control), single(b, control), control));
}
/** a ÷ b */
export function divsd(a: bigint, b: bigint, control: SseControl): bigint {
  return packBinary64(divide(BINARY64, double(a, control), double(b, control), control));
}

export function sqrtss(a: number, control: SseControl): number {
  return packBinary32(squareRoot(BINARY32, single(a, control), control));
}
export function sqrtsd(a: bigint, control: SseControl): bigint {
  return packBinary64(squareRoot(BINARY64, double(a, control), control));
}

/**
 * ±(a × b) ± c with one rounding. Operand order decides which NaN wins: a first, then b, then c.
 * With operands 1 (destination), 2, 3 of the instruction that is for VFMADD132: a = 1, b = 3, c = 2;
 * VFMADD213: a = 2, b = 1, c = 3; VFMADD231: a = 2, b = 3, c = 1.
 */
export function fmass(a: number, b: number, c: number, signs: MultiplyAddSigns, control: SseControl): number {
  return packBinary32(
    multiplyAdd(BINARY32, single(a, control), single(b, control), single(c, control), signs, control),
  );
}
/** As {@link fmass}. */
export function fmasd(a: bigint, b: bigint, c: bigint, signs: MultiplyAddSigns, control: SseControl): bigint {
  return packBinary64(
    multiplyAdd(BINARY64, double(a, control), double(b, control), double(c, control), signs, control),
  );
}

/** Compares and reports DE, and IE for signaling NaNs, or for any NaN when `signalsQuiet`. */
function compare(a: Unpacked, b: Unpacked, signalsQuiet: boolean, control: SseControl): Relation {
  if (a.isNaN || b.isNaN) {
    if (signalsQuiet || a.isSignaling || b.isSignaling) control.flags |= Exception.IE;
    return Relation.Unordered;
  }
  if (a.denormal || b.denormal) control.flags |= Exception.DE;
  return relate(a, b);
}

/**
 * The comparison predicates of CMPPS & co.: which relations make them true. Immediates 0…7 are SSE's; VEX forms have all
 * 32 (SDM vol. 2, CMPPD, table 3-1), the upper 16 differing only in whether quiet NaNs signal.
 */
const PREDICATES: readonly number[] = [
  Relation.Equal, // EQ_OQ
  Relation.Less, // LT_OS
  Relation.Less | Relation.Equal, // LE_OS
  Relation.Unordered, // UNORD_Q
  Relation.Less | Relation.Greater | Relation.Unordered, // NEQ_UQ
  Relation.Equal | Relation.Greater | Relation.Unordered, // NLT_US
  Relation.Greater | Relation.Unordered, // NLE_US
  Relation.Less | Relation.Equal | Relation.Greater, // ORD_Q
  Relation.Equal | Relation.Unordered, // EQ_UQ
  Relation.Less | Relation.Unordered, // NGE_US
  Relation.Less | Relation.Equal | Relation.Unordered, // NGT_US
  0, // FALSE_OQ
  Relation.Less | Relation.Greater, // NEQ_OQ
  Relation.Equal | Relation.Greater, // GE_OS
  Relation.Greater, // GT_OS
  Relation.Less | Relation.Equal | Relation.Greater | Relation.Unordered, // TRUE_UQ
];
/** Bit n: predicate n of the first 16 signals quiet NaNs; in the upper 16 it is the other way round. */
const SIGNALS_QUIET = 0b0110_0110_0110_0110;

function predicateHolds(a: Unpacked, b: Unpacked, predicate: number, control: SseControl): boolean {
  const signals = ((SIGNALS_QUIET >> (predicate & 15)) & 1) !== predicate >> 4;
  return (compare(a, b, signals, control) & PREDICATES[predicate & 15]) !== 0;
}

/** @param predicate 0…31 (SSE forms: the low three bits of the immediate); @returns 0 or 0xffff_ffff */
export function cmpss(a: number, b: number, predicate: number, control: SseControl): number {
  return predicateHolds(single(a, control), single(b, control), predicate, control) ? 0xffff_ffff : 0;
}
/** @param predicate 0…31 (SSE forms: the low three bits of the immediate); @returns 0 or 2^64 − 1 */
export function cmpsd(a: bigint, b: bigint, predicate: number, control: SseControl): bigint {
  return predicateHolds(double(a, control), double(b, control), predicate, control)
    ? 0xffff_ffff_ffff_ffffn
    : 0n;
}

/** ZF, PF and CF at their places in RFLAGS, for COMISS and the like. OF, SF and AF become zero. */
function compareFlags(a: Unpacked, b: Unpacked, signalsQuiet: boolean, control: SseControl): number {
  switch (compare(a, b, signalsQuiet, control)) {
    case Relation.Unordered:
      return 0x45;
    case Relation.Greater:
      return 0;
    case Relation.Less:
      return 0x01;
    default:
      return 0x40;
  }
}

/** @returns RFLAGS bits ZF, PF, CF */
export function comiss(a: number, b: number, control: SseControl): number {
  return compareFlags(single(a, control), single(b, control), true, control);
}
/** @returns RFLAGS bits ZF, PF, CF */
export function comisd(a: bigint, b: bigint, control: SseControl): number {
  return compareFlags(double(a, control), double(b, control), true, control);
}
/** @returns RFLAGS bits ZF, PF, CF */
export function ucomiss(a: number, b: number, control: SseControl): number {
  return compareFlags(single(a, control), single(b, control), false, control);
}
/** @returns RFLAGS bits ZF, PF, CF */
export function ucomisd(a: bigint, b: bigint, control: SseControl): number {
  return compareFlags(double(a, control), double(b, control), false, control);
}

/** Whether MINPS & co. return the first operand: only if it is strictly beyond the second in the wanted direction. */
function firstWins(a: Unpacked, b: Unpacked, wanted: Relation, control: SseControl): boolean {
  return compare(a, b, true, control) === wanted;
}

/** The bits of an operand as the instruction sees it: a denormal is a zero under DAZ. */
function seen32(bits: number, operand: Unpacked): number {
  return operand.kind === Kind.Zero ? (bits & 0x8000_0000) >>> 0 : bits >>> 0;
}
function seen64(bits: bigint, operand: Unpacked): bigint {
  return operand.kind === Kind.Zero ? bits & 0x8000_0000_0000_0000n : BigInt.asUintN(64, bits);
}

export function minss(a: number, b: number, control: SseControl): number {
  const [x, y] = [single(a, control), single(b, control)];
  return firstWins(x, y, Relation.Less, control) ? seen32(a, x) : seen32(b, y);
}
export function minsd(a: bigint, b: bigint, control: SseControl): bigint {
  const [x, y] = [double(a, control), double(b, control)];
  return firstWins(x, y, Relation.Less, control) ? seen64(a, x) : seen64(b, y);
}
export function maxss(a: number, b: number, control: SseControl): number {
  const [x, y] = [single(a, control), single(b, control)];
  return firstWins(x, y, Relation.Greater, control) ? seen32(a, x) : seen32(b, y);
}
export function maxsd(a: bigint, b: bigint, control: SseControl): bigint {
  const [x, y] = [double(a, control), double(b, control)];
  return firstWins(x, y, Relation.Greater, control) ? seen64(a, x) : seen64(b, y);
}
