/** Wherever an engine stops, in compiled code or not, everything is as if the instructions had run one by one. */

import { describe, expect, it } from "vitest";
import { Access, PAGE_SIZE } from "../../mmu/translator.ts";
import { Exit } from "../engine.ts";
import { EXIT_BUDGET, Register, Vector } from "../state.ts";
import { DATA, type EngineMachine, INT3, TEST_ENGINE_NAMES, TEST_ENGINES } from "./testing/machine.ts";
import { observe, type Program, startProgram, step, stepThrough } from "./testing/stepping.ts";

const { RAX, RCX, RBX, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 } = Register;
const PAGE_END = DATA + PAGE_SIZE;

/** Nested loops, a call, flags that live across jumps, memory, vectors, a computed jump and a string instruction. */
const EVERYTHING: Program = {
  code: [
    [0x31, 0xc0], // 00: xor eax,eax
    [0xb9, 9, 0, 0, 0], // 02: mov ecx,9
    [0xba, 3, 0, 0, 0], // 07: mov edx,3
    [0x48, 0x01, 0xc8], // 0c: add rax,rcx
    [0x48, 0x11, 0x03], // 0f: adc [rbx],rax
    [0xa8, 0x04], // 12: test al,4
    [0x74, 0x05], // 14: je 1b
    [0xe8, 0x2a, 0, 0, 0], // 16: call 45
    [0xff, 0xca], // 1b: dec edx
    [0x75, 0xed], // 1d: jne 0c
    [0x66, 0x0f, 0x6e, 0xc0], // 1f: movd xmm0,eax
    [0x66, 0x0f, 0xfe, 0xc8], // 23: paddd xmm1,xmm0
    [0x48, 0x8d, 0x73, 0x08], // 27: lea rsi,[rbx+8]
    [0x4c, 0x8d, 0x05, 4, 0, 0, 0], // 2b: lea r8,[rip+4]
    [0x41, 0xff, 0xe0], // 32: jmp r8
    [INT3], // 35
    [0x51], // 36: push rcx
    [0xb9, 5, 0, 0, 0], // 37: mov ecx,5
    [0x48, 0x89, 0xdf], // 3c: mov rdi,rbx
    [0xf3, 0xa4], // 3f: rep movsb
    [0x59], // 41: pop rcx
    [0xe2, 0xc3], // 42: loop 07
    [INT3], // 44
    [0x30, 0xd4], // 45: xor ah,dl
    [0x48, 0xc1, 0x43, 0x10, 3], // 47: rol qword [rbx+16],3
    [0x66, 0x83, 0xd8, 7], // 4c: sbb ax,7
    [0xc3], // 50: ret
  ].flat(),
  prepare: ({ cpu }) => {
    cpu.setGpr(RBX, DATA);
    cpu.ram.set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0xfe, 0xdc, 0xba, 0x98], DATA);
  },
};

/** Each access goes through a register of its own; all advance by 16 in every round. */
const ACCESSES: readonly (readonly [name: string, register: number, bytes: readonly number[]])[] = [
  ["add rax,[rsi]", RSI, [0x48, 0x03, 0x06]],
  ["mov [rdi],rax", RDI, [0x48, 0x89, 0x07]],
  ["adc [r8],rax", R8, [0x49, 0x11, 0x00]],
  ["xchg [r9],rax", R9, [0x49, 0x87, 0x01]],
  ["paddd xmm0,[r10]", R10, [0x66, 0x41, 0x0f, 0xfe, 0x02]],
  ["movups [r11],xmm0", R11, [0x41, 0x0f, 0x11, 0x03]],
  ["cmp byte [r12],3", R12, [0x41, 0x80, 0x3c, 0x24, 3]],
  ["push [r13]", R13, [0x41, 0xff, 0x75, 0]],
  ["pop [r14]", R14, [0x41, 0x8f, 0x06]],
  ["addsd xmm1,[r15]", R15, [0xf2, 0x41, 0x0f, 0x58, 0x0f]],
  ["inc qword [rbp]", RBP, [0x48, 0xff, 0x45, 0]],
];
const ROUNDS = 12;
const ADVANCE = [
  [0x48, 0x8d, 0x76, 0x10], // lea rsi,[rsi+16]
  [0x48, 0x83, 0xc7, 0x10], // add rdi,16
  ...[0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7].map((modrm) => [0x49, 0x83, modrm, 0x10]), // add r8…r15,16
  [0x48, 0x83, 0xc5, 0x10], // add rbp,16
];
const BODY = [...ACCESSES.flatMap(([, , bytes]) => bytes), ...ADVANCE.flat(), 0xff, 0xc9]; // …; dec ecx
const WALK = [0xb9, ROUNDS, 0, 0, 0, ...BODY, 0x0f, 0x85, -(BODY.length + 6) & 0xff, 0xff, 0xff, 0xff, INT3]; // jne

/** All pointers but one stay in the page; that one leaves it in a late round, across the boundary if it is uneven. */
function walk(register: number, uneven: number, behind: (machine: EngineMachine) => void): Program {
  return {
    code: WALK,
    prepare: (machine) => {
      ACCESSES.forEach(([, pointer], index) => {
        machine.cpu.setGpr(pointer, DATA + 16 + index * 256);
      });
      machine.cpu.setGpr(register, PAGE_END - 16 * (ROUNDS - 4) + uneven);
      for (let at = DATA; at < PAGE_END; at++) machine.cpu.ram[at] = (at * 37) & 0x3f;
      behind(machine);
    },
  };
}

const NOT_MAPPED = (machine: EngineMachine) => machine.map(PAGE_END, undefined);
const READ_ONLY = (machine: EngineMachine) => machine.map(PAGE_END, PAGE_END, Access.Read);
const READERS = new Set<number>([RSI, R10, R12, R13, R15]);
/** Must be aligned. */
const ALIGNED = new Set<number>([R10]);

describe.each(TEST_ENGINE_NAMES)("the engine %s", (name) => {
  const start = (program: Program) => startProgram(program, TEST_ENGINES[name]);

  it("stops at every instruction as if it had come there step by step, and goes on from there", () => {
    const { executed, ...end } = stepThrough(EVERYTHING, 10_000);
    expect(executed).toBeGreaterThan(200);
    const reference = startProgram(EVERYTHING, TEST_ENGINES.interp);
    const machine = start(EVERYTHING);
    const context = new Uint8Array(0x400);
    machine.cpu.saveContext(context);
    // Compiled already when it counts.
    machine.run(10_000);
    for (let split = 1; split < executed; split++) {
      expect(step(reference, 1).exit).toBe(Exit.Budget);
      machine.cpu.loadContext(context);
      EVERYTHING.prepare?.(machine);
      machine.cpu.ram.fill(0, DATA + 20, DATA + 32);
      expect(machine.run(split)).toBe(Exit.Budget);
      expect(machine.cpu.getI32(EXIT_BUDGET)).toBe(0);
      expect(machine.registers, `after ${split}`).toEqual(reference.registers);
      const exit = machine.run(10_000);
      expect(machine.cpu.getI32(EXIT_BUDGET)).toBe(10_000 - (executed - split));
      const { registers, stop, memory } = observe(machine, exit);
      expect({ registers, stop }, `from ${split} on`).toEqual({ registers: end.registers, stop: end.stop });
      if (split % 40 === 0) expect(memory).toEqual(end.memory);
    }
  });

  it("is at the same place after the same number of instructions, however they are dealt out", () => {
    const { executed, ...end } = stepThrough(EVERYTHING, 10_000);
    for (const sizes of [[1], [2], [3], [5, 1], [7], [13, 2], [64], [65, 1, 1], [100, 31], [200]]) {
      const machine = start(EVERYTHING);
      let exit: Exit = Exit.Budget;
      let count = 0;
      for (let turn = 0; exit === Exit.Budget; turn++) {
        const size = sizes[turn % sizes.length];
        exit = machine.run(size);
        count += size - machine.cpu.getI32(EXIT_BUDGET);
      }
      expect(count, sizes.join()).toBe(executed);
      expect(observe(machine, exit), sizes.join()).toEqual(end);
    }
  });

  it.each(ACCESSES)("leaves everything exact when %s faults in a loop", (_text, register) => {
    for (const behind of READERS.has(register) ? [NOT_MAPPED] : [NOT_MAPPED, READ_ONLY]) {
      for (const uneven of ALIGNED.has(register) ? [0] : [0, 9]) {
        const program = walk(register, uneven, behind);
        const { executed, ...end } = stepThrough(program, 10_000);
        expect(end.stop).toContain(`${Exit.Exception} ${Vector.PF}`);
        const machine = start(program);
        const exit = machine.run(10_000);
        expect(observe(machine, exit), `${uneven}`).toEqual(end);
        expect(machine.cpu.getI32(EXIT_BUDGET)).toBe(10_000 - executed);
        // Once the page is there, it goes on as if nothing had been.
        machine.map(PAGE_END, PAGE_END);
        expect(machine.run(10_000)).toBe(Exit.Exception);
        expect(machine.exception.vector).toBe(Vector.BP);
        expect(machine.cpu.gpr(RCX)).toBe(0);
      }
    }
  });

  it("leaves everything exact when a division in a loop fails", () => {
    // again: add eax,ecx; mov ebx,eax; div ecx (until ecx is 0); dec ecx; mov edx,0; jmp again
    const code = [1, 0xc8, 0x89, 0xc3, 0xf7, 0xf1, 0xff, 0xc9, 0xba, 0, 0, 0, 0, 0xeb, 0xf1];
    const program: Program = { code, prepare: ({ cpu }) => cpu.setGpr(RCX, 200) };
    const { executed, ...end } = stepThrough(program, 10_000);
    expect(end.stop).toContain(`${Exit.Exception} ${Vector.DE}`);
    const machine = start(program);
    const exit = machine.run(10_000);
    expect(observe(machine, exit)).toEqual(end);
    expect(machine.cpu.getI32(EXIT_BUDGET)).toBe(10_000 - executed);
    expect(machine.cpu.gpr(RAX)).toBeGreaterThan(0);
  });
});
