/** A processor with any engine and 1 MiB of memory whose pages can be mapped as a test likes: for tests of engines. */

import { runInThisContext } from "node:vm";
import {
  Access,
  PAGE_SIZE,
  PageFaultBit,
  type Translation,
  type Translator,
} from "../../../mmu/translator.ts";
import { Cpu } from "../../cpu.ts";
import type { Engine, Exit } from "../../engine.ts";
import { CONTEXT_SIZE, EXCEPTION_ADDRESS, EXCEPTION_ERROR, EXCEPTION_VECTOR, Register } from "../../state.ts";
import { CheckEngine } from "../check/engine.ts";
import { registersText } from "../check/outcome.ts";
import { generateInterpreter } from "../interp/build.ts";
import { InterpreterEngine } from "../interp/engine.ts";
import type { InterpreterCode } from "../interp/parts.ts";
import { RegionCompiler } from "../jit/compiler.ts";
import { JitEngine } from "../jit/engine.ts";
import { JsEngine } from "../js/engine.ts";

export const RAM_SIZE = 1 << 20;
export const CODE = 0x10000;
export const DATA = 0x20000;
export const STACK_TOP = 0x80000;
export const INT3 = 0xcc;

let generated: InterpreterCode | undefined;

export function interpreterCode(): InterpreterCode {
  generated ??= generateInterpreter();
  return generated;
}

/** Every piece of code is compiled the first time it is met, in the way that loops get in the end. */
export const COMPILE_ALL = {
  warm: 1,
  hot: 1,
  batch: 1,
  growth: 1,
  free: Number.POSITIVE_INFINITY,
  samples: 0,
};
/** The same in the way in which all code is compiled first. */
export const COMPILE_ALL_FIRST = { ...COMPILE_ALL, samples: Number.POSITIVE_INFINITY };

/** The engines that every test of an engine runs on. */
export const TEST_ENGINES = {
  interp: (cpu: Cpu): Engine => new InterpreterEngine(cpu, interpreterCode(), { pairsAfter: 0 }),
  /** Starts without pairs, and joins them while the test runs. */
  "interp, pairs later": (cpu: Cpu): Engine =>
    new InterpreterEngine(cpu, interpreterCode(), { pairsAfter: 20 }),
  jit: (cpu: Cpu): Engine =>
    new JitEngine(cpu, interpreterCode(), (host) => new RegionCompiler(host), COMPILE_ALL),
  "jit, first tier": (cpu: Cpu): Engine =>
    new JitEngine(cpu, interpreterCode(), (host) => new RegionCompiler(host), COMPILE_ALL_FIRST),
  /** Some of the code is interpreted, some compiled, when pairs are joined. */
  "jit, pairs later": (cpu: Cpu): Engine =>
    new JitEngine(
      cpu,
      interpreterCode(),
      (host) => new RegionCompiler(host),
      { ...COMPILE_ALL_FIRST, warm: 3, hot: 3 },
      { pairsAfter: 20 },
    ),
  /** Forgets all code again and again. */
  "jit, no memory": (cpu: Cpu): Engine =>
    new JitEngine(cpu, interpreterCode(), (host) => new RegionCompiler(host), { ...COMPILE_ALL, memory: 1 }),
  js: (cpu: Cpu): Engine => new JsEngine(cpu, interpreterCode(), { evaluate: runInThisContext }),
  "check=interp,jit": (cpu: Cpu): Engine => new CheckEngine(cpu, [TEST_ENGINES.interp, TEST_ENGINES.jit]),
} as const;
export type TestEngine = keyof typeof TEST_ENGINES;
export const TEST_ENGINE_NAMES = Object.keys(TEST_ENGINES) as readonly TestEngine[];

interface Mapping {
  physical: number;
  rights: number;
}

const ALL = Access.Read | Access.Write | Access.Execute;

/** Virtual = physical, but for page 0; until a test maps something else. */
class Pages implements Translator {
  private readonly mappings = new Map<number, Mapping>();

  constructor() {
    for (let page = PAGE_SIZE; page < RAM_SIZE; page += PAGE_SIZE) this.map(page, page, ALL);
  }

  map(virtual: number, physical: number, rights: number): void {
    this.mappings.set(virtual, { physical, rights });
  }

  unmap(virtual: number): void {
    this.mappings.delete(virtual);
  }

  translate(virtual: number, access: Access, out: Translation): boolean {
    const mapping = this.mappings.get(Math.floor(virtual / PAGE_SIZE) * PAGE_SIZE);
    out.errorCode =
      PageFaultBit.User |
      (mapping === undefined ? 0 : PageFaultBit.Present) |
      (access === Access.Write ? PageFaultBit.Write : 0) |
      (access === Access.Execute ? PageFaultBit.Instruction : 0);
    if (mapping === undefined || (mapping.rights & access) === 0) return false;
    out.physicalPage = mapping.physical;
    out.rights = mapping.rights;
    return true;
  }
}

export class EngineMachine {
  readonly cpu: Cpu;
  readonly engine: Engine;
  private readonly pages = new Pages();
  /** What RDTSC answers next. */
  time = 0x1000;

  /** The code is put at {@link CODE}, or where the address says, and RIP points to it. */
  constructor(createEngine: (cpu: Cpu) => Engine, code: readonly number[] = [], address = CODE) {
    let chance = 1;
    this.cpu = new Cpu({
      ramSize: RAM_SIZE,
      translator: this.pages,
      processors: 2,
      // Memory of the usual size would have the garbage collector run for every machine or two.
      records: 1 << 15,
      host: {
        timeStampCounter: () => this.time++,
        random: (bytes) => bytes.fill(chance++),
      },
    });
    const { cpu } = this;
    this.engine = createEngine(cpu);
    cpu.ram.set(code, address);
    cpu.rip = address;
    cpu.setGpr(Register.RSP, STACK_TOP);
  }

  /** As a kernel does mmap, munmap and mprotect. No physical address: unmapped. */
  map(virtual: number, physical: number | undefined, rights = ALL): void {
    if (physical === undefined) this.pages.unmap(virtual);
    else this.pages.map(virtual, physical, rights);
    this.cpu.mmu.tlb.flushRange(virtual, PAGE_SIZE);
    this.engine.invalidateVirtual(virtual, PAGE_SIZE);
  }

  /** As a kernel writes to memory: behind the engine's back, and then says so. */
  write(physical: number, bytes: readonly number[]): void {
    this.cpu.ram.set(bytes, physical);
    this.engine.invalidatePhysical(physical, bytes.length);
  }

  run(budget: number): Exit {
    return this.engine.run(budget);
  }

  get exception(): { vector: number; error: number; address: number } {
    const { cpu } = this;
    return {
      vector: cpu.getI32(EXCEPTION_VECTOR),
      error: cpu.getI32(EXCEPTION_ERROR),
      address: cpu.getNumber(EXCEPTION_ADDRESS),
    };
  }

  /** Everything that a program can see of the registers, as text that shows where it differs. */
  get registers(): Record<string, string> {
    const context = new Uint8Array(CONTEXT_SIZE);
    this.cpu.saveContext(context);
    return Object.fromEntries(registersText(context, this.cpu.rflags));
  }
}
