/** The engines that are compared with the host CPU, and how: those that compile must have compiled what is compared. */

import { runInThisContext } from "node:vm";
import type { Cpu } from "../../cpu/cpu.ts";
import type { Engine } from "../../cpu/engine.ts";
import { buildInterpreter } from "../../cpu/engines/interp/build.ts";
import { InterpreterEngine } from "../../cpu/engines/interp/engine.ts";
import { JitEngine } from "../../cpu/engines/jit/engine.ts";
import { JsEngine } from "../../cpu/engines/js/engine.ts";
import { EngineTarget } from "./engine-target.ts";
import type { Target } from "./target.ts";

interface FuzzEngine {
  create(cpu: Cpu, module: WebAssembly.Module): Engine;
  /** How often each case runs. */
  readonly passes: number;
}

export const FUZZ_ENGINES: Readonly<Record<string, FuzzEngine>> = {
  interp: { create: (cpu, module) => new InterpreterEngine(cpu, module), passes: 1 },
  // The first pass shows where control goes, then everything is compiled at once, loops and calls as a whole.
  jit: {
    create: (cpu, module) => new JitEngine(cpu, module, { warm: 2, hot: 1, batch: 1, growth: 1, samples: 0 }),
    passes: 3,
  },
  "jit-first": {
    create: (cpu, module) =>
      new JitEngine(cpu, module, { warm: 2, hot: 1, batch: 1, growth: 1, samples: Number.POSITIVE_INFINITY }),
    passes: 3,
  },
  js: {
    create: (cpu, module) => new JsEngine(cpu, module, { evaluate: runInThisContext }),
    passes: 1,
  },
};

let module: Promise<WebAssembly.Module> | undefined;

/** @param name one of {@link FUZZ_ENGINES} */
export async function createTarget(name: string): Promise<Target> {
  module ??= buildInterpreter().then((bytes) => new WebAssembly.Module(new Uint8Array(bytes)));
  const compiled = await module;
  const { create, passes } = FUZZ_ENGINES[name];
  return new EngineTarget((cpu) => create(cpu, compiled), { name, passes });
}
