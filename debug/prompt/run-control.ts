/** How a person moves on: steps, lines, calls, and the breakpoints of the prompt. */

import { registerNamed } from "../registers.ts";
import type { LoadedFiles } from "../symbols/loaded-files.ts";
import type { Resumption, StopEvent, Target, WatchAccess } from "../target.ts";
import { type Frame, type StackState, Unwinder } from "./unwind.ts";

export interface Breakpoint {
  readonly number: number;
  readonly kind: "breakpoint" | WatchAccess;
  readonly address: number;
  readonly length: number;
  /** As it was asked for. */
  readonly text: string;
  /** Our own, for a command that is under way. */
  readonly isTemporary: boolean;
  /** Gone after the first stop. */
  readonly isOnce: boolean;
  isEnabled: boolean;
  /** An expression: only where it is not 0, the guest stops. */
  condition: string | undefined;
  hits: number;
  /** What watched memory was at the last look. */
  value: Uint8Array;
}

/** Steps by which a line or a call is left, before one has to ask for more. */
const MOST_LINE_STEPS = 2_000_000;
const MOST_WATCHED = 4096;

export class RunControl {
  readonly breakpoints = new Map<number, Breakpoint>();
  readonly unwinder: Unwinder;
  /** The thread that commands are about. */
  thread: number;
  /** The last stop. */
  last: StopEvent | undefined;
  private nextNumber = 1;
  private nextTemporary = -1;
  private settle: ((event: StopEvent) => void) | undefined;

  constructor(
    private readonly target: Target,
    private readonly files: LoadedFiles,
    /** Is the condition of a breakpoint met, where the chosen thread is? */
    private readonly isMet: (condition: string) => boolean,
  ) {
    this.unwinder = new Unwinder(target, files);
    this.thread = target.currentThread;
    target.onStop = (event) => {
      this.last = event;
      const { settle } = this;
      this.settle = undefined;
      settle?.(event);
    };
  }

  get isOver(): boolean {
    return this.last?.kind === "exited" || this.last?.kind === "killed";
  }

  // ---- registers of the chosen thread ----

  register(name: string): bigint | undefined {
    const file = this.target.registers(this.thread);
    return file === undefined ? undefined : registerNamed(name)?.read(file);
  }

  private number(name: string): number {
    return Number(BigInt.asIntN(64, this.register(name) ?? 0n));
  }

  get rip(): number {
    return this.target.linearRip(this.thread);
  }

  get stack(): StackState {
    return { rip: this.rip, rsp: this.number("rsp"), rbp: this.number("rbp") };
  }

  frames(): Iterable<Frame> {
    return this.unwinder.frames(this.stack);
  }

  // ---- breakpoints ----

  add(
    kind: Breakpoint["kind"],
    address: number,
    options: {
      length?: number;
      text: string;
      isTemporary?: boolean;
      isOnce?: boolean;
      condition?: string | undefined;
    },
  ): Breakpoint {
    const { length = 1, text, isTemporary = false, isOnce = false, condition } = options;
    const number = isTemporary ? this.nextTemporary-- : this.nextNumber++;
    const limited = Math.min(Math.max(1, length), MOST_WATCHED);
    const value = kind === "breakpoint" ? new Uint8Array(0) : this.target.readMemory(address, limited);
    const point: Breakpoint = {
      ...{ number, kind, address, length: limited, text, isTemporary, isOnce, condition, value },
      isEnabled: true,
      hits: 0,
    };
    this.breakpoints.set(number, point);
    if (kind === "breakpoint") this.target.setBreakpoint(address, true);
    else this.setWatchpoints();
    return point;
  }

  delete(number: number): boolean {
    const point = this.breakpoints.get(number);
    if (point === undefined) return false;
    this.breakpoints.delete(number);
    this.updateTarget(point);
    return true;
  }

  enable(point: Breakpoint, isEnabled: boolean): void {
    if (isEnabled && !point.isEnabled) point.value = this.target.readMemory(point.address, point.length);
    point.isEnabled = isEnabled;
    this.updateTarget(point);
  }

  private updateTarget(point: Breakpoint): void {
    if (point.kind === "breakpoint")
      this.target.setBreakpoint(point.address, this.pointsAt(point.address).length > 0);
    else this.setWatchpoints();
  }

  /** Breakpoints in force at an address, our own too. */
  private pointsAt(where: number): Breakpoint[] {
    return [...this.breakpoints.values()].filter(
      ({ kind, address, isEnabled }) => kind === "breakpoint" && address === where && isEnabled,
    );
  }

  /** The points that a stop was for have been met once more. */
  noteHits(event: StopEvent): void {
    for (const point of this.pointsOf(event)) {
      point.hits++;
      if (point.kind !== "breakpoint") point.value = this.target.readMemory(point.address, point.length);
      if (point.isOnce) this.delete(point.number);
    }
  }

  private setWatchpoints(): void {
    const requests = [...this.breakpoints.values()].flatMap(({ kind, address, length, isEnabled }) =>
      kind === "breakpoint" || !isEnabled ? [] : [{ address, length, access: kind }],
    );
    this.target.setWatchpoints(requests);
  }

  hasBreakpoint(address: number): boolean {
    return this.pointsAt(address).some(({ isTemporary }) => !isTemporary);
  }

  /** The points that a stop is about, whose conditions are met. */
  pointsOf(event: StopEvent): Breakpoint[] {
    return this.candidates(event).filter(({ condition }) => condition === undefined || this.isMet(condition));
  }

  private candidates(event: StopEvent): Breakpoint[] {
    if (event.kind === "breakpoint") return this.pointsAt(this.target.linearRip(event.thread));
    if (event.kind !== "watchpoint") return [];
    return [...this.breakpoints.values()].filter(
      ({ kind, address, isEnabled }) => kind === event.access && address === event.address && isEnabled,
    );
  }

  // ---- going on ----

  /** Until a stop that is not only for points whose conditions are not met. */
  private async run(how: Resumption): Promise<StopEvent> {
    const { thread } = this;
    for (let orders = new Map([[thread, how]]); ; ) {
      const event = await this.resume(orders);
      if (!this.isUnwanted(event)) return event;
      orders = new Map([[thread, how.step === undefined ? {} : how]]);
      if (
        "thread" in event &&
        event.kind === "breakpoint" &&
        (event.thread !== thread || how.step === undefined)
      )
        orders.set(event.thread, { pass: true });
    }
  }

  private resume(orders: ReadonlyMap<number, Resumption>): Promise<StopEvent> {
    return new Promise((resolve) => {
      this.settle = (event) => {
        if ("thread" in event) this.thread = event.thread;
        resolve(event);
      };
      this.target.resume(orders, {});
    });
  }

  private isUnwanted(event: StopEvent): boolean {
    return this.candidates(event).length > 0 && this.pointsOf(event).length === 0;
  }

  /** Until something happens that a person wants to see. */
  async continue(signal = 0): Promise<StopEvent> {
    let how: Resumption = { pass: true, signal };
    for (;;) {
      const event = await this.run(how);
      if (!this.isUnchanged(event)) return event;
      how = {};
    }
  }

  /** A write that has written what was there: not worth stopping for. */
  private isUnchanged(event: StopEvent): boolean {
    if (event.kind !== "watchpoint" || event.access !== "write") return false;
    return this.pointsOf(event).every(({ address, length, value }) => {
      const now = this.target.readMemory(address, length);
      return now.length === value.length && now.every((byte, index) => byte === value[index]);
    });
  }

  stepInstruction(signal = 0): Promise<StopEvent> {
    return this.run({ step: true, signal });
  }

  /** Runs on to an address, with the stack pointer above `rsp` if that is given: out of calls that nest. */
  async runTo(address: number, rsp = Number.NEGATIVE_INFINITY): Promise<StopEvent> {
    const { thread } = this;
    const point = this.add("breakpoint", address, { text: "", isTemporary: true });
    try {
      let how: Resumption = { pass: true };
      for (;;) {
        const event = await this.run(how);
        if (event.kind !== "breakpoint" || this.target.linearRip(event.thread) !== address) return event;
        if (this.pointsOf(event).some(({ isTemporary }) => !isTemporary)) return event;
        if (event.thread === thread && this.number("rsp") >= rsp) return { kind: "step", thread };
        how = { pass: true };
      }
    } finally {
      this.delete(point.number);
    }
  }

  /** The current instruction; a call with all that it calls. */
  async nextInstruction(): Promise<StopEvent> {
    const length = this.callLength();
    if (length === 0) return this.stepInstruction();
    return this.runTo(this.rip + length, this.number("rsp"));
  }

  /** Length of the call instruction at RIP, or 0 if it is another one. */
  private callLength(): number {
    const bytes = this.target.readMemory(this.rip, 15);
    let at = 0;
    while (
      at < bytes.length &&
      (bytes[at] === 0x66 || bytes[at] === 0x67 || bytes[at] === 0xf2 || bytes[at] === 0x3e)
    )
      at++;
    if (this.target.bitness === 64 && (bytes[at] & 0xf0) === 0x40) at++; // REX
    if (bytes[at] === 0xe8) return at + (this.target.bitness === 16 ? 3 : 5);
    if (bytes[at] !== 0xff || ((bytes[at + 1] >> 3) & 7) !== 2) return 0;
    return at + 1 + modrmLength(bytes, at + 1, this.target.bitness);
  }

  /** The next line of source, in this function or where it returns to; `into` enters functions that have lines, too. */
  async line(into: boolean): Promise<StopEvent> {
    const start = this.files.sourceAt(this.rip);
    if (start === undefined) return into ? this.stepInstruction() : this.nextInstruction();
    const { thread } = this;
    for (let steps = 0; steps < MOST_LINE_STEPS; steps++) {
      const call = this.callLength();
      const rsp = this.number("rsp");
      const back = this.rip + call;
      let event: StopEvent;
      if (call > 0 && !into) event = await this.runTo(back, rsp);
      else {
        event = await this.stepInstruction();
        // A function without lines is left at once.
        if (call > 0 && event.kind === "step" && this.rip !== back) {
          const symbol = this.files.at(this.rip);
          if (this.files.sourceAt(this.rip) === undefined) event = await this.runTo(back, rsp);
          else if (symbol?.address === this.rip) return this.runTo(this.files.bodyOf(symbol));
        }
      }
      if (event.kind !== "step" || event.thread !== thread) return event;
      const here = { kind: "breakpoint", thread } as const;
      if (this.pointsOf(here).some(({ isTemporary }) => !isTemporary)) return here;
      const line = this.files.sourceAt(this.rip);
      // Returned into the middle of a line: to its end.
      if (line === undefined) continue;
      const isOther = line.line !== start.line || line.file !== start.file;
      if (isOther && this.files.lineRange(this.rip)?.start === this.rip) return event;
    }
    return { kind: "interrupt", thread };
  }

  /** Until the current function has returned; undefined if nobody knows where to. */
  async finish(): Promise<StopEvent | undefined> {
    for (const frame of this.frames()) {
      if (frame.returnSlot === undefined) return undefined;
      if (frame.address === this.rip || frame.kind === "guess") {
        const size = this.target.bitness === 64 ? 8 : 4;
        const bytes = this.target.readMemory(frame.returnSlot, size);
        if (bytes.length < size) return undefined;
        const view = new DataView(bytes.buffer, bytes.byteOffset);
        const address = size === 8 ? Number(view.getBigInt64(0, true)) : view.getUint32(0, true);
        return this.runTo(address, frame.returnSlot + size);
      }
    }
    return undefined;
  }
}

/** Bytes of ModRM, SIB and displacement. */
function modrmLength(bytes: Uint8Array, at: number, bitness: number): number {
  const mod = bytes[at] >> 6;
  const rm = bytes[at] & 7;
  if (mod === 3) return 1;
  if (bitness === 16) return 1 + (mod === 1 ? 1 : mod === 2 || rm === 6 ? 2 : 0);
  const hasSib = rm === 4;
  const base = hasSib ? bytes[at + 1] & 7 : rm;
  const displacement = mod === 1 ? 1 : mod === 2 || base === 5 ? 4 : 0;
  return 1 + (hasSib ? 1 : 0) + displacement;
}
