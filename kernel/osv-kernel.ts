/** The OSv kernel, put together: memory, threads, files and system calls on one machine. */

import { PAGE_SIZE } from "../mmu/translator.ts";
import { deterministicHost } from "./deterministic-host.ts";
import type { Host } from "./host.ts";
import type { Kernel } from "./kernel.ts";
import { checkPlace, type LoaderEnvironment, prepareProgram, releaseProgram } from "./loader/program.ts";
import { buildVdso } from "./loader/vdso.ts";
import { AddressSpace } from "./mm/address-space.ts";
import type { Machine } from "./mm/machine.ts";
import { ProgramMemory } from "./mm/program-memory.ts";
import type { UserMemory } from "./mm/user-memory.ts";
import { Prot } from "./mm/vma.ts";
import { printable } from "./printable.ts";
import type { Application } from "./sched/application.ts";
import { type Disassembler, reportDeath } from "./sched/death-report.ts";
import { Futexes } from "./sched/futex.ts";
import { InstructionClock } from "./sched/instruction-clock.ts";
import { Lifecycle } from "./sched/lifecycle.ts";
import { Scheduler } from "./sched/scheduler.ts";
import { SignalDelivery } from "./sched/signal-delivery.ts";
import { minimumSignalStack } from "./sched/signal-frame.ts";
import { SIGCHLD, SIGINT, SIGPIPE, SIGTERM } from "./sched/signal-numbers.ts";
import type { Thread } from "./sched/thread.ts";
import type { ThreadDebugger } from "./sched/thread-debugger.ts";
import { Dispatcher } from "./syscalls/dispatch.ts";
import { enterProgram } from "./syscalls/exec.ts";
import { SYSCALL_TABLE } from "./syscalls/table.ts";
import { SyscallTracer } from "./syscalls/trace.ts";
import { FileTable } from "./vfs/file-table.ts";
import type { MountTable } from "./vfs/mount-table.ts";
import type { OpenFile } from "./vfs/open-file.ts";
import type { Path } from "./vfs/path.ts";

export interface OsvKernelOptions {
  readonly host: Host;
  readonly machine: Machine;
  /** The name space; the kernel does not mount anything itself. */
  readonly mounts: MountTable;
  readonly hostname?: string;
  /**
   * The order of events depends on instruction counts, not on the host's speed. For a run that is the same each time
   * the machine and the file systems have to use the {@link deterministicHost} too: it is then given as `host`.
   */
  readonly deterministic?: boolean;
  /** Gets every line of the kernel log as it is written (--verbose). */
  readonly onLog?: (line: string) => void;
  /** Gets one line per system call (--trace syscalls). */
  readonly traceSyscalls?: (line: string) => void;
  /** Gets the reports of programs that die of a signal: the sentence, and with `details` the whole report. */
  readonly onDeath?: (sentence: string, details: () => string) => void;
  readonly disassemble?: Disassembler;
  /** The kernel itself has failed. Default: the applications' `exited` promises are rejected. */
  readonly onPanic?: (error: unknown) => void;
}

export interface SpawnOptions {
  /** Working directory; "/" by default. */
  readonly cwd?: string | Path;
  /** Descriptors 0, 1, 2 …; they get one reference each. */
  readonly files?: readonly OpenFile[];
  readonly parent?: Application;
  /** Start a session of its own (setsid), as a login shell has. Default: without a parent, yes. */
  readonly newSession?: boolean;
}

/** Most lines that the log keeps. */
const LOG_LINES = 4096;
/** Programs may use WRFSBASE and its like (asm/hwcap2.h). */
const HWCAP2_FSGSBASE = 2;

export class OsvKernel implements Kernel {
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
  readonly tracer: SyscallTracer | undefined;
  debugger: ThreadDebugger | undefined;
  readonly applications = new Map<number, Application>();
  readonly threads = new Map<number, Thread>();
  hostname: string;
  private readonly lines: string[] = [];
  private readonly saidOnce = new Set<string>();

  constructor(private readonly options: OsvKernelOptions) {
    const needsClock = options.deterministic === true && !(options.host.clock instanceof InstructionClock);
    this.host = needsClock ? deterministicHost(options.host) : options.host;
    this.machine = options.machine;
    this.mounts = options.mounts;
    this.hostname = options.hostname ?? "osv";
    this.space = new AddressSpace(options.machine, this.host.prepareMemory);
    this.memory = new ProgramMemory(this.space, options.machine.ram, () => this.outOfMemory());
    options.machine.cpu.translator = this.space;
    const { model } = options.machine.cpu;
    this.loader = {
      mounts: options.mounts,
      space: this.space,
      memory: this.memory,
      entropy: this.host.entropy,
      vdso: this.mapVdso(),
      hwcap: model.cpuid(1, 0).edx >>> 0,
      hwcap2: model.features.has("fsgsbase") ? HWCAP2_FSGSBASE : 0,
      minimumSignalStack: minimumSignalStack(model.xcr0),
    };
    this.signals = new SignalDelivery(this);
    this.futexes = new Futexes(this.space, this.memory, this.host.clock);
    this.lifecycle = new Lifecycle(this, (thread, signal, sentence) => this.died(thread, signal, sentence));
    this.tracer = options.traceSyscalls === undefined ? undefined : new SyscallTracer(options.traceSyscalls);
    this.scheduler = new Scheduler(this, new Dispatcher(SYSCALL_TABLE, this.tracer), {
      panic: (error) => this.panic(error),
    });
  }

  /**
   * Starts a program. It runs by itself from now on; `exited` of the result tells how it ended.
   * @throws ElfError: not found, not executable, no memory …
   */
  async spawn(
    path: string,
    argv: readonly string[],
    environment: readonly string[],
    options: SpawnOptions = {},
  ): Promise<Application> {
    const cwd =
      options.cwd === undefined
        ? (options.parent?.cwd ?? this.mounts.root)
        : typeof options.cwd === "string"
          ? this.mounts.resolve(undefined, options.cwd, { directory: true })
          : options.cwd;
    const prepared = await prepareProgram(this.loader, undefined, path, argv, environment, { base: cwd });
    try {
      checkPlace(this.loader, prepared, undefined);
      const files = new FileTable();
      const { parent } = options;
      const application = this.lifecycle.createApplication(
        parent,
        files,
        cwd,
        parent?.root ?? this.mounts.root,
      );
      for (const file of options.files ?? []) files.install(file);
      application.exitSignal = SIGCHLD;
      if (options.newSession ?? parent === undefined) {
        application.session = application.pid;
        application.processGroup = application.pid;
      }
      const thread = this.lifecycle.createThread(application);
      try {
        enterProgram(thread, prepared);
      } catch (error) {
        this.lifecycle.exitApplication(application, 127 << 8);
        throw error;
      }
      // The caller may have things to arrange (a controlling terminal) before the first instruction.
      void this.host.clock.yield().then(() => this.scheduler.enqueue(thread));
      return application;
    } finally {
      releaseProgram(prepared);
    }
  }

  private mapVdso(): number {
    const image = buildVdso();
    const start = this.space.findFree(image.length, false);
    const attributes = {
      shared: false,
      growsDown: false,
      growLimit: 0,
      mayWrite: false,
      file: undefined,
      name: "[vdso]",
      owner: undefined,
    };
    this.space.map(start, PAGE_SIZE, { ...attributes, prot: Prot.Read | Prot.Write });
    this.memory.write(start, image);
    const vma = this.space.areas.find(start);
    if (vma !== undefined) this.space.protect(vma, start, start + PAGE_SIZE, Prot.Read | Prot.Exec);
    return start;
  }

  log(message: string): void {
    const time = (this.host.clock.monotonic() / 1e9).toFixed(6).padStart(12);
    const line = `[${time}] ${printable(message)}`;
    this.lines.push(line);
    if (this.lines.length > LOG_LINES) this.lines.shift();
    this.options.onLog?.(line);
  }

  logOnce(message: string): void {
    // A guest chooses some of these: no more different ones than lines are kept.
    if (this.saidOnce.has(message) || this.saidOnce.size >= LOG_LINES) return;
    this.saidOnce.add(message);
    this.log(message);
  }

  logText(): string {
    return this.lines.map((line) => `${line}\n`).join("");
  }

  private died(thread: Thread, signal: number, sentence: string): void {
    this.log(sentence);
    // Ends that somebody asked for need no report.
    if (signal === SIGINT || signal === SIGTERM || signal === SIGPIPE) return;
    this.options.onDeath?.(printable(sentence), () => reportDeath(this, thread, this.options.disassemble));
  }

  /** A system call needed a page and there was none. The program ends when it returns; until then it sees EFAULT. */
  private outOfMemory(): void {
    const thread = this.scheduler.current;
    if (thread === undefined) return;
    thread.outOfMemory = true;
    thread.attention = true;
  }

  private panic(error: unknown): void {
    if (this.options.onPanic !== undefined) this.options.onPanic(error);
    for (const application of this.applications.values()) application.failExited(error);
  }
}
