/**
 * Which parts of the CPU state a region keeps in locals, as a bit each: general registers, flag fields and MXCSR in one
 * word, vector registers in another.
 */

import { FLAG_CARRIES, FLAG_CARRY, FLAG_SIGN, FLAG_ZERO, GPR, MXCSR, XMM, XMM_STRIDE } from "../../state.ts";
import type { WasmType } from "../../wasm/module-builder.ts";

export interface LocalPart {
  readonly offset: number;
  readonly type: WasmType;
}

const FIRST_FIELD = 16;
const FIRST_XMM = 32;
const FIRST_HIGH = 48;

/** What each bit stands for. */
export const LOCAL_PARTS: readonly (LocalPart | undefined)[] = [
  ...Array.from({ length: 16 }, (_, register) => ({ offset: GPR + register * 8, type: "i64" as const })),
  { offset: FLAG_ZERO, type: "i64" },
  { offset: FLAG_SIGN, type: "i64" },
  { offset: FLAG_CARRIES, type: "i64" },
  { offset: FLAG_CARRY, type: "i32" },
  { offset: MXCSR, type: "i32" },
  ...Array.from({ length: FIRST_XMM - FIRST_FIELD - 5 }, () => undefined),
  ...Array.from({ length: 16 }, (_, register) => ({
    offset: XMM + register * XMM_STRIDE,
    type: "v128" as const,
  })),
  ...Array.from({ length: 16 }, (_, register) => ({
    offset: XMM + register * XMM_STRIDE + 16,
    type: "v128" as const,
  })),
];

const FIELD_BITS: ReadonlyMap<number, number> = new Map(
  [FLAG_ZERO, FLAG_SIGN, FLAG_CARRIES, FLAG_CARRY, MXCSR].map((offset, index) => [
    offset,
    FIRST_FIELD + index,
  ]),
);

/** The four flag fields, in the low word of a {@link PartSet}. */
export const FLAG_BITS = 0xf << FIRST_FIELD;

export const gprBit = (register: number): number => register;
export const xmmBit = (register: number): number => FIRST_XMM + register;
export const highBit = (register: number): number => FIRST_HIGH + register;

export function fieldBit(offset: number): number {
  const bit = FIELD_BITS.get(offset);
  if (bit === undefined) throw new Error(`the field at ${offset.toString(16)} is not kept in a local`);
  return bit;
}

/** A set of parts. */
export class PartSet {
  low = 0;
  high = 0;

  add(bit: number): void {
    if (bit < 32) this.low |= 1 << bit;
    else this.high |= 1 << (bit - 32);
  }

  addAll(other: PartSet): void {
    this.low |= other.low;
    this.high |= other.high;
  }

  has(bit: number): boolean {
    return bit < 32 ? (this.low & (1 << bit)) !== 0 : (this.high & (1 << (bit - 32))) !== 0;
  }

  /** Leaves only what is in the other set too, and says whether that changed anything. */
  shrink(other: PartSet): boolean {
    const { low, high } = this;
    this.low &= other.low;
    this.high &= other.high;
    return low !== this.low || high !== this.high;
  }

  /** Adds all, and says whether that changed anything. */
  grow(other: PartSet): boolean {
    const { low, high } = this;
    this.addAll(other);
    return low !== this.low || high !== this.high;
  }

  copy(): PartSet {
    const set = new PartSet();
    set.addAll(this);
    return set;
  }

  /** Calls back with every bit. */
  forEach(visit: (bit: number) => void): void {
    for (let rest = this.low; rest !== 0; rest &= rest - 1) visit(31 - Math.clz32(rest & -rest));
    for (let rest = this.high; rest !== 0; rest &= rest - 1) visit(63 - Math.clz32(rest & -rest));
  }
}
