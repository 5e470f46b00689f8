/** What interrupts, calls through gates and task switches push: Intel SDM vol. 3, 6.12 and 5.8.5. */

import { GuestException } from "../helpers.ts";
import { Segment, Vector } from "../state.ts";
import { accessed, stackDescriptor } from "./descriptor-tables.ts";
import { Rights, type SegmentRegister, SystemType, typeOf, withoutPrivilege } from "./segment.ts";
import { isInLimit } from "./segment-checks.ts";
import { writeStackPointer } from "./stack.ts";
import type { SystemState } from "./system-state.ts";

/** SS:ESP of a privilege level, from the TSS. */
export function innerStack(
  system: SystemState,
  level: number,
  external: number,
): { segment: SegmentRegister; pointer: number } {
  const { base, limit, rights, selector } = system.tr;
  const isWide = typeOf(rights) === SystemType.BusyTss32 || typeOf(rights) === SystemType.Tss32;
  const offset = isWide ? 4 + level * 8 : 2 + level * 4;
  if (offset + (isWide ? 5 : 3) > limit)
    throw new GuestException(Vector.TS, withoutPrivilege(selector) | external);
  const pointer = system.readTable(base + offset, isWide ? 4 : 2);
  const stackSelector = system.readTable(base + offset + (isWide ? 4 : 2), 2);
  const descriptor = stackDescriptor(system, stackSelector, level, Vector.TS, external);
  return { segment: accessed(system, descriptor), pointer };
}

/** Pushes words, first to last, on a stack that perhaps is an inner one, and makes it the stack. All or nothing. */
export function pushWords(
  system: SystemState,
  stack: SegmentRegister,
  pointer: number,
  words: readonly number[],
  bytes: 2 | 4,
  level: number,
  oldLevel: number,
  external = 0,
): void {
  const mask = (stack.rights & Rights.DB) !== 0 ? 0xffffffff : 0xffff;
  const offsets = words.map((_, index) => ((pointer - (index + 1) * bytes) & mask) >>> 0);
  const errorCode = level === oldLevel ? 0 : withoutPrivilege(stack.selector) | external;
  for (const offset of offsets)
    if (!isInLimit(stack, offset, bytes)) throw new GuestException(Vector.SS, errorCode);
  const end = offsets[offsets.length - 1];
  const frame = new Uint8Array(words.length * bytes);
  const view = new DataView(frame.buffer);
  [...words].reverse().forEach((word, index) => {
    if (bytes === 4) view.setUint32(index * 4, word, true);
    else view.setUint16(index * 2, word, true);
  });
  if (level !== oldLevel) system.setPrivilege(level);
  try {
    writeStackFrame(system, (offset) => (stack.base + offset) >>> 0, frame, offsets, bytes);
  } catch (failure) {
    if (level !== oldLevel) system.setPrivilege(oldLevel);
    throw failure;
  }
  if (level !== oldLevel) system.setSegment(Segment.SS, stack);
  writeStackPointer(system, end >>> 0);
}

/** In one piece, or word by word where the stack pointer wraps around. @param offsets of the words, downwards */
function writeStackFrame(
  system: SystemState,
  linear: (offset: number) => number,
  frame: Uint8Array,
  offsets: readonly number[],
  bytes: number,
): void {
  const { mmu } = system.cpu;
  const lowest = offsets[offsets.length - 1];
  if (lowest + frame.length - bytes === offsets[0]) {
    mmu.write(linear(lowest), frame);
    return;
  }
  for (const offset of offsets) mmu.probe(linear(offset), bytes);
  offsets.forEach((offset, index) => {
    const at = frame.length - (index + 1) * bytes;
    mmu.write(linear(offset), frame.subarray(at, at + bytes));
  });
}
