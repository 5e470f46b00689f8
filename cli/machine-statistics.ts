/** `--stats` of a whole machine. */

import { Exit } from "../cpu/engine.ts";
import { InterpreterEngine } from "../cpu/engines/interp/engine.ts";
import { JitEngine } from "../cpu/engines/jit/engine.ts";
import { Vector } from "../cpu/state.ts";
import type { Machine } from "../devices/machine/machine.ts";

const NS_PER_SECOND = 1e9;
const KIB_PER_MIB = 1024;

/** @param elapsed host nanoseconds since the machine was switched on */
export function describeMachineStatistics(machine: Machine, elapsed: number): string {
  const { processor, statistics, cpu } = machine;
  const lines: [string, string][] = [];
  const count = (name: string, value: number, unit = "") =>
    lines.push([name, `${Math.round(value).toLocaleString("en-US")}${unit}`]);
  const seconds = (ns: number) => `${(ns / NS_PER_SECOND).toFixed(3)} s`;
  const instructions = processor.instructionsExecuted;
  const busy = elapsed - statistics.idleNs;
  count("instructions", instructions);
  lines.push(["time", seconds(elapsed)], ["idle", seconds(statistics.idleNs)]);
  lines.push(["speed", `${((instructions / busy) * 1000).toFixed(1)} M instructions/s while busy`]);
  const { engine } = processor;
  lines.push(["engine", `${engine.name} 100 %`]);
  if (engine instanceof JitEngine) {
    const share = Math.round(engine.compiledShare * 100);
    lines.push(["executed", `${share} % in compiled regions, ${100 - share} % interpreted, by samples`]);
  }
  if (engine instanceof InterpreterEngine) {
    const { traces, traceInstructions, invalidations, flushes } = engine.statistics;
    lines.push(["translated", `${traces} traces of ${traceInstructions} instructions`]);
    count("invalidated", invalidations, " traces");
    count("cache flushes", flushes);
  }
  if (engine instanceof JitEngine && engine.compiler !== undefined) {
    const { regions, modules, instructions: compiled, bytes } = engine.compiler.statistics;
    lines.push(["compiled", `${regions} regions of ${compiled} instructions in ${modules} modules`]);
    count("generated code", bytes / KIB_PER_MIB, " KiB of WebAssembly");
    count("left to interp", engine.steps, " instructions");
  }
  count("TLB misses", cpu.mmu.misses);
  count("interrupts", processor.statistics.interrupts);
  count("system calls", processor.statistics.systemCalls);
  const list = (record: Record<number, number>, names: Record<string, number>) =>
    Object.entries(record)
      .sort(([, a], [, b]) => b - a)
      .map(([key, value]) => {
        const name = Object.keys(names).find((known) => names[known] === Number(key)) ?? key;
        return `${name} ${value.toLocaleString("en-US")}`;
      })
      .join(", ");
  lines.push(["exceptions", list(processor.statistics.exceptions, Vector)]);
  lines.push(["exits", list(processor.statistics.exits, Exit)]);
  count("slices", statistics.slices);
  count("halts", statistics.halts);
  count("peak memory", process.resourceUsage().maxRSS / KIB_PER_MIB, " MiB");
  return lines.map(([name, value]) => `${name.padEnd(18)}${value}`).join("\n");
}
