/** The OSv kernel: what all its parts share. */

import type { Host } from "./host.ts";
import type { LoaderEnvironment } from "./loader/program.ts";
import type { AddressSpace } from "./mm/address-space.ts";
import type { Machine } from "./mm/machine.ts";
import type { UserMemory } from "./mm/user-memory.ts";
import type { Application } from "./sched/application.ts";
import type { Futexes } from "./sched/futex.ts";
import type { Lifecycle } from "./sched/lifecycle.ts";
import type { Scheduler } from "./sched/scheduler.ts";
import type { SignalDelivery } from "./sched/signal-delivery.ts";
import type { Thread } from "./sched/thread.ts";
import type { ThreadDebugger } from "./sched/thread-debugger.ts";
import type { SyscallTracer } from "./syscalls/trace.ts";
import type { MountTable } from "./vfs/mount-table.ts";

export interface Kernel {
  readonly host: Host;
  readonly machine: Machine;
  readonly space: AddressSpace;
  readonly memory: UserMemory;
  readonly mounts: MountTable;
  readonly loader: LoaderEnvironment;
  readonly scheduler: Scheduler;
  readonly signals: SignalDelivery;
  readonly futexes: Futexes;
  readonly lifecycle: Lifecycle;
  /** Prints system calls, signals and ends, if anybody wants to see them. */
  readonly tracer: SyscallTracer | undefined;
  /** Decides when threads run and what becomes of signals, if there is one. */
  debugger: ThreadDebugger | undefined;
  /** By pid; the ended ones too until their parent has waited for them. */
  readonly applications: Map<number, Application>;
  /** All threads by tid. */
  readonly threads: Map<number, Thread>;
  /** What uname(2) calls the node. */
  hostname: string;
  /** The kernel log (dmesg), with a monotonic time stamp; shown on the console with --verbose. */
  log(message: string): void;
  /** The whole log, one line per message. */
  logText(): string;
  /** Logs a message once in the life of the kernel: what a guest can cause again and again. */
  logOnce(message: string): void;
}
