/**
 * REP MOVS and REP STOS forwards, many elements at once: as many as fit into the pages at hand. What an iteration does is
 * defined in cpu/definitions/integer/strings.ts; these do exactly that, in the same order.
 */

import { Access, PAGE_SIZE } from "../../mmu/translator.ts";
import type { Cpu } from "../cpu.ts";
import { defineHelper, GuestException } from "../helpers.ts";
import { HELPER_ARGUMENTS, Vector } from "../state.ts";

/** Addresses from ±2^47 on are not canonical. */
const CANONICAL_LIMIT = 0x800000000000;

function requireCanonical(address: number, size: number): void {
  if (address > CANONICAL_LIMIT - size || address < -CANONICAL_LIMIT) throw new GuestException(Vector.GP);
}

/** How many elements of `size` bytes from `address` on lie in its page; 0 if already the first one crosses. */
function elementsInPage(address: number, size: number): number {
  return Math.floor((PAGE_SIZE - (address & (PAGE_SIZE - 1))) / size);
}

/** The count in a slot, as far as it matters: no page holds more elements. Read as a signed number, it may be negative. */
function countArgument(cpu: Cpu, slot: number): number {
  const count = cpu.argument(slot);
  return count < 0 || count > PAGE_SIZE ? PAGE_SIZE : count;
}

/** Slots: 0 destination, 1 source, 2 count, 3 bytes of an element; the number of elements done to slot 0. */
defineHelper("copyString", (cpu) => {
  const { mmu, ram } = cpu;
  const to = cpu.argument(0);
  const from = cpu.argument(1);
  const size = cpu.argumentI32(3);
  if (mmu.guard?.isGuarded(to) === true || mmu.guard?.isGuarded(from) === true) {
    copyElement(cpu, to, from, size);
    return;
  }
  const elements = Math.min(countArgument(cpu, 2), elementsInPage(to, size), elementsInPage(from, size));
  // The source is read before anything is known of the destination.
  requireCanonical(from, size);
  mmu.requireAligned(from, size, Access.Read);
  if (elements === 0) {
    copyElement(cpu, to, from, size);
    return;
  }
  const source = mmu.load(from, size);
  requireCanonical(to, size);
  mmu.requireAligned(to, size, Access.Write);
  const destination = mmu.direct(to);
  if (destination < 0 || source === mmu.scratch) {
    // The Mmu has to see the write, or has got one element from a device.
    mmu.write(to, ram.length <= source ? scratchElement(cpu, size) : ram.slice(source, source + size));
    cpu.setResult(0, 1);
    return;
  }
  copyForward(ram, destination, source, elements * size, size);
  cpu.setResult(0, elements);
});

function scratchElement(cpu: Cpu, size: number): Uint8Array {
  return new Uint8Array(cpu.memory.buffer, cpu.mmu.scratch, size).slice();
}

function copyElement(cpu: Cpu, to: number, from: number, size: number): void {
  const element = new Uint8Array(size);
  cpu.mmu.read(from, element);
  if (cpu.mmu.guard === undefined) requireCanonical(to, size);
  cpu.mmu.requireAligned(to, size, Access.Write);
  cpu.mmu.write(to, element);
  cpu.setResult(0, 1);
}

/** Copies element by element from low to high: a destination inside the source repeats what was copied before. */
function copyForward(ram: Uint8Array, to: number, from: number, length: number, size: number): void {
  const distance = to - from;
  if (distance <= 0 || distance >= length) {
    ram.copyWithin(to, from, from + length);
  } else if (distance >= size) {
    // What is copied first is the source of the next piece. An element does not overlap its copy.
    for (let done = 0; done < length; done += distance) {
      ram.copyWithin(to + done, from + done, from + done + Math.min(distance, length - done));
    }
  } else {
    for (let done = 0; done < length; done += size)
      ram.copyWithin(to + done, from + done, from + done + size);
  }
}

/** Slots: 0 destination, 1 value, 2 count, 3 bytes of an element; the number of elements done to slot 0. */
defineHelper("fillString", (cpu) => {
  const { mmu, ram } = cpu;
  const to = cpu.argument(0);
  const size = cpu.argumentI32(3);
  if (mmu.guard === undefined) requireCanonical(to, size);
  mmu.requireAligned(to, size, Access.Write);
  const elements = Math.min(countArgument(cpu, 2), elementsInPage(to, size));
  const destination = elements === 0 ? -1 : mmu.direct(to);
  if (destination < 0) {
    mmu.write(to, cpu.argumentBytes(1).slice(0, size));
    cpu.setResult(0, 1);
    return;
  }
  const length = elements * size;
  if (isOneByte(cpu, size)) {
    ram.fill(cpu.argumentI32(1) & 0xff, destination, destination + length);
  } else {
    ram.set(cpu.argumentBytes(1).subarray(0, size), destination);
    for (let done = size; done < length; done *= 2) {
      ram.copyWithin(destination + done, destination, destination + Math.min(done, length - done));
    }
  }
  cpu.setResult(0, elements);
});

/** Does the value in slot 1 consist of equal bytes? It nearly always is zero. */
function isOneByte(cpu: Cpu, size: number): boolean {
  const low = cpu.argumentI32(1);
  const repeated = Math.imul(low & 0xff, 0x01010101);
  if (size === 8) return low === repeated && low === cpu.getI32(HELPER_ARGUMENTS + 20);
  return ((low ^ repeated) & (size === 4 ? -1 : size === 2 ? 0xffff : 0xff)) === 0;
}
