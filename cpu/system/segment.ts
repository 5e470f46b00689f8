/** Segment registers with their hidden parts, and descriptors: Intel SDM vol. 3, 3.4 and 3.5. */

import { Segment } from "../state.ts";

/** Access rights as LAR returns them: the second half of a descriptor without base and limit. */
export const Rights = {
  /** Bits of the type field: of code and data segments. */
  Accessed: 1 << 8,
  /** Data: writable; code: readable. */
  WritableOrReadable: 1 << 9,
  /** Data: expands down; code: conforming. */
  ExpandDownOrConforming: 1 << 10,
  Code: 1 << 11,
  /** Code or data, not a system segment. */
  S: 1 << 12,
  P: 1 << 15,
  /** 64-bit code. */
  L: 1 << 21,
  /** 32-bit code, stack pointer of 32 bits. */
  DB: 1 << 22,
  G: 1 << 23,
} as const;
const RIGHTS_MASK = 0x00f0ff00;

/** Types of system descriptors (SDM vol. 3, table 3-2). */
export const SystemType = {
  Tss16: 1,
  Ldt: 2,
  BusyTss16: 3,
  CallGate16: 4,
  TaskGate: 5,
  InterruptGate16: 6,
  TrapGate16: 7,
  Tss32: 9,
  BusyTss32: 11,
  CallGate32: 12,
  InterruptGate32: 14,
  TrapGate32: 15,
} as const;

/** A segment register. In long mode the bases of ES, CS, SS and DS count as 0; those in use are in the state struct. */
export interface SegmentRegister {
  selector: number;
  base: number;
  /** In bytes, granularity applied. */
  limit: number;
  /** {@link Rights} bits; 0: unusable (a null selector was loaded). */
  rights: number;
}

/** A descriptor of 8 bytes, or the first half of one of 16. */
export interface Descriptor extends Readonly<SegmentRegister> {
  /** Linear address of the descriptor. */
  readonly address: number;
  readonly low: number;
  readonly high: number;
}

/** @param low,high the halves of the descriptor */
export function parseDescriptor(selector: number, address: number, low: number, high: number): Descriptor {
  const base = ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)) >>> 0;
  const limit = (low & 0xffff) | (high & 0x000f0000);
  const isGranular = (high & Rights.G) !== 0;
  return {
    selector,
    address,
    low,
    high,
    base,
    limit: isGranular ? ((limit << 12) | 0xfff) >>> 0 : limit,
    rights: high & RIGHTS_MASK,
  };
}

export const privilegeOf = (rights: number): number => (rights >> 13) & 3;
export const typeOf = (rights: number): number => (rights >> 8) & 15;
export const isCode = (rights: number): boolean =>
  (rights & (Rights.S | Rights.Code)) === (Rights.S | Rights.Code);
export const isData = (rights: number): boolean => (rights & (Rights.S | Rights.Code)) === Rights.S;
export const isConforming = (rights: number): boolean => (rights & Rights.ExpandDownOrConforming) !== 0;
/** Data that can be written. */
export const isWritable = (rights: number): boolean =>
  isData(rights) && (rights & Rights.WritableOrReadable) !== 0;
/** Data, or code that can be read. */
export const isReadable = (rights: number): boolean =>
  isData(rights) || (isCode(rights) && (rights & Rights.WritableOrReadable) !== 0);
export const isSystemType = (rights: number, ...types: readonly number[]): boolean =>
  (rights & Rights.S) === 0 && types.includes(typeOf(rights));

/** What a segment register of virtual-8086 mode holds: 64 KiB, writable, privilege level 3. */
export function virtual8086Segment(segment: number, selector: number): SegmentRegister {
  const code = segment === Segment.CS ? Rights.Code : 0;
  const rights = Rights.P | Rights.S | Rights.WritableOrReadable | Rights.Accessed | (3 << 13) | code;
  return { selector, base: selector << 4, limit: 0xffff, rights };
}

/** A selector without its requested privilege level: the null selector is 0. */
export const withoutPrivilege = (selector: number): number => selector & 0xfffc;
