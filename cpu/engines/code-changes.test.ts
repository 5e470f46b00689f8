/** Code that is written, moved or taken away while engines have it translated or compiled. */

import { describe, expect, it } from "vitest";
import { Access, PAGE_SIZE, PageFaultBit } from "../../mmu/translator.ts";
import { Exit } from "../engine.ts";
import { Register, Vector } from "../state.ts";
import { CODE, type EngineMachine, INT3, TEST_ENGINE_NAMES, TEST_ENGINES } from "./testing/machine.ts";
import { observe, type Program, startProgram, stepThrough } from "./testing/stepping.ts";

const { RAX, RBX, RCX, RDX, RSI, RDI } = Register;
const ROUNDS = 60;
/** 1 + 2 + … + ROUNDS */
const SUM = (ROUNDS * (ROUNDS + 1)) / 2;

/** dec ecx; jnz back to the start, `length` bytes before; int3 */
const again = (length: number) => [0xff, 0xc9, 0x75, -(length + 4) & 0xff, INT3];
const looping = (...body: readonly number[][]) => [...body.flat(), ...again(body.flat().length)];
const rounds = ({ cpu }: EngineMachine) => cpu.setGpr(RCX, ROUNDS);

/** Programs that change their own code, and what RBX is at the end. */
const SELF_MODIFYING: readonly (readonly [name: string, program: Program, result: number])[] = [
  [
    "an instruction behind in the same block",
    // mov [rip+3],cl; add edx,eax; mov eax,imm; add ebx,eax
    { code: looping([0x88, 0x0d, 3, 0, 0, 0], [1, 0xc2], [0xb8, 0x11, 0, 0, 0], [1, 0xc3]), prepare: rounds },
    SUM,
  ],
  [
    "the very next instruction",
    // mov [rip+1],cl; mov eax,imm; add ebx,eax
    { code: looping([0x88, 0x0d, 1, 0, 0, 0], [0xb8, 0x11, 0, 0, 0], [1, 0xc3]), prepare: rounds },
    SUM,
  ],
  [
    "an instruction before it in the loop",
    // mov eax,imm; add ebx,eax; mov [rip-12],cl
    {
      code: looping([0xb8, ROUNDS + 1, 0, 0, 0], [1, 0xc3], [0x88, 0x0d, 0xf4, 0xff, 0xff, 0xff]),
      prepare: rounds,
    },
    SUM + ROUNDS,
  ],
  [
    "the function that it calls",
    // mov [rip+13],cl; call f; dec ecx; jnz; int3; nop; f: add ebx,imm; ret
    {
      code: [
        ...[0x88, 0x0d, 0x0d, 0, 0, 0, 0xe8, 6, 0, 0, 0, 0xff, 0xc9, 0x75, 0xf1, INT3, 0x90],
        ...[0x83, 0xc3, 0x11, 0xc3],
      ],
      prepare: rounds,
    },
    SUM,
  ],
  [
    "where its own jump leads",
    // add edx,1; xor byte [rip+1],2; jmp +0 or +2; inc ebx; inc edx
    {
      code: looping([0x83, 0xc2, 1], [0x80, 0x35, 1, 0, 0, 0, 2], [0xeb, 0], [0xff, 0xc3], [0xff, 0xc2]),
      prepare: rounds,
    },
    ROUNDS / 2,
  ],
  [
    "with a string instruction",
    // mov rdi,rsi; push rcx; mov ecx,2; rep stosb; pop rcx; nop; inc ebx (becomes two NOPs)
    {
      code: looping([0x48, 0x89, 0xf7], [0x51, 0xb9, 2, 0, 0, 0, 0xf3, 0xaa, 0x59, 0x90], [0xff, 0xc3]),
      prepare: (machine) => {
        rounds(machine);
        machine.cpu.setGpr(RSI, CODE + 13);
        machine.cpu.setGpr(RAX, 0x90);
      },
    },
    0,
  ],
  [
    "with a push",
    // mov rsp,rsi; push rdx; eight NOPs, over which INC EBX and six NOPs are pushed
    {
      code: looping([0x48, 0x89, 0xf4], [0x52], Array(8).fill(0x90)),
      prepare: (machine) => {
        rounds(machine);
        machine.cpu.setGpr(RSI, CODE + 12);
        machine.cpu.setGpr64(RDX, 0x9090_9090_9090_c3ffn);
      },
    },
    ROUNDS,
  ],
  [
    "an instruction that crosses a page, in the second one",
    // mov [rip+1],cl; mov eax,imm, of which the immediate begins the page; add ebx,eax
    {
      code: looping([0x88, 0x0d, 1, 0, 0, 0], [0xb8, 0x11, 0, 0, 0], [1, 0xc3]),
      address: CODE + PAGE_SIZE - 7,
      prepare: rounds,
    },
    SUM,
  ],
  [
    "an instruction that crosses a page, in the first one",
    // xor byte [rip+0],8: MOV EAX (B8), imm and MOV EAX (B0: MOV AL), imm…; add ebx,eax
    {
      code: looping([0x80, 0x35, 0, 0, 0, 0, 8], [0xb8, 2, 0x90, 0x90, 0x90], [1, 0xc3]),
      address: CODE + PAGE_SIZE - 8,
      prepare: rounds,
    },
    -1,
  ],
  [
    "with a write that crosses into its page",
    // mov [rsi],rdx: four bytes before the page, and MOV AL, imm at its start; call it; add ebx,eax
    {
      code: looping([0x48, 0x89, 0x16], [0x80, 0xc2, 0], [0xff, 0xd7], [1, 0xc3], [0x48, 1, 0xea]),
      prepare: (machine) => {
        rounds(machine);
        machine.cpu.setGpr(RSI, CODE + PAGE_SIZE - 4);
        machine.cpu.setGpr(RDI, CODE + PAGE_SIZE);
        // mov al,1; ret; …: the immediate goes up by one a round
        machine.cpu.setGpr64(RDX, 0xc3_01b0_0000_0000n);
        machine.cpu.setGpr64(Register.RBP, 0x01_0000_0000_00n);
        machine.cpu.ram.set([0xb0, 0, 0xc3], CODE + PAGE_SIZE);
      },
    },
    SUM,
  ],
];

describe.each(TEST_ENGINE_NAMES)("the engine %s", (name) => {
  const start = (program: Program) => startProgram(program, TEST_ENGINES[name]);

  it.each(SELF_MODIFYING)("runs what it has written when a program changes %s", (_, program, result) => {
    const { executed, ...end } = stepThrough(program, 10_000);
    expect(end.stop).toContain(`${Exit.Exception} ${Vector.BP}`);
    if (result >= 0) expect(Number(`0x${end.registers.rbx}`)).toBe(result);
    const machine = start(program);
    expect(observe(machine, machine.run(executed + 10))).toEqual(end);
  });

  it("sees a change through another mapping of the page", () => {
    const alias = 0xa0000;
    // mov [rdi],cl; mov eax,imm; add ebx,eax
    const program: Program = {
      code: looping([0x88, 0x0f], [0xb8, 0x11, 0, 0, 0], [1, 0xc3]),
      prepare: (machine) => {
        rounds(machine);
        machine.map(alias, CODE);
        machine.cpu.setGpr(RDI, alias + 3);
      },
    };
    const machine = start(program);
    machine.run(10_000);
    expect(machine.cpu.gpr(RBX)).toBe(SUM);
  });

  it.each([
    ["in the same chunk", 0x40],
    ["in another chunk", 0x800],
  ])("keeps data in the page of a compiled loop, %s", (_, offset) => {
    // add [rip+offset],ecx; add ebx,[rip+offset]
    const code = looping(
      [1, 0x0d, offset & 0xff, offset >> 8, 0, 0],
      [3, 0x1d, (offset - 6) & 0xff, offset >> 8, 0, 0],
    );
    const program: Program = { code, prepare: ({ cpu }) => cpu.setGpr(RCX, 3000) };
    const { executed, ...end } = stepThrough(program, 20_000);
    const machine = start(program);
    expect(observe(machine, machine.run(executed))).toEqual(end);
  });

  it("runs every version of a function that is written anew again and again", () => {
    // call rdi; add ebx,eax
    const machine = start({
      code: looping([0xff, 0xd7], [1, 0xc3]),
      prepare: ({ cpu }) => cpu.setGpr(RDI, 0x30000),
    });
    let expected = 0;
    for (let version = 1; version <= 60; version++) {
      // Of different lengths: NOPs; mov eax,version; ret
      const nops = Array(version % 5).fill(0x90);
      machine.write(0x30000, [...nops, 0xb8, version, 0, 0, 0, 0xc3]);
      machine.cpu.setGpr(RCX, 20);
      machine.cpu.rip = CODE;
      expect(machine.run(10_000)).toBe(Exit.Exception);
      expected += 20 * version;
      expect(machine.cpu.gpr(RBX)).toBe(expected);
    }
  });

  // inc ebx; dec ecx; jnz; int3
  const COUNT = looping([0xff, 0xc3]);
  const counting = () => {
    const machine = start({ code: COUNT, prepare: ({ cpu }) => cpu.setGpr(RCX, 1000) });
    expect(machine.run(600)).toBe(Exit.Budget);
    expect(machine.cpu.gpr(RBX)).toBe(200);
    return machine;
  };

  it("raises #PF where code was that is no longer mapped", () => {
    const machine = counting();
    machine.map(CODE, undefined);
    expect(machine.run(600)).toBe(Exit.Exception);
    expect(machine.exception).toEqual({
      vector: Vector.PF,
      error: PageFaultBit.User | PageFaultBit.Instruction,
      address: CODE,
    });
    expect(machine.cpu.gpr(RBX)).toBe(200);
    machine.map(CODE, CODE);
    expect(machine.run(10_000)).toBe(Exit.Exception);
    expect(machine.cpu.gpr(RBX)).toBe(1000);
  });

  it("raises #PF where code was that may no longer be executed", () => {
    const machine = counting();
    machine.map(CODE, CODE, Access.Read | Access.Write);
    expect(machine.run(600)).toBe(Exit.Exception);
    expect(machine.exception.error).toBe(PageFaultBit.User | PageFaultBit.Instruction | PageFaultBit.Present);
    expect(machine.cpu.rip).toBe(CODE);
  });

  it("executes what is mapped now", () => {
    const machine = counting();
    machine.write(0x50000, looping([0xff, 0xcb])); // dec ebx
    machine.map(CODE, 0x50000);
    machine.run(300);
    expect(machine.cpu.gpr(RBX)).toBe(100);
    machine.map(CODE, CODE);
    machine.run(300);
    expect(machine.cpu.gpr(RBX)).toBe(200);
  });

  it("executes what is there now when all of memory may have changed", () => {
    const machine = counting();
    machine.cpu.ram.set(looping([0xff, 0xcb]), CODE); // dec ebx
    machine.engine.invalidatePhysical(0, machine.cpu.ram.length);
    machine.run(300);
    expect(machine.cpu.gpr(RBX)).toBe(100);
    machine.run(10_000);
    expect(machine.cpu.gpr(RBX)).toBe((200 - 800) >>> 0);
  });

  it("raises #PF when the second half of an instruction is no longer mapped, and not before", () => {
    const address = CODE + PAGE_SIZE - 1;
    const program: Program = { code: COUNT, address, prepare: ({ cpu }) => cpu.setGpr(RCX, 1000) };
    const machine = start(program);
    machine.run(600);
    machine.map(CODE + PAGE_SIZE, undefined);
    expect(machine.run(600)).toBe(Exit.Exception);
    expect(machine.exception).toMatchObject({ vector: Vector.PF, address: CODE + PAGE_SIZE });
    expect(machine.cpu.rip).toBe(address);
    // Other code there now: inc edx in place of inc ebx.
    machine.write(0x50000, [0xc2, ...COUNT.slice(2)]);
    machine.map(CODE + PAGE_SIZE, 0x50000);
    machine.run(10_000);
    expect(machine.cpu.gpr(RBX)).toBe(200);
    expect(machine.cpu.gpr(RDX)).toBe(800);
  });

  it("reads and writes what is mapped now in a compiled loop", () => {
    // add eax,[rsi]; mov [rsi+4],ecx
    const machine = start({
      code: looping([3, 6], [0x89, 0x4e, 4]),
      prepare: ({ cpu }) => {
        cpu.setGpr(RCX, 1000);
        cpu.setGpr(RSI, 0x90000);
        cpu.ram[0x90000] = 1;
        cpu.ram[0x91000] = 2;
      },
    });
    machine.run(400);
    expect(machine.cpu.gpr(RAX)).toBe(100);
    machine.map(0x90000, 0x91000);
    machine.run(400);
    expect(machine.cpu.gpr(RAX)).toBe(300);
    expect([...machine.cpu.ram.subarray(0x90004, 0x90006)]).toEqual([901 & 0xff, 901 >> 8]);
    expect([...machine.cpu.ram.subarray(0x91004, 0x91006)]).toEqual([801 & 0xff, 801 >> 8]);
    machine.map(0x90000, 0x91000, Access.Read);
    expect(machine.run(400)).toBe(Exit.Exception);
    expect(machine.exception.error).toBe(PageFaultBit.User | PageFaultBit.Present | PageFaultBit.Write);
    expect(machine.cpu.gpr(RAX)).toBe(302);
  });
});
