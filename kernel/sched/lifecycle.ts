/** Beginnings and ends: threads and applications are made, stopped, killed and mourned here. */

import { CONTEXT_SIZE } from "../../cpu/state.ts";
import { PAGE_SIZE } from "../../mmu/translator.ts";
import type { Kernel } from "../kernel.ts";
import { NO_MEMORY } from "../mm/no-memory.ts";
import type { FileTable } from "../vfs/file-table.ts";
import type { Path } from "../vfs/path.ts";
import { Application } from "./application.ts";
import { describeDeath } from "./death-report.ts";
import { MATCH_ANY } from "./futex.ts";
import { SIGCHLD, SIGKILL, SiCode } from "./signal-numbers.ts";
import { SIG_IGN, SignalFlag, type SignalInfo } from "./signals.ts";
import { Thread } from "./thread.ts";

/** Told in a sentence why a program is about to end, before anything is torn down. */
export type DeathReporter = (thread: Thread, signal: number, sentence: string) => void;

/** Highest pid (/proc/sys/kernel/pid_max of a 64-bit Linux). */
const PID_MAX = 4194304;
/** A thread may be there for so many bytes of RAM, and in small machines so many (fork_init(): 8 * THREAD_SIZE). */
const RAM_PER_THREAD = 8 * 16384;
const THREADS_MINIMUM = 256;
/** 0 is the kernel, 1 stands for init, who is the parent of all orphans. */
const FIRST_PID = 2;

export class Lifecycle {
  private lastId = FIRST_PID - 1;
  /** Threads, and applications with those that nobody has waited for, at most (/proc/sys/kernel/threads-max). */
  readonly threadsMax: number;
  /** Applications that ended and threads that were made, for /proc/stat. */
  forks = 0;

  constructor(
    private readonly kernel: Kernel,
    private readonly reportDeath: DeathReporter,
  ) {
    const ramSize = kernel.space.frames.total * PAGE_SIZE;
    this.threadsMax = Math.max(THREADS_MINIMUM, Math.floor(ramSize / RAM_PER_THREAD));
  }

  /** May a program make no more threads now? */
  get isCrowded(): boolean {
    const { threads, applications } = this.kernel;
    return Math.max(threads.size, applications.size) >= this.threadsMax;
  }

  /** A pid or tid that is not in use. */
  private nextId(): number {
    do {
      this.lastId = this.lastId >= PID_MAX ? FIRST_PID : this.lastId + 1;
    } while (this.kernel.threads.has(this.lastId) || this.kernel.applications.has(this.lastId));
    this.forks++;
    return this.lastId;
  }

  createApplication(parent: Application | undefined, files: FileTable, cwd: Path, root: Path): Application {
    const application = new Application(
      this.nextId(),
      parent,
      files,
      cwd,
      root,
      this.kernel.host.clock.monotonic(),
    );
    this.kernel.applications.set(application.pid, application);
    parent?.children.set(application.pid, application);
    return application;
  }

  /** A new thread, not running yet; the first one of an application has its pid. */
  createThread(application: Application): Thread {
    const tid = application.threads.size === 0 ? application.pid : this.nextId();
    const thread = new Thread(this.kernel, application, tid, CONTEXT_SIZE);
    thread.name = application.name;
    application.threads.set(tid, thread);
    this.kernel.threads.set(tid, thread);
    return thread;
  }

  /** exit(2): the end of one thread, and of its application if it was the last. `status` as wait4 reports it. */
  exitThread(thread: Thread, status: number): void {
    if (thread.state === "dead") return;
    const { application } = thread;
    this.bury(thread);
    if (application.threads.size === 0) this.finish(application, application.ending ?? status);
  }

  /** exit_group(2), or death by a signal: all threads end now. */
  exitApplication(application: Application, status: number): void {
    if (application.exitStatus !== undefined) return;
    application.ending ??= status;
    for (const thread of [...application.threads.values()]) this.bury(thread);
    this.finish(application, application.ending);
  }

  killApplication(application: Application, signal: number): void {
    this.exitApplication(application, signal);
  }

  /** execve(2): the other threads of the application end. */
  exitOthers(thread: Thread): void {
    for (const other of [...thread.application.threads.values()]) if (other !== thread) this.bury(other);
  }

  /** The default action of a signal ends the program. */
  dieOfSignal(thread: Thread, signal: number, info: SignalInfo): void {
    this.reportDeath(thread, signal, describeDeath(thread, signal, info));
    this.exitApplication(thread.application, signal);
  }

  /** A page could not be brought in for want of memory: nothing else can be done for the program. */
  dieOutOfMemory(thread: Thread): void {
    const { name, pid } = thread.application;
    const total = Math.floor((this.kernel.space.frames.total * PAGE_SIZE) / 2 ** 20);
    this.reportDeath(
      thread,
      SIGKILL,
      `Out of memory: killed ${name} (pid ${pid}): all ${total} MiB of memory are in use`,
    );
    this.exitApplication(thread.application, SIGKILL);
  }

  /** Takes a thread out of everything. */
  private bury(thread: Thread): void {
    const { application, kernel } = { application: thread.application, kernel: this.kernel };
    kernel.scheduler.chargeTime(thread);
    thread.state = "dead";
    // If it is the one that runs (it may have killed itself), it must not return to its program.
    thread.attention = true;
    thread.memory = NO_MEMORY;
    const { waiter } = thread;
    thread.waiter = undefined;
    waiter?.end("interrupted");
    kernel.futexes.releaseRobustList(thread);
    if (thread.clearChildTid !== 0 && kernel.memory.check(thread.clearChildTid, 4, true)) {
      kernel.memory.writeU32(thread.clearChildTid, 0);
      kernel.futexes.wake(thread.clearChildTid, true, 1, MATCH_ANY);
    }
    application.deadThreadsTime += thread.cpuTime;
    application.threads.delete(thread.tid);
    kernel.threads.delete(thread.tid);
    kernel.scheduler.forget(thread);
    thread.onVforkDone?.();
    thread.onVforkDone = undefined;
  }

  /** Gives the memory of an application back, unless its parent still runs on it (vfork). */
  releaseImage(application: Application): void {
    const { image } = application;
    application.image = undefined;
    if (image !== undefined && --image.references === 0) this.kernel.space.unmapAll(image);
  }

  private finish(application: Application, status: number): void {
    application.exitStatus = status;
    this.kernel.tracer?.exit(application.pid, status);
    application.stopped = false;
    application.stoppedThreads.length = 0;
    application.realTimer?.set(undefined, 0);
    this.deleteTimers(application);
    application.files.release();
    this.releaseImage(application);
    for (const child of application.children.values()) {
      // Orphans: nobody will wait for the ended ones.
      child.parent = undefined;
      if (child.exitStatus !== undefined) this.kernel.applications.delete(child.pid);
      else if (child.parentDeathSignal !== 0) {
        this.kernel.signals.sendToApplication(child, child.parentDeathSignal, {
          code: SiCode.USER,
          pid: application.pid,
        });
      }
    }
    application.children.clear();
    application.settleExited(status);
    application.endQueue.wake();
    this.tellEnd(application, status);
  }

  private tellEnd(application: Application, status: number): void {
    const { parent } = application;
    if (parent === undefined) {
      this.kernel.applications.delete(application.pid);
      return;
    }
    const action = parent.actions[SIGCHLD];
    const unwanted =
      application.exitSignal === SIGCHLD &&
      (action.handler === SIG_IGN || (action.flags & SignalFlag.NOCLDWAIT) !== 0);
    if (unwanted) this.reap(application);
    const bySignal = (status & 0x7f) !== 0;
    this.kernel.signals.tellParent(
      application,
      {
        code: bySignal ? SiCode.CLD_KILLED : SiCode.CLD_EXITED,
        pid: application.pid,
        uid: 0,
        status: bySignal ? status & 0x7f : (status >> 8) & 0xff,
      },
      application.exitSignal,
    );
  }

  /** Timers of timer_create(2) and of processor time: they end with the program. */
  deleteTimers(application: Application): void {
    for (const { timer } of application.posixTimers.values()) timer.set(undefined, 0);
    application.posixTimers.clear();
    application.cpuTimers.clear();
  }

  /** The parent knows: the ended application is forgotten. */
  reap(child: Application): void {
    const { parent } = child;
    if (parent !== undefined) {
      parent.childrenTime += child.deadThreadsTime + child.childrenTime;
      parent.children.delete(child.pid);
    }
    this.kernel.applications.delete(child.pid);
  }

  /** SIGSTOP and its like. */
  stopApplication(application: Application, signal: number): void {
    if (application.stopped || application.exitStatus !== undefined) return;
    application.stopped = true;
    application.stopChange = { kind: "stopped", signal };
    for (const thread of application.threads.values()) thread.attention = true;
    this.kernel.signals.tellParent(
      application,
      { code: SiCode.CLD_STOPPED, pid: application.pid, uid: 0, status: signal },
      SIGCHLD,
    );
  }

  continueApplication(application: Application): void {
    if (!application.stopped) return;
    application.stopped = false;
    application.stopChange = { kind: "continued" };
    for (const thread of application.stoppedThreads.splice(0)) this.kernel.scheduler.enqueue(thread);
    this.kernel.signals.tellParent(
      application,
      { code: SiCode.CLD_CONTINUED, pid: application.pid, uid: 0, status: 18 },
      SIGCHLD,
    );
  }

  /** Ends everything: the machine is switched off. */
  killAll(): void {
    for (const application of [...this.kernel.applications.values()])
      this.killApplication(application, SIGKILL);
  }
}
