/** The engines that `--engine` names, and how each is put together. */

import type { Cpu } from "../cpu/cpu.ts";
import type { Engine, SystemEngine } from "../cpu/engine.ts";
import type { Difference } from "../cpu/engines/check/difference.ts";
import { InterpreterEngine } from "../cpu/engines/interp/engine.ts";
import type { JitEngine, JitThresholds } from "../cpu/engines/jit/engine.ts";
import { CommandError } from "./command-error.ts";
import { compileRegionModule } from "./host/region-module.ts";
import { loadInterpreter, loadLegacyInterpreter } from "./interpreter-module.ts";

export const ENGINES = ["interp", "jit"] as const;
export type EngineName = (typeof ENGINES)[number];

/** What executes the code: an engine, or two in lockstep. */
export interface EngineChoice {
  /** One or two. */
  readonly engines: readonly EngineName[];
}

export interface EngineOptions {
  /** When the JIT compiles; by default as it sees fit. */
  readonly jitThresholds?: JitThresholds;
  /** The text for a difference between two engines. */
  readonly describeDifference?: (difference: Difference) => string;
}

/** Reads `jit`, or `check=interp,jit`; undefined if it is neither. */
export function parseEngineChoice(text: string): EngineChoice | undefined {
  const isCheck = text.startsWith("check=");
  const names = isCheck ? text.slice("check=".length).split(",") : [text];
  const engines = names.flatMap((name) => ENGINES.find((known) => known === name) ?? []);
  return engines.length === names.length && engines.length === (isCheck ? 2 : 1) ? { engines } : undefined;
}

/** How many processors the memory must have room for. */
export function processorsOf({ engines }: EngineChoice): number {
  return engines.length;
}

/** Makes the engine for a processor; it executes from then on whatever the processor's RIP points to. */
export type EngineFactory = (cpu: Cpu) => Engine;

/** Loads what the choice needs, and no more: the JIT's compiler with all definitions takes 10 ms. */
export async function loadEngine(
  { engines }: EngineChoice,
  { jitThresholds, describeDifference }: EngineOptions = {},
): Promise<EngineFactory> {
  const Jit = engines.includes("jit") ? (await import("../cpu/engines/jit/engine.ts")).JitEngine : undefined;
  const [first, second] = engines.map((name) => factoryOf(name, Jit, jitThresholds));
  if (second === undefined) return first;
  const { CheckEngine } = await import("../cpu/engines/check/engine.ts");
  const [finerFirst, finerSecond] = engines.map((name) => finer(name, Jit));
  return (cpu) =>
    new CheckEngine(cpu, [first, second], {
      finer: [finerFirst, finerSecond],
      ...(describeDifference !== undefined && {
        onDifference: (difference: Difference) => {
          throw new CommandError(describeDifference(difference));
        },
      }),
    });
}

/** The JIT with short regions, that compiles all it meets. */
function finer(
  name: EngineName,
  Jit: typeof JitEngine | undefined,
): ((cpu: Cpu, instructions: number) => Engine) | undefined {
  if (name !== "jit") return undefined;
  return (cpu, instructions) =>
    factoryOf(name, Jit, { warm: 1, hot: 1, batch: 1, growth: 1, samples: 0, instructions })(cpu);
}

function factoryOf(
  name: EngineName,
  Jit: typeof JitEngine | undefined,
  thresholds: JitThresholds | undefined,
): EngineFactory {
  if (name === "interp" || Jit === undefined) return (cpu) => new InterpreterEngine(cpu, loadInterpreter());
  return (cpu) => new Jit(cpu, loadInterpreter(), thresholds, compileRegionModule);
}

/** The same for a whole PC. */
export function createSystemEngine({ engines }: EngineChoice, cpu: Cpu): SystemEngine {
  if (engines.some((name) => name !== "interp") || engines.length > 1) {
    const name = engines.length > 1 ? `check=${engines.join()}` : engines[0];
    throw new CommandError(`--engine ${name}: it does not run whole systems in this version; use interp`);
  }
  return new InterpreterEngine(cpu, loadInterpreter(), { loadLegacy: loadLegacyInterpreter });
}
