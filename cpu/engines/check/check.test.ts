import { describe, expect, it } from "vitest";
import type { Cpu } from "../../cpu.ts";
import { type Engine, Exit } from "../../engine.ts";
import { EXCEPTION_VECTOR, EXIT_BUDGET, Register, Vector } from "../../state.ts";
import { CODE, DATA, EngineMachine, INT3, TEST_ENGINES } from "../testing/machine.ts";
import { type Difference, EngineDifference } from "./difference.ts";
import { CheckEngine } from "./engine.ts";

// xor eax,eax; mov ecx,8000; again: add eax,ecx; mov [rbx],rax; dec ecx; jnz again; int3
const LOOP = [0x31, 0xc0, 0xb9, 0x40, 0x1f, 0, 0, 0x01, 0xc8, 0x48, 0x89, 0x03, 0xff, 0xc9, 0x75, 0xf7, INT3];
const ADD = CODE + 7;
const STORE = CODE + 9;

/** An interpreter with a bug: after the instruction at an address it does something wrong. */
class FaultyEngine implements Engine {
  readonly name = "faulty";
  private readonly engine: Engine;

  constructor(
    private readonly cpu: Cpu,
    private readonly rip: number,
    private readonly spoil: (cpu: Cpu, exit: Exit) => void,
  ) {
    this.engine = TEST_ENGINES.interp(cpu);
  }

  run(budget: number): Exit {
    for (let left = budget; left > 0; ) {
      const at = this.cpu.rip;
      const exit = this.engine.run(1);
      if (at === this.rip) this.spoil(this.cpu, exit);
      left -= 1 - this.cpu.getI32(EXIT_BUDGET);
      this.cpu.setI32(EXIT_BUDGET, left);
      if (exit !== Exit.Budget) return exit;
    }
    return Exit.Budget;
  }

  invalidatePhysical(start: number, length: number): void {
    this.engine.invalidatePhysical(start, length);
  }

  invalidateVirtual(start: number, length: number): void {
    this.engine.invalidateVirtual(start, length);
  }
}

/** Runs a program until a bug shows. */
function findBug(
  code: readonly number[],
  rip: number,
  spoil: (cpu: Cpu, exit: Exit) => void,
  prepare: (machine: EngineMachine) => void = (machine) => machine.cpu.setGpr(Register.RBX, DATA),
): Difference {
  const machine = new EngineMachine(
    (cpu) => new CheckEngine(cpu, [TEST_ENGINES.interp, (other) => new FaultyEngine(other, rip, spoil)]),
    code,
  );
  prepare(machine);
  try {
    machine.run(10_000_000);
  } catch (error) {
    if (error instanceof EngineDifference) return error.difference;
    throw error;
  }
  throw new Error("the bug was not found");
}

function writerOf(difference: Difference, name: string): number | undefined {
  const index = difference.writers.get(name);
  return index === undefined ? undefined : difference.trace[index].rip;
}

describe("two engines in lockstep", () => {
  it("run a program to its end as one would", () => {
    const machine = new EngineMachine(TEST_ENGINES["check=interp,jit"], LOOP);
    machine.cpu.setGpr(Register.RBX, DATA);
    expect(machine.run(1_000_000)).toBe(Exit.Exception);
    expect(machine.cpu.getI32(EXCEPTION_VECTOR)).toBe(Vector.BP);
    expect(machine.cpu.getI32(EXIT_BUDGET)).toBe(1_000_000 - 2 - 32_000 - 1);
    expect(machine.cpu.gpr(Register.RAX)).toBe((8000 * 8001) / 2);
    expect(machine.engine).toMatchObject({ name: "check=interp,jit", statistics: { instructions: 32_003 } });
  });

  it("find a wrong register and name the instruction that made it", () => {
    const difference = findBug(LOOP, ADD, (cpu) => {
      if (cpu.gpr(Register.RCX) === 5000) cpu.setGpr(Register.RDX, 1);
    });
    expect(difference.items).toEqual([{ name: "rdx", values: ["0000000000000000", "0000000000000001"] }]);
    expect(difference).toMatchObject({ repeats: true, start: ADD, length: 1, engines: ["interp", "faulty"] });
    expect(difference.agreed).toBe(2 + 3000 * 4);
  });

  it("find a wrong flag", () => {
    const difference = findBug(LOOP, ADD, (cpu) => {
      if (cpu.gpr(Register.RCX) < 4000) cpu.rflags ^= 0x800;
    });
    expect(difference.items.map(({ name }) => name)).toEqual(["rflags"]);
    expect(difference).toMatchObject({ start: ADD, length: 1 });
    expect(writerOf(difference, "rflags")).toBe(ADD);
  });

  it("find a wrong byte in memory", () => {
    const difference = findBug(LOOP, STORE, (cpu) => {
      if (cpu.gpr(Register.RCX) === 5000) cpu.mmu.write(DATA + 11, Uint8Array.of(0x77));
    });
    expect(difference.items).toEqual([]);
    expect(difference.memory).toMatchObject([{ virtual: DATA + 11, physical: DATA + 11, count: 1 }]);
    expect(difference).toMatchObject({ start: STORE, length: 1 });
  });

  it("find a wrong byte in memory that the first engine does not touch", () => {
    const difference = findBug(LOOP, STORE, (cpu) => {
      if (cpu.gpr(Register.RCX) === 5000) cpu.mmu.write(DATA + 0x3000, Uint8Array.of(0x77));
    });
    expect(difference.memory).toMatchObject([{ virtual: DATA + 0x3000, count: 1 }]);
  });

  it("find an exception that is not the same", () => {
    const difference = findBug(LOOP, CODE + 16, (cpu) => cpu.setI32(EXCEPTION_VECTOR, Vector.UD));
    expect(difference.items.map(({ name }) => name)).toEqual(["stopped by"]);
    expect(difference).toMatchObject({ start: CODE + 16, length: 1 });
  });

  it("find instructions that are not counted", () => {
    const difference = findBug(LOOP, ADD, (cpu) => {
      if (cpu.gpr(Register.RCX) === 5000) cpu.setI32(EXIT_BUDGET, cpu.getI32(EXIT_BUDGET) + 1);
    });
    expect(difference.start).toBe(ADD);
  });

  it("find an engine that crashes", () => {
    const difference = findBug(LOOP, ADD, (cpu) => {
      if (cpu.gpr(Register.RCX) === 5000) throw new Error("a bug");
    });
    expect(difference.outcomes[1].crash).toContain("a bug");
    expect(difference).toMatchObject({ start: ADD, length: 1 });
  });

  it("say so if a difference does not come again", () => {
    let times = 0;
    const difference = findBug(LOOP, ADD, (cpu) => {
      if (cpu.gpr(Register.RCX) === 5000 && times++ === 0) cpu.setGpr(Register.RDX, 1);
    });
    expect(difference.repeats).toBe(false);
    expect(difference.items.map(({ name }) => name)).toEqual(["rdx"]);
  });

  it("get the same answers to what they ask of the world", () => {
    // mov ecx,1000; again: rdtsc; add rbx,rax; rdrand rsi; add rbx,rsi; dec ecx; jnz again; int3
    const code = [
      [0xb9, 0xe8, 3, 0, 0, 0x0f, 0x31, 0x48, 0x01, 0xc3, 0x48, 0x0f, 0xc7, 0xf6, 0x48, 0x01, 0xf3],
      [0xff, 0xc9, 0x75, 0xf0, INT3],
    ].flat();
    const results = (["interp", "check=interp,jit"] as const).map((name) => {
      const machine = new EngineMachine(TEST_ENGINES[name], code);
      expect(machine.run(1_000_000)).toBe(Exit.Exception);
      expect(machine.time).toBe(0x1000 + 1000);
      return machine.cpu.gpr64(Register.RBX);
    });
    expect(results[1]).toBe(results[0]);
  });

  it("both see code that the program changes, and code that the kernel changes", () => {
    // again: mov al,1; add [rip-7],1 (the immediate); dec ecx; jnz again; int3
    const code = [0xb0, 1, 0x80, 0x05, 0xf8, 0xff, 0xff, 0xff, 1, 0xff, 0xc9, 0x75, 0xf3, INT3];
    const machine = new EngineMachine(TEST_ENGINES["check=interp,jit"], code);
    machine.cpu.setGpr(Register.RCX, 100);
    expect(machine.run(10_000)).toBe(Exit.Exception);
    expect(machine.cpu.gpr(Register.RAX)).toBe(100);
    machine.write(CODE + 1, [3]);
    machine.cpu.rip = CODE;
    machine.cpu.setGpr(Register.RCX, 5);
    machine.run(10_000);
    expect(machine.cpu.gpr(Register.RAX)).toBe(7);
  });
});
