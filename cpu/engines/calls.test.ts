/** Functions that call, and return as they should, or not. Compiled regions do some of that by calls of WebAssembly. */

import { describe, expect, it } from "vitest";
import { Exit } from "../engine.ts";
import { Register } from "../state.ts";
import {
  CODE,
  DATA,
  EngineMachine,
  INT3,
  STACK_TOP,
  TEST_ENGINE_NAMES,
  TEST_ENGINES,
} from "./testing/machine.ts";

const { RAX, RBX, RCX, RDX, RSP } = Register;
const MAIN = CODE + 0x100;

const dword = (value: number): number[] => [...new Uint8Array(Int32Array.of(value).buffer)];
const direct = (at: number, target: number): number[] => [0xe8, ...dword(target - (at + 5))];
/** The same length: nop; call rdx. (What is called directly and calls nothing becomes part of the caller's region.) */
const byPointer = (): number[] => [0x0f, 0x1f, 0x00, 0xff, 0xd2];
const CALLS = [
  ["directly", direct],
  ["by a pointer", byPointer],
] as const;

describe.each(TEST_ENGINE_NAMES)("on %s", (name) => {
  /** Runs from MAIN to the INT3 with ECX as given, in slices. */
  function run(machine: EngineMachine, ecx: number, slice: number): void {
    const { cpu, engine } = machine;
    cpu.rip = MAIN;
    for (const register of [RAX, RBX]) cpu.setGpr(register, 0);
    cpu.setGpr(RCX, ecx);
    cpu.setGpr(RDX, CODE);
    cpu.setGpr(RSP, STACK_TOP);
    let exit = engine.run(slice);
    for (let slices = 0; exit === Exit.Budget && slices < 100_000; slices++) exit = engine.run(slice);
    expect(exit).toBe(Exit.Exception);
    expect(cpu.gpr(RSP)).toBe(STACK_TOP);
  }

  const SLICES = [1_000_000, 1000, 7, 1];

  it("a function calls itself more deeply than WebAssembly's calls are nested", () => {
    const machine = new EngineMachine(TEST_ENGINES[name]);
    const { ram } = machine.cpu;
    // f: test ecx,ecx; jz out; push rcx; dec ecx; call f; pop rcx; add eax,ecx; out: ret
    ram.set(
      [0x85, 0xc9, 0x74, 11, 0x51, 0xff, 0xc9, ...direct(CODE + 7, CODE), 0x59, 0x01, 0xc8, 0xc3],
      CODE,
    );
    ram.set([...direct(MAIN, CODE), INT3], MAIN);
    for (const slice of SLICES.slice(0, 3)) {
      for (let round = 0; round < 3; round++) {
        run(machine, 500, slice);
        expect(machine.cpu.gpr(RAX)).toBe(125_250);
      }
    }
  });

  it.each(CALLS)("a function returns to somewhere else, called %s", (_how, call) => {
    const machine = new EngineMachine(TEST_ENGINES[name]);
    const { ram } = machine.cpu;
    ram.set([0x48, 0x83, 0x04, 0x24, 2, 0xc3], CODE); // add qword [rsp],2; ret
    // again: call f; inc eax (skipped); inc ebx; dec ecx; jnz again; int3
    ram.set([...call(MAIN, CODE), 0xff, 0xc0, 0xff, 0xc3, 0xff, 0xc9, 0x75, -13 & 0xff, INT3], MAIN);
    for (const slice of SLICES) {
      run(machine, 300, slice);
      expect(machine.cpu.gpr(RAX)).toBe(0);
      expect(machine.cpu.gpr(RBX)).toBe(300);
    }
  });

  it.each(CALLS)("two coroutines return to each other, called %s", (_how, call) => {
    const machine = new EngineMachine(TEST_ENGINES[name]);
    const { ram } = machine.cpu;
    const other = CODE + 0x200;
    const otherStack = DATA + 0x800;
    ram.set([0x48, 0x87, 0x24, 0x25, ...dword(DATA), 0xc3], CODE); // xchg [DATA],rsp; ret
    // again: call f; inc eax; dec ecx; jnz again; int3
    ram.set([...call(MAIN, CODE), 0xff, 0xc0, 0xff, 0xc9, 0x75, -11 & 0xff, INT3], MAIN);
    // again: inc ebx; call f; jmp again
    ram.set([0xff, 0xc3, ...call(other + 2, CODE), 0xeb, -9 & 0xff], other);
    for (const slice of SLICES) {
      ram.set(dword(other), otherStack);
      ram.set(dword(otherStack), DATA);
      run(machine, 300, slice);
      expect(machine.cpu.gpr(RAX)).toBe(300);
      expect(machine.cpu.gpr(RBX)).toBe(300);
    }
  });

  it.each(CALLS)("a function changes the code behind the call, called %s", (_how, call) => {
    const machine = new EngineMachine(TEST_ENGINES[name]);
    const { ram } = machine.cpu;
    ram.set([0x88, 0x0c, 0x25, ...dword(MAIN + 7), 0xc3], CODE); // mov [MAIN+7],cl; ret
    // again: call f; add eax,0 (changed); dec ecx; jnz again; int3
    ram.set([...call(MAIN, CODE), 0x83, 0xc0, 0, 0xff, 0xc9, 0x75, -12 & 0xff, INT3], MAIN);
    for (const slice of SLICES) {
      run(machine, 100, slice);
      expect(machine.cpu.gpr(RAX)).toBe(5050);
    }
  });

  it("a function called by a pointer returns, and one of them raises an exception", () => {
    const machine = new EngineMachine(TEST_ENGINES[name]);
    const { cpu, engine } = machine;
    const faulting = CODE + 0x40;
    cpu.ram.set([0xff, 0xc0, 0xc3], CODE); // inc eax; ret
    cpu.ram.set([0xff, 0xc0, INT3], faulting);
    // again: call rbx; dec ecx; jnz again; int3
    cpu.ram.set([0xff, 0xd3, 0xff, 0xc9, 0x75, -6 & 0xff, INT3], MAIN);
    const start = (target: number) => {
      cpu.rip = MAIN;
      cpu.setGpr(RAX, 0);
      cpu.setGpr(RBX, target);
      cpu.setGpr(RCX, 300);
      cpu.setGpr(RSP, STACK_TOP);
      expect(engine.run(1_000_000)).toBe(Exit.Exception);
    };
    start(CODE);
    expect(cpu.gpr(RAX)).toBe(300);
    start(faulting);
    expect(cpu.gpr(RAX)).toBe(1);
    expect(cpu.gpr(RCX)).toBe(300);
    expect(cpu.gpr(RSP)).toBe(STACK_TOP - 8);
  });
});
