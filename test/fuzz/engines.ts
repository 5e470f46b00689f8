/** The engines that are compared with the host CPU, and how: those that compile must have compiled what is compared. */

import { runInThisContext } from "node:vm";
import type { Cpu } from "../../cpu/cpu.ts";
import type { Engine, SystemEngine } from "../../cpu/engine.ts";
import { generateInterpreter } from "../../cpu/engines/interp/build.ts";
import { InterpreterEngine } from "../../cpu/engines/interp/engine.ts";
import type { InterpreterCode } from "../../cpu/engines/interp/parts.ts";
import { RegionCompiler } from "../../cpu/engines/jit/compiler.ts";
import { JitEngine } from "../../cpu/engines/jit/engine.ts";
import { JsEngine } from "../../cpu/engines/js/engine.ts";
import { type CaseProcessor, UserProcessor } from "./case-processor.ts";
import { EngineTarget } from "./engine-target.ts";
import { SystemCaseProcessor } from "./system-case-processor.ts";
import type { Target } from "./target.ts";

interface FuzzEngine {
  create(code: InterpreterCode): CaseProcessor;
  /** How often each case runs. */
  readonly passes: number;
}

const user = (create: (cpu: Cpu, code: InterpreterCode) => Engine) => (code: InterpreterCode) =>
  new UserProcessor((cpu) => create(cpu, code));
const system = (create: (cpu: Cpu, code: InterpreterCode) => SystemEngine) => (code: InterpreterCode) =>
  new SystemCaseProcessor((cpu) => create(cpu, code));

const createInterpreter = (cpu: Cpu, code: InterpreterCode) =>
  new InterpreterEngine(cpu, code, { pairsAfter: 0 });

/** The first pass shows where control goes, then everything is compiled at once, loops and calls as a whole. */
const createJit = (cpu: Cpu, code: InterpreterCode, samples: number) =>
  new JitEngine(cpu, code, (host) => new RegionCompiler(host), {
    warm: 2,
    hot: 1,
    batch: 1,
    growth: 1,
    free: Number.POSITIVE_INFINITY,
    samples,
  });

export const FUZZ_ENGINES: Readonly<Record<string, FuzzEngine>> = {
  interp: { create: user(createInterpreter), passes: 1 },
  jit: { create: user((cpu, code) => createJit(cpu, code, 0)), passes: 3 },
  "jit-first": { create: user((cpu, code) => createJit(cpu, code, Number.POSITIVE_INFINITY)), passes: 3 },
  js: { create: user((cpu, code) => new JsEngine(cpu, code, { evaluate: runInThisContext })), passes: 1 },
  // User mode of a whole PC, which translates addresses and delivers exceptions itself.
  system: { create: system(createInterpreter), passes: 1 },
  "system-jit": { create: system((cpu, code) => createJit(cpu, code, 0)), passes: 3 },
};

let code: InterpreterCode | undefined;

/** @param name one of {@link FUZZ_ENGINES} */
export async function createTarget(name: string): Promise<Target> {
  code ??= generateInterpreter();
  const { create, passes } = FUZZ_ENGINES[name];
  return new EngineTarget(create(code), { name, passes });
}
