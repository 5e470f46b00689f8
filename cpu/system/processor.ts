/**
 * The processor of a whole PC: lets an engine execute instructions, and does between them what the engine stops for:
 * exceptions, interrupts, system calls, single steps.
 */

import type { Cpu } from "../cpu.ts";
import { Exit, type SystemEngine } from "../engine.ts";
import { runSingleStep } from "../single-step.ts";
import {
  EXCEPTION_ADDRESS,
  EXCEPTION_ERROR,
  EXCEPTION_SOURCE,
  EXCEPTION_VECTOR,
  ExceptionSource,
  FLAGS_OTHER,
  Flag,
  INTERRUPT_REQUEST,
  Segment,
  SHADOW_RIP,
  Vector,
} from "../state.ts";
import { type Event, exceptionEvent, interruptEvent } from "./event.ts";
import { systemCall } from "./fast-calls.ts";
import { deliver } from "./interrupts.ts";
import type { SystemState } from "./system-state.ts";

/** Why {@link SystemProcessor.run} returned. */
export type StopReason =
  /** The budget is used up, or {@link SystemProcessor.endSlice} was called. */
  | "budget"
  /** HLT, and nothing to wake up for. */
  | "halt"
  /** Triple fault: the registers are as they were before. */
  | "shutdown"
  /** As {@link Exit.Debug}; `Cpu.stops` tells which of both. */
  | "debug";

export interface ProcessorStatistics {
  exceptions: Record<number, number>;
  interrupts: number;
  systemCalls: number;
  exits: Record<number, number>;
}

const NOWHERE = 0xffffffff;
/** DR6.BS: the exception is a single step. */
const DR6_SINGLE_STEP = 1 << 14;

export class SystemProcessor {
  readonly statistics: ProcessorStatistics = { exceptions: {}, interrupts: 0, systemCalls: 0, exits: {} };
  /** Told of every event that is delivered: for traces. */
  onEvent: ((event: Event) => void) | undefined;
  private executed = 0;
  /** Data breakpoints that a load of SS has met: they are told behind the next instruction. */
  private deferredHits = 0;
  private isRunning = false;
  private sliceEnded = false;

  constructor(
    readonly cpu: Cpu,
    readonly system: SystemState,
    readonly engine: SystemEngine,
  ) {
    system.engine = engine;
  }

  /** Instructions executed since the processor was made; exact for devices that ask during an access. */
  get instructionsExecuted(): number {
    return this.executed + (this.isRunning ? this.engine.progress : 0);
  }

  /** Counting goes on from here: a saved machine is resumed. */
  set instructionsExecuted(count: number) {
    this.executed = count;
  }

  /** {@link run} returns behind the instruction under way: an event is nearer than it was. */
  endSlice(): void {
    this.sliceEnded = true;
  }

  /** Executes at most so many instructions. */
  run(budget: number): StopReason {
    const { cpu, system } = this;
    this.sliceEnded = false;
    let left = budget;
    while (left > 0 && !this.sliceEnded) {
      const wanted = this.prepare();
      if (wanted === "shutdown") return "shutdown";
      if (system.halted) return "halt";
      if (cpu.stops.hit !== undefined) return "debug"; // an interrupt's frame was pushed there
      const steps = wanted === "step" ? 1 : left;
      const isTraced = this.isSingleStepping();
      const isResumed = this.resumeAtBreakpoint();
      const used = this.runEngine(isResumed || this.deferredHits !== 0 ? 1 : steps, isTraced);
      if (isResumed && used.count > 0) this.clearResumeFlag();
      // An exception whose handler faults at its first instruction executes nothing, and must not keep us here.
      left -= Math.max(used.count, 1);
      const { exit } = used;
      this.statistics.exits[exit] = (this.statistics.exits[exit] ?? 0) + 1;
      if (exit === Exit.Debug && cpu.stops.hit === undefined) {
        if (!cpu.stops.breakpoints.has(this.linearRip) && cpu.stops.guestBreakpoints.has(this.linearRip)) {
          if (!this.deliverBreakpoint()) return "shutdown";
          continue;
        }
        if (wanted === "step") system.shadow(cpu.rip); // still in force
        return "debug";
      }
      if (!this.handle(exit, isTraced)) return "shutdown";
      if (cpu.stops.hit !== undefined) return "debug";
    }
    return "budget";
  }

  /**
   * Executes one instruction for a debugger, whether or not there is a breakpoint, and delivers its exception. No interrupt
   * comes before it, unless the processor waits for one: then that is the step.
   */
  step(): StopReason {
    const { cpu, system } = this;
    this.sliceEnded = false;
    if (system.halted) {
      if (this.prepare() === "shutdown") return "shutdown";
      return system.halted ? "halt" : "budget";
    }
    const isTraced = this.isSingleStepping();
    if (cpu.rip === cpu.getNumber(SHADOW_RIP)) cpu.setNumber(SHADOW_RIP, NOWHERE);
    cpu.stops.pass = true;
    const { exit } = this.runEngine(1, isTraced);
    if (!this.handle(exit, isTraced)) return "shutdown";
    return cpu.stops.hit === undefined ? "budget" : "debug";
  }

  private runEngine(budget: number, isTraced: boolean): { exit: Exit; count: number } {
    this.isRunning = true;
    const exit = isTraced ? runSingleStep(this.cpu, this.engine) : this.engine.run(budget);
    const count = this.engine.progress;
    this.isRunning = false;
    this.executed += count;
    return { exit, count };
  }

  /** Delivers what waits. @returns "step" if only one instruction may be executed before the next look */
  private prepare(): "run" | "step" | "shutdown" {
    const { cpu, system } = this;
    if (cpu.getI32(INTERRUPT_REQUEST) === 0) return "run";
    if (cpu.rip === cpu.getNumber(SHADOW_RIP) && !system.halted) {
      cpu.setNumber(SHADOW_RIP, NOWHERE);
      return "step";
    }
    if (system.nmiPending && !system.nmiBlocked) {
      system.nmiPending = false;
      system.nmiBlocked = true;
      system.updateRequest();
      return this.interrupt(Vector.NMI) ? "run" : "shutdown";
    }
    if ((cpu.getI32(FLAGS_OTHER) & Flag.IF) === 0 || !system.interruptRequested) return "run";
    const vector = system.platform.acknowledgeInterrupt();
    if (vector < 0) return "run";
    return this.interrupt(vector) ? "run" : "shutdown";
  }

  private interrupt(vector: number): boolean {
    this.system.halted = false;
    this.statistics.interrupts++;
    return this.deliver(interruptEvent(vector));
  }

  private isSingleStepping(): boolean {
    return (this.cpu.getI32(FLAGS_OTHER) & Flag.TF) !== 0;
  }

  // ---- the guest's own debug registers ----

  private get linearRip(): number {
    const { cpu, system } = this;
    return system.is64Bit ? cpu.rip : (cpu.rip + system.segments[Segment.CS].base) >>> 0;
  }

  /** RF is set: the next instruction is executed whatever breakpoint there is (SDM vol. 3, 17.3.1.1). */
  private resumeAtBreakpoint(): boolean {
    const { cpu } = this;
    if (cpu.stops.guestBreakpoints.size === 0 || (cpu.getI32(FLAGS_OTHER) & Flag.RF) === 0) return false;
    cpu.stops.pass = true;
    return true;
  }

  private clearResumeFlag(): void {
    const { cpu } = this;
    cpu.setI32(FLAGS_OTHER, cpu.getI32(FLAGS_OTHER) & ~Flag.RF);
  }

  /** An instruction breakpoint: a fault before the instruction. */
  private deliverBreakpoint(): boolean {
    const { cpu, system } = this;
    const bits = cpu.stops.guestBreakpoints.get(this.linearRip) ?? 0;
    system.debug[6] = (system.debug[6] | bits) >>> 0;
    return this.deliver({ ...exceptionEvent(Vector.DB, 0), isFault: true });
  }

  /** @returns false after a triple fault */
  private handle(exit: Exit, isTraced: boolean): boolean {
    const { system } = this;
    const { cpu } = this;
    const { stops } = cpu;
    const hits = stops.guestHits | this.deferredHits;
    stops.guestHits = 0;
    this.deferredHits = 0;
    const isDeferred = cpu.defersTraps;
    cpu.defersTraps = false;
    switch (exit) {
      case Exit.Exception:
        return this.deliver(this.pendingEvent());
      case Exit.Syscall:
        this.statistics.systemCalls++;
        systemCall(system);
        return true;
      case Exit.Attention:
        system.checkUserAccess();
        break;
      case Exit.Halt:
        system.halted = true;
        break;
    }
    const { afterInstruction } = system;
    if (afterInstruction !== undefined) {
      system.afterInstruction = undefined;
      return this.deliver(
        afterInstruction.source === ExceptionSource.Processor
          ? afterInstruction
          : this.softwareEvent(afterInstruction.vector, afterInstruction.source),
      );
    }
    if (isDeferred) this.deferredHits = hits;
    if ((!isTraced && hits === 0) || isDeferred) return true;
    system.debug[6] = (system.debug[6] | hits | (isTraced ? DR6_SINGLE_STEP : 0)) >>> 0;
    return this.deliver(exceptionEvent(Vector.DB, 0));
  }

  /** The exception that the engine reports. */
  private pendingEvent(): Event {
    const { cpu } = this;
    const vector = cpu.getI32(EXCEPTION_VECTOR);
    const source = cpu.getI32(EXCEPTION_SOURCE);
    if (source !== ExceptionSource.Processor) return this.softwareEvent(vector, source);
    return exceptionEvent(vector, cpu.getI32(EXCEPTION_ERROR), cpu.getNumber(EXCEPTION_ADDRESS));
  }

  /** RIP goes back to the instruction until the gate has let it through. */
  private softwareEvent(vector: number, source: number): Event {
    const { cpu } = this;
    const next = cpu.rip;
    cpu.rip = this.engine.exitRip;
    return { vector, errorCode: undefined, address: 0, source, next };
  }

  private deliver(event: Event): boolean {
    const { exceptions } = this.statistics;
    if (event.source !== ExceptionSource.External)
      exceptions[event.vector] = (exceptions[event.vector] ?? 0) + 1;
    this.onEvent?.(event);
    const { cpu, system } = this;
    const from = cpu.rip;
    const isDelivered = deliver(system, event);
    // INT n is named by its number, too; INT3 and INTO are exceptions.
    const isInterrupt =
      event.source === ExceptionSource.External || event.source === ExceptionSource.Interrupt;
    cpu.history.note(from, cpu.rip, event.vector, event.errorCode, isInterrupt);
    return isDelivered;
  }
}
