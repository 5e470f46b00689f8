/** Signals: sending, blocking, delivering. */

import type { Application } from "./application.ts";
import type { Thread } from "./thread.ts";

/** siginfo_t's variable parts; the rest follows from the signal. */
export interface SignalInfo {
  code: number;
  pid?: number;
  uid?: number;
  status?: number;
  address?: number;
  value?: bigint;
  timerId?: number;
  overrun?: number;
}

/** struct kernel_sigaction */
export interface SignalAction {
  /** SIG_DFL 0, SIG_IGN 1, or the handler's address. */
  readonly handler: number;
  /** SA_* */
  readonly flags: number;
  readonly restorer: number;
  readonly mask: bigint;
}

export const SIG_DFL = 0;
export const SIG_IGN = 1;
export const DEFAULT_ACTION: SignalAction = { handler: SIG_DFL, flags: 0, restorer: 0, mask: 0n };

/** SA_* (asm/signal.h) */
export const SignalFlag = {
  NOCLDSTOP: 0x1,
  NOCLDWAIT: 0x2,
  SIGINFO: 0x4,
  RESTORER: 0x04000000,
  ONSTACK: 0x08000000,
  RESTART: 0x10000000,
  NODEFER: 0x40000000,
  RESETHAND: 0x80000000,
} as const;

export interface Signals {
  /** An unblocked signal is pending that would interrupt a wait (handled, or fatal; not ignored). */
  deliverable(thread: Thread): boolean;
  /** Sends to one thread (tkill) or to any thread of the application that does not block it (kill). */
  sendToThread(thread: Thread, signal: number, info: SignalInfo): void;
  sendToApplication(application: Application, signal: number, info: SignalInfo): void;
  /** Every application of a process group (terminal signals). */
  sendToGroup(processGroup: number, signal: number, info: SignalInfo): void;
}
