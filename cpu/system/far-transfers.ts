/**
 * Transfers to another code segment: Intel SDM vol. 2, JMP, CALL, RET and IRET; vol. 3, 5.8. Everything that can fault
 * comes before anything changes.
 */

import { GuestException } from "../helpers.ts";
import { Flag, Register, Segment, Vector } from "../state.ts";
import { accessed, readDescriptor, stackDescriptor } from "./descriptor-tables.ts";
import {
  type Descriptor,
  isCode,
  isConforming,
  isData,
  isSystemType,
  privilegeOf,
  Rights,
  type SegmentRegister,
  SystemType,
  virtual8086Segment,
  withoutPrivilege,
} from "./segment.ts";
import { isCanonical, StackReader, stackPointer, writeStackPointer } from "./stack.ts";
import { innerStack, pushWords } from "./stack-frames.ts";
import type { SystemState } from "./system-state.ts";
import { isNestedTask, previousTask, switchTask } from "./task-switch.ts";

type OperandSize = 16 | 32 | 64;
const bytesOf = (size: OperandSize): 2 | 4 | 8 => (size === 16 ? 2 : size === 32 ? 4 : 8);
const refuse = (selector: number, vector: number = Vector.GP): GuestException =>
  new GuestException(vector, withoutPrivilege(selector));

/** RIP as the target segment takes it. */
function checkTarget(system: SystemState, code: { limit: number; rights: number }, rip: number): void {
  const is64Bit = system.isLong && (code.rights & Rights.L) !== 0;
  if (is64Bit ? !isCanonical(rip) : rip < 0 || rip > code.limit) throw new GuestException(Vector.GP, 0);
}

function checkCode(system: SystemState, { rights, selector }: Descriptor): void {
  if (!isCode(rights)) throw refuse(selector);
  // L and D together are reserved.
  if (system.isLong && (rights & Rights.L) !== 0 && (rights & Rights.DB) !== 0) throw refuse(selector);
}

const isPresent = (rights: number): boolean => (rights & Rights.P) !== 0;

function enterCode(system: SystemState, code: Descriptor, level: number, rip: number): void {
  system.setSegment(Segment.CS, {
    ...accessed(system, code),
    selector: withoutPrivilege(code.selector) | level,
  });
  system.cpu.rip = rip;
  system.updateMode();
}

function enterReal(system: SystemState, selector: number, rip: number): void {
  const cs = system.segments[Segment.CS];
  if (rip > cs.limit) throw new GuestException(Vector.GP, 0);
  system.setSegment(Segment.CS, { ...cs, selector, base: selector << 4 });
  system.cpu.rip = rip;
  system.updateMode();
}

/** JMP and CALL: the target segment, without a change of privilege. */
function directTarget(system: SystemState, selector: number, offset: number): Descriptor {
  const code = readDescriptor(system, selector);
  checkCode(system, code);
  const level = privilegeOf(code.rights);
  if (isConforming(code.rights) ? level > system.cpl : (selector & 3) > system.cpl || level !== system.cpl)
    throw refuse(selector);
  if (!isPresent(code.rights)) throw refuse(selector, Vector.NP);
  checkTarget(system, code, offset);
  return code;
}

const TASKS = [SystemType.Tss16, SystemType.Tss32, SystemType.TaskGate];

/** The selector of a TSS that JMP or CALL switches to, directly or through a task gate. */
function taskTarget(system: SystemState, selector: number): number | undefined {
  const found = readDescriptor(system, selector);
  const { rights, low } = found;
  if (system.isLong || !isSystemType(rights, ...TASKS)) return undefined;
  const level = privilegeOf(rights);
  if (level < system.cpl || (selector & 3) > level) throw refuse(selector);
  if (!isSystemType(rights, SystemType.TaskGate)) return selector;
  if (!isPresent(rights)) throw refuse(selector, Vector.NP);
  return low >>> 16;
}

/** A call gate's target, and what it says besides. */
interface Gate {
  readonly code: Descriptor;
  readonly offset: number;
  readonly parameters: number;
  readonly bytes: 2 | 4 | 8;
}

/** Is the selector that of a call gate? Then where it leads. */
function callGate(system: SystemState, selector: number): Gate | undefined {
  const gate = readDescriptor(system, selector);
  const { rights, low, high, address } = gate;
  if ((rights & Rights.S) !== 0) return undefined;
  const types = system.isLong ? [SystemType.CallGate32] : [SystemType.CallGate16, SystemType.CallGate32];
  if (!isSystemType(rights, ...types)) throw refuse(selector);
  const level = privilegeOf(rights);
  if (level < system.cpl || (selector & 3) > level) throw refuse(selector);
  if (!isPresent(rights)) throw refuse(selector, Vector.NP);
  const isWide = isSystemType(rights, SystemType.CallGate32);
  let offset = ((isWide ? high & 0xffff0000 : 0) | (low & 0xffff)) >>> 0;
  if (system.isLong) offset += (system.readTable(address + 8, 4) | 0) * 0x100000000;
  const target = low >>> 16;
  if (withoutPrivilege(target) === 0) throw new GuestException(Vector.GP, 0);
  const code = readDescriptor(system, target);
  checkCode(system, code);
  if (system.isLong && (code.rights & Rights.L) === 0) throw refuse(target);
  if (privilegeOf(code.rights) > system.cpl) throw refuse(target);
  if (!isPresent(code.rights)) throw refuse(target, Vector.NP);
  checkTarget(system, code, offset);
  return { code, offset, parameters: high & 31, bytes: system.isLong ? 8 : isWide ? 4 : 2 };
}

/** JMP far; `next` is the address behind it. */
export function farJump(system: SystemState, selector: number, offset: number, next: number): void {
  if (!system.usesDescriptors) {
    enterReal(system, selector, offset);
    return;
  }
  if (withoutPrivilege(selector) === 0) throw new GuestException(Vector.GP, 0);
  const task = taskTarget(system, selector);
  if (task !== undefined) {
    system.afterInstruction = switchTask(system, task, "jump", next);
    return;
  }
  const gate = callGate(system, selector);
  if (gate === undefined) enterCode(system, directTarget(system, selector, offset), system.cpl, offset);
  else if (isConforming(gate.code.rights) || privilegeOf(gate.code.rights) === system.cpl)
    enterCode(system, gate.code, system.cpl, gate.offset);
  else throw refuse(gate.code.selector);
}

/** CALL far; `next` is the address behind it. */
export function farCall(
  system: SystemState,
  selector: number,
  offset: number,
  next: number,
  size: OperandSize,
): void {
  const { cpl } = system;
  const cs = system.segments[Segment.CS];
  if (!system.usesDescriptors) {
    if (offset > cs.limit) throw new GuestException(Vector.GP, 0);
    pushReturn(system, [cs.selector, next], bytesOf(size));
    enterReal(system, selector, offset);
    return;
  }
  if (withoutPrivilege(selector) === 0) throw new GuestException(Vector.GP, 0);
  const task = taskTarget(system, selector);
  if (task !== undefined) {
    system.afterInstruction = switchTask(system, task, "call", next);
    return;
  }
  const gate = callGate(system, selector);
  if (gate === undefined) {
    const code = directTarget(system, selector, offset);
    pushReturn(system, [cs.selector, next], bytesOf(size));
    enterCode(system, code, cpl, offset);
    return;
  }
  const level = isConforming(gate.code.rights) ? cpl : privilegeOf(gate.code.rights);
  if (level === cpl) {
    pushReturn(system, [cs.selector, next], gate.bytes);
    enterCode(system, gate.code, cpl, gate.offset);
    return;
  }
  const oldStack = system.segments[Segment.SS].selector;
  const { bytes } = gate;
  if (bytes === 8) {
    const { tr, cpu } = system;
    if (4 + level * 8 + 7 > tr.limit) throw refuse(tr.selector, Vector.TS);
    const rsp = system.readTable64(tr.base + 4 + level * 8);
    if (!isCanonical(rsp) || !isCanonical(rsp - 32)) throw new GuestException(Vector.SS, 0);
    const words = [oldStack, cpu.gpr(Register.RSP), cs.selector, next];
    system.setPrivilege(level);
    try {
      writeFrame(system, rsp, words, 8);
    } catch (failure) {
      system.setPrivilege(cpl);
      throw failure;
    }
    system.setSegment(Segment.SS, { selector: level, base: 0, limit: 0, rights: 0 });
    system.cpu.setGpr(Register.RSP, rsp - 32);
  } else {
    const reader = new StackReader(system, bytes);
    const parameters = Array.from({ length: gate.parameters }, () => reader.pop()).reverse();
    const { segment, pointer } = innerStack(system, level, 0);
    const words = [oldStack, system.cpu.gpr(Register.RSP) >>> 0, ...parameters, cs.selector, next];
    pushWords(system, segment, pointer, words, bytes, level, cpl);
  }
  enterCode(system, gate.code, level, gate.offset);
}

function writeFrame(system: SystemState, end: number, words: readonly number[], bytes: 2 | 4 | 8): void {
  const frame = new Uint8Array(words.length * bytes);
  const view = new DataView(frame.buffer);
  [...words].reverse().forEach((word, index) => {
    if (bytes === 8) view.setBigInt64(index * 8, BigInt(word), true);
    else if (bytes === 4) view.setUint32(index * 4, word, true);
    else view.setUint16(index * 2, word, true);
  });
  const start = end - frame.length;
  if (system.isLong && !(isCanonical(start) && isCanonical(end - 1))) throw new GuestException(Vector.SS, 0);
  system.cpu.mmu.write(start, frame);
}

/** Pushes on the current stack. */
function pushReturn(system: SystemState, words: readonly number[], bytes: 2 | 4 | 8): void {
  if (system.is64Bit) {
    const rsp = stackPointer(system);
    writeFrame(system, rsp, words, bytes);
    writeStackPointer(system, rsp - words.length * bytes);
  } else {
    const { cpl } = system;
    const stack = system.segments[Segment.SS];
    pushWords(system, stack, stackPointer(system), words, bytes === 2 ? 2 : 4, cpl, cpl);
  }
}

/** The code segment that RET or IRET returns to. */
function returnTarget(system: SystemState, selector: number, rip: number): Descriptor {
  if (withoutPrivilege(selector) === 0) throw new GuestException(Vector.GP, 0);
  const code = readDescriptor(system, selector);
  checkCode(system, code);
  const level = selector & 3;
  if (level < system.cpl) throw refuse(selector);
  const ownLevel = privilegeOf(code.rights);
  if (isConforming(code.rights) ? ownLevel > level : ownLevel !== level) throw refuse(selector);
  if (!isPresent(code.rights)) throw refuse(selector, Vector.NP);
  checkTarget(system, code, rip);
  return code;
}

/** SS to return to at a privilege level; null is allowed for 64-bit code at a level below 3. */
function returnStack(system: SystemState, selector: number, code: Descriptor): SegmentRegister {
  const level = code.selector & 3;
  if (withoutPrivilege(selector) === 0) {
    const isAllowed =
      system.isLong && (code.rights & Rights.L) !== 0 && level !== 3 && (selector & 3) === level;
    if (!isAllowed) throw new GuestException(Vector.GP, 0);
    return { selector, base: 0, limit: 0, rights: 0 };
  }
  return accessed(system, stackDescriptor(system, selector, level, Vector.GP, 0));
}

/** Data segments that the outer level may not use become null. */
function dropInnerSegments(system: SystemState): void {
  for (const segment of [Segment.ES, Segment.DS, Segment.FS, Segment.GS]) {
    const { rights, selector } = system.segments[segment];
    const isClosed = isData(rights) || (isCode(rights) && !isConforming(rights));
    if (isClosed && privilegeOf(rights) < system.cpl) {
      const base = system.segmentBase(segment);
      system.setSegment(segment, { selector: 0, base, limit: 0, rights: 0 });
    } else if (withoutPrivilege(selector) === 0) system.segments[segment].selector = 0;
  }
}

/** RET far; `extra` bytes of parameters are dropped too. */
export function farReturn(system: SystemState, size: OperandSize, extra: number): void {
  const bytes = bytesOf(size);
  const reader = new StackReader(system, bytes);
  const rip = reader.pop();
  const selector = reader.pop() & 0xffff;
  if (!system.usesDescriptors) {
    const { pointer } = reader;
    enterReal(system, selector, rip);
    writeStackPointer(system, pointer + extra);
    return;
  }
  const code = returnTarget(system, selector, rip);
  const level = selector & 3;
  reader.skip(extra);
  if (level === system.cpl) {
    const { pointer } = reader;
    writeStackPointer(system, pointer);
    enterCode(system, code, level, rip);
    return;
  }
  const rsp = reader.pop();
  const stack = returnStack(system, reader.pop() & 0xffff, code);
  leaveTo(system, code, level, rip, stack, rsp);
  writeStackPointer(system, stackPointer(system) + extra);
  dropInnerSegments(system);
}

/** Goes to an outer privilege level, or in 64-bit mode to the same with another stack. */
function leaveTo(
  system: SystemState,
  code: Descriptor,
  level: number,
  rip: number,
  stack: SegmentRegister,
  rsp: number,
): void {
  const target = accessed(system, code);
  system.setPrivilege(level);
  system.setSegment(Segment.SS, stack);
  system.setSegment(Segment.CS, target);
  writeStackPointer(system, rsp);
  system.cpu.rip = rip;
  system.updateMode();
}

/** Flags that IRET takes from the stack besides the arithmetic ones: SDM vol. 2, IRET. */
function writeFlags(system: SystemState, flags: number, size: OperandSize): void {
  const { cpu } = system;
  let mask = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.TF | Flag.DF | Flag.OF | Flag.NT;
  if (size !== 16) mask |= Flag.RF | Flag.AC | Flag.ID;
  if (system.cpl <= system.ioPrivilege) mask |= Flag.IF;
  if (system.cpl === 0) mask |= Flag.IF | IOPL;
  // RF lasts for one instruction: it matters only where there are breakpoints (SystemProcessor.run).
  const dropped = cpu.stops.guestBreakpoints.size === 0 ? Flag.RF : 0;
  cpu.rflags = (cpu.rflags & ~mask) | (flags & mask & ~dropped);
}
const IOPL = 3 << 12;

/** IRET; `next` is the address behind it. NMIs are let through again. */
export function interruptReturn(system: SystemState, size: OperandSize, next: number): void {
  if (system.usesDescriptors && isNestedTask(system)) {
    if (system.isLong) throw new GuestException(Vector.GP, 0);
    system.afterInstruction = switchTask(system, previousTask(system), "return", next);
  } else if (system.usesDescriptors) returnProtected(system, new StackReader(system, bytesOf(size)), size);
  else returnReal(system, size);
  system.nmiBlocked = false;
  system.updateRequest();
}

function returnReal(system: SystemState, size: OperandSize): void {
  if (system.isVirtual8086 && system.ioPrivilege < 3) throw new GuestException(Vector.GP, 0);
  const reader = new StackReader(system, bytesOf(size));
  const rip = reader.pop();
  const selector = reader.pop() & 0xffff;
  const flags = reader.pop();
  const { pointer } = reader;
  enterReal(system, selector, rip);
  writeFlags(system, flags, size);
  writeStackPointer(system, pointer);
}

function returnProtected(system: SystemState, reader: StackReader, size: OperandSize): void {
  const rip = reader.pop();
  const selector = reader.pop() & 0xffff;
  const flags = reader.pop();
  if (size === 32 && (flags & Flag.VM) !== 0 && system.cpl === 0 && !system.isLong) {
    enterVirtual8086(system, reader, rip, selector, flags);
    return;
  }
  const code = returnTarget(system, selector, rip);
  const level = selector & 3;
  if (level === system.cpl && !system.is64Bit) {
    const { pointer } = reader;
    writeFlags(system, flags, size);
    writeStackPointer(system, pointer);
    enterCode(system, code, level, rip);
    return;
  }
  const rsp = reader.pop();
  const stack = returnStack(system, reader.pop() & 0xffff, code);
  const isOuter = level !== system.cpl;
  writeFlags(system, flags, size);
  leaveTo(system, code, level, rip, stack, rsp);
  if (isOuter) dropInnerSegments(system);
}

/** The frame goes on with ESP, SS, ES, DS, FS and GS (SDM vol. 3, 21.2.5). */
function enterVirtual8086(
  system: SystemState,
  reader: StackReader,
  rip: number,
  selector: number,
  flags: number,
): void {
  const esp = reader.pop();
  const [ss, es, ds, fs, gs] = Array.from({ length: 5 }, () => reader.pop() & 0xffff);
  const selectors = [es, selector, ss, ds, fs, gs];
  if (rip > 0xffff) throw new GuestException(Vector.GP, 0);
  writeFlags(system, flags, 32);
  system.setVirtual8086(true);
  system.setPrivilege(3);
  for (const [segment, value] of selectors.entries())
    system.setSegment(segment, virtual8086Segment(segment, value));
  system.updateMode();
  system.cpu.setGpr(Register.RSP, esp);
  system.cpu.rip = rip;
}
