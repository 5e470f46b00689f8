/** The engines that `--engine` names, and how each is put together. */

import { url as inspectorUrl } from "node:inspector";
import type { Cpu } from "../cpu/cpu.ts";
import type { CodeObserver, Engine } from "../cpu/engine.ts";
import type { Difference } from "../cpu/engines/check/difference.ts";
import { CheckEngine } from "../cpu/engines/check/engine.ts";
import { InterpreterEngine } from "../cpu/engines/interp/engine.ts";
import { JitEngine, type JitThresholds } from "../cpu/engines/jit/engine.ts";
import { JsEngine } from "../cpu/engines/js/engine.ts";
import { CommandError } from "./command-error.ts";
import { createGuestConsole } from "./guest-console.ts";
import { loadInterpreter } from "./interpreter-module.ts";

export const ENGINES = ["interp", "jit", "js"] as const;
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

/** Makes the engine for a processor; it executes from then on whatever the processor's RIP points to. */
export function createEngine({ engines }: EngineChoice, cpu: Cpu, options: EngineOptions = {}): Engine {
  const [first, second] = engines;
  if (second === undefined) return createOne(first, cpu, options);
  const { describeDifference } = options;
  const creators = [first, second].map((name) => (one: Cpu) => createOne(name, one, options));
  return new CheckEngine(cpu, [creators[0], creators[1]], {
    finer: [finer(first), finer(second)],
    ...(describeDifference !== undefined && {
      onDifference: (difference: Difference) => {
        throw new CommandError(describeDifference(difference));
      },
    }),
  });
}

/** The JIT with short regions, that compiles all it meets. */
function finer(name: EngineName): ((cpu: Cpu, instructions: number) => Engine) | undefined {
  if (name !== "jit") return undefined;
  return (cpu, instructions) =>
    createOne(name, cpu, {
      jitThresholds: { warm: 1, hot: 1, batch: 1, growth: 1, samples: 0, instructions },
    });
}

function createOne(name: EngineName, cpu: Cpu, options: EngineOptions): Engine {
  switch (name) {
    case "interp": {
      const engine = new InterpreterEngine(cpu, loadInterpreter());
      engine.observer = options.observer;
      return engine;
    }
    case "jit": {
      const engine = new JitEngine(cpu, loadInterpreter(), options.jitThresholds);
      engine.observer = options.observer;
      return engine;
    }
    case "js":
      return createJsEngine(cpu, options);
  }
}

/** Was Node told to let a debugger in (node --inspect-brk)? */
export function isDebugged(): boolean {
  return inspectorUrl() !== undefined;
}

/** With a debugger attached (node --inspect-brk) it stops before the first guest instruction. */
function createJsEngine(cpu: Cpu, { disassemble, observer }: EngineOptions): Engine {
  const debugged = isDebugged();
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
}
