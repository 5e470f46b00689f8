/**
 * The checking engine: two engines execute everything, one after the other from the same state, and must leave the same.
 * It stops at the first difference. The first engine's processor is the one that the kernel sees.
 */

import type { Cpu } from "../../cpu.ts";
import { type Engine, Exit } from "../../engine.ts";
import { CONTEXT_SIZE, EXIT_BUDGET } from "../../state.ts";
import { type Difference, EngineDifference } from "./difference.ts";
import { type Finer, investigate } from "./investigate.ts";
import { EngineCrash, Lockstep } from "./lockstep.ts";
import { sameExit, sameRegisters } from "./outcome.ts";
import { SliceLengths } from "./slice-lengths.ts";

export interface CheckStatistics {
  instructions: number;
  /** How often the engines were compared. */
  slices: number;
  /** Pages that were written to, slice by slice. */
  pages: number;
}

export interface CheckOptions {
  /** What happens at a difference; by default an {@link EngineDifference} is thrown. */
  readonly onDifference?: (difference: Difference) => never;
  readonly lengths?: SliceLengths;
  /** Engines that compile regions: makes the same with regions of so many instructions at most, to find a bug in. */
  readonly finer?: Finer;
}

function throwDifference(difference: Difference): never {
  throw new EngineDifference(difference);
}

export class CheckEngine implements Engine {
  readonly name: string;
  readonly statistics: CheckStatistics = { instructions: 0, slices: 0, pages: 0 };
  readonly lockstep: Lockstep;
  private readonly lengths: SliceLengths;
  private readonly onDifference: (difference: Difference) => never;
  private readonly finer: Finer;
  private readonly context = new Uint8Array(CONTEXT_SIZE);

  /**
   * @param cpu must have room for another processor ({@link import("../../cpu.ts").CpuOptions})
   * @param create makes the engines
   */
  constructor(
    private readonly cpu: Cpu,
    create: readonly [(cpu: Cpu) => Engine, (cpu: Cpu) => Engine],
    options: CheckOptions = {},
  ) {
    this.lockstep = new Lockstep(cpu, create);
    this.name = `check=${this.lockstep.sides.map(({ engine }) => engine.name).join()}`;
    this.finer = options.finer ?? [];
    this.lengths = options.lengths ?? new SliceLengths();
    this.onDifference = options.onDifference ?? throwDifference;
  }

  run(budget: number): Exit {
    const { cpu } = this;
    let left = budget;
    while (left > 0) {
      const length = Math.min(left, this.lengths.next());
      const exit = this.slice(length);
      left -= length - cpu.getI32(EXIT_BUDGET);
      if (exit !== Exit.Budget) {
        cpu.setI32(EXIT_BUDGET, left);
        return exit;
      }
    }
    cpu.setI32(EXIT_BUDGET, 0);
    return Exit.Budget;
  }

  /** Runs both for so many instructions. */
  private slice(length: number): Exit {
    const { lockstep, statistics } = this;
    const [first, second] = lockstep.sides;
    lockstep.begin();
    const exit = lockstep.execute(0, length);
    if (exit instanceof EngineCrash) throw exit.error;
    const after = lockstep.undo();
    second.cpu.loadContext(lockstep.start);
    const other = lockstep.execute(1, length);
    statistics.slices++;
    statistics.pages += lockstep.journal.pages.size;
    statistics.instructions += length - first.cpu.getI32(EXIT_BUDGET);
    const same =
      !(other instanceof EngineCrash) &&
      sameExit([exit, other], first.cpu, second.cpu) &&
      sameRegisters(first.cpu, second.cpu);
    if (!same || !lockstep.sameMemory(after)) {
      const slice = { length, exits: [exit, other] as const, after, executed: statistics.instructions };
      return this.onDifference(investigate(lockstep, slice, this.finer));
    }
    // Either must be able to go on with what the other leaves, lazy flags included.
    if (this.lengths.below(2) === 0) {
      second.cpu.saveContext(this.context);
      first.cpu.loadContext(this.context);
    }
    return exit;
  }

  invalidatePhysical(start: number, length: number): void {
    for (const { engine } of this.lockstep.sides) engine.invalidatePhysical(start, length);
  }

  invalidateVirtual(start: number, length: number): void {
    for (const { cpu, engine } of this.lockstep.sides) {
      if (cpu !== this.cpu) cpu.mmu.tlb.flushRange(start, length);
      engine.invalidateVirtual(start, length);
    }
  }
}
