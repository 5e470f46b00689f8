/** The engines that `--engine` names, and how each is put together. */

import type { Cpu } from "../cpu/cpu.ts";
import type { CodeObserver, Engine, SystemEngine } from "../cpu/engine.ts";
import type { Difference } from "../cpu/engines/check/difference.ts";
import { InterpreterEngine } from "../cpu/engines/interp/engine.ts";
import type { CompilerHost } from "../cpu/engines/jit/compiler.ts";
import { JitEngine } from "../cpu/engines/jit/engine.ts";
import { type JitThresholds, SYSTEM_THRESHOLDS } from "../cpu/engines/jit/thresholds.ts";
import { CommandError } from "./command-error.ts";
import { loadInterpreter, loadLegacyInterpreter } from "./interpreter-module.ts";

export const ENGINES = ["interp", "jit", "js"] as const;
export type EngineName = (typeof ENGINES)[number];

/** What executes the code: an engine, or two in lockstep. */
export interface EngineChoice {
  /** One or two. */
  readonly engines: readonly EngineName[];
}

export interface EngineOptions {
  /** When the JIT compiles; by default as it sees fit. */
  readonly jitThresholds?: Partial<JitThresholds>;
  /** The text for a difference between two engines. */
  readonly describeDifference?: (difference: Difference) => string;
  /** The text of one instruction. */
  readonly disassemble?: (code: Uint8Array, rip: number) => string;
  /** Told of all generated code. */
  readonly observer?: CodeObserver;
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

/** @throws CommandError for engines that know no breakpoints */
export function requireDebuggableEngine({ engines }: EngineChoice): void {
  if (engines.length === 1 && engines[0] !== "js") return;
  const name = engines.length > 1 ? `check=${engines.join()}` : engines[0];
  throw new CommandError(`--engine ${name}: it has no breakpoints for gdb; use interp or jit`);
}

/** Makes the engine for a processor; it executes from then on whatever the processor's RIP points to. */
export type EngineFactory = (cpu: Cpu) => Engine;

/** The JIT with short regions, that compiles all it meets. */
const FINE = { warm: 1, hot: 1, batch: 1, growth: 1, free: Number.POSITIVE_INFINITY, samples: 0 } as const;

/** Loads what the choice needs, and no more: the JIT's compiler, with all definitions, when something is hot. */
export async function loadEngine(
  { engines }: EngineChoice,
  options: EngineOptions = {},
): Promise<EngineFactory> {
  const [first, second] = await Promise.all(engines.map((name) => factoryOf(name, options)));
  if (second === undefined) return first;
  const { CheckEngine } = await import("../cpu/engines/check/engine.ts");
  const jit = engines.includes("jit") ? createJit(options) : undefined;
  const finer = engines.map((name) =>
    name === "jit" && jit !== undefined
      ? (cpu: Cpu, instructions: number) => jit(cpu, { ...FINE, instructions })
      : undefined,
  );
  const { describeDifference } = options;
  return (cpu) =>
    new CheckEngine(cpu, [first, second], {
      finer: [finer[0], finer[1]],
      ...(describeDifference !== undefined && {
        onDifference: (difference: Difference) => {
          throw new CommandError(describeDifference(difference));
        },
      }),
    });
}

async function factoryOf(name: EngineName, options: EngineOptions): Promise<EngineFactory> {
  switch (name) {
    case "interp":
      return (cpu) => observed(new InterpreterEngine(cpu, loadInterpreter()), options);
    case "jit": {
      const jit = createJit(options);
      return (cpu) => jit(cpu, options.jitThresholds);
    }
    case "js":
      return await loadJs(options);
  }
}

function observed<T extends InterpreterEngine>(engine: T, { observer }: EngineOptions): T {
  engine.observer = observer;
  return engine;
}

function createJit(options: EngineOptions) {
  const createCompiler = async (host: CompilerHost) => {
    const { RegionCompiler } = await import("../cpu/engines/jit/compiler.ts");
    const { createModuleCompiler } = await import("./host/region-module.ts");
    return new RegionCompiler(host, createModuleCompiler());
  };
  const rest = { loadLegacy: loadLegacyInterpreter };
  return (cpu: Cpu, thresholds: Partial<JitThresholds> | undefined) =>
    observed(new JitEngine(cpu, loadInterpreter(), createCompiler, thresholds, rest), options);
}

/** Was Node told to let a debugger in (node --inspect-brk)? */
export async function isDebugged(): Promise<boolean> {
  const inspector = await import("node:inspector");
  return inspector.url() !== undefined;
}

/** With a debugger attached (node --inspect-brk) it stops before the first guest instruction. */
async function loadJs({ disassemble, observer }: EngineOptions): Promise<EngineFactory> {
  const { JsEngine } = await import("../cpu/engines/js/engine.ts");
  const { createGuestConsole } = await import("./guest-console.ts");
  const debugged = await isDebugged();
  return (cpu) => {
    const engine = new JsEngine(cpu, loadInterpreter(), {
      // Not node:vm: it is JavaScript of Node's, in which a debugger that steps into the next block would stop.
      // biome-ignore lint/security/noGlobalEval: what generated JavaScript is run with; it is text of our own
      evaluate: (text) => globalThis.eval(text),
      disassemble,
      observer,
      sourceMaps: debugged || observer !== undefined,
      stopAtStart: debugged,
    });
    if (debugged) Object.assign(globalThis, { guest: createGuestConsole(cpu, engine) });
    return engine;
  };
}

/** The same for a whole PC. */
export function createSystemEngine(
  { engines }: EngineChoice,
  cpu: Cpu,
  options: EngineOptions = {},
): SystemEngine {
  const [name] = engines;
  if (engines.length > 1 || name === "js") {
    const text = engines.length > 1 ? `check=${engines.join()}` : name;
    throw new CommandError(
      `--engine ${text}: it does not run whole systems in this version; use interp or jit`,
    );
  }
  if (name === "jit") {
    const { jitThresholds } = options;
    // Somebody's own are for all code.
    const defaults = jitThresholds?.warm === undefined ? SYSTEM_THRESHOLDS : {};
    return createJit(options)(cpu, { ...defaults, ...jitThresholds });
  }
  const rest = { loadLegacy: loadLegacyInterpreter };
  return observed(new InterpreterEngine(cpu, loadInterpreter(), rest), options);
}
