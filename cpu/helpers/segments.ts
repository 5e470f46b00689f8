/**
 * Selectors and descriptors: those of the descriptor tables on a whole PC, else as user code on Linux finds them
 * (arch/x86/include/asm/segment.h).
 */

import type { Cpu } from "../cpu.ts";
import { defineHelper, GuestException } from "../helpers.ts";
import { Segment, Vector } from "../state.ts";
import { findDescriptor, loadSegment } from "../system/descriptor-tables.ts";
import {
  isCode,
  isConforming,
  isReadable,
  isSystemType,
  isWritable,
  privilegeOf,
  Rights,
  SystemType,
} from "../system/segment.ts";
import type { SystemState } from "../system/system-state.ts";

/** Bits of a selector besides the requested privilege level. */
const INDEX_MASK = 0xfffc;

interface Descriptor {
  /** What LAR returns: access rights in their place in the descriptor (SDM vol. 3, 3.4.5). */
  readonly rights: number;
  /** Undefined for gates. */
  readonly limit: number | undefined;
  readonly readable: boolean;
  readonly writable: boolean;
}

/** The descriptors of the GDT that privilege level 3 may use, by selector without RPL. All are readable. */
const DESCRIPTORS: ReadonlyMap<number, Descriptor> = new Map([
  [0x20, { rights: 0x00cffb00, limit: 0xffffffff, readable: true, writable: false }], // __USER32_CS
  [0x28, { rights: 0x00cff300, limit: 0xffffffff, readable: true, writable: true }], // __USER_DS
  [0x30, { rights: 0x00affb00, limit: 0xffffffff, readable: true, writable: false }], // __USER_CS
  [0x78, { rights: 0x0040f500, limit: 0, readable: true, writable: false }], // __CPUNODE_SEG: the limit is the processor's number
]);

const descriptorOf = (selector: number): Descriptor | undefined => DESCRIPTORS.get(selector & INDEX_MASK);

/** Linux's __USER_CS and __USER_DS with RPL 3. */
const USER_CS = 0x33;
const USER_DS = 0x2b;

/** Slot 0: segment register; its selector to slot 0. */
defineHelper("readSelector", (cpu) => {
  const segment = cpu.argumentI32(0);
  if (cpu.system !== undefined) cpu.setResult(0, cpu.system.segments[segment].selector);
  else cpu.setResult(0, segment === Segment.CS ? USER_CS : segment === Segment.SS ? USER_DS : 0);
});

/** Slot 0: segment register; 1: selector. */
defineHelper("loadSelector", (cpu) => {
  const segment = cpu.argumentI32(0);
  const selector = cpu.argumentI32(1);
  if (cpu.system !== undefined) {
    loadSystemSelector(cpu, cpu.system, segment, selector);
    return;
  }
  const isNull = (selector & INDEX_MASK) === 0;
  if (segment === Segment.SS) {
    // In user mode SS cannot be null, and must be writable (SDM vol. 2, MOV).
    if (isNull) throw new GuestException(Vector.GP, 0);
    const usable = descriptorOf(selector)?.writable === true && (selector & 3) === 3;
    if (!usable) throw new GuestException(Vector.GP, selector & INDEX_MASK);
    cpu.defersTraps = true;
    return;
  }
  if (!isNull && descriptorOf(selector) === undefined)
    throw new GuestException(Vector.GP, selector & INDEX_MASK);
  // The bases of all these descriptors are 0, and Intel's processors take 0 from a null selector too.
  if (segment === Segment.FS || segment === Segment.GS) cpu.setSegmentBase(segment, 0);
});

function loadSystemSelector(cpu: Cpu, system: SystemState, segment: number, selector: number): void {
  // The size of the stack pointer may change, and no interrupt comes before RSP is loaded too.
  if (segment === Segment.SS) cpu.requireAlone();
  loadSegment(system, segment, selector & 0xffff);
  if (segment !== Segment.SS) return;
  system.updateMode();
  system.shadow(cpu.whereabouts?.nextRip ?? 0);
  cpu.defersTraps = true;
}

/** What LAR, LSL, VERR and VERW look at; undefined if the selector names nothing that they may see. */
function visibleDescriptor(cpu: Cpu, selector: number): Descriptor | undefined {
  const { system } = cpu;
  return system === undefined ? descriptorOf(selector) : tableDescriptor(system, selector);
}

/** System descriptors that LAR and LSL know (SDM vol. 2, LAR): TSS and LDT; call and task gates have no limit. */
const WITH_LIMIT = [
  SystemType.Tss16,
  SystemType.Ldt,
  SystemType.BusyTss16,
  SystemType.Tss32,
  SystemType.BusyTss32,
];
const WITH_LIMIT_LONG = [SystemType.Ldt, SystemType.Tss32, SystemType.BusyTss32];
const GATES = [SystemType.CallGate16, SystemType.TaskGate, SystemType.CallGate32];
const GATES_LONG = [SystemType.CallGate32];

function tableDescriptor(system: SystemState, selector: number): Descriptor | undefined {
  const found = findDescriptor(system, selector & 0xffff);
  if (found === undefined) return undefined;
  const { rights, limit } = found;
  const isOpen = isCode(rights) && isConforming(rights);
  const level = privilegeOf(rights);
  if (!isOpen && (system.cpl > level || (selector & 3) > level)) return undefined;
  const isSegment = (rights & Rights.S) !== 0;
  const hasLimit = isSegment || isSystemType(rights, ...(system.isLong ? WITH_LIMIT_LONG : WITH_LIMIT));
  if (!hasLimit && !isSystemType(rights, ...(system.isLong ? GATES_LONG : GATES))) return undefined;
  return {
    rights: found.high & 0x00ffff00,
    limit: hasLimit ? limit : undefined,
    readable: isReadable(rights),
    writable: isWritable(rights),
  };
}

function defineQuery(name: string, answer: (descriptor: Descriptor) => number | undefined): void {
  defineHelper(name, (cpu: Cpu) => {
    const descriptor = visibleDescriptor(cpu, cpu.argumentI32(0));
    const value = descriptor === undefined ? undefined : answer(descriptor);
    cpu.setResult(0, value ?? 0);
    cpu.setResultI32(1, value === undefined ? 0 : 1);
  });
}

defineQuery("lar", (descriptor) => descriptor.rights);
defineQuery("lsl", (descriptor) => descriptor.limit);

defineHelper("verr", (cpu) => {
  cpu.setResultI32(0, visibleDescriptor(cpu, cpu.argumentI32(0))?.readable === true ? 1 : 0);
});

defineHelper("verw", (cpu) => {
  cpu.setResultI32(0, visibleDescriptor(cpu, cpu.argumentI32(0))?.writable === true ? 1 : 0);
});
