/**
 * Who runs: threads take turns on the one processor, in slices of instructions. Between slices, promises and the host's
 * events have their turn; a thread that blocks is a promise, or has been put to sleep by {@link Thread.suspend}.
 *
 * The path of a system call that does not block is short: it stays in {@link Scheduler.runSlice}, allocates nothing and
 * does not save registers. The registers of the last thread stay on the processor until another one needs it.
 */

import { Exit } from "../../cpu/engine.ts";
import { EXIT_BUDGET, GPR, Register } from "../../cpu/state.ts";
import { Errno } from "../errno.ts";
import type { Clock } from "../host.ts";
import type { Kernel } from "../kernel.ts";
import type { Machine } from "../mm/machine.ts";
import type { Dispatcher } from "../syscalls/dispatch.ts";
import type { Application } from "./application.ts";
import { handleException } from "./exceptions.ts";
import { InstructionClock } from "./instruction-clock.ts";
import { Registers } from "./registers.ts";
import { isRestart } from "./signal-delivery.ts";
import { SiCode } from "./signal-numbers.ts";
import { BLOCKED, KEEP_REGISTERS, type Thread, YIELD } from "./thread.ts";

/** How long a thread runs before another one may, ns, and the bounds of a slice in instructions. */
const SLICE_TIME = 4e6;
const SLICE_START = 500_000;
const SLICE_MINIMUM = 50_000;
const SLICE_MAXIMUM = 8_000_000;
/** A slice may end a little early: in the middle of compiled code the last instructions would be interpreted. */
const SLICE_SLACK = 1000;
/** What a system call or an exception counts, in instructions: a thread of nothing else is preempted too. */
const SYSCALL_COST = 200;
/** The host's events wait at most this long, ns. */
const HOST_LATENCY = 4e6;
/** Results below this are not results but orders to the scheduler: -ERESTARTSYS … YIELD. */
const LOWEST_RESULT = -511;

const RAX_LOW = (GPR + Register.RAX * 8) >> 2;
const RAX_HIGH = RAX_LOW + 1;
const BUDGET = EXIT_BUDGET >> 2;
// Arguments of a system call (psABI A.2.1), low halves; the high half follows.
const RDI = (GPR + Register.RDI * 8) >> 2;
const RSI = (GPR + Register.RSI * 8) >> 2;
const RDX = (GPR + Register.RDX * 8) >> 2;
const R10 = (GPR + Register.R10 * 8) >> 2;
const R8 = (GPR + Register.R8 * 8) >> 2;
const R9 = (GPR + Register.R9 * 8) >> 2;
const TWO_32 = 4294967296;

export interface SchedulerOptions {
  /** Something in the kernel itself threw: nothing can be trusted any more. */
  readonly panic: (error: unknown) => void;
}

export class Scheduler {
  /** The thread whose program is running or whose system call is being made. */
  current: Thread | undefined;
  /** Switches between threads, for /proc/stat. */
  switches = 0;
  syscalls = 0;
  private readonly machine: Machine;
  private readonly clock: Clock;
  /** The clock, if it counts instructions: the order of events then does not depend on the speed of the host. */
  private readonly instructionClock: InstructionClock | undefined;
  private readonly words: Int32Array;
  private readonly unsigned: Uint32Array;
  private readonly live: Registers;
  /** Runnable threads, first come first served. */
  private ready: Thread[] = [];
  private readyHead = 0;
  /** Whose registers the processor has. */
  private loaded: Thread | undefined;
  private active = false;
  private slice = SLICE_START;
  private sliceStart = 0;
  private lastHostTurn = 0;
  private sliceEnded = false;

  constructor(
    private readonly kernel: Kernel,
    private readonly dispatcher: Dispatcher,
    private readonly options: SchedulerOptions,
  ) {
    this.machine = kernel.machine;
    this.clock = kernel.host.clock;
    this.instructionClock = this.clock instanceof InstructionClock ? this.clock : undefined;
    const { state } = this.machine.cpu;
    this.words = new Int32Array(state.buffer, state.byteOffset, state.byteLength >> 2);
    this.unsigned = new Uint32Array(state.buffer, state.byteOffset, state.byteLength >> 2);
    this.live = new Registers(state);
  }

  /** How many threads could run now. */
  get runnable(): number {
    return this.ready.length - this.readyHead + (this.current === undefined ? 0 : 1);
  }

  /** The registers of a thread, wherever they are. */
  registersOf(thread: Thread): Registers {
    if (this.loaded === thread) return this.live;
    return new Registers(
      new DataView(thread.context.buffer, thread.context.byteOffset, thread.context.byteLength),
    );
  }

  /** Copies the registers of a thread. */
  copyContext(thread: Thread, into: Uint8Array): void {
    if (this.loaded === thread) this.machine.cpu.saveContext(into);
    else into.set(thread.context);
  }

  /** Replaces all registers of a thread (execve). */
  setContext(thread: Thread, context: Uint8Array): void {
    if (this.loaded === thread) this.machine.cpu.loadContext(context);
    thread.context.set(context);
  }

  /** The thread can run. */
  enqueue(thread: Thread): void {
    if (thread.state === "dead") return;
    thread.state = "runnable";
    if (thread.application.stopped) {
      thread.application.stoppedThreads.push(thread);
      return;
    }
    this.ready.push(thread);
    this.start();
  }

  /** A runnable thread goes before all others. */
  prefer(thread: Thread): void {
    const index = this.ready.indexOf(thread, this.readyHead);
    if (index < 0) return;
    this.ready.splice(index, 1);
    this.ready.splice(this.readyHead, 0, thread);
  }

  /** The running thread is not to execute another instruction in this slice. */
  endSlice(): void {
    this.sliceEnded = true;
  }

  /** The system call that blocked the thread has ended. */
  complete(thread: Thread, result: number): void {
    if (thread.state === "dead") return;
    thread.result = result;
    thread.hasResult = true;
    this.enqueue(thread);
  }

  /** The thread is gone: drop references to it. */
  forget(thread: Thread): void {
    if (this.loaded === thread) this.loaded = undefined;
  }

  /** Adds the time of the slice that the thread is in to its account. */
  chargeTime(thread: Thread): void {
    if (thread !== this.current) return;
    const now = this.clock.monotonic();
    const used = now - this.sliceStart;
    thread.cpuTime += used;
    this.sliceStart = now;
    if (thread.application.cpuTimers.size > 0) this.chargeTimers(thread.application, used);
  }

  private chargeTimers(application: Application, used: number): void {
    for (const timer of application.cpuTimers.values()) {
      if (timer.remaining === 0) continue;
      timer.remaining = Math.max(0, timer.remaining - used);
      if (timer.remaining > 0) continue;
      timer.remaining = timer.interval;
      this.kernel.signals.sendToApplication(application, timer.signal, { code: SiCode.KERNEL });
    }
  }

  private start(): void {
    if (this.active) return;
    this.active = true;
    // The caller finishes what it is doing first.
    Promise.resolve()
      .then(() => this.loop())
      .catch((error: unknown) => {
        this.current = undefined;
        this.options.panic(error);
      });
  }

  private async loop(): Promise<void> {
    for (;;) {
      const stopped = this.kernel.debugger?.stopped;
      if (stopped !== undefined) {
        await stopped;
        continue;
      }
      const thread = this.next();
      if (thread === undefined) {
        if (await this.passTime()) continue;
        // Somebody may have become runnable during that await.
        if (this.ready.length > this.readyHead) continue;
        break;
      }
      this.runThread(thread);
      this.instructionClock?.fireDue();
      // Promises of threads that have been woken come true here.
      await undefined;
      if (this.clock.monotonic() - this.lastHostTurn > HOST_LATENCY) {
        await this.clock.yield();
        this.lastHostTurn = this.clock.monotonic();
      }
    }
    this.active = false;
  }

  /** Nobody can run. Where time is made of instructions it goes on to what is waited for. */
  private async passTime(): Promise<boolean> {
    if (this.instructionClock === undefined) return false;
    await this.clock.yield();
    return this.ready.length > this.readyHead || this.instructionClock.skipToNext();
  }

  private next(): Thread | undefined {
    while (this.readyHead < this.ready.length) {
      const thread = this.ready[this.readyHead++];
      if (this.readyHead > 1024 && this.readyHead * 2 > this.ready.length) {
        this.ready = this.ready.slice(this.readyHead);
        this.readyHead = 0;
      }
      if (thread.state === "runnable") return thread;
    }
    this.ready.length = 0;
    this.readyHead = 0;
    return undefined;
  }

  /** Puts the thread's registers on the processor. */
  private load(thread: Thread): void {
    if (this.loaded === thread) return;
    if (this.loaded !== undefined) this.machine.cpu.saveContext(this.loaded.context);
    this.machine.cpu.loadContext(thread.context);
    this.loaded = thread;
    this.switches++;
  }

  private runThread(thread: Thread): void {
    if (thread.application.stopped) {
      thread.application.stoppedThreads.push(thread);
      return;
    }
    const attached = this.kernel.debugger;
    if (attached?.holds(thread) === true) return;
    this.load(thread);
    this.current = thread;
    thread.state = "running";
    this.sliceStart = this.clock.monotonic();
    const start = this.sliceStart;
    let goesOn = true;
    if (thread.hasResult) {
      thread.hasResult = false;
      goesOn = this.finishCall(thread, thread.result);
    } else if (thread.attention) {
      goesOn = this.kernel.signals.deliver(thread, 0);
    }
    // A debugger counts steps, and a clock of instructions is exact.
    const slack = attached === undefined && this.instructionClock === undefined ? SLICE_SLACK : 0;
    if (goesOn) this.runSlice(thread, attached?.budget(thread, this.slice) ?? this.slice, slack);
    this.chargeTime(thread);
    this.current = undefined;
    if ((thread.state as string) === "running") {
      thread.involuntarySwitches++;
      this.enqueue(thread);
    }
    if (goesOn) attached?.ran(thread);
    if (this.instructionClock === undefined) this.adapt(this.sliceStart - start);
  }

  /** Makes slices as long as they should be, in time. Short ones, that ended in a wait, say nothing. */
  private adapt(time: number): void {
    if (time > SLICE_TIME * 1.5) this.slice = Math.max(SLICE_MINIMUM, Math.floor(this.slice * 0.75));
    else if (time > SLICE_TIME * 0.25 && time < SLICE_TIME * 0.75) {
      this.slice = Math.min(SLICE_MAXIMUM, Math.floor(this.slice * 1.25));
    }
  }

  /** Runs the loaded thread until its slice ends, it blocks, or it is gone. */
  private runSlice(thread: Thread, slice: number, slack: number): void {
    const { words, unsigned } = this;
    const { engine } = this.machine;
    const { calls } = this.dispatcher;
    let budget = slice;
    this.sliceEnded = false;
    while (budget > 0 && !this.sliceEnded) {
      const exit = engine.run(budget, slack);
      this.instructionClock?.advance(budget - words[BUDGET]);
      budget = words[BUDGET];
      if (exit === Exit.Syscall) {
        const number = words[RAX_LOW];
        thread.syscallNumber = number;
        this.syscalls++;
        let result: number | Promise<number>;
        try {
          const call = calls[number] ?? this.dispatcher.absent;
          result = call(
            thread,
            words[RDI + 1] * TWO_32 + unsigned[RDI],
            words[RSI + 1] * TWO_32 + unsigned[RSI],
            words[RDX + 1] * TWO_32 + unsigned[RDX],
            words[R10 + 1] * TWO_32 + unsigned[R10],
            words[R8 + 1] * TWO_32 + unsigned[R8],
            words[R9 + 1] * TWO_32 + unsigned[R9],
          );
        } catch (error) {
          result = errnoOf(error);
        }
        budget -= SYSCALL_COST;
        if (typeof result === "number" && result >= LOWEST_RESULT) {
          if ((result | 0) === result) {
            words[RAX_LOW] = result;
            words[RAX_HIGH] = result >> 31;
          } else {
            words[RAX_LOW] = result | 0;
            words[RAX_HIGH] = Math.floor(result / TWO_32);
          }
          if (!thread.attention) continue;
          if (!this.kernel.signals.deliver(thread, 0)) return;
        } else if (typeof result !== "number") {
          this.block(thread, result);
          return;
        } else if (result === BLOCKED) {
          if ((thread.state as string) === "dead") return;
          thread.state = "blocked";
          thread.voluntarySwitches++;
          return;
        } else {
          if (!this.finishCall(thread, result)) return;
          if (result === YIELD) return;
        }
        continue;
      }
      if (exit === Exit.Exception || exit === Exit.Halt) {
        handleException(this.kernel, thread, exit);
        // Should the instruction fail for ever, others still get their turn.
        budget -= SYSCALL_COST;
        if (!this.kernel.signals.deliver(thread, 0)) return;
      }
      if (exit === Exit.Debug) this.kernel.debugger?.hit(thread);
      if (exit === Exit.Stopped || exit === Exit.Debug) return;
      if (exit === Exit.Budget && budget <= slack) break;
    }
    if (thread.attention) this.kernel.signals.deliver(thread, 0);
  }

  private block(thread: Thread, promise: Promise<number>): void {
    if (thread.state !== "dead") thread.state = "blocked";
    thread.voluntarySwitches++;
    promise.then(
      (result) => this.complete(thread, result),
      (error: unknown) => {
        if (error instanceof Errno) this.complete(thread, -error.errno);
        else this.options.panic(error);
      },
    );
  }

  /** The end of a system call that needs thought. @returns false when the thread does not go on */
  private finishCall(thread: Thread, result: number): boolean {
    if ((thread.state as string) === "dead") return false;
    let interrupted = 0;
    if (isRestart(result)) interrupted = result;
    else if (result === YIELD) this.live.set(Register.RAX, 0);
    else if (result !== KEEP_REGISTERS) this.live.set(Register.RAX, result);
    if (interrupted !== 0 || thread.attention) return this.kernel.signals.deliver(thread, interrupted);
    return true;
  }
}

/** The result of a call that threw. Anything but an Errno is our bug and goes on. */
function errnoOf(error: unknown): number {
  if (error instanceof Errno) return -error.errno;
  throw error;
}
