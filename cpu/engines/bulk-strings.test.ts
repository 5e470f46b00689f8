/** REP MOVS and REP STOS do the same in WebAssembly as the helpers in TypeScript, which fuzzing compares with silicon. */

import { describe, expect, it } from "vitest";
import { Access, PAGE_SIZE } from "../../mmu/translator.ts";
import type { Exit } from "../engine.ts";
import { Register } from "../state.ts";
import { DATA, type EngineMachine, INT3, TEST_ENGINES, type TestEngine } from "./testing/machine.ts";
import { type Observation, observe, type Program, startProgram } from "./testing/stepping.ts";

const REP = 0xf3;
const MOVS = { 1: [0xa4], 2: [0x66, 0xa5], 4: [0xa5], 8: [0x48, 0xa5] } as const;
const STOS = { 1: [0xaa], 2: [0x66, 0xab], 4: [0xab], 8: [0x48, 0xab] } as const;
/** A prefix of 66 stands before REP or behind it, REX right before the opcode. */
const repeated = (opcode: readonly number[]): number[] => [REP, ...opcode];

interface Operation {
  readonly opcode: readonly number[];
  readonly to: number;
  readonly from: number;
  readonly count: number;
}

const ENGINES = ["interp", "jit", "jit, first tier"] as const;

/** Three times: from the second on the TLB has all pages, and the code is compiled. */
function program({ opcode, to, from, count }: Operation, prepare: (machine: EngineMachine) => void): Program {
  const round = [0x4c, 0x89, 0xc1, 0x4c, 0x89, 0xcf, 0x4c, 0x89, 0xd6, ...repeated(opcode)]; // mov rcx,r8; rdi,r9; rsi,r10
  return {
    // again: …; dec ebx; jnz again; int3
    code: [...round, 0xff, 0xcb, 0x75, -(round.length + 4) & 0xff, INT3],
    prepare: (machine) => {
      const { cpu } = machine;
      for (let at = 0; at < 4 * PAGE_SIZE; at++) cpu.ram[DATA + at] = (at * 7) ^ (at >> 8);
      for (const [register, value] of [
        [Register.R8, count],
        [Register.R9, to],
        [Register.R10, from],
        [Register.RBX, 3],
      ] as const)
        cpu.setGpr(register, value);
      cpu.setGpr(Register.RAX, 0x0123456789ab);
      prepare(machine);
    },
  };
}

function run(engine: TestEngine, program: Program): Observation {
  const machine = startProgram(program, TEST_ENGINES[engine]);
  return observe(machine, machine.run(1000) as Exit);
}

function expectAlike(operation: Operation, prepare: (machine: EngineMachine) => void = () => {}): void {
  const wanted = run("js", program(operation, prepare));
  for (const name of ENGINES) expect(run(name, program(operation, prepare)), name).toEqual(wanted);
}

const [PAGE, OTHER] = [DATA, DATA + 2 * PAGE_SIZE];

describe("repeated string instructions", () => {
  for (const bytes of [1, 2, 4, 8] as const) {
    it(`copy elements of ${bytes} bytes, whatever the count and where pages end`, () => {
      for (const count of [0, 1, 2, 7, 33, 300])
        for (const offset of [5, PAGE_SIZE - 3, PAGE_SIZE - 64])
          expectAlike({ opcode: MOVS[bytes], to: OTHER + offset, from: PAGE + 40 - bytes, count });
      expectAlike({ opcode: MOVS[bytes], to: OTHER + 8, from: PAGE + PAGE_SIZE - 24, count: 9 });
    });

    it(`store elements of ${bytes} bytes`, () => {
      for (const count of [0, 1, 3, 16, 600])
        for (const offset of [5, PAGE_SIZE - 3, PAGE_SIZE - 64])
          expectAlike({ opcode: STOS[bytes], to: PAGE + offset, from: 0, count });
    });

    it(`repeat what they have copied before where a destination of ${bytes}-byte elements is in the source`, () => {
      for (const distance of [-9, -1, 1, 2, 3, 8, 13, 64])
        for (const count of [5, 40])
          expectAlike({ opcode: MOVS[bytes], to: PAGE + 100 + distance, from: PAGE + 100, count });
    });
  }

  it("stop where a page cannot be written, with all before it done", () => {
    const readOnly = (machine: EngineMachine) =>
      machine.map(OTHER + PAGE_SIZE, OTHER + PAGE_SIZE, Access.Read);
    for (const opcode of [MOVS[8], STOS[4], MOVS[1]])
      expectAlike({ opcode, to: OTHER + PAGE_SIZE - 80, from: PAGE, count: 100 }, readOnly);
  });

  it("go from page to page as the guest maps them", () => {
    const swapped = (machine: EngineMachine) => {
      machine.map(OTHER, OTHER + PAGE_SIZE);
      machine.map(OTHER + PAGE_SIZE, OTHER);
    };
    expectAlike({ opcode: MOVS[1], to: OTHER + 3000, from: PAGE + 10, count: 2000 }, swapped);
    expectAlike({ opcode: STOS[8], to: OTHER + 4000, from: 0, count: 100 }, swapped);
  });
});
