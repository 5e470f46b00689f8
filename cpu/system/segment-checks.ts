/**
 * Limits and types of data segments: Intel SDM vol. 3, 5.3 and 5.5. Generated code does not look at them. A segment that
 * allows less than everything has a *guarded* base instead in the state struct: high bits that no page has, so that every
 * access through it misses the TLB and comes to {@link SegmentChecks}. Flat segments and 64-bit mode pay nothing.
 */

import { Access } from "../../mmu/translator.ts";
import { GuestException } from "../helpers.ts";
import { Segment, Vector } from "../state.ts";
import { isCode, Rights, type SegmentRegister } from "./segment.ts";

/** Guards are multiples of these: the segment's number plus one. LINEAR_MASK (cpu/state.ts) lets them through. */
const GUARD_ALL = 2 ** 40;
/** For segments of at least 64 KiB without other restrictions: 16-bit addresses need no look at the limit. */
const GUARD_WIDE = 2 ** 48;
const MOST_GUARDED = 8 * GUARD_WIDE;
const FLAT_LIMIT = 0xffffffff;
const LEAST_16BIT_LIMIT = 0xffff;

/** How the segment registers in the state struct are to be understood. */
export type SegmentUse =
  /** 64-bit mode: only the bases of FS and GS count, and all of their 64 bits. */
  | "64-bit"
  | "protected"
  /** Real mode and virtual-8086 mode: every segment can be written. */
  | "real";

const isExpandDown = ({ rights }: SegmentRegister): boolean =>
  !isCode(rights) && (rights & Rights.ExpandDownOrConforming) !== 0;

/** Does a segment's type allow an access? */
function allows({ rights }: SegmentRegister, use: SegmentUse, access: Access): boolean {
  if (use === "real") return true;
  if ((rights & Rights.S) === 0) return false; // unusable
  const hasBit = (rights & Rights.WritableOrReadable) !== 0;
  if (access === Access.Write) return !isCode(rights) && hasBit;
  return !isCode(rights) || hasBit;
}

/** Are all bytes inside of the limit? `offset` is unsigned; offsets do not wrap around inside of an access. */
export function isInLimit(register: SegmentRegister, offset: number, length: number): boolean {
  const last = offset + length - 1;
  if (!isExpandDown(register)) return last <= register.limit;
  return offset > register.limit && last <= ((register.rights & Rights.DB) !== 0 ? FLAT_LIMIT : 0xffff);
}

/** What is added to a segment's base in the state struct. */
export function guardOf(segment: number, register: SegmentRegister, use: SegmentUse): number {
  if (use === "64-bit") return 0;
  const isOpen = allows(register, use, Access.Write) && allows(register, use, Access.Read);
  const isUp = use === "real" || !isExpandDown(register);
  if (isOpen && isUp && register.limit === FLAT_LIMIT) return 0;
  if (isOpen && isUp && register.limit >= LEAST_16BIT_LIMIT) return GUARD_WIDE * (segment + 1);
  return GUARD_ALL * (segment + 1);
}

/** The Mmu's view of segments outside of 64-bit mode. */
export class SegmentChecks {
  use: SegmentUse = "real";

  /** @param registers in encoding order */
  constructor(private readonly registers: readonly SegmentRegister[]) {}

  /** Does an address come from a guarded base? */
  isGuarded(address: number): boolean {
    return address >= GUARD_ALL && address < MOST_GUARDED;
  }

  /**
   * The linear address behind a guarded one.
   * @throws GuestException if the segment does not allow the access
   */
  linear(address: number, length: number, access: Access): number {
    const high = address >= GUARD_WIDE ? Math.floor(address / GUARD_WIDE) : Math.floor(address / GUARD_ALL);
    const segment = (high & 7) - 1;
    const register = this.registers[segment];
    const linear = address % 0x100000000;
    const offset = (linear - register.base) >>> 0;
    if (!allows(register, this.use, access) || !isInLimit(register, offset, length))
      throw new GuestException(segment === Segment.SS ? Vector.SS : Vector.GP, 0);
    return linear;
  }
}

/** As generated code computes it: the address, still guarded, for a base as it stands in the state struct. */
export function guardedAddress(base: number, offset: number, addressSize: number): number {
  const unguarded = base % 0x100000000;
  const guard = base - unguarded;
  return ((unguarded + offset) >>> 0) + (addressSize === 16 ? guard % GUARD_WIDE : guard);
}
