/** The engines that `--engine` names, and how each is put together. */

import type { Cpu } from "../cpu/cpu.ts";
import type { Engine, SystemEngine } from "../cpu/engine.ts";
import { InterpreterEngine } from "../cpu/engines/interp/engine.ts";
import { JitEngine } from "../cpu/engines/jit/engine.ts";
import { CommandError } from "./command-error.ts";
import { loadInterpreter, loadLegacyInterpreter } from "./interpreter-module.ts";

export const ENGINES = ["interp", "jit"] as const;
export type EngineName = (typeof ENGINES)[number];

/** Makes the engine of that name for a processor; it executes from then on whatever the processor's RIP points to. */
export function createEngine(name: EngineName, cpu: Cpu): Engine {
  switch (name) {
    case "interp":
      return new InterpreterEngine(cpu, loadInterpreter());
    case "jit":
      return new JitEngine(cpu, loadInterpreter());
  }
}

/** The same for a whole PC. */
export function createSystemEngine(name: EngineName, cpu: Cpu): SystemEngine {
  if (name !== "interp") {
    throw new CommandError(`--engine ${name}: it does not run whole systems in this version; use interp`);
  }
  return new InterpreterEngine(cpu, loadInterpreter(), loadLegacyInterpreter);
}
