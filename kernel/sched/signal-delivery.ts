/**
 * Sending signals to threads and applications, and delivering them when a thread returns to its program
 * (Linux kernel/signal.c, arch/x86/kernel/signal.c).
 */

import { Register } from "../../cpu/state.ts";
import { EINTR, ERESTARTNOHAND, ERESTARTNOINTR, ERESTARTSYS } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { Application } from "./application.ts";
import { Registers } from "./registers.ts";
import { popSignalFrame, pushSignalFrame } from "./signal-frame.ts";
import {
  IGNORED_BY_DEFAULT,
  SIGCHLD,
  SIGCONT,
  SIGKILL,
  SIGNAL_MAX,
  SIGSEGV,
  SIGSTOP,
  SiCode,
  STOPS_BY_DEFAULT,
  signalBit,
  UNBLOCKABLE,
} from "./signal-numbers.ts";
import {
  DEFAULT_ACTION,
  SIG_DFL,
  SIG_IGN,
  type SignalAction,
  SignalFlag,
  type SignalInfo,
  type Signals,
} from "./signals.ts";
import type { Thread } from "./thread.ts";

/** SYSCALL is two bytes long: going back over it makes the call again. */
const SYSCALL_LENGTH = 2;

export class SignalDelivery implements Signals {
  constructor(private readonly kernel: Kernel) {}

  // --- Sending -----------------------------------------------------------------------------------------------------

  private isIgnored(application: Application, signal: number): boolean {
    const { handler } = application.actions[signal];
    return handler === SIG_IGN || (handler === SIG_DFL && (IGNORED_BY_DEFAULT & signalBit(signal)) !== 0n);
  }

  /** Pending, unblocked and not ignored. */
  private wanted(thread: Thread): bigint {
    return thread.pendingSignals & ~thread.signalMask;
  }

  deliverable(thread: Thread): boolean {
    return thread.state === "dead" || this.wanted(thread) !== 0n;
  }

  /**
   * What happens at once, whether or not the signal is blocked: SIGCONT continues, stop signals undo SIGCONT and the
   * other way around (prepare_signal()). @returns false when the signal is to be dropped
   */
  private prepare(application: Application, signal: number, blocked: boolean): boolean {
    if (application.exitStatus !== undefined) return false;
    const stops = (STOPS_BY_DEFAULT & signalBit(signal)) !== 0n;
    if (stops) this.discardPending(application, signalBit(SIGCONT));
    if (signal === SIGCONT) {
      this.discardPending(application, STOPS_BY_DEFAULT);
      this.kernel.lifecycle.continueApplication(application);
    }
    return blocked || !this.isIgnored(application, signal);
  }

  private discardPending(application: Application, signals: bigint): void {
    application.pending.discard(signals);
    for (const thread of application.threads.values()) thread.pending.discard(signals);
  }

  /** Should this signal stop the application here and now? */
  private stopsNow(application: Application, signal: number): boolean {
    return (STOPS_BY_DEFAULT & signalBit(signal)) !== 0n && application.actions[signal].handler === SIG_DFL;
  }

  /** @returns false when too many real-time signals wait already */
  sendToThread(thread: Thread, signal: number, info: SignalInfo): boolean {
    const { application } = thread;
    if (thread.state === "dead") return true;
    if (signal === SIGKILL) {
      this.kernel.lifecycle.killApplication(application, SIGKILL);
      return true;
    }
    const blocked = (thread.signalMask & signalBit(signal)) !== 0n;
    if (!this.prepare(application, signal, blocked)) return true;
    if (!blocked && this.stopsNow(application, signal)) {
      this.kernel.lifecycle.stopApplication(application, signal);
      return true;
    }
    if (!thread.pending.add(signal, info)) return false;
    application.signalQueue.wake();
    if (!blocked) this.notify(thread);
    else if (this.isAwaited(thread, signal)) thread.waiter?.end("interrupted");
    return true;
  }

  /** As {@link sendToThread}, for any thread that does not block the signal. */
  sendToApplication(application: Application, signal: number, info: SignalInfo): boolean {
    if (signal === SIGKILL) {
      this.kernel.lifecycle.killApplication(application, SIGKILL);
      return true;
    }
    const bit = signalBit(signal);
    const threads = [...application.threads.values()];
    const main = application.mainThread;
    // The main thread first, then any other that does not block it (complete_signal()).
    const target =
      main !== undefined && (main.signalMask & bit) === 0n
        ? main
        : threads.find((thread) => (thread.signalMask & bit) === 0n);
    if (!this.prepare(application, signal, target === undefined)) return true;
    if (target !== undefined && this.stopsNow(application, signal)) {
      this.kernel.lifecycle.stopApplication(application, signal);
      return true;
    }
    if (!application.pending.add(signal, info)) return false;
    application.signalQueue.wake();
    const awaiting = threads.find((thread) => this.isAwaited(thread, signal));
    if (awaiting !== undefined) awaiting.waiter?.end("interrupted");
    else if (target !== undefined) this.notify(target);
    return true;
  }

  sendToGroup(processGroup: number, signal: number, info: SignalInfo): void {
    for (const application of [...this.kernel.applications.values()]) {
      if (application.processGroup === processGroup && application.exitStatus === undefined) {
        this.sendToApplication(application, signal, info);
      }
    }
  }

  /** Does sigtimedwait(2) of this thread wait for the signal (which it blocks)? */
  private isAwaited(thread: Thread, signal: number): boolean {
    return thread.signalWait !== undefined && (thread.signalWait & signalBit(signal)) !== 0n;
  }

  /** The thread has to look at its signals: it does before it returns to its program; a wait ends for it. */
  private notify(thread: Thread): void {
    thread.attention = true;
    if (thread.state === "blocked") thread.waiter?.end("interrupted");
  }

  /** Changes what a thread blocks. SIGKILL and SIGSTOP cannot be blocked. */
  setMask(thread: Thread, mask: bigint): void {
    thread.signalMask = mask & ~UNBLOCKABLE;
    if (this.wanted(thread) !== 0n) thread.attention = true;
  }

  setAction(application: Application, signal: number, action: SignalAction): void {
    application.actions[signal] = { ...action, mask: action.mask & ~UNBLOCKABLE };
    // POSIX: setting a pending signal to be ignored discards it.
    if (this.isIgnored(application, signal)) this.discardPending(application, signalBit(signal));
  }

  /** execve(2): handlers are gone, ignored signals stay ignored. */
  resetHandlers(application: Application): void {
    application.actions = application.actions.map((action) =>
      action.handler === SIG_IGN ? { ...DEFAULT_ACTION, handler: SIG_IGN } : DEFAULT_ACTION,
    );
  }

  /**
   * An instruction of the running thread raised a signal: it cannot be put off. If the program blocks or ignores it, it
   * dies (force_sig_info()).
   */
  force(thread: Thread, signal: number, info: SignalInfo): void {
    const { application } = thread;
    const bit = signalBit(signal);
    const blocked = (thread.signalMask & bit) !== 0n;
    if (blocked || application.actions[signal].handler === SIG_IGN) {
      application.actions[signal] = DEFAULT_ACTION;
      thread.signalMask &= ~bit;
    }
    thread.pending.add(signal, info);
    thread.attention = true;
  }

  // --- Delivering --------------------------------------------------------------------------------------------------

  /**
   * The loaded thread is about to return to its program: delivers what is pending.
   * @param interrupted the -ERESTART… that its system call ended with, or 0
   * @returns false when the thread does not return: dead or stopped
   */
  deliver(thread: Thread, interrupted: number): boolean {
    const { application } = thread;
    const registers = new Registers(this.kernel.machine.cpu.state);
    thread.attention = false;
    if (thread.outOfMemory) {
      this.kernel.lifecycle.dieOutOfMemory(thread);
      return false;
    }
    let restart = interrupted;
    for (;;) {
      if ((thread.state as string) === "dead") return false;
      const wanted = ~thread.signalMask;
      const attached = this.kernel.debugger;
      const resumed = attached?.takeSignal(thread);
      const next = resumed ?? thread.pending.take(wanted) ?? application.pending.take(wanted);
      if (next === undefined) break;
      const { signal, info } = next;
      if (resumed === undefined && attached?.signal(thread, next) === "stop") {
        // It comes back here, and so does the end of its system call.
        thread.attention = true;
        if (restart !== 0) {
          thread.result = restart;
          thread.hasResult = true;
        }
        return false;
      }
      this.kernel.tracer?.signal(thread, signal, info);
      const action = application.actions[signal];
      if (action.handler === SIG_IGN) continue;
      if (action.handler === SIG_DFL) {
        if ((IGNORED_BY_DEFAULT & signalBit(signal)) !== 0n) continue;
        if ((STOPS_BY_DEFAULT & signalBit(signal)) !== 0n) {
          this.kernel.lifecycle.stopApplication(application, signal);
          continue;
        }
        this.kernel.lifecycle.dieOfSignal(thread, signal, info);
        return false;
      }
      if (restart !== 0) {
        const again =
          restart === -ERESTARTNOINTR ||
          (restart === -ERESTARTSYS && (action.flags & SignalFlag.RESTART) !== 0);
        if (again) this.restart(thread, registers);
        else registers.set(Register.RAX, -EINTR);
        restart = 0;
      }
      if (!this.enterHandler(thread, signal, action, info)) {
        this.handlerFailed(thread, signal);
      }
    }
    if (restart !== 0) this.restart(thread, registers);
    if (thread.savedMask !== undefined) {
      const mask = thread.savedMask;
      thread.savedMask = undefined;
      this.setMask(thread, mask);
    }
    return !application.stopped;
  }

  private restart(thread: Thread, registers: Registers): void {
    registers.set(Register.RAX, thread.syscallNumber);
    registers.rip -= SYSCALL_LENGTH;
  }

  private enterHandler(thread: Thread, signal: number, action: SignalAction, info: SignalInfo): boolean {
    const mask = thread.savedMask ?? thread.signalMask;
    const { cpu } = this.kernel.machine;
    if (!pushSignalFrame(cpu, this.kernel.memory, thread, signal, action, info, mask)) return false;
    thread.savedMask = undefined;
    if ((action.flags & SignalFlag.RESETHAND) !== 0) thread.application.actions[signal] = DEFAULT_ACTION;
    let blocked = thread.signalMask | action.mask;
    if ((action.flags & SignalFlag.NODEFER) === 0) blocked |= signalBit(signal);
    this.setMask(thread, blocked);
    return true;
  }

  /** No room for the frame: SIGSEGV, and no handler for that if it is SIGSEGV that failed (force_sigsegv()). */
  private handlerFailed(thread: Thread, signal: number): void {
    if (signal === SIGSEGV) thread.application.actions[SIGSEGV] = DEFAULT_ACTION;
    this.force(thread, SIGSEGV, { code: SiCode.KERNEL });
  }

  /** rt_sigreturn(2) of the loaded thread. */
  returnFromHandler(thread: Thread): void {
    const mask = popSignalFrame(this.kernel.machine.cpu, this.kernel.memory, thread);
    if (mask === undefined) this.force(thread, SIGSEGV, { code: SiCode.KERNEL });
    else this.setMask(thread, mask);
  }

  /** Takes a signal of a set out of the queues, for sigtimedwait(2). */
  take(thread: Thread, set: bigint): { signal: number; info: SignalInfo } | undefined {
    return thread.pending.take(set) ?? thread.application.pending.take(set);
  }

  /** Is this a signal number? */
  static isValid(signal: number): boolean {
    return Number.isInteger(signal) && signal >= 1 && signal <= SIGNAL_MAX;
  }

  /** Can the action of a signal be changed? */
  static isChangeable(signal: number): boolean {
    return SignalDelivery.isValid(signal) && signal !== SIGKILL && signal !== SIGSTOP;
  }

  /** Tells a parent that its child ended, stopped or goes on. */
  tellParent(child: Application, info: SignalInfo, signal: number): void {
    const { parent } = child;
    if (parent === undefined) return;
    const action = parent.actions[SIGCHLD];
    const quiet = info.code >= SiCode.CLD_STOPPED && (action.flags & SignalFlag.NOCLDSTOP) !== 0;
    if (signal !== 0 && !(quiet && signal === SIGCHLD)) this.sendToApplication(parent, signal, info);
    parent.childQueue.wake();
  }
}

/** Restart codes that {@link SignalDelivery.deliver} understands. */
export function isRestart(result: number): boolean {
  return result === -ERESTARTSYS || result === -ERESTARTNOINTR || result === -ERESTARTNOHAND;
}
