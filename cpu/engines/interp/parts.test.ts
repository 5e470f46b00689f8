import { beforeAll, expect, it } from "vitest";
import { Access, type Translation, type Translator } from "../../../mmu/translator.ts";
import { Cpu } from "../../cpu.ts";
import { Exit } from "../../engine.ts";
import { EXCEPTION_VECTOR, Register, Vector } from "../../state.ts";
import { buildInterpreter } from "./build.ts";
import { InterpreterEngine } from "./engine.ts";
import { InterpreterCode, Part } from "./parts.ts";

const RAM = 1 << 20;
const CODE = 0x10000;
/** #GP outside of ring 0, by a handler of the first part. */
const HLT = 0xf4;

const identity: Translator = {
  translate(virtual: number, _access: Access, out: Translation): boolean {
    out.physicalPage = virtual - (virtual % 4096);
    out.rights = Access.Read | Access.Write | Access.Execute;
    return true;
  },
};

let parts: Uint8Array<ArrayBuffer>[];
beforeAll(() => {
  parts = buildInterpreter();
}, 120_000);

/** Runs code to its HLT. @returns the parts that were compiled, in order */
function run(code: readonly number[], pairsAfter: number) {
  const host = { timeStampCounter: () => 0, random: () => undefined };
  const cpu = new Cpu({ ramSize: RAM, translator: identity, host });
  cpu.ram.set([...code, HLT], CODE);
  cpu.rip = CODE;
  const loaded: number[] = [];
  const interpreter = new InterpreterCode((part) => {
    loaded.push(part);
    return parts[part];
  });
  const engine = new InterpreterEngine(cpu, interpreter, { pairsAfter });
  let exit = engine.run(100);
  while (exit === Exit.Budget) exit = engine.run(100);
  expect(cpu.getI32(EXCEPTION_VECTOR)).toBe(Vector.GP);
  return { loaded, cpu, engine };
}

// xor eax,eax; mov ecx,100; again: add eax,ecx; dec ecx; jnz again
const SUM = [0x31, 0xc0, 0xb9, 100, 0, 0, 0, 0x01, 0xc8, 0xff, 0xc9, 0x75, 0xfa];

it("compiles the first part alone for integer code", () => {
  expect(run(SUM, 1000).loaded).toEqual([Part.Frequent]);
});

it("compiles the part of an instruction when the guest comes to it", () => {
  // fld1
  expect(run([0xd9, 0xe8], 1000).loaded).toEqual([Part.Frequent, Part.Other]);
});

it("joins pairs after so many instructions, with the same result and the same count", () => {
  const [never, later, always] = [1000, 150, 0].map((pairsAfter) => run(SUM, pairsAfter));
  expect(never.loaded).not.toContain(Part.Pairs);
  expect(later.loaded).toContain(Part.Pairs);
  for (const { cpu, engine } of [never, later, always]) {
    expect(cpu.gpr(Register.RAX)).toBe(5050);
    // HLT faults: it is not executed.
    expect(engine.statistics.instructions).toBe(2 + 300);
  }
});
