/** `--stats`: what the machine did, on stderr at the end. */

import type { Engine } from "../cpu/engine.ts";
import type { CheckEngine } from "../cpu/engines/check/engine.ts";
import { InterpreterEngine } from "../cpu/engines/interp/engine.ts";
import type { JitEngine } from "../cpu/engines/jit/engine.ts";
import type { JsEngine } from "../cpu/engines/js/engine.ts";
import type { Clock } from "../kernel/host.ts";
import type { CpuMachine } from "../kernel/mm/cpu-machine.ts";
import type { OsvKernel } from "../kernel/osv-kernel.ts";

export interface Statistics {
  /** The report, one line a number. */
  describe(): string;
}

const NS_PER_SECOND = 1e9;
const KIB_PER_MIB = 1024;

/** @param clock real time, whatever time the guest has */
export function createStatistics(kernel: OsvKernel, machine: CpuMachine, clock: Clock): Statistics {
  return {
    describe() {
      const seconds = clock.monotonic() / NS_PER_SECOND;
      const lines: [string, string][] = [];
      const count = (name: string, value: number, unit = "") =>
        lines.push([name, `${Math.round(value).toLocaleString("en-US")}${unit}`]);
      const { engine } = machine;
      const counts = countsOf(engine);
      if (counts !== undefined) {
        const { instructions, pieces, translated, invalidations, flushes } = counts;
        count("instructions", instructions);
        lines.push(["time", `${seconds.toFixed(3)} s`]);
        lines.push(["speed", `${(instructions / seconds / 1e6).toFixed(1)} M instructions/s`]);
        lines.push(["engine", `${engine.name} 100 %`]);
        lines.push([
          "translated",
          `${translated} ${pieces} of ${counts.translatedInstructions} instructions`,
        ]);
        count("invalidated", invalidations, ` ${pieces}`);
        count("cache flushes", flushes);
      }
      if (isJit(engine)) {
        const made = engine.compiler?.statistics;
        if (made === undefined) lines.push(["compiled", "nothing"]);
        else {
          const { regions, modules, instructions, bytes } = made;
          lines.push([
            "compiled",
            `${regions} regions of ${instructions} instructions in ${modules} modules`,
          ]);
          count("generated code", bytes / KIB_PER_MIB, " KiB of WebAssembly");
        }
        count("left to interp", engine.steps, " instructions");
      }
      if (isCheck(engine)) {
        const { instructions, slices, pages } = engine.statistics;
        count("instructions", instructions);
        lines.push(["time", `${seconds.toFixed(3)} s`]);
        lines.push(["speed", `${(instructions / seconds / 1e6).toFixed(1)} M instructions/s`]);
        lines.push(["engine", engine.name]);
        count("compared", slices, " times");
        count("pages compared", pages);
      }
      count("TLB misses", machine.processor.mmu.misses);
      count("system calls", kernel.scheduler.syscalls);
      count("thread switches", kernel.scheduler.switches);
      count("peak memory", process.resourceUsage().maxRSS / KIB_PER_MIB, " MiB");
      return lines.map(([name, value]) => `${name.padEnd(18)}${value}\n`).join("");
    },
  };
}

// By name: asking for the class would load an engine that is perhaps not in use.
const isJit = (engine: Engine): engine is JitEngine => engine.name === "jit";
const isJs = (engine: Engine): engine is JsEngine => engine.name === "js";
const isCheck = (engine: Engine): engine is CheckEngine => engine.name.startsWith("check=");

/** What an engine counted, in one form. */
function countsOf(engine: Engine) {
  if (engine instanceof InterpreterEngine) {
    const { traces, traceInstructions, ...others } = engine.statistics;
    return { ...others, pieces: "traces", translated: traces, translatedInstructions: traceInstructions };
  }
  if (isJs(engine)) {
    const { blocks, blockInstructions, ...others } = engine.statistics;
    return { ...others, pieces: "blocks", translated: blocks, translatedInstructions: blockInstructions };
  }
  return undefined;
}
