/**
 * One machine and a few thousand random system calls on it. Programs that die are replaced, those that wait for what
 * never comes are sent a signal, and at the end nothing may be left of any of them.
 */

import { Register } from "../../cpu/state.ts";
import { Errno } from "../../kernel/errno.ts";
import { createPipe } from "../../kernel/ipc/pipe.ts";
import { ElfError } from "../../kernel/loader/elf.ts";
import type { Application } from "../../kernel/sched/application.ts";
import { SIGCONT, SIGUSR1, SiCode } from "../../kernel/sched/signal-numbers.ts";
import { SignalFlag } from "../../kernel/sched/signals.ts";
import type { Thread } from "../../kernel/sched/thread.ts";
import { SYSCALL_TABLE } from "../../kernel/syscalls/table.ts";
import { S_IFDIR } from "../../kernel/vfs/inode.ts";
import type { OpenFile } from "../../kernel/vfs/open-file.ts";
import { O_DIRECTORY, O_RDONLY, O_RDWR } from "../../kernel/vfs/open-flags.ts";
import type { Random } from "../fuzz/random.ts";
import { CallGenerator, type RandomCall } from "./call-generator.ts";
import { ASKED, guestProgram, HANDLER, RESTORER } from "./guest.ts";
import { HostileSystem } from "./hostile-system.ts";

const RAM = 16 << 20;
/** Waits that end by themselves within so much time are left to do so, ns; at most so many of them in a row. */
const HORIZON = 60e9;
const PATIENCE = 4;
/** Turns of the event loop within which a signal must have ended a wait. */
const SIGNAL_TURNS = 3;
/** Longest time that a call may keep everybody else waiting, ms (a busy host included). */
const SLOW = 2000;
/** Calls whose waits only SIGKILL ends, and why. */
const UNINTERRUPTIBLE: Readonly<Record<string, string>> = {
  vfork: "waits for the child, which has the parent's stack (TASK_KILLABLE on Linux)",
  clone: "with CLONE_VFORK, the same",
  clone3: "with CLONE_VFORK, the same",
};
/** How many of the last calls a failure shows. */
const HISTORY = 12;
/** A slice of computing takes this long, ns. */
const SLICE_TIME = 1e6;

const SIGNAL_ARGUMENTS = [Register.RDI, Register.RSI, Register.RDX, Register.R10, Register.R8, Register.R9];
const NAMES = new Map(SYSCALL_TABLE.map(({ number, name }) => [number, name]));

/** What was seen of one system call. */
export interface CallRecord {
  made: number;
  succeeded: number;
  /** Ended a wait by a signal. */
  interrupted: number;
  slowest: number;
}

/** What many sessions have seen. */
export class SyscallSummary {
  calls = 0;
  programs = 0;
  signals = 0;
  instructions = 0;
  readonly byName = new Map<string, CallRecord>();
  /** How programs ended, by wait status; -1: they were still there at the end. */
  readonly ends = new Map<number, number>();
  /** Calls that a signal did not end. */
  readonly stubborn = new Map<string, number>();

  of(name: string): CallRecord {
    let record = this.byName.get(name);
    if (record === undefined) {
      record = { made: 0, succeeded: 0, interrupted: 0, slowest: 0 };
      this.byName.set(name, record);
    }
    return record;
  }
}

export class SyscallSession {
  private readonly system: HostileSystem;
  private readonly generator: CallGenerator;
  private readonly history: string[] = [];
  /** The call that each thread is in. */
  private readonly inCall = new Map<Thread, RandomCall>();
  private left: number;
  /** The call that runs now, and since when, ms. */
  private running: { call: RandomCall; since: number } | undefined;
  private application: Application | undefined;
  private patience = PATIENCE;
  private readonly baseline: { frames: number; areas: number; timers: number };
  private failure: string | undefined;

  constructor(
    private readonly random: Random,
    calls: number,
    private readonly summary: SyscallSummary,
    private readonly trace?: (line: string) => void,
  ) {
    this.left = calls;
    this.system = new HostileSystem({ ramSize: RAM, random, ...(trace !== undefined && { trace }) });
    this.generator = new CallGenerator(random);
    this.furnish();
    this.system.gate.keeper = {
      entering: () => this.callEnded(),
      syscall: () => this.syscall(),
      sliceEnded: () => this.system.clock.advance(SLICE_TIME),
    };
    const { space } = this.system.kernel;
    this.baseline = { frames: space.frames.free, areas: space.areas.size, timers: this.system.clock.pending };
  }

  /** The last calls, for a report. */
  get lastCalls(): readonly string[] {
    return this.history;
  }

  /** What programs find; what an earlier one has made of these names goes. */
  private furnish(): void {
    const { system } = this;
    const { root } = system.root;
    const file = (name: string, mode: number, contents: Uint8Array): void => {
      const old = root.lookup(name);
      if (old?.type === S_IFDIR) root.rename(name, root, `old ${name} ${old.ino}`);
      else if (old !== undefined) root.unlink(name);
      system.file(name, mode).writeAt(0, contents);
    };
    file("guest", 0o755, guestProgram());
    file("file", 0o644, new Uint8Array(10_000).fill(0x61));
    file("script", 0o755, new TextEncoder().encode("#!/guest x\n"));
    const isFree = (name: string) => root.lookup(name) === undefined;
    if (isFree("directory")) root.mkdir("directory", 0o755, 0, 0).mkdir("inner", 0o755, 0, 0);
    if (isFree("link")) root.symlink("link", "/directory", 0, 0);
    if (isFree("loop")) root.symlink("loop", "loop", 0, 0);
    if (isFree("fifo")) root.create("fifo", 0o010644, 0, 0, 0);
  }

  // --- The guest's side --------------------------------------------------------------------------------------------

  private syscall(): boolean {
    const { cpu } = { cpu: this.system.machine.processor };
    const thread = this.system.kernel.scheduler.current;
    if (thread === undefined) return false;
    if (thread.state === "dead") this.failure ??= `a dead thread runs: ${thread.tid}`;
    if (cpu.rip !== ASKED) {
      const call = this.inCall.get(thread);
      if (call !== undefined) this.running = { call, since: performance.now() };
      return false;
    }
    const before = this.inCall.get(thread);
    if (before !== undefined) this.noteResult(before, cpu.gpr(Register.RAX));
    const call = this.left > 0 ? this.choose(thread) : { number: 39n, arguments: [] };
    cpu.setGpr64(Register.RAX, call.number);
    for (const [index, register] of SIGNAL_ARGUMENTS.entries()) {
      cpu.setGpr64(register, call.arguments[index] ?? 0n);
    }
    return true;
  }

  private choose(thread: Thread): RandomCall {
    this.left--;
    this.summary.calls++;
    this.patience = PATIENCE;
    const call = this.generator.next(thread);
    this.inCall.set(thread, call);
    this.history.push(`[${thread.tid}] ${this.generator.describe(call)}`);
    if (this.history.length > HISTORY) this.history.shift();
    // Before it is made: a call that hangs is the last line.
    this.trace?.(`${this.history[this.history.length - 1]} …`);
    this.summary.of(this.nameOf(call)).made++;
    return call;
  }

  private nameOf(call: RandomCall): string {
    return NAMES.get(Number(BigInt.asIntN(32, call.number))) ?? "(no such number)";
  }

  private noteResult(call: RandomCall, result: number): void {
    const record = this.summary.of(this.nameOf(call));
    if (result >= 0 || result < -4095) record.succeeded++;
    if (result === -4) record.interrupted++;
  }

  private callEnded(): void {
    const { running } = this;
    if (running === undefined) return;
    this.running = undefined;
    const time = performance.now() - running.since;
    const record = this.summary.of(this.nameOf(running.call));
    record.slowest = Math.max(record.slowest, time);
    if (time > SLOW) {
      this.failure ??= `${this.generator.describe(running.call)} took ${Math.round(time)} ms`;
    }
  }

  // --- The world's side --------------------------------------------------------------------------------------------

  /** @throws what went wrong */
  async run(): Promise<void> {
    const { kernel } = this.system;
    while (this.left > 0) {
      if (this.application === undefined || this.application.exitStatus !== undefined)
        await this.startProgram();
      await this.turn();
      if (kernel.scheduler.runnable === 0) await this.wakeSomebody();
    }
    await this.endAll();
    this.summary.instructions += this.system.gate.executed;
  }

  private async turn(): Promise<void> {
    await this.system.turn();
    this.callEnded();
    if (this.failure !== undefined) throw new Error(this.failure);
  }

  private async startProgram(): Promise<void> {
    if (this.application !== undefined) {
      const status = this.application.exitStatus ?? -1;
      this.summary.ends.set(status, (this.summary.ends.get(status) ?? 0) + 1);
    }
    await this.endAll();
    const { kernel } = this.system;
    this.furnish();
    try {
      const files = this.files();
      this.application = await kernel.spawn("/guest", ["guest", "argument"], ["A=B", "PATH=/"], { files });
      this.generator.begin(files.length);
    } catch (error) {
      if (!(error instanceof ElfError || error instanceof Errno)) throw error;
      // Something is mounted over the root, or there is no room for a file: that is the end of this machine.
      this.left = 0;
      return;
    }
    this.summary.programs++;
    this.patience = PATIENCE;
    if (this.random.chance(90)) {
      const flags = SignalFlag.RESTORER | (this.random.chance(30) ? SignalFlag.RESTART : 0);
      kernel.signals.setAction(this.application, SIGUSR1, {
        handler: HANDLER,
        flags,
        restorer: RESTORER,
        mask: 0n,
      });
    }
  }

  /** Standard files, and some of other kinds. */
  private files(): OpenFile[] {
    const { kernel, clock } = this.system;
    const open = (name: string, flags: number): OpenFile => {
      const file = kernel.mounts.openPath(undefined, kernel.mounts.resolve(undefined, name), flags);
      if (file instanceof Promise) throw new Error(`${name} takes its time`);
      return file;
    };
    return [
      ...this.system.standardFiles(),
      ...createPipe(clock, O_RDWR),
      open("/file", O_RDWR),
      open("/", O_RDONLY | O_DIRECTORY),
    ];
  }

  /** Everybody waits: lets time pass, sends signals, and ends it when nothing else helps. */
  private async wakeSomebody(): Promise<void> {
    const { clock } = this.system;
    if (this.application?.exitStatus !== undefined) return;
    this.patience--;
    if (this.patience > 1 && clock.fireNext(HORIZON)) return;
    if (this.patience >= 0) await this.interruptAll();
    else await this.endAll();
  }

  private async interruptAll(): Promise<void> {
    const { kernel } = this.system;
    for (const application of [...kernel.applications.values()]) {
      kernel.signals.sendToApplication(application, SIGCONT, { code: SiCode.KERNEL });
    }
    const waiting = [...kernel.threads.values()].filter(
      (thread) => thread.state === "blocked" && !thread.application.stopped && this.listens(thread),
    );
    const waits = waiting.map((thread) => thread.voluntarySwitches);
    const calls = waiting.map((thread) => this.inCall.get(thread));
    for (const thread of waiting) {
      this.summary.signals++;
      kernel.signals.sendToThread(thread, SIGUSR1, { code: SiCode.KERNEL });
    }
    for (let turn = 0; turn < SIGNAL_TURNS; turn++) await this.turn();
    for (const [index, thread] of waiting.entries()) {
      const call = calls[index];
      if (thread.state !== "blocked" || thread.voluntarySwitches !== waits[index] || call === undefined)
        continue;
      const name = this.nameOf(call);
      if (UNINTERRUPTIBLE[name] === undefined) throw new Error(`a signal does not end ${name}`);
      this.summary.stubborn.set(name, (this.summary.stubborn.get(name) ?? 0) + 1);
    }
  }

  /** Would SIGUSR1 reach the thread? */
  private listens(thread: Thread): boolean {
    const isBlocked = (thread.signalMask & (1n << BigInt(SIGUSR1 - 1))) !== 0n;
    return !isBlocked && thread.application.actions[SIGUSR1].handler !== 1;
  }

  /** SIGKILL for everybody, after which nothing is left. */
  private async endAll(): Promise<void> {
    const { kernel, clock } = this.system;
    kernel.lifecycle.killAll();
    await this.turn();
    this.inCall.clear();
    const { space } = kernel;
    const left: readonly (readonly [string, number])[] = [
      ["threads", kernel.threads.size],
      ["applications", kernel.applications.size],
      ["runnable threads", kernel.scheduler.runnable],
      ["frames", this.baseline.frames - space.frames.free],
      ["areas", space.areas.size - this.baseline.areas],
      ["timers", clock.pending - this.baseline.timers],
    ];
    const wrong = left.filter(([, count]) => count !== 0);
    if (wrong.length > 0) {
      throw new Error(
        `after SIGKILL there are left: ${wrong.map(([what, count]) => `${count} ${what}`).join(", ")}`,
      );
    }
  }
}
