/** The emulated processor and an engine as the {@link Machine} that the kernel runs on. */

import { Cpu } from "../../cpu/cpu.ts";
import type { Engine } from "../../cpu/engine.ts";
import type { ProcessorModel } from "../../cpu/model.ts";
import { STATE_SIZE } from "../../cpu/state.ts";
import type { Access, Translation, Translator } from "../../mmu/translator.ts";
import type { Clock, Entropy } from "../host.ts";
import type { Machine, Processor } from "./machine.ts";

/** Refuses everything until the kernel has put its address space in place. */
const NOTHING: Translator = {
  translate(_virtual, _access, out) {
    out.errorCode = 0;
    return false;
  },
};

/** The processor is made before the kernel, and asks whoever is set here. */
class LateTranslator implements Translator {
  target = NOTHING;

  translate(virtual: number, access: Access, out: Translation): boolean {
    return this.target.translate(virtual, access, out);
  }
}

export interface CpuMachineOptions {
  /** Bytes of guest RAM, a multiple of 64 KiB. */
  readonly ramSize: number;
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** The kind of processor; the best one by default. */
  readonly model?: ProcessorModel | undefined;
  readonly createEngine: (cpu: Cpu) => Engine;
  /** See {@link import("../../cpu/cpu.ts").CpuOptions}. */
  readonly processors?: number;
}

export class CpuMachine implements Machine {
  readonly ram: Uint8Array;
  readonly cpu: Processor;
  readonly engine: Engine;
  readonly processor: Cpu;

  constructor(options: CpuMachineOptions) {
    const late = new LateTranslator();
    const { clock, entropy } = options;
    const processor = new Cpu({
      ramSize: options.ramSize,
      translator: late,
      ...(options.processors !== undefined && { processors: options.processors }),
      ...(options.model !== undefined && { model: options.model }),
      // The TSC counts nanoseconds: a processor of 1 GHz.
      host: { timeStampCounter: () => clock.monotonic(), random: (bytes) => entropy.fill(bytes) },
    });
    const engine = options.createEngine(processor);
    this.processor = processor;
    this.ram = processor.ram;
    this.engine = engine;
    this.cpu = {
      model: processor.model,
      state: new DataView(processor.memory.buffer, processor.base, STATE_SIZE),
      get rflags() {
        return processor.rflags;
      },
      set rflags(value) {
        processor.rflags = value;
      },
      get translator() {
        return late.target;
      },
      set translator(value) {
        late.target = value;
      },
      saveContext: (into) => processor.saveContext(into),
      loadContext: (from) => processor.loadContext(from),
      tlbFlush(start, length) {
        processor.mmu.tlb.flushRange(start, length);
        engine.invalidateVirtual(start, length);
      },
    };
  }
}
