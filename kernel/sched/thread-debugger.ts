/** What the kernel asks of a debugger that is attached to its programs. All of it is about all threads: all stop together. */

import type { SignalInfo } from "./signals.ts";
import type { Thread } from "./thread.ts";

export interface ThreadDebugger {
  /** No thread runs until this resolves; undefined: they may. */
  readonly stopped: Promise<void> | undefined;
  /** Must this thread stay where it is? The debugger then puts it back into the queue when it may go on. */
  holds(thread: Thread): boolean;
  /** How many instructions a thread may execute now; its registers are on the processor. */
  budget(thread: Thread, slice: number): number;
  /** The engine has stopped for a breakpoint or a watchpoint. */
  hit(thread: Thread): void;
  /** The thread has had its turn, or a part of it before it blocked. */
  ran(thread: Thread): void;
  /** The signal that the debugger has sent the thread on with, once. */
  takeSignal(thread: Thread): PendingSignal | undefined;
  /**
   * A signal is about to be delivered.
   * @returns whether it is; "stop": not now, {@link takeSignal} will say
   */
  signal(thread: Thread, pending: PendingSignal): "deliver" | "stop";
  /** The thread has executed another program. */
  executed(thread: Thread): void;
}

export interface PendingSignal {
  readonly signal: number;
  readonly info: SignalInfo;
}
