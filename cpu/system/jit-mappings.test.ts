/** Translated code whose pages are mapped elsewhere, or not at all, while it is in use. */

import { describe, expect, it } from "vitest";
import { Register, Segment } from "../state.ts";
import { SYSTEM_ENGINES, SystemMachine, type SystemTestEngine } from "./testing/system-machine.ts";

const { RAX, RCX, RSP } = Register;
const TABLES = 0x1000;
/** Two address spaces that differ in the second page of the code. */
const FIRST_SPACE = 0x10000;
const SECOND_SPACE = 0x20000;
/** Virtual: the loop begins in one page and ends in the next. */
const CODE = 0x400000;
const PAGE = 4096;
const ROUNDS = 50;
const PRESENT = 0x7;
const ACCESSED = 0x20;

/** In the first page: add eax,1; jmp to the second. In the second: add eax,`value`; dec ecx; jnz back; hlt. */
function codeOf(value: number): { first: number[]; second: number[] } {
  const first = [0x83, 0xc0, 1, 0xe9, ...int32(PAGE - 8)];
  const second = [0x83, 0xc0, value, 0xff, 0xc9, 0x0f, 0x85, ...int32(-(PAGE + 11)), 0xf4];
  return { first, second };
}

/** The same loop without jumps between the pages: the first ends with the last byte of add eax,1. */
function adjacentCodeOf(value: number): { first: number[]; second: number[] } {
  const first = [...Array<number>(PAGE - 3).fill(0x90), 0x83, 0xc0, 1];
  const second = [0x83, 0xc0, value, 0xff, 0xc9, 0x0f, 0x85, ...int32(-(3 + 11)), 0xf4];
  return { first, second };
}

function int32(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];
}

/** A 64-bit supervisor with 4-level paging; page tables of 4 KiB pages for the 2 MiB at CODE. */
function machineWith(engine: SystemTestEngine, code = codeOf): SystemMachine {
  const machine = new SystemMachine(engine);
  const { cpu, system } = machine;
  system.reset();
  const view = new DataView(cpu.ram.buffer);
  for (const [space, second] of [
    [FIRST_SPACE, 0x101000],
    [SECOND_SPACE, 0x102000],
  ]) {
    view.setUint32(space, (space + TABLES) | PRESENT | ACCESSED, true);
    view.setUint32(space + TABLES, (space + 2 * TABLES) | PRESENT | ACCESSED, true);
    view.setUint32(space + 2 * TABLES, 0x87 | ACCESSED, true); // the lowest 2 MiB as they are
    view.setUint32(space + 2 * TABLES + 2 * 8, (space + 3 * TABLES) | PRESENT | ACCESSED, true);
    view.setUint32(space + 3 * TABLES, 0x100000 | PRESENT | ACCESSED, true);
    view.setUint32(space + 3 * TABLES + 8, second | PRESENT | ACCESSED, true);
  }
  cpu.ram.set(code(2).first, 0x100000);
  cpu.ram.set(code(2).second, 0x101000);
  cpu.ram.set(code(30).second, 0x102000);
  system.cr0 = 0x80010033 | 0;
  system.cr4 = 0x6a0;
  system.efer = 0xd01;
  system.setSegment(Segment.CS, { selector: 0x18, base: 0, limit: 0xffffffff, rights: 0x00a09b00 });
  enterSpace(machine, FIRST_SPACE);
  system.updateMode();
  cpu.setGpr(RSP, 0x90000);
  return machine;
}

/** As MOV CR3 does it. */
function enterSpace({ system }: SystemMachine, space: number): void {
  system.cr3 = space;
  system.updatePaging();
  system.flushAddressSpace();
}

/** Runs the loop once. @returns what it has added up */
function runLoop({ cpu, system, processor }: SystemMachine): number {
  cpu.rip = CODE;
  cpu.setGpr(RAX, 0);
  cpu.setGpr(RCX, ROUNDS);
  system.halted = false;
  expect(processor.run(10_000)).toBe("halt");
  return cpu.gpr(RAX);
}

describe.each(SYSTEM_ENGINES)("code in two pages (%s)", (engine) => {
  it("is what each address space has there, however often they change", () => {
    const machine = machineWith(engine);
    for (let turn = 0; turn < 6; turn++) {
      enterSpace(machine, FIRST_SPACE);
      expect(runLoop(machine)).toBe(3 * ROUNDS);
      expect(runLoop(machine)).toBe(3 * ROUNDS);
      enterSpace(machine, SECOND_SPACE);
      expect(runLoop(machine)).toBe(31 * ROUNDS);
      expect(runLoop(machine)).toBe(31 * ROUNDS);
    }
  });

  it("is what each address space has there, where control comes from the page before without a jump", () => {
    const machine = machineWith(engine, adjacentCodeOf);
    for (let turn = 0; turn < 6; turn++) {
      enterSpace(machine, FIRST_SPACE);
      expect(runLoop(machine)).toBe(3 * ROUNDS);
      enterSpace(machine, SECOND_SPACE);
      expect(runLoop(machine)).toBe(31 * ROUNDS);
    }
  });

  it("is looked for again behind INVLPG", () => {
    const machine = machineWith(engine);
    for (let turn = 0; turn < 3; turn++) expect(runLoop(machine)).toBe(3 * ROUNDS);
    const entry = FIRST_SPACE + 3 * TABLES + 8;
    new DataView(machine.cpu.ram.buffer).setUint32(entry, 0x102000 | PRESENT | ACCESSED, true);
    machine.system.flushPage(CODE + PAGE);
    for (let turn = 0; turn < 3; turn++) expect(runLoop(machine)).toBe(31 * ROUNDS);
  });

  it("faults where its second page is gone, at its first instruction there", () => {
    const machine = machineWith(engine);
    for (let turn = 0; turn < 3; turn++) expect(runLoop(machine)).toBe(3 * ROUNDS);
    const { cpu, processor, system } = machine;
    new DataView(cpu.ram.buffer).setUint32(FIRST_SPACE + 3 * TABLES + 8, 0, true);
    enterSpace(machine, FIRST_SPACE);
    cpu.rip = CODE;
    cpu.setGpr(RAX, 0);
    cpu.setGpr(RCX, ROUNDS);
    system.halted = false;
    const faults: number[] = [];
    processor.onEvent = ({ vector, address }) => {
      if (vector === 14) faults.push(address, cpu.gpr(RAX), cpu.rip);
    };
    expect(processor.run(10_000)).toBe("shutdown"); // there is no IDT
    expect(faults.slice(0, 3)).toEqual([CODE + PAGE, 1, CODE + PAGE]);
  });
});
