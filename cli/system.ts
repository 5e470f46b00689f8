/** Puts the machine, the kernel and this process's terminal and files together. */

import type { Cpu } from "../cpu/cpu.ts";
import { MODELS } from "../cpu/model.ts";
import { deterministicHost } from "../kernel/deterministic-host.ts";
import { CpuMachine } from "../kernel/mm/cpu-machine.ts";
import { OsvKernel } from "../kernel/osv-kernel.ts";
import { TtyLayer } from "../kernel/tty/tty-layer.ts";
import { isDebugged, loadEngine, processorsOf } from "./engines.ts";
import type { NodeHost } from "./host/node-host.ts";
import type { MachineOptions } from "./machine-options.ts";
import { type HostMount, mountKernelViews, mountRoot } from "./root.ts";
import { createStatistics, type Statistics } from "./statistics.ts";

/** WebAssembly memory comes in pages of 64 KiB. */
const WASM_PAGE = 65536;

export interface System {
  kernel: OsvKernel;
  terminals: TtyLayer;
  host: NodeHost;
  statistics: Statistics;
  /** The processor, for debuggers. */
  processor: Cpu;
  /** The last program that died of a signal: what a person should read about it. */
  death(): string | undefined;
  /** Gives the terminal back as it was. */
  dispose(): void;
}

/** The text of single instructions, for the code that the JavaScript engine generates. */
async function createInstructionText(): Promise<(code: Uint8Array, rip: number) => string> {
  return (await isDebugged())
    ? (await import("./disassembly-worker.ts")).createInstructionTextThread()
    : (await import("./crash-disassembly.ts")).createInstructionText();
}

/**
 * @param root the host directory that is the guest's root; undefined for the built-in image
 * @param commandLine what the kernel runs, as /proc/cmdline shows it
 */
export async function createSystem(
  options: MachineOptions,
  root: HostMount | undefined,
  commandLine: string,
  host: NodeHost,
): Promise<System> {
  try {
    const disassemble = options.verbose
      ? await (await import("./crash-disassembly.ts")).createDisassembler()
      : undefined;
    const dump =
      options.dumpCode === undefined
        ? undefined
        : await (await import("./code-dump.ts")).createCodeDump(options.dumpCode);
    if (dump !== undefined) dump.skipRecords = !options.engine.engines.includes("interp");
    const engineOptions = {
      ...(dump !== undefined && { observer: dump }),
      ...(options.engine.engines.includes("js") && {
        disassemble: await createInstructionText(),
      }),
      jitThresholds: { ...options.jitThresholds, memory: options.jitMemory },
      // The disassembler is loaded only where it may be needed.
      ...(processorsOf(options.engine) > 1 && (await import("../debug/difference-report.ts"))),
    };
    // Time and chance as everything on the machine sees them.
    const world = options.deterministic ? deterministicHost(host) : host;
    const { mounts, devices } = mountRoot(root, world, options.memory);
    const machine = new CpuMachine({
      ramSize: Math.floor(options.memory / WASM_PAGE) * WASM_PAGE,
      clock: world.clock,
      entropy: world.entropy,
      model: MODELS[options.cpu],
      createEngine: await loadEngine(options.engine, engineOptions),
      processors: processorsOf(options.engine),
    });
    if (dump !== undefined) dump.cpu = machine.processor;
    const encoder = new TextEncoder();
    // The terminal is in raw mode while programs run: it does not return the carriage by itself.
    const newline = host.stderr.isTerminal ? "\r\n" : "\n";
    const report = (text: string) =>
      void host.stderr.write(encoder.encode(text.replace(/\n?$/, "\n").replaceAll("\n", newline)));
    let death: string | undefined;
    const kernel = new OsvKernel({
      host: world,
      machine,
      mounts,
      deterministic: options.deterministic,
      ...(options.verbose && { onLog: report }),
      ...(options.trace.includes("syscalls") && { traceSyscalls: report }),
      ...(disassemble !== undefined && { disassemble }),
      onDeath: (sentence, details) => {
        death = options.verbose ? `${sentence}\n${details()}` : sentence;
      },
    });
    const terminals = new TtyLayer(kernel, devices);
    mountKernelViews(kernel, terminals, commandLine);
    return {
      kernel,
      terminals,
      host,
      processor: machine.processor,
      statistics: createStatistics(kernel, machine, host.clock),
      death: () => death,
      dispose: () => host.dispose(),
    };
  } catch (error) {
    host.dispose();
    throw error;
  }
}
