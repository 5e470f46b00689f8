/** What the kernel needs of the machine underneath: memory, one processor and the engine that executes on it. */

import type { Engine } from "../../cpu/engine.ts";
import type { ProcessorModel } from "../../cpu/model.ts";
import type { Translator } from "../../mmu/translator.ts";

/** One virtual processor, as the kernel sees it. */
export interface Processor {
  /** What CPUID says, and which state there is. */
  readonly model: ProcessorModel;
  /** The CPU state struct, at the offsets of `cpu/state.ts`. The buffer must stay the same while the kernel runs. */
  readonly state: DataView;
  /** RFLAGS put together from the lazy flags, and taken apart when set. */
  rflags: number;
  /** What fills the TLB on a miss. Set once by the kernel. */
  translator: Translator;
  /** Copies the first CONTEXT_SIZE bytes of the state out, or in. */
  saveContext(into: Uint8Array): void;
  loadContext(from: Uint8Array): void;
  /** Forgets translations of `[start, start + length)`: they went away, moved or lost rights. */
  tlbFlush(start: number, length: number): void;
}

export interface Machine {
  /** Guest RAM: physical address = index. */
  readonly ram: Uint8Array;
  readonly cpu: Processor;
  readonly engine: Engine;
}
