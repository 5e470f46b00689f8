/** A thread of a program: its registers, its signal state, and the wait it may be in. */

import type { Kernel } from "../kernel.ts";
import type { UserMemory } from "../mm/user-memory.ts";
import type { Application } from "./application.ts";
import { SignalQueue } from "./signal-queue.ts";
import { Waiter, WaitQueue } from "./wait-queue.ts";

export type ThreadState = "runnable" | "running" | "blocked" | "dead";

/** How a wait ends. */
export type WakeReason = "woken" | "interrupted" | "timeout";

/** Something that a thread waits for and that a signal or a timeout can end. */
export interface Interruptible {
  /** Ends the wait unless it is over already: returns false then. */
  end(how: WakeReason): boolean;
}

/** The exception that a thread caused last, for its signal frame (struct thread_struct: trap_nr, error_code, cr2). */
export interface Trap {
  vector: number;
  errorCode: number;
  address: number;
}

/** sigaltstack(2) */
export interface AlternateStack {
  sp: number;
  size: number;
  /** SS_DISABLE, SS_AUTODISARM */
  flags: number;
}

/**
 * What a system call returns when it has put its thread to sleep without a promise: {@link Thread.resume} will be called.
 */
export const BLOCKED = -0x10001;
/** What a system call returns when it has set all registers itself (rt_sigreturn, execve), or the thread is gone. */
export const KEEP_REGISTERS = -0x10002;
/** As 0, but other threads go first (sched_yield). */
export const YIELD = -0x10003;

export class Thread {
  state: ThreadState = "runnable";
  /**
   * Program memory, as the system calls of this thread see it. Becomes {@link import("../mm/no-memory.ts").NO_MEMORY} when the thread ends: a call that
   * was waiting then goes on, and must not write where another program may be by now.
   */
  memory: UserMemory;
  /**
   * Registers while another thread is on the processor: CONTEXT_SIZE bytes laid out as cpu/state.ts. Of the thread that
   * was on it last, the processor has them: see {@link import("./scheduler.ts").Scheduler.registersOf}.
   */
  readonly context: Uint8Array;
  /** Blocked and pending signals, bit n-1 = signal n. */
  signalMask = 0n;
  readonly pending = new SignalQueue();
  /** The mask to go back to after sigsuspend, ppoll … , once the signal has been delivered. */
  savedMask: bigint | undefined;
  /** The signals that sigtimedwait(2) waits for, blocked ones. */
  signalWait: bigint | undefined;
  alternateStack: AlternateStack = { sp: 0, size: 0, flags: 2 };
  trap: Trap = { vector: 0, errorCode: 0, address: 0 };
  /** Something is to be done before the thread returns to its program: a signal, a stop, its end. */
  attention = false;
  /** A page was missing and there was no memory for it: the application ends. */
  outOfMemory = false;
  /** Set while blocked in an interruptible wait. */
  waiter: Interruptible | undefined;
  /** The system call it is in, for restarting and for /proc. */
  syscallNumber = -1;
  /** Told the result of a call that used {@link suspend} (tracing). */
  onResult: ((result: number) => void) | undefined;
  /** Result of the call that blocked it. */
  result = 0;
  hasResult = false;
  /** The name that /proc shows (PR_SET_NAME), at most 15 bytes. */
  name = "";
  /** set_tid_address(2): cleared, and woken as a futex, when the thread ends. */
  clearChildTid = 0;
  /** set_robust_list(2) */
  robustList = 0;
  /** Processor time, ns, without the slice it may be in. */
  cpuTime = 0;
  /** Called when a vfork child runs its own program or is gone. */
  onVforkDone: (() => void) | undefined;
  voluntarySwitches = 0;
  involuntarySwitches = 0;

  constructor(
    readonly kernel: Kernel,
    readonly application: Application,
    /** Changes only when a thread that is not the first one executes a program: it takes the first one's place. */
    public tid: number,
    contextSize: number,
  ) {
    this.context = new Uint8Array(contextSize);
    this.memory = kernel.memory;
  }

  get pendingSignals(): bigint {
    return this.pending.set | this.application.pending.set;
  }

  /**
   * Blocks until one of the queues is woken, a signal arrives ("interrupted") or `deadline` (monotonic ns) passes.
   * The condition must be checked again after "woken". With a pending unblocked signal returns "interrupted" at once.
   */
  async wait(queues: WaitQueue | readonly WaitQueue[], deadline?: number): Promise<WakeReason> {
    if (this.kernel.signals.deliverable(this)) return "interrupted";
    const waiter = new Waiter();
    if (queues instanceof WaitQueue) waiter.join(queues);
    else for (const queue of queues) waiter.join(queue);
    this.waiter = waiter;
    const clock = this.kernel.host.clock;
    const cancel =
      deadline === undefined || deadline === Number.POSITIVE_INFINITY
        ? undefined
        : clock.after(Math.max(0, deadline - clock.monotonic()), () => waiter.end("timeout"));
    const how = await waiter.done;
    cancel?.();
    this.waiter = undefined;
    return how;
  }

  /**
   * Blocks without a promise, for the calls that threads wait in all the time. The system call returns {@link BLOCKED};
   * whoever ends the wait calls {@link resume}.
   * @param interruptible told when a signal wants the thread back
   */
  suspend(interruptible: Interruptible | undefined): typeof BLOCKED {
    this.waiter = interruptible;
    return BLOCKED;
  }

  /** Ends {@link suspend}: the system call returns `result`. */
  resume(result: number): void {
    this.waiter = undefined;
    const { onResult } = this;
    this.onResult = undefined;
    onResult?.(result);
    this.kernel.scheduler.complete(this, result);
  }

  /**
   * Replaces the signal mask for the time of one system call (sigsuspend, ppoll, pselect6, epoll_pwait): a signal that
   * ends the call is delivered under this mask, and its handler returns to the old one.
   */
  setTemporaryMask(mask: bigint): void {
    this.savedMask ??= this.signalMask;
    this.kernel.signals.setMask(this, mask);
    // Even if nothing happens, the mask has to be restored on the way back to the program.
    this.attention = true;
  }
}
