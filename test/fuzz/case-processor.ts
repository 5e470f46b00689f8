/** What an {@link import("./engine-target.ts").EngineTarget} runs cases on: a processor of ours that is in user mode. */

import { Cpu } from "../../cpu/cpu.ts";
import { type Engine, Exit } from "../../cpu/engine.ts";
import { runSingleStep } from "../../cpu/single-step.ts";
import {
  EXCEPTION_ADDRESS,
  EXCEPTION_ERROR,
  EXCEPTION_VECTOR,
  FLAGS_OTHER,
  Flag,
  Vector,
} from "../../cpu/state.ts";
import { Access, PAGE_SIZE, PageFaultBit, type Translation, type Translator } from "../../mmu/translator.ts";
import { REGIONS, snapshotOffset } from "./arena.ts";
import { Outcome } from "./case.ts";

/** How a case has ended. */
export interface Ending {
  /** The exception, or an {@link Outcome}. */
  readonly vector: number;
  /** 0 for exceptions without an error code. */
  readonly error: number;
  /** CR2 of a page fault, otherwise 0. */
  readonly address: bigint;
}

export interface CaseProcessor {
  /** Its RAM begins with a snapshot of the arena. Between runs its state struct is that of user code. */
  readonly cpu: Cpu;
  readonly engine: Engine;
  /** The registers of the next case are about to be loaded. */
  begin(): void;
  /**
   * Executes at most so many instructions.
   * @returns undefined if the case has not ended; else the registers are as its end found them
   */
  run(budget: number): Ending | undefined;
}

/** The last page below the non-canonical hole is not used (Linux, arch/x86/include/asm/page_64.h). */
const TASK_SIZE_MAX = 0x7fff_ffff_f000;

/** The error code that Linux shows: what is not for user programs is present (arch/x86/mm/fault.c, set_signal_archinfo). */
export function shownFaultCode(address: number, errorCode: number): number {
  const isForKernel = address < 0 || address >= TASK_SIZE_MAX;
  return isForKernel ? errorCode | PageFaultBit.Present : errorCode;
}

/** The arena in user mode: physical memory is a snapshot. */
class ArenaTranslator implements Translator {
  translate(virtual: number, access: Access, out: Translation): boolean {
    const page = Math.floor(virtual / PAGE_SIZE) * PAGE_SIZE;
    const physical = snapshotOffset(page);
    const region = REGIONS.find(({ address, size }) => page >= address && page < address + size);
    out.errorCode =
      PageFaultBit.User |
      (access === Access.Write ? PageFaultBit.Write : 0) |
      (access === Access.Execute ? PageFaultBit.Instruction : 0);
    if (region === undefined) {
      out.errorCode = shownFaultCode(virtual, out.errorCode);
      return false;
    }
    const rights =
      Access.Read | (region.writable ? Access.Write : 0) | (region.executable ? Access.Execute : 0);
    if ((rights & access) === 0) {
      out.errorCode |= PageFaultBit.Present;
      return false;
    }
    out.physicalPage = physical;
    out.rights = rights;
    return true;
  }
}

const ARENA_RAM = 0x1_0000;

/** User code alone, as the OSv kernel runs it. */
export class UserProcessor implements CaseProcessor {
  readonly cpu: Cpu;
  readonly engine: Engine;

  constructor(createEngine: (cpu: Cpu) => Engine) {
    this.cpu = new Cpu({
      ramSize: ARENA_RAM,
      translator: new ArenaTranslator(),
      host: { timeStampCounter: () => 0, random: (bytes) => bytes.fill(0) },
    });
    this.engine = createEngine(this.cpu);
  }

  begin(): void {}

  run(budget: number): Ending | undefined {
    const { cpu, engine } = this;
    // Single steps are the scheduler's business, and so are ours here.
    const isTraced = (cpu.getI32(FLAGS_OTHER) & Flag.TF) !== 0;
    const exit = isTraced ? runSingleStep(cpu, engine) : engine.run(budget);
    const isDeferred = cpu.defersTraps;
    cpu.defersTraps = false;
    switch (exit) {
      case Exit.Exception: {
        const vector = cpu.getI32(EXCEPTION_VECTOR);
        return {
          vector,
          error: hasErrorCode(vector) ? cpu.getI32(EXCEPTION_ERROR) : 0,
          address: vector === Vector.PF ? cpu.getU64(EXCEPTION_ADDRESS) : 0n,
        };
      }
      case Exit.Budget:
      case Exit.Attention:
        if (isTraced && !isDeferred) return { vector: Vector.DB, error: 0, address: 0n };
        return isTraced || exit === Exit.Attention ? this.run(budget - 1) : undefined;
      default:
        return { vector: Outcome.SystemCall, error: 0, address: 0n };
    }
  }
}

/** Intel SDM vol. 3, table 6-1. */
export function hasErrorCode(vector: number): boolean {
  return vector === Vector.DF || (vector >= Vector.TS && vector <= Vector.PF) || vector === Vector.AC;
}
