/** When the JIT compiles what, and what it does where there is no room. */

import { describe, expect, it } from "vitest";
import type { Cpu } from "../../cpu.ts";
import { Exit } from "../../engine.ts";
import { Register } from "../../state.ts";
import { InterpreterCode, Part } from "../interp/parts.ts";
import { CODE, EngineMachine, INT3, interpreterCode } from "../testing/machine.ts";
import { type ModuleCompiler, RegionCompiler } from "./compiler.ts";
import { JitEngine } from "./engine.ts";
import type { JitThresholds } from "./thresholds.ts";

// again: add eax,ecx; dec ecx; jnz again; int3
const SUM = [0x01, 0xc8, 0xff, 0xc9, 0x75, 0xfa, INT3];
const ROUNDS = 1_000_000;
const RESULT = ((ROUNDS * (ROUNDS + 1)) / 2) % 2 ** 32;

/** What was asked of the host's WebAssembly. */
interface Requests {
  compiled: number;
  optimized: number;
}

function createJit(cpu: Cpu, thresholds: Partial<JitThresholds>, modules?: ModuleCompiler): JitEngine {
  return new JitEngine(
    cpu,
    interpreterCode(),
    (host) => new RegionCompiler(host, modules),
    { warm: 50, hot: 50, batch: 1, ...thresholds },
    { pairsAfter: 0 },
  );
}

function machineWith(modules: Partial<ModuleCompiler>, requests: Requests) {
  const counted: ModuleCompiler = {
    compile(bytes) {
      requests.compiled++;
      return modules.compile?.(bytes) ?? new WebAssembly.Module(bytes);
    },
    optimize(bytes) {
      requests.optimized++;
      return modules.optimize?.(bytes) ?? WebAssembly.compile(bytes);
    },
  };
  const machine = new EngineMachine((cpu: Cpu) => createJit(cpu, {}, counted));
  machine.cpu.ram.set(SUM, CODE);
  return machine;
}

/** Adds up once, in slices between which promises come true. */
async function addUp({ cpu, engine }: EngineMachine): Promise<number> {
  cpu.rip = CODE;
  cpu.setGpr(Register.RAX, 0);
  cpu.setGpr(Register.RCX, ROUNDS);
  while (engine.run(500_000) === Exit.Budget) await new Promise((resolve) => setTimeout(resolve));
  return cpu.gpr(Register.RAX);
}

describe("the JIT", () => {
  it("compiles a loop quickly, and once more, better, while it runs", async () => {
    const requests = { compiled: 0, optimized: 0 };
    const machine = machineWith({}, requests);
    for (let round = 0; round < 5; round++) expect(await addUp(machine)).toBe(RESULT);
    // Optimized as it is, then with all registers in locals.
    expect(requests).toEqual({ compiled: 1, optimized: 2 });
  });

  it("loads pairs for what is interpreted, not for loops that are compiled", () => {
    class Watched extends InterpreterCode {
      readonly asked = new Set<number>();
      override module(part: number): WebAssembly.Module {
        this.asked.add(part);
        return interpreterCode().module(part);
      }
    }
    const pairsAfter = (ROUNDS * 3) / 2;
    for (const warm of [50, Number.MAX_SAFE_INTEGER]) {
      const code = new Watched(() => new Uint8Array());
      const thresholds = { warm, hot: 50, batch: 1 };
      const create = (cpu: Cpu) =>
        new JitEngine(cpu, code, (host) => new RegionCompiler(host), thresholds, { pairsAfter });
      const { cpu, engine } = new EngineMachine(create, SUM);
      cpu.setGpr(Register.RCX, ROUNDS);
      while (engine.run(500_000) === Exit.Budget);
      expect(cpu.gpr(Register.RAX)).toBe(RESULT);
      expect(code.asked.has(Part.Pairs)).toBe(warm > 50);
    }
  });

  it("makes a region wider that control keeps leaving", async () => {
    const machine = new EngineMachine((cpu: Cpu) => createJit(cpu, {}));
    const { cpu, engine } = machine;
    // again: 200 times jmp to the next; dec ecx; jnz again; int3: more blocks than a region has at first
    const body = Array.from({ length: 200 }, () => [0xeb, 0]).flat();
    const back = new Uint8Array(Int32Array.of(-(body.length + 8)).buffer);
    cpu.ram.set([...body, 0xff, 0xc9, 0x0f, 0x85, ...back, INT3], CODE);
    const sizes = new Set<number>();
    (engine as JitEngine).observer = {
      onCode: ({ language, regions }) => {
        if (language !== "wasm") return;
        for (const { rip, blocks } of regions)
          if (rip === CODE) sizes.add(blocks.reduce((sum, { rip: start, end }) => sum + end - start, 0));
      },
    };
    const rounds = 250_000;
    cpu.rip = CODE;
    cpu.setGpr(Register.RCX, rounds);
    while (engine.run(500_000) === Exit.Budget) await new Promise((resolve) => setTimeout(resolve));
    expect(cpu.gpr(Register.RCX)).toBe(0);
    expect([...sizes]).toEqual([300, body.length + 8]);
  });

  it("compiles no more than a part of what is executed, beyond what is free", () => {
    const machine = new EngineMachine((cpu: Cpu) => createJit(cpu, { free: 0, pace: 10_000, samples: 0 }));
    const { cpu, engine } = machine;
    cpu.ram.set(SUM, CODE);
    const compiled = () => (engine as JitEngine).compiler?.statistics.regions ?? 0;
    cpu.setGpr(Register.RCX, ROUNDS);
    engine.run(20_000);
    expect(compiled()).toBe(1);
    // The next has to wait until 30,000 instructions have been executed, for the three that have been compiled.
    cpu.ram.set(SUM, CODE + 0x1000);
    cpu.rip = CODE + 0x1000;
    for (let executed = 20_000; executed < 30_000; executed += 5000) {
      engine.run(5000);
      expect(compiled()).toBe(1);
    }
    engine.run(5000);
    expect(compiled()).toBe(2);
  });

  it("goes on without where the host has no room for code", async () => {
    const requests = { compiled: 0, optimized: 0 };
    const machine = machineWith(
      {
        compile() {
          throw new RangeError("out of memory");
        },
      },
      requests,
    );
    for (let round = 0; round < 3; round++) expect(await addUp(machine)).toBe(RESULT);
    expect(requests).toEqual({ compiled: 1, optimized: 0 });
  });

  it("keeps the code it has where there is no room for better", async () => {
    const requests = { compiled: 0, optimized: 0 };
    const machine = machineWith(
      { optimize: () => Promise.reject(new RangeError("out of memory")) },
      requests,
    );
    for (let round = 0; round < 3; round++) expect(await addUp(machine)).toBe(RESULT);
    expect(requests).toEqual({ compiled: 1, optimized: 1 });
  });

  it("does not use code that was optimized while the guest changed it", async () => {
    const requests = { compiled: 0, optimized: 0 };
    let finish: (() => void) | undefined;
    const machine = machineWith(
      {
        async optimize(bytes) {
          const module = await WebAssembly.compile(bytes);
          await new Promise<void>((resolve) => {
            finish = resolve;
          });
          return module;
        },
      },
      requests,
    );
    while (finish === undefined) expect(await addUp(machine)).toBe(RESULT);
    // The addition becomes a subtraction.
    machine.cpu.ram[CODE] = 0x29;
    machine.cpu.mmu.written(CODE, 1);
    finish();
    expect(await addUp(machine)).toBe((2 ** 32 - RESULT) % 2 ** 32);
  });

  it("gives each region code of its own, also after one in several pieces has gone", () => {
    const machine = new EngineMachine((cpu: Cpu) => createJit(cpu, { samples: 0 }));
    const [pieces, sum, mask] = [CODE, CODE + 0x1000, CODE + 0x2000];
    const { ram } = machine.cpu;
    // again: add eax,ecx; jmp on; …; on: dec ecx; jnz again; int3
    ram.set([0x01, 0xc8, 0xe9, 0xf9, 0, 0, 0], pieces);
    ram.set([0xff, 0xc9, 0x0f, 0x85, 0xf8, 0xfe, 0xff, 0xff, INT3], pieces + 0x100);
    ram.set(SUM, sum);
    ram.set([0x09, 0xc8, 0xff, 0xc9, 0x75, 0xfa, INT3], mask); // or eax,ecx instead of add
    const run = (at: number) => {
      machine.cpu.rip = at;
      machine.cpu.setGpr(Register.RAX, 0);
      machine.cpu.setGpr(Register.RCX, 1000);
      expect(machine.engine.run(100_000)).toBe(Exit.Exception);
      return machine.cpu.gpr(Register.RAX);
    };
    expect(run(pieces)).toBe(500500);
    machine.engine.invalidateVirtual(pieces, 1);
    for (let round = 0; round < 2; round++) {
      expect(run(sum)).toBe(500500);
      expect(run(mask)).toBe(1023);
    }
  });
});
