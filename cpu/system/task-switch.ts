/**
 * Hardware task switches: Intel SDM vol. 3, chapter 8. Linux for 32 bits handles double faults in a task of its own. What
 * can fault in the old task comes before anything changes; later faults (#TS, #NP, #SS, #PF) belong to the new task.
 */

import { PageFault } from "../../mmu/mmu.ts";
import { Access } from "../../mmu/translator.ts";
import { GuestException } from "../helpers.ts";
import { FLAGS_OTHER, Flag, Segment, Vector } from "../state.ts";
import { Cr0 } from "./control-bits.ts";
import { loadPdptes, writeCr0 } from "./control-registers.ts";
import { accessed, readDescriptor, stackDescriptor } from "./descriptor-tables.ts";
import { type Event, exceptionEvent } from "./event.ts";
import {
  type Descriptor,
  isCode,
  isConforming,
  isReadable,
  isSystemType,
  privilegeOf,
  Rights,
  SystemType,
  typeOf,
  virtual8086Segment,
  withoutPrivilege,
} from "./segment.ts";
import { stackPointer } from "./stack.ts";
import { pushWords } from "./stack-frames.ts";
import type { SystemState } from "./system-state.ts";

/** What leads to another task. CALL and interrupts nest it. */
export type TaskSwitchCause = "jump" | "call" | "interrupt" | "return";

/** Where a TSS has what (SDM vol. 3, figures 8-2 and 8-10); registers and segments one behind the other in encoding order. */
interface TaskLayout {
  readonly bytes: 2 | 4;
  readonly limit: number;
  readonly cr3: number | undefined;
  readonly ip: number;
  readonly flags: number;
  readonly registers: number;
  readonly segments: number;
  readonly segmentBytes: 2 | 4;
  readonly segmentCount: 4 | 6;
  readonly ldt: number;
  readonly trap: number | undefined;
}
const TASK_32: TaskLayout = {
  bytes: 4,
  limit: 0x67,
  cr3: 0x1c,
  ip: 0x20,
  flags: 0x24,
  registers: 0x28,
  segments: 0x48,
  segmentBytes: 4,
  segmentCount: 6,
  ldt: 0x60,
  trap: 0x64,
};
const TASK_16: TaskLayout = {
  bytes: 2,
  limit: 0x2b,
  cr3: undefined,
  ip: 0x0e,
  flags: 0x10,
  registers: 0x12,
  segments: 0x22,
  segmentBytes: 2,
  segmentCount: 4,
  ldt: 0x2a,
  trap: undefined,
};
const REGISTERS = 8;
const BUSY = 2;
const TYPE_BYTE = 5;
const TABLE_INDICATOR = 4;
/** Flags that a task's image can have. */
const FLAGS_32 = 0x003f7fd5;
const FLAGS_16 = 0x00007fd5;
const DR6_BT = 1 << 15;

/** What a TSS says of its task. */
interface TaskImage {
  readonly cr3: number;
  readonly ip: number;
  readonly flags: number;
  readonly registers: readonly number[];
  readonly segments: readonly number[];
  readonly ldt: number;
  readonly isTrapped: boolean;
}

const layoutOf = (rights: number): TaskLayout =>
  typeOf(rights) === SystemType.Tss32 || typeOf(rights) === SystemType.BusyTss32 ? TASK_32 : TASK_16;

/**
 * Goes to the task of a TSS.
 * @param next where the old task goes on
 * @param errorCode of an exception: the new task finds it on its stack
 * @returns what the new task is met with before its first instruction, if anything
 * @throws GuestException, PageFault in the old task
 */
export function switchTask(
  system: SystemState,
  selector: number,
  cause: TaskSwitchCause,
  next: number,
  errorCode?: number,
  external = 0,
): Event | undefined {
  const target = taskDescriptor(system, selector, cause, external);
  const layout = layoutOf(target.rights);
  const image = readTask(system, target, layout);
  leaveTask(system, target, cause, next);
  const isNested = cause === "call" || cause === "interrupt";
  if (isNested) system.writeTable(target.base, 2, system.tr.selector);
  if (cause !== "return") system.setTableBits(target.address + TYPE_BYTE, BUSY);
  Object.assign(system.tr, {
    selector: target.selector,
    base: target.base,
    limit: target.limit,
    rights: target.rights | (BUSY << 8),
  });
  try {
    enterTask(system, image, layout, isNested);
    if (errorCode !== undefined) pushErrorCode(system, layout, errorCode);
  } catch (error) {
    if (error instanceof PageFault) return exceptionEvent(Vector.PF, error.errorCode, error.address);
    if (error instanceof GuestException) return exceptionEvent(error.vector, error.errorCode);
    throw error;
  }
  if (!image.isTrapped) return undefined;
  system.debug[6] = (system.debug[6] | DR6_BT) >>> 0;
  return exceptionEvent(Vector.DB, 0);
}

/** The back link of the current task: where IRET goes with NT set. */
export function previousTask(system: SystemState): number {
  return system.readTable(system.tr.base, 2);
}

function taskDescriptor(
  system: SystemState,
  selector: number,
  cause: TaskSwitchCause,
  external: number,
): Descriptor {
  const isReturn = cause === "return";
  const code = withoutPrivilege(selector) | external;
  const vector = isReturn ? Vector.TS : Vector.GP;
  if ((selector & TABLE_INDICATOR) !== 0 || withoutPrivilege(selector) === 0)
    throw new GuestException(vector, code);
  const descriptor = readDescriptor(system, selector, vector, external);
  const types = isReturn
    ? [SystemType.BusyTss16, SystemType.BusyTss32]
    : [SystemType.Tss16, SystemType.Tss32];
  if (!isSystemType(descriptor.rights, ...types)) throw new GuestException(vector, code);
  if ((descriptor.rights & Rights.P) === 0) throw new GuestException(Vector.NP, code);
  if (descriptor.limit < layoutOf(descriptor.rights).limit) throw new GuestException(Vector.TS, code);
  return descriptor;
}

function readTask(system: SystemState, { base }: Descriptor, layout: TaskLayout): TaskImage {
  const { bytes, segmentBytes, segmentCount } = layout;
  const read = (offset: number, size: 2 | 4): number => system.readTable(base + offset, size);
  const list = <T>(count: number, item: (index: number) => T): T[] =>
    Array.from({ length: count }, (_, index) => item(index));
  return {
    cr3: layout.cr3 === undefined ? 0 : read(layout.cr3, 4),
    ip: read(layout.ip, bytes),
    flags: read(layout.flags, bytes),
    // A 16-bit task leaves the upper halves of registers undefined: all ones, as on Intel's processors.
    registers: list(REGISTERS, (index) => read(layout.registers + index * bytes, bytes)).map((value) =>
      bytes === 2 ? (value | 0xffff0000) >>> 0 : value,
    ),
    segments: list(segmentCount, (index) => read(layout.segments + index * segmentBytes, 2)),
    ldt: read(layout.ldt, 2),
    isTrapped: layout.trap !== undefined && (read(layout.trap, 2) & 1) !== 0,
  };
}

/** Saves the current task in its TSS; only now is it certain that the new one is there. */
function leaveTask(system: SystemState, target: Descriptor, cause: TaskSwitchCause, next: number): void {
  const { cpu, tr } = system;
  const layout = layoutOf(tr.rights);
  const { bytes } = layout;
  const end = layout.segments + layout.segmentCount * layout.segmentBytes;
  for (const offset of [layout.ip, end - 1]) system.requireTable(tr.base + offset, Access.Write);
  system.requireTable(target.base, Access.Write);
  const flags = cause === "return" ? cpu.rflags & ~Flag.NT : cpu.rflags;
  system.writeTable(tr.base + layout.ip, bytes, next);
  system.writeTable(tr.base + layout.flags, bytes, flags);
  for (let register = 0; register < REGISTERS; register++)
    system.writeTable(tr.base + layout.registers + register * bytes, bytes, cpu.gpr(register) >>> 0);
  for (let segment = 0; segment < layout.segmentCount; segment++)
    system.writeTable(
      tr.base + layout.segments + segment * layout.segmentBytes,
      2,
      system.segments[segment].selector,
    );
  if (cause !== "jump" && cause !== "return") return;
  const old = readDescriptor(system, tr.selector);
  system.clearTableBits(old.address + TYPE_BYTE, BUSY);
}

/** Registers first; then what can fault, in the new task. */
function enterTask(system: SystemState, image: TaskImage, layout: TaskLayout, isNested: boolean): void {
  const { cpu } = system;
  const { flags, segments } = image;
  writeCr0(system, system.cr0 | Cr0.TS);
  if (layout.cr3 !== undefined && (system.cr0 & Cr0.PG) !== 0 && image.cr3 !== system.cr3) {
    if (system.paging.mode === "pae") loadPdptes(system, image.cr3);
    system.cr3 = image.cr3;
    system.updatePaging();
    system.flushAddressSpace();
  }
  const isVirtual = layout.bytes === 4 && (flags & Flag.VM) !== 0;
  cpu.rip = image.ip;
  cpu.rflags = (flags & (layout.bytes === 4 ? FLAGS_32 : FLAGS_16)) | (isNested ? Flag.NT : 0);
  system.setVirtual8086(isVirtual);
  for (const [register, value] of image.registers.entries()) cpu.setGpr(register, value);
  const level = isVirtual ? 3 : segments[Segment.CS] & 3;
  system.setPrivilege(level);
  system.updateMode();
  // Selectors are those of the new task even if their descriptors turn out to be unusable.
  for (let segment = 0; segment < 6; segment++) {
    const selector = segments[segment] ?? 0;
    system.setSegment(
      segment,
      isVirtual ? virtual8086Segment(segment, selector) : { selector, base: 0, limit: 0, rights: 0 },
    );
  }
  loadTaskLdt(system, image.ldt);
  if (!isVirtual) loadTaskSegments(system, segments, level);
  system.updateMode();
  if (!isVirtual && image.ip > system.segments[Segment.CS].limit) throw new GuestException(Vector.GP, 0);
}

function loadTaskLdt(system: SystemState, selector: number): void {
  Object.assign(system.ldtr, { selector, base: 0, limit: 0, rights: 0 });
  if (withoutPrivilege(selector) === 0) return;
  const code = withoutPrivilege(selector);
  if ((selector & TABLE_INDICATOR) !== 0) throw new GuestException(Vector.TS, code);
  const { base, limit, rights } = readDescriptor(system, selector, Vector.TS);
  if (!isSystemType(rights, SystemType.Ldt) || (rights & Rights.P) === 0)
    throw new GuestException(Vector.TS, code);
  Object.assign(system.ldtr, { base, limit, rights });
}

function loadTaskSegments(system: SystemState, segments: readonly number[], level: number): void {
  const code = taskCode(system, segments[Segment.CS], level);
  system.setSegment(Segment.CS, { ...accessed(system, code), selector: segments[Segment.CS] });
  system.updateMode();
  const stack = stackDescriptor(system, segments[Segment.SS], level, Vector.TS, 0);
  system.setSegment(Segment.SS, accessed(system, stack));
  for (const segment of [Segment.ES, Segment.DS, Segment.FS, Segment.GS]) {
    const selector = segments[segment] ?? 0;
    if (withoutPrivilege(selector) === 0) continue;
    const descriptor = readDescriptor(system, selector, Vector.TS);
    const { rights } = descriptor;
    const isOpen = isCode(rights) && isConforming(rights);
    const isClosed = !isOpen && privilegeOf(rights) < Math.max(level, selector & 3);
    if (!isReadable(rights) || isClosed) throw new GuestException(Vector.TS, withoutPrivilege(selector));
    if ((rights & Rights.P) === 0) throw new GuestException(Vector.NP, withoutPrivilege(selector));
    system.setSegment(segment, accessed(system, descriptor));
  }
}

function taskCode(system: SystemState, selector: number, level: number): Descriptor {
  const error = withoutPrivilege(selector);
  if (error === 0) throw new GuestException(Vector.TS, 0);
  const code = readDescriptor(system, selector, Vector.TS);
  const ownLevel = privilegeOf(code.rights);
  const fits = isConforming(code.rights) ? ownLevel <= level : ownLevel === level;
  if (!isCode(code.rights) || !fits) throw new GuestException(Vector.TS, error);
  if ((code.rights & Rights.P) === 0) throw new GuestException(Vector.NP, error);
  return code;
}

function pushErrorCode(system: SystemState, layout: TaskLayout, errorCode: number): void {
  const { cpl } = system;
  pushWords(system, system.segments[Segment.SS], stackPointer(system), [errorCode], layout.bytes, cpl, cpl);
}

/** Is NT set: does IRET end a nested task? */
export const isNestedTask = (system: SystemState): boolean =>
  (system.cpu.getI32(FLAGS_OTHER) & Flag.NT) !== 0;
