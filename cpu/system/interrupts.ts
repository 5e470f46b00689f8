/** Delivery of interrupts and exceptions through the IDT: Intel SDM vol. 3, chapter 6; real mode: 21.1.4. */

import { PageFault } from "../../mmu/mmu.ts";
import { GuestException } from "../helpers.ts";
import { ExceptionSource, FLAGS_OTHER, Flag, Register, Segment, Vector } from "../state.ts";
import { unguardDebugRegisters } from "./debug-registers.ts";
import { accessed, readDescriptor } from "./descriptor-tables.ts";
import { type Event, exceptionEvent } from "./event.ts";
import {
  type Descriptor,
  isCode,
  isConforming,
  privilegeOf,
  Rights,
  type SegmentRegister,
  SystemType,
  typeOf,
  withoutPrivilege,
} from "./segment.ts";
import { isCanonical, stackPointer } from "./stack.ts";
import { innerStack, pushWords } from "./stack-frames.ts";
import type { SystemState } from "./system-state.ts";
import { switchTask } from "./task-switch.ts";

const CONTRIBUTORY = new Set<number>([Vector.DE, Vector.TS, Vector.NP, Vector.SS, Vector.GP]);
/** Bits of error codes that name a selector or a gate (SDM vol. 3, 6.13). */
const ErrorBit = { EXT: 1, IDT: 2 } as const;

/**
 * Delivers an event, and what delivering it raises.
 * @returns false if that ended in a triple fault
 */
export function deliver(system: SystemState, event: Event): boolean {
  let current = event;
  for (;;) {
    try {
      deliverOnce(system, current);
      return true;
    } catch (error) {
      const next = eventOf(error);
      if (current.vector === Vector.DF && current.source === ExceptionSource.Processor) return false;
      current = isDouble(current, next) ? exceptionEvent(Vector.DF, 0) : next;
    }
  }
}

/** What a task gate's task is met with. */
class TaskEntryEvent extends Error {
  constructor(readonly event: Event) {
    super("the new task begins with an exception");
    this.name = "TaskEntryEvent";
  }
}

function eventOf(error: unknown): Event {
  if (error instanceof TaskEntryEvent) return error.event;
  if (error instanceof PageFault) return exceptionEvent(Vector.PF, error.errorCode, error.address);
  if (error instanceof GuestException) return exceptionEvent(error.vector, error.errorCode);
  throw error;
}

/** SDM vol. 3, table 6-5. */
function isDouble(first: Event, second: Event): boolean {
  if (first.source !== ExceptionSource.Processor) return false;
  if (first.vector === Vector.PF) return second.vector === Vector.PF || CONTRIBUTORY.has(second.vector);
  return CONTRIBUTORY.has(first.vector) && CONTRIBUTORY.has(second.vector);
}

function deliverOnce(system: SystemState, event: Event): void {
  if (event.vector === Vector.PF && event.errorCode !== undefined) system.cr2 = event.address;
  if (event.vector === Vector.DB) unguardDebugRegisters(system);
  if (!system.isProtected) deliverReal(system, event);
  else if (system.isLong) deliverLong(system, event);
  else deliverProtected(system, event);
}

const isSoftware = (event: Event): boolean =>
  event.source === ExceptionSource.Interrupt || event.source === ExceptionSource.Breakpoint;

/** Faults find RF set in the image of the flags: an instruction breakpoint does not stop the instruction again. */
function pushedFlags(system: SystemState, event: Event): number {
  const flags = system.cpu.rflags;
  const isFault =
    event.source === ExceptionSource.Processor &&
    (event.errorCode !== undefined || event.isFault === true || FAULTS_WITHOUT_CODE.has(event.vector));
  return isFault && event.vector !== Vector.DF ? flags | Flag.RF : flags;
}
const FAULTS_WITHOUT_CODE = new Set<number>([
  Vector.DE,
  Vector.BR,
  Vector.UD,
  Vector.NM,
  Vector.MF,
  Vector.XM,
]);

function gateError(event: Event): number {
  return (event.vector * 8) | ErrorBit.IDT | externalBit(event);
}

const externalBit = (event: Event): number => (isSoftware(event) ? 0 : ErrorBit.EXT);

/** The code segment that a gate leads to. */
function gateTarget(system: SystemState, selector: number, external: number): Descriptor {
  if (withoutPrivilege(selector) === 0) throw new GuestException(Vector.GP, external);
  const code = readDescriptor(system, selector, Vector.GP, external);
  const error = withoutPrivilege(selector) | external;
  const { rights } = code;
  if (!isCode(rights) || privilegeOf(rights) > system.cpl) throw new GuestException(Vector.GP, error);
  if (system.isLong && (rights & (Rights.L | Rights.DB)) !== Rights.L)
    throw new GuestException(Vector.GP, error);
  if ((rights & Rights.P) === 0) throw new GuestException(Vector.NP, error);
  return code;
}

/** Flags that a handler begins with. */
function clearFlags(system: SystemState, isInterruptGate: boolean): void {
  const { cpu } = system;
  const cleared = Flag.TF | Flag.NT | Flag.RF | Flag.VM | (isInterruptGate ? Flag.IF : 0);
  cpu.setI32(FLAGS_OTHER, cpu.getI32(FLAGS_OTHER) & ~cleared);
}

// ---- long mode: SDM vol. 3, 6.14 ----

const LONG_GATE_BYTES = 16;
/** Offsets in the 64-bit TSS (SDM vol. 3, figure 8-11). */
const TSS64_RSP0 = 4;
const TSS64_IST1 = 36;

function deliverLong(system: SystemState, event: Event): void {
  const { cpu, idtr } = system;
  const error = gateError(event);
  const external = externalBit(event);
  const offset = event.vector * LONG_GATE_BYTES;
  if (offset + LONG_GATE_BYTES - 1 > idtr.limit) throw new GuestException(Vector.GP, error);
  const gate = idtr.base + offset;
  const low = system.readTable(gate, 4);
  const middle = system.readTable(gate + 4, 4);
  const type = typeOf(middle);
  const isGate =
    (middle & Rights.S) === 0 && (type === SystemType.InterruptGate32 || type === SystemType.TrapGate32);
  if (!isGate) throw new GuestException(Vector.GP, error);
  if (isSoftware(event) && privilegeOf(middle) < system.cpl) throw new GuestException(Vector.GP, error);
  if ((middle & Rights.P) === 0) throw new GuestException(Vector.NP, error);
  const target =
    (system.readTable(gate + 8, 4) | 0) * 0x100000000 + (((middle & 0xffff0000) | (low & 0xffff)) >>> 0);

  const code = gateTarget(system, low >>> 16, external);
  const oldLevel = system.cpl;
  const level = isConforming(code.rights) ? oldLevel : privilegeOf(code.rights);
  const ist = middle & 7;
  const isInner = level < oldLevel;
  let rsp: number;
  if (ist !== 0) rsp = taskStack(system, TSS64_IST1 + (ist - 1) * 8, external);
  else if (isInner) rsp = taskStack(system, TSS64_RSP0 + level * 8, external);
  else rsp = cpu.gpr(Register.RSP);
  if (!isCanonical(rsp) || !isCanonical(rsp - 48)) throw new GuestException(Vector.SS, external);
  rsp -= ((rsp % 16) + 16) % 16;

  const words: (number | bigint)[] = [
    system.segments[Segment.SS].selector,
    cpu.gpr64(Register.RSP),
    pushedFlags(system, event),
    system.segments[Segment.CS].selector,
    event.next ?? cpu.rip,
  ];
  if (event.errorCode !== undefined) words.push(event.errorCode);
  const frame = new Uint8Array(words.length * 8);
  const view = new DataView(frame.buffer);
  words.reverse().forEach((word, index) => {
    view.setBigInt64(index * 8, BigInt.asIntN(64, BigInt(word)), true);
  });
  if (!isCanonical(target)) throw new GuestException(Vector.GP, 0);
  if (isInner) system.setPrivilege(level);
  try {
    cpu.mmu.write(rsp - frame.length, frame);
  } catch (failure) {
    if (isInner) system.setPrivilege(oldLevel);
    throw failure;
  }
  system.setSegment(Segment.CS, {
    ...accessed(system, code),
    selector: withoutPrivilege(code.selector) | level,
  });
  if (isInner) system.setSegment(Segment.SS, { selector: level, base: 0, limit: 0, rights: 0 });
  cpu.setGpr(Register.RSP, rsp - frame.length);
  clearFlags(system, type === SystemType.InterruptGate32);
  cpu.rip = target;
  system.updateMode();
}

function taskStack(system: SystemState, offset: number, external: number): number {
  const { base, limit, selector } = system.tr;
  if (offset + 7 > limit) throw new GuestException(Vector.TS, withoutPrivilege(selector) | external);
  return system.readTable64(base + offset);
}

// ---- protected mode: SDM vol. 3, 6.12 ----

function deliverProtected(system: SystemState, event: Event): void {
  const { cpu, idtr } = system;
  const error = gateError(event);
  const external = externalBit(event);
  const offset = event.vector * 8;
  if (offset + 7 > idtr.limit) throw new GuestException(Vector.GP, error);
  const low = system.readTable(idtr.base + offset, 4);
  const high = system.readTable(idtr.base + offset + 4, 4);
  const type = typeOf(high);
  const isInterrupt = type === SystemType.InterruptGate32 || type === SystemType.InterruptGate16;
  const isTrap = type === SystemType.TrapGate32 || type === SystemType.TrapGate16;
  const isTask = type === SystemType.TaskGate;
  if ((high & Rights.S) !== 0 || !(isInterrupt || isTrap || isTask))
    throw new GuestException(Vector.GP, error);
  if (isSoftware(event) && privilegeOf(high) < system.cpl) throw new GuestException(Vector.GP, error);
  if ((high & Rights.P) === 0) throw new GuestException(Vector.NP, error);
  if (isTask) {
    const next = event.next ?? cpu.rip;
    const met = switchTask(system, low >>> 16, "interrupt", next, event.errorCode, external);
    if (met !== undefined) throw new TaskEntryEvent(met);
    return;
  }
  const isWide = type === SystemType.InterruptGate32 || type === SystemType.TrapGate32;
  const target = ((isWide ? high & 0xffff0000 : 0) | (low & 0xffff)) >>> 0;
  const code = gateTarget(system, low >>> 16, external);
  const oldLevel = system.cpl;
  const level = isConforming(code.rights) ? oldLevel : privilegeOf(code.rights);
  const wasVirtual = system.isVirtual8086;
  if (wasVirtual && level !== 0)
    throw new GuestException(Vector.GP, withoutPrivilege(code.selector) | external);
  const words = [pushedFlags(system, event), system.segments[Segment.CS].selector, event.next ?? cpu.rip];
  if (event.errorCode !== undefined) words.push(event.errorCode);
  let stack: SegmentRegister = system.segments[Segment.SS];
  let pointer = stackPointer(system);
  if (level < oldLevel) {
    words.unshift(stack.selector, cpu.gpr(Register.RSP) >>> 0);
    if (wasVirtual) words.unshift(...VIRTUAL_FRAME.map((segment) => system.segments[segment].selector));
    const inner = innerStack(system, level, external);
    stack = inner.segment;
    pointer = inner.pointer;
  }
  pushWords(system, stack, pointer, words, isWide ? 4 : 2, level, oldLevel, external);
  system.setSegment(Segment.CS, {
    ...accessed(system, code),
    selector: withoutPrivilege(code.selector) | level,
  });
  clearFlags(system, isInterrupt);
  cpu.rip = target;
  system.updateMode();
  if (!wasVirtual) return;
  for (const segment of VIRTUAL_FRAME)
    system.setSegment(segment, { selector: 0, base: 0, limit: 0, rights: 0 });
}

/** What an interrupt from virtual-8086 mode pushes first, and makes null. */
const VIRTUAL_FRAME = [Segment.GS, Segment.FS, Segment.DS, Segment.ES];

// ---- real mode ----

function deliverReal(system: SystemState, event: Event): void {
  const { cpu, idtr } = system;
  const offset = event.vector * 4;
  if (offset + 3 > idtr.limit) throw new GuestException(Vector.GP, gateError(event));
  const target = system.readTable(idtr.base + offset, 2);
  const selector = system.readTable(idtr.base + offset + 2, 2);
  const words = [cpu.rflags & 0xffff, system.segments[Segment.CS].selector, event.next ?? cpu.rip];
  pushWords(system, system.segments[Segment.SS], stackPointer(system), words, 2, 0, 0);
  const cs = system.segments[Segment.CS];
  system.setSegment(Segment.CS, { ...cs, selector, base: selector << 4 });
  cpu.setI32(FLAGS_OTHER, cpu.getI32(FLAGS_OTHER) & ~(Flag.IF | Flag.TF | Flag.AC));
  cpu.rip = target;
  system.updateMode();
}
