/**
 * An application (OSv's term): a program loaded into the one address space, with what Linux keeps per process.
 */

import type { MemoryOwner } from "../mm/memory-owner.ts";
import type { FileTable } from "../vfs/file-table.ts";
import type { Path } from "../vfs/path.ts";
import { defaultLimits, type ResourceLimit } from "./resource-limits.ts";
import { SIGNAL_MAX } from "./signal-numbers.ts";
import { SignalQueue } from "./signal-queue.ts";
import { DEFAULT_ACTION, type SignalAction } from "./signals.ts";
import type { Thread } from "./thread.ts";
import type { CpuTimer, IntervalTimer, PosixTimer } from "./timers.ts";
import { WaitQueue } from "./wait-queue.ts";

/** A change of state that wait4(2) can report besides the end. */
export type StopChange =
  | { readonly kind: "stopped"; readonly signal: number }
  | { readonly kind: "continued" };

/** Real, effective and saved id. */
export interface Credentials {
  uid: [number, number, number];
  gid: [number, number, number];
  groups: number[];
}

export class Application {
  readonly threads = new Map<number, Thread>();
  readonly children = new Map<number, Application>();
  /** Woken when a child changes state. */
  readonly childQueue = new WaitQueue();
  /** Woken when it has ended: pidfd_open(2). */
  readonly endQueue = new WaitQueue();
  /** umask(2) */
  umask = 0o022;
  name = "";
  argv: string[] = [];
  environment: string[] = [];
  executable = "";
  /** What is executed; undefined before the first program. */
  executablePath: Path | undefined;
  processGroup: number;
  session: number;
  /** Its memory: shared with the parent between vfork and execve. */
  image: MemoryOwner | undefined;
  /** Signal dispositions by number, and signals for any thread. CLONE_SIGHAND without CLONE_THREAD shares the array. */
  actions: SignalAction[] = new Array<SignalAction>(SIGNAL_MAX + 1).fill(DEFAULT_ACTION);
  readonly pending = new SignalQueue();
  /** Woken when a signal becomes pending: signalfd(2). */
  readonly signalQueue = new WaitQueue();
  limits: ResourceLimit[];
  /** Sent to the parent at the end; 0 for none. */
  exitSignal = 0;
  /** What the exit status will be, once the end has begun. */
  ending: number | undefined;
  /** Stopped by a signal (SIGSTOP …): none of its threads runs. */
  stopped = false;
  stopChange: StopChange | undefined;
  /** Runnable threads that wait for SIGCONT. */
  readonly stoppedThreads: Thread[] = [];
  /** prctl(PR_SET_PDEATHSIG) */
  parentDeathSignal = 0;
  dumpable = 1;
  childSubreaper = false;
  nice = 0;
  /** Monotonic ns. */
  readonly startTime: number;
  /** Processor time of threads that are gone, and of children that were waited for, ns. */
  deadThreadsTime = 0;
  childrenTime = 0;
  /** setitimer(2): ITIMER_REAL; those of processor time, by number (ITIMER_VIRTUAL, ITIMER_PROF). */
  realTimer: IntervalTimer | undefined;
  readonly cpuTimers = new Map<number, CpuTimer>();
  /** timer_create(2) */
  readonly posixTimers = new Map<number, PosixTimer>();
  /** Ids are given out in order and not again. */
  nextPosixTimer = 0;
  /** User and group ids: kept for programs that set and ask them; nothing is decided by them. */
  credentials: Credentials = { uid: [0, 0, 0], gid: [0, 0, 0], groups: [] };
  /** As wait4(2) reports it; undefined while it runs. */
  exitStatus: number | undefined;
  /** Resolves with the wait status when the last thread is gone. */
  readonly exited: Promise<number>;
  settleExited: (status: number) => void = () => {};
  /** Ends {@link exited} with an error: the kernel itself failed. */
  failExited: (error: unknown) => void = () => {};

  constructor(
    readonly pid: number,
    public parent: Application | undefined,
    public files: FileTable,
    public cwd: Path,
    public root: Path,
    startTime = 0,
  ) {
    this.processGroup = parent?.processGroup ?? pid;
    this.session = parent?.session ?? pid;
    this.limits = parent === undefined ? defaultLimits() : parent.limits.map((limit) => ({ ...limit }));
    this.startTime = startTime;
    this.exited = new Promise((resolve, reject) => {
      this.settleExited = resolve;
      this.failExited = reject;
    });
    // Nobody has to listen.
    this.exited.catch(() => {});
  }

  /** The thread that getpid(2) names, or any other when it has ended. */
  get mainThread(): Thread | undefined {
    return this.threads.get(this.pid) ?? this.threads.values().next().value;
  }

  get parentPid(): number {
    return this.parent?.pid ?? 0;
  }
}
