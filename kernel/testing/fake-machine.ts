/** A machine without a processor, for tests of the kernel: registers and memory, and an engine that a test provides. */

import { type Engine, Exit } from "../../cpu/engine.ts";
import { DEFAULT_MODEL } from "../../cpu/model.ts";
import { CONTEXT_SIZE, FLAGS_OTHER, STATE_SIZE } from "../../cpu/state.ts";
import type { Access, Translation, Translator } from "../../mmu/translator.ts";
import type { Machine, Processor } from "../mm/machine.ts";

class FakeProcessor implements Processor {
  readonly model = DEFAULT_MODEL;
  readonly state = new DataView(new ArrayBuffer(STATE_SIZE));
  readonly flushes: (readonly [start: number, length: number])[] = [];
  translator: Translator = {
    translate(_virtual: number, _access: Access, _out: Translation): boolean {
      return false;
    },
  };

  /** Flags are not lazy here. */
  get rflags(): number {
    return this.state.getInt32(FLAGS_OTHER, true);
  }
  set rflags(value: number) {
    this.state.setInt32(FLAGS_OTHER, value, true);
  }

  private get context(): Uint8Array {
    return new Uint8Array(this.state.buffer, 0, CONTEXT_SIZE);
  }
  saveContext(into: Uint8Array): void {
    into.set(this.context);
  }
  loadContext(from: Uint8Array): void {
    this.context.set(from);
  }
  tlbFlush(start: number, length: number): void {
    this.flushes.push([start, length]);
  }
}

class FakeEngine implements Engine {
  readonly name = "fake";
  /** Physical ranges whose code the kernel said is gone. */
  readonly forgotten: (readonly [start: number, length: number])[] = [];
  step: () => Exit = () => Exit.Halt;

  run(_budget: number): Exit {
    return this.step();
  }
  invalidatePhysical(start: number, length: number): void {
    this.forgotten.push([start, length]);
  }
  invalidateVirtual(): void {}
}

export interface FakeMachine extends Machine {
  readonly cpu: FakeProcessor;
  readonly engine: FakeEngine;
}

export function createFakeMachine(ramSize: number): FakeMachine {
  return { ram: new Uint8Array(ramSize), cpu: new FakeProcessor(), engine: new FakeEngine() };
}
