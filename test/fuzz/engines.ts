/** The engines that are compared with the host CPU, and how: those that compile must have compiled what is compared. */

import { runInThisContext } from "node:vm";
import type { Cpu } from "../../cpu/cpu.ts";
import type { Engine } from "../../cpu/engine.ts";
import { generateInterpreter } from "../../cpu/engines/interp/build.ts";
import { InterpreterEngine } from "../../cpu/engines/interp/engine.ts";
import type { InterpreterCode } from "../../cpu/engines/interp/parts.ts";
import { RegionCompiler } from "../../cpu/engines/jit/compiler.ts";
import { JitEngine } from "../../cpu/engines/jit/engine.ts";
import { JsEngine } from "../../cpu/engines/js/engine.ts";
import { EngineTarget } from "./engine-target.ts";
import type { Target } from "./target.ts";

interface FuzzEngine {
  create(cpu: Cpu, code: InterpreterCode): Engine;
  /** How often each case runs. */
  readonly passes: number;
}

export const FUZZ_ENGINES: Readonly<Record<string, FuzzEngine>> = {
  interp: { create: (cpu, code) => new InterpreterEngine(cpu, code, { pairsAfter: 0 }), passes: 1 },
  // The first pass shows where control goes, then everything is compiled at once, loops and calls as a whole.
  jit: {
    create: (cpu, code) =>
      new JitEngine(cpu, code, (host) => new RegionCompiler(host), {
        warm: 2,
        hot: 1,
        batch: 1,
        growth: 1,
        samples: 0,
      }),
    passes: 3,
  },
  "jit-first": {
    create: (cpu, code) =>
      new JitEngine(cpu, code, (host) => new RegionCompiler(host), {
        warm: 2,
        hot: 1,
        batch: 1,
        growth: 1,
        samples: Number.POSITIVE_INFINITY,
      }),
    passes: 3,
  },
  js: {
    create: (cpu, module) => new JsEngine(cpu, module, { evaluate: runInThisContext }),
    passes: 1,
  },
};

let code: InterpreterCode | undefined;

/** @param name one of {@link FUZZ_ENGINES} */
export async function createTarget(name: string): Promise<Target> {
  code ??= generateInterpreter();
  const interpreter = code;
  const { create, passes } = FUZZ_ENGINES[name];
  return new EngineTarget((cpu) => create(cpu, interpreter), { name, passes });
}
