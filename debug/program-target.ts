/** Programs on the OSv kernel as something to debug: all threads of the one address space, which stop together. */

import type { Cpu } from "../cpu/cpu.ts";
import { CONTEXT_SIZE } from "../cpu/state.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { describeMemory } from "../kernel/mm/describe.ts";
import type { Application } from "../kernel/sched/application.ts";
import { signalName } from "../kernel/sched/signal-numbers.ts";
import type { Thread } from "../kernel/sched/thread.ts";
import type { PendingSignal, ThreadDebugger } from "../kernel/sched/thread-debugger.ts";
import { SYSCALL_TABLE } from "../kernel/syscalls/table.ts";
import { Access, PAGE_SIZE } from "../mmu/translator.ts";
import type { RegisterFile } from "./registers.ts";
import { StopPoints } from "./stop-points.ts";
import type {
  MonitorCommand,
  Resumption,
  StopEvent,
  Target,
  TargetFile,
  TargetThread,
  WatchRequest,
} from "./target.ts";

/** After so many steps of one thread the others have a turn. */
const STEPS_OF_A_TURN = 1000;

const SYSCALL_NAMES = new Map(SYSCALL_TABLE.map(({ number, name }) => [number, name]));

/** What a thread is to do until the next stop. */
interface Orders extends Resumption {
  /** Its step is done but for the system call that it is in. */
  executed?: boolean;
}

export class ProgramTarget implements Target, ThreadDebugger {
  readonly kind = "program";
  readonly bitness = 64;
  onStop: (event: StopEvent) => void = () => {};
  readonly monitor: ReadonlyMap<string, MonitorCommand>;
  private readonly stopPoints: StopPoints;
  private gate: { readonly promise: Promise<void>; readonly open: () => void } | undefined;
  private application: Application | undefined;
  private current: Thread | undefined;
  private readonly orders = new Map<Thread, Orders>();
  private others: Resumption | undefined = {};
  private readonly held = new Set<Thread>();
  /** Signals that threads have stopped for, and those that they go on with. */
  private readonly pending = new Map<Thread, PendingSignal>();
  private readonly resumed = new Map<Thread, PendingSignal>();
  private passed: ReadonlySet<number> = new Set();
  private isOver = false;
  private steps = 0;

  /** Nothing runs before {@link resume}. */
  constructor(
    private readonly kernel: Kernel,
    private readonly cpu: Cpu,
  ) {
    this.stopPoints = new StopPoints(cpu, kernel.machine.engine);
    this.monitor = this.createMonitor();
    this.close();
    kernel.debugger = this;
  }

  /** The program whose end is the end. */
  attach(application: Application): void {
    this.application = application;
    this.current = application.mainThread;
  }

  /** @param waitStatus as wait4(2) reports it */
  ended(waitStatus: number): void {
    this.isOver = true;
    const signal = waitStatus & 0x7f;
    this.onStop(
      signal === 0 ? { kind: "exited", status: (waitStatus >> 8) & 0xff } : { kind: "killed", signal },
    );
  }

  // ---- what the kernel asks ----

  get stopped(): Promise<void> | undefined {
    return this.gate?.promise;
  }

  private ordersOf(thread: Thread): Orders | undefined {
    return this.orders.get(thread) ?? this.others;
  }

  holds(thread: Thread): boolean {
    if (this.ordersOf(thread) !== undefined) return false;
    this.held.add(thread);
    return true;
  }

  budget(thread: Thread, slice: number): number {
    const orders = this.orders.get(thread);
    const { stops } = this.cpu;
    stops.pass = false;
    this.current = thread;
    // What was written while no thread ran is told at the next one's turn.
    if (this.stopPoints.hasHit) return 0;
    if (orders === undefined) return slice;
    if (orders.step !== undefined) {
      if (orders.executed === true) return 0;
      stops.pass = true;
      return 1;
    }
    if (orders.pass === true) {
      stops.pass = true;
      this.orders.set(thread, { ...orders, pass: false });
    }
    return slice;
  }

  hit(thread: Thread): void {
    if (!this.stopWatched(thread)) this.stop(thread, { kind: "breakpoint", thread: thread.tid });
  }

  /** @returns whether there was something watched to stop for */
  private stopWatched(thread: Thread): boolean {
    const watched = this.stopPoints.takeHit();
    if (watched === undefined) return false;
    const { address, access } = watched;
    this.stop(thread, { kind: "watchpoint", thread: thread.tid, address, access });
    return true;
  }

  /** The kernel has written to a program's memory: the thread whose system call that was stops behind it. */
  private written(physical: number, length: number): void {
    const { space, scheduler } = this.kernel;
    this.stopPoints.written(physical, length, (address) => {
      const at = space.resolve(address, Access.Read);
      return at < 0 ? undefined : at;
    });
    if (this.stopPoints.hasHit) scheduler.endSlice();
  }

  ran(thread: Thread): void {
    if (this.stopPoints.hasHit && this.stopWatched(thread)) return;
    const orders = this.orders.get(thread);
    if (this.gate !== undefined || orders?.step === undefined) return;
    if (thread.state === "dead") return;
    if (thread.state === "blocked") {
      orders.executed = true;
      return;
    }
    orders.executed = false;
    if (typeof orders.step === "object" && this.isInside(orders.step) && !this.isAtBreakpoint()) {
      // Another thread may be waited for.
      if (++this.steps % STEPS_OF_A_TURN !== 0) this.kernel.scheduler.prefer(thread);
      return;
    }
    this.stop(thread, { kind: "step", thread: thread.tid });
  }

  private isInside({ start, end }: { start: number; end: number }): boolean {
    const { rip } = this.cpu;
    return rip >= start && rip < end;
  }

  private isAtBreakpoint(): boolean {
    return this.cpu.stops.breakpoints.has(this.cpu.rip);
  }

  takeSignal(thread: Thread): PendingSignal | undefined {
    const signal = this.resumed.get(thread);
    this.resumed.delete(thread);
    return signal;
  }

  signal(thread: Thread, pending: PendingSignal): "deliver" | "stop" {
    if (this.isOver || this.passed.has(pending.signal)) return "deliver";
    this.pending.set(thread, pending);
    this.stop(thread, { kind: "signal", thread: thread.tid, signal: pending.signal });
    return "stop";
  }

  executed(thread: Thread): void {
    this.stop(thread, { kind: "exec", thread: thread.tid, path: this.executable ?? "" });
  }

  private close(): void {
    let open = (): void => {};
    const promise = new Promise<void>((resolve) => {
      open = resolve;
    });
    this.gate = { promise, open };
  }

  private stop(thread: Thread | undefined, event: StopEvent): void {
    if (this.gate !== undefined) return;
    this.close();
    this.current = thread;
    this.onStop(event);
  }

  // ---- what the debugger asks ----

  get isRunning(): boolean {
    return this.gate === undefined && !this.isOver;
  }

  threads(): readonly TargetThread[] {
    return [...this.kernel.threads.values()].map((thread) => {
      const { application } = thread;
      const of = application === this.application ? "" : ` of ${application.name} (pid ${application.pid})`;
      const state =
        thread.state === "blocked" ? `blocked in ${SYSCALL_NAMES.get(thread.syscallNumber)}` : thread.state;
      return { id: thread.tid, name: thread.name, state: `${state}${of}` };
    });
  }

  get currentThread(): number {
    const { current, kernel, application } = this;
    if (current !== undefined && kernel.threads.has(current.tid)) return current.tid;
    return application?.mainThread?.tid ?? kernel.threads.keys().next().value ?? 0;
  }

  registers(id: number): RegisterFile | undefined {
    const thread = this.kernel.threads.get(id);
    if (thread === undefined) return undefined;
    const { view } = this.kernel.scheduler.registersOf(thread);
    return { context: new DataView(view.buffer, view.byteOffset, CONTEXT_SIZE), system: undefined };
  }

  linearRip(id: number): number {
    const thread = this.kernel.threads.get(id);
    return thread === undefined ? 0 : this.kernel.scheduler.registersOf(thread).rip;
  }

  readMemory(address: number, length: number): Uint8Array {
    const { space, machine } = this.kernel;
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const at = space.resolve(address + done, Access.Read);
      if (at < 0) break;
      const count = Math.min(length - done, PAGE_SIZE - (at % PAGE_SIZE));
      bytes.set(machine.ram.subarray(at, at + count), done);
      done += count;
    }
    return bytes.subarray(0, done);
  }

  /** Where a debugger may write: also where the program must not, unless others would see it (a shared file). */
  private writable(address: number): number {
    const { space } = this.kernel;
    const direct = space.resolve(address, Access.Write);
    if (direct >= 0) return direct;
    const vma = space.areas.find(address);
    return vma?.file === undefined || vma.shared ? -1 : space.resolve(address, Access.Read);
  }

  writeMemory(address: number, bytes: Uint8Array): boolean {
    const pieces: { at: number; start: number; count: number }[] = [];
    for (let done = 0; done < bytes.length; ) {
      const at = this.writable(address + done);
      if (at < 0) return false;
      const count = Math.min(bytes.length - done, PAGE_SIZE - (at % PAGE_SIZE));
      pieces.push({ at, start: done, count });
      done += count;
    }
    for (const { at, start, count } of pieces) this.writePhysical(at, bytes.subarray(start, start + count));
    return true;
  }

  readPhysical(address: number, length: number): Uint8Array {
    const { ram } = this.kernel.machine;
    return address >= 0 && address < ram.length ? ram.slice(address, address + length) : new Uint8Array(0);
  }

  writePhysical(address: number, bytes: Uint8Array): boolean {
    const { ram, engine } = this.kernel.machine;
    if (!(address >= 0 && address + bytes.length <= ram.length)) return false;
    ram.set(bytes, address);
    engine.invalidatePhysical(address, bytes.length);
    return true;
  }

  setBreakpoint(address: number, isSet: boolean): void {
    this.stopPoints.setBreakpoint(address, isSet);
  }

  setWatchpoints(watchpoints: readonly WatchRequest[]): void {
    this.stopPoints.setWatchpoints(watchpoints);
    this.kernel.space.frames.onWritten =
      watchpoints.length === 0 ? undefined : (start, length) => this.written(start, length);
  }

  resume(threads: ReadonlyMap<number, Resumption>, others: Resumption | undefined): void {
    const { gate, kernel } = this;
    if (gate === undefined) return;
    this.orders.clear();
    this.others = others;
    this.cpu.stops.hit = undefined;
    for (const [id, how] of threads) {
      const thread = kernel.threads.get(id);
      if (thread !== undefined) this.orders.set(thread, { ...how });
    }
    for (const thread of kernel.threads.values()) this.settleSignal(thread);
    this.gate = undefined;
    for (const thread of this.held) kernel.scheduler.enqueue(thread);
    this.held.clear();
    // A step is over before others have their turn, if it can be.
    const isTurn = ++this.steps % STEPS_OF_A_TURN === 0;
    for (const [thread, { step }] of this.orders)
      if (step !== undefined && !isTurn) kernel.scheduler.prefer(thread);
    gate.open();
  }

  /** The signal that a thread has stopped for is delivered, exchanged or forgotten. */
  private settleSignal(thread: Thread): void {
    const stoppedFor = this.pending.get(thread);
    const wanted = this.ordersOf(thread)?.signal;
    if (this.ordersOf(thread) === undefined) return; // it stays
    this.pending.delete(thread);
    if (wanted === undefined || wanted === 0) return;
    this.resumed.set(
      thread,
      wanted === stoppedFor?.signal ? stoppedFor : { signal: wanted, info: { code: 0 } },
    );
    thread.attention = true;
  }

  interrupt(): void {
    if (!this.isRunning) return;
    const { current, kernel, application } = this;
    const thread = current !== undefined && current.state !== "dead" ? current : application?.mainThread;
    this.stop(thread ?? kernel.threads.values().next().value, {
      kind: "interrupt",
      thread: thread?.tid ?? this.currentThread,
    });
  }

  passSignals(signals: ReadonlySet<number>): void {
    this.passed = signals;
  }

  kill(): void {
    this.detach();
    this.kernel.lifecycle.killAll();
  }

  detach(): void {
    this.stopPoints.clear();
    this.passed = new Set(Array.from({ length: 65 }, (_, signal) => signal));
    const going = new Map<number, Resumption>();
    for (const [thread, { signal }] of this.pending) going.set(thread.tid, { signal });
    this.resume(going, {});
  }

  get executable(): string | undefined {
    return this.application?.executable;
  }

  auxiliaryVector(): Uint8Array {
    return this.application?.image?.auxiliaryVector ?? new Uint8Array(0);
  }

  /** The program first. */
  mappedFiles(): { path: string; address: number }[] {
    const files: { path: string; address: number }[] = [];
    for (const { file, start, name } of this.kernel.space.areas)
      if (file?.offset === 0 && name !== "") files.push({ path: name, address: start });
    const isProgram = ({ path }: { path: string }) => path === this.executable;
    return [...files.filter(isProgram), ...files.filter((file) => !isProgram(file))];
  }

  openFile(path: string): TargetFile | undefined {
    try {
      const { inode } = this.kernel.mounts.resolve(this.application?.mainThread, path);
      if (inode.readPage === undefined) return undefined;
      const page = new Uint8Array(PAGE_SIZE);
      return {
        get size() {
          return inode.stat().size;
        },
        read: (position, length) => {
          const bytes = new Uint8Array(length);
          let done = 0;
          while (done < length) {
            const within = (position + done) % PAGE_SIZE;
            const inFile = inode.readPage?.(position + done - within, page) ?? 0;
            const count = Math.min(length - done, inFile - within);
            if (count <= 0) break;
            bytes.set(page.subarray(within, within + count), done);
            done += count;
          }
          return bytes.subarray(0, done);
        },
      };
    } catch {
      return undefined; // there is none, or it cannot be read
    }
  }

  private createMonitor(): ReadonlyMap<string, MonitorCommand> {
    const plain = (usage: string, description: string, run: () => string): [string, MonitorCommand] => [
      usage,
      { usage, description, run },
    ];
    const { kernel } = this;
    return new Map([
      plain("info maps", "the memory map, as /proc/self/maps shows it", () =>
        describeMemory(kernel.space, this.application?.image),
      ),
      plain("info threads", "all threads, of all programs", () =>
        this.threads()
          .map(({ id, name, state }) => `${String(id).padStart(6)}  ${name.padEnd(16)} ${state}\n`)
          .join(""),
      ),
      plain("info signals", "the signals that wait to be delivered", () => {
        const lines = [...this.pending].map(
          ([thread, { signal }]) => `thread ${thread.tid}: ${signalName(signal)}\n`,
        );
        return lines.length === 0 ? "none\n" : lines.join("");
      }),
      plain("info log", "the kernel's log", () => kernel.logText()),
    ]);
  }
}
