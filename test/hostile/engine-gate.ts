/** Stands between the kernel and the engine: bounds what a guest may execute, and hands out system calls to make. */

import type { Cpu } from "../../cpu/cpu.ts";
import { type Engine, Exit } from "../../cpu/engine.ts";
import { EXIT_BUDGET } from "../../cpu/state.ts";

/** A slice of a guest is at most this many instructions. */
const SLICE = 2000;

export interface GateKeeper {
  /** A slice begins, or goes on after a system call. */
  entering?(): void;
  /**
   * The guest has executed SYSCALL.
   * @returns true when that was only for the gate keeper, who has set the registers: the guest goes on
   */
  syscall?(): boolean;
  /** A slice has been used up. */
  sliceEnded?(): void;
}

export class EngineGate implements Engine {
  readonly name = "gate";
  keeper: GateKeeper = {};
  /** Instructions that guests executed. */
  executed = 0;

  constructor(
    private readonly engine: Engine,
    private readonly cpu: Cpu,
  ) {}

  run(budget: number): Exit {
    const { cpu, engine, keeper } = this;
    let left = Math.min(budget, SLICE);
    keeper.entering?.();
    for (;;) {
      const before = left;
      const exit = engine.run(left);
      left = cpu.getI32(EXIT_BUDGET);
      this.executed += before - left;
      if (exit === Exit.Syscall) {
        if (keeper.syscall?.() !== true) return exit;
        if (left > 0) continue;
      } else if (exit !== Exit.Budget) {
        return exit;
      }
      keeper.sliceEnded?.();
      cpu.setI32(EXIT_BUDGET, 0);
      return Exit.Budget;
    }
  }

  invalidatePhysical(start: number, length: number): void {
    this.engine.invalidatePhysical(start, length);
  }

  invalidateVirtual(start: number, length: number): void {
    this.engine.invalidateVirtual(start, length);
  }
}
