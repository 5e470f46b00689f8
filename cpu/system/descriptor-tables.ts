/** Reading descriptors from the GDT and the LDT, and loading segment registers: Intel SDM vol. 3, 5.6 and 5.7. */

import { GuestException } from "../helpers.ts";
import { Segment, Vector } from "../state.ts";
import {
  type Descriptor,
  isCode,
  isConforming,
  isReadable,
  isSystemType,
  isWritable,
  parseDescriptor,
  privilegeOf,
  Rights,
  type SegmentRegister,
  SystemType,
  withoutPrivilege,
} from "./segment.ts";
import type { SystemState } from "./system-state.ts";

/** Selector bit: the descriptor is in the LDT. */
const TABLE_INDICATOR = 4;
/** Offset of the byte with the type in a descriptor, and the bits that mark it as used. */
const TYPE_BYTE = 5;
const ACCESSED_BIT = 1;
const BUSY_BIT = 2;

/**
 * The descriptor that a selector names.
 * @param vector what is raised if it lies outside of its table
 * @param external bit 0 of the error code
 */
export function readDescriptor(
  system: SystemState,
  selector: number,
  vector: number = Vector.GP,
  external = 0,
): Descriptor {
  const isLocal = (selector & TABLE_INDICATOR) !== 0;
  const { base, limit } = isLocal ? system.ldtr : system.gdtr;
  const offset = selector & 0xfff8;
  if (offset + 7 > limit || (isLocal && system.ldtr.rights === 0))
    throw new GuestException(vector, withoutPrivilege(selector) | external);
  const address = base + offset;
  return parseDescriptor(
    selector,
    address,
    system.readTable(address, 4) | 0,
    system.readTable(address + 4, 4) | 0,
  );
}

/** As {@link readDescriptor} for instructions that only ask: undefined if there is none. */
export function findDescriptor(system: SystemState, selector: number): Descriptor | undefined {
  if (withoutPrivilege(selector) === 0) return undefined;
  const isLocal = (selector & TABLE_INDICATOR) !== 0;
  const { limit } = isLocal ? system.ldtr : system.gdtr;
  if ((selector & 0xfff8) + 7 > limit || (isLocal && system.ldtr.rights === 0)) return undefined;
  return readDescriptor(system, selector);
}

/** Upper half of the base in a system descriptor of long mode. */
function upperBase(system: SystemState, { address }: Descriptor): number {
  return (system.readTable(address + 8, 4) | 0) * 0x100000000;
}

/** What a register holds after a load: the accessed bit is set, in the table too. */
export function accessed(system: SystemState, descriptor: Descriptor): SegmentRegister {
  const { selector, base, limit, rights, address } = descriptor;
  if ((rights & Rights.Accessed) === 0) system.setTableBits(address + TYPE_BYTE, ACCESSED_BIT);
  return { selector, base, limit, rights: rights | Rights.Accessed };
}

/** A descriptor's privilege level: 3 in virtual-8086 mode. */
const PRIVILEGE = 3 << 13;

const nullSegment = (selector: number): SegmentRegister => ({ selector, base: 0, limit: 0, rights: 0 });

/** In real mode and virtual-8086 mode a selector is a base; limit and rights stay (SDM vol. 3, 21.1.1). */
function loadReal(system: SystemState, segment: number, selector: number): void {
  const register = system.segments[segment];
  const rights = Rights.P | Rights.S | Rights.WritableOrReadable | Rights.Accessed;
  const kept = register.rights & (Rights.Code | PRIVILEGE);
  system.setSegment(segment, {
    selector,
    base: selector << 4,
    limit: register.limit,
    rights: rights | kept,
  });
}

/** MOV to a segment register other than CS, POP, LDS … @throws GuestException */
export function loadSegment(system: SystemState, segment: number, selector: number): void {
  if (!system.usesDescriptors) loadReal(system, segment, selector);
  else if (segment === Segment.SS) loadStackSegment(system, selector);
  else loadDataSegment(system, segment, selector);
}

function loadDataSegment(system: SystemState, segment: number, selector: number): void {
  if (withoutPrivilege(selector) === 0) {
    system.setSegment(segment, nullSegment(selector));
    return;
  }
  const descriptor = readDescriptor(system, selector);
  const { rights } = descriptor;
  const level = privilegeOf(rights);
  const isOpen = isCode(rights) && isConforming(rights);
  if (!isReadable(rights) || (!isOpen && ((selector & 3) > level || system.cpl > level)))
    throw new GuestException(Vector.GP, withoutPrivilege(selector));
  if ((rights & Rights.P) === 0) throw new GuestException(Vector.NP, withoutPrivilege(selector));
  system.setSegment(segment, accessed(system, descriptor));
}

function loadStackSegment(system: SystemState, selector: number): void {
  if (withoutPrivilege(selector) === 0) {
    if (!system.is64Bit || system.cpl === 3 || (selector & 3) !== system.cpl)
      throw new GuestException(Vector.GP, 0);
    system.setSegment(Segment.SS, nullSegment(selector));
    return;
  }
  const descriptor = stackDescriptor(system, selector, system.cpl, Vector.GP, 0);
  system.setSegment(Segment.SS, accessed(system, descriptor));
}

/**
 * A descriptor that may become SS at a privilege level.
 * @param vector raised if it may not: #GP for loads, #TS for selectors from a TSS
 */
export function stackDescriptor(
  system: SystemState,
  selector: number,
  level: number,
  vector: number,
  external: number,
): Descriptor {
  if (withoutPrivilege(selector) === 0) throw new GuestException(vector, external);
  const descriptor = readDescriptor(system, selector, vector, external);
  const { rights } = descriptor;
  const code = withoutPrivilege(selector) | external;
  if (!isWritable(rights) || (selector & 3) !== level || privilegeOf(rights) !== level)
    throw new GuestException(vector, code);
  if ((rights & Rights.P) === 0) throw new GuestException(Vector.SS, code);
  return descriptor;
}

/** LLDT. */
export function loadLocalTable(system: SystemState, selector: number): void {
  if (withoutPrivilege(selector) === 0) {
    Object.assign(system.ldtr, nullSegment(selector));
    return;
  }
  const descriptor = systemDescriptor(system, selector, [SystemType.Ldt]);
  const { base, limit, rights } = descriptor;
  const upper = system.isLong ? upperBase(system, descriptor) : 0;
  Object.assign(system.ldtr, { selector, base: base + upper, limit, rights });
}

/** LTR. */
export function loadTaskRegister(system: SystemState, selector: number): void {
  if (withoutPrivilege(selector) === 0) throw new GuestException(Vector.GP, 0);
  const types = system.isLong ? [SystemType.Tss32] : [SystemType.Tss16, SystemType.Tss32];
  const descriptor = systemDescriptor(system, selector, types);
  const { base, limit, rights, address } = descriptor;
  const upper = system.isLong ? upperBase(system, descriptor) : 0;
  system.setTableBits(address + TYPE_BYTE, BUSY_BIT);
  Object.assign(system.tr, { selector, base: base + upper, limit, rights: rights | (BUSY_BIT << 8) });
}

function systemDescriptor(system: SystemState, selector: number, types: readonly number[]): Descriptor {
  const code = withoutPrivilege(selector);
  if ((selector & TABLE_INDICATOR) !== 0) throw new GuestException(Vector.GP, code);
  const descriptor = readDescriptor(system, selector);
  if (!isSystemType(descriptor.rights, ...types)) throw new GuestException(Vector.GP, code);
  if (system.isLong && (selector & 0xfff8) + 15 > system.gdtr.limit)
    throw new GuestException(Vector.GP, code);
  if ((descriptor.rights & Rights.P) === 0) throw new GuestException(Vector.NP, code);
  return descriptor;
}
