/**
 * A terminal: the line discipline, who is in the foreground, and the programs that wait to read or write. The console
 * and the slave side of a pseudo-terminal are terminals with different {@link TerminalDriver}s. (Linux: struct
 * tty_struct, tty_io.c; reading and writing: n_tty_read, n_tty_write.)
 */

import { EAGAIN, EIO, ERESTARTSYS } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import { SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGWINCH, SiCode } from "../sched/signal-numbers.ts";
import type { Thread } from "../sched/thread.ts";
import { WaitQueue } from "../sched/wait-queue.ts";
import { type OpenFile, Poll, type Result } from "../vfs/open-file.ts";
import { checkForeground } from "./job-control.ts";
import { type Line, LineDiscipline, type SignalCharacter } from "./line-discipline.ts";
import { ControlCharacter, LocalFlag, Termios } from "./termios.ts";

/** struct winsize */
export interface WindowSize {
  rows: number;
  columns: number;
  xPixels: number;
  yPixels: number;
}

/** What is on the other end of the line: the host's terminal, or the master of a pseudo-terminal. */
export interface TerminalDriver {
  /** Bytes that write() takes right now; when it was 0 and is no longer, call {@link Terminal.outputReady}. */
  room(): number;
  write(bytes: Uint8Array): void;
  /** Output taken and not shown yet: how much (TIOCOUTQ), and throwing it away (TCOFLUSH). */
  pending?(): number;
  flush?(): void;
  flowChanged?(stopped: boolean): void;
  /** The program has read, so that input that was held back may come. */
  inputDrained?(): void;
  /** Input was thrown away (TCIFLUSH, ^C). */
  inputFlushed?(): void;
  /** The other end is gone for good. */
  readonly disconnected?: boolean;
}

const SIGNALS: Record<SignalCharacter, number> = { SIGINT, SIGQUIT, SIGTSTP };
/** VTIME counts tenths of a second. */
const NANOSECONDS_PER_VTIME = 100_000_000;

export class Terminal implements Line {
  readonly termios = new Termios();
  readonly discipline = new LineDiscipline(this.termios, this);
  windowSize: WindowSize = { rows: 24, columns: 80, xPixels: 0, yPixels: 0 };
  /** The session whose controlling terminal this is, and its foreground process group. */
  session: number | undefined;
  foreground: number | undefined;
  /** TIOCEXCL; without effect, as every program here is privileged. */
  exclusive = false;

  /** Woken when {@link windowSize} has changed. */
  readonly resized = new WaitQueue();
  private readonly readers = new WaitQueue();
  private readonly writers = new WaitQueue();
  private readonly files = new Set<OpenFile>();
  /** Keys the discipline had no room for, in order. */
  private heldBack: Uint8Array[] = [];
  private heldBackBytes = 0;

  constructor(
    readonly kernel: Kernel,
    /** As /proc and ttyname(3) know it: "console", "pts/0". */
    readonly name: string,
    readonly rdev: number,
    private readonly driver: TerminalDriver,
  ) {}

  // ---- the driver's side ------------------------------------------------------------------------------------------

  /** Keys from the other end. What the discipline cannot take waits here; {@link held} tells how much. */
  receive(bytes: Uint8Array): void {
    if (this.heldBack.length > 0) {
      this.hold(bytes);
      return;
    }
    const taken = this.discipline.receive(bytes);
    if (taken < bytes.length) this.hold(bytes.subarray(taken));
  }

  private hold(bytes: Uint8Array): void {
    this.heldBack.push(bytes.slice());
    this.heldBackBytes += bytes.length;
  }

  get held(): number {
    return this.heldBackBytes;
  }

  /** Gives held back keys to the discipline, as far as it has room. */
  private pump(): void {
    while (this.heldBack.length > 0) {
      const [bytes] = this.heldBack;
      const taken = this.discipline.receive(bytes);
      this.heldBackBytes -= taken;
      if (taken < bytes.length) {
        this.heldBack[0] = bytes.subarray(taken);
        break;
      }
      this.heldBack.shift();
    }
    this.driver.inputDrained?.();
  }

  /** The driver has room for output again. */
  outputReady(): void {
    this.discipline.processEchoes();
    this.writers.wake();
    this.wakeFiles();
  }

  /** Something that poll and blocked calls look at has changed at the other end. */
  changed(): void {
    this.readers.wake();
    this.writers.wake();
    this.wakeFiles();
  }

  resize(size: WindowSize): void {
    const old = this.windowSize;
    if (
      old.rows === size.rows &&
      old.columns === size.columns &&
      old.xPixels === size.xPixels &&
      old.yPixels === size.yPixels
    ) {
      return;
    }
    this.windowSize = { ...size };
    this.resized.wake();
    this.signalForeground(SIGWINCH);
  }

  // ---- the line discipline's side ---------------------------------------------------------------------------------

  room(): number {
    return this.driver.room();
  }

  put(bytes: Uint8Array): void {
    this.driver.write(bytes);
  }

  signal(signal: SignalCharacter): void {
    this.signalForeground(SIGNALS[signal]);
  }

  signalForeground(signal: number): void {
    if (this.foreground !== undefined)
      this.kernel.signals.sendToGroup(this.foreground, signal, { code: SiCode.KERNEL });
  }

  flushOutput(): void {
    this.driver.flush?.();
    this.writers.wake();
    this.wakeFiles();
  }

  inputChanged(): void {
    this.readers.wake();
    this.wakeFiles();
  }

  inputFlushed(): void {
    this.driver.inputFlushed?.();
    this.wakeFiles();
  }

  flowChanged(stopped: boolean): void {
    this.driver.flowChanged?.(stopped);
    if (!stopped) this.outputReady();
  }

  // ---- the programs' side -----------------------------------------------------------------------------------------

  /** An open file whose pollers want to hear of changes. */
  attach(file: OpenFile): void {
    this.files.add(file);
  }

  detach(file: OpenFile): void {
    this.files.delete(file);
  }

  get openCount(): number {
    return this.files.size;
  }

  private wakeFiles(): void {
    for (const file of this.files) file.pollQueue.wake();
  }

  /** Makes this the controlling terminal of a session. */
  control(session: number, foreground: number): void {
    this.session = session;
    this.foreground = foreground;
  }

  /** Reads at once if it can, else as {@link readBlocking}. */
  read(thread: Thread, buffer: Uint8Array, nonBlocking: boolean): Result {
    const denied = checkForeground(thread, this, SIGTTIN);
    if (denied !== 0) return denied;
    if (buffer.length === 0) return 0;
    if (this.discipline.isCanonical && this.discipline.available()) return this.take(buffer);
    return this.readBlocking(thread, buffer, nonBlocking);
  }

  private take(buffer: Uint8Array): number {
    const n = this.discipline.read(buffer);
    this.pump();
    return n;
  }

  /** n_tty_read, with VMIN and VTIME of non-canonical mode (termios(3)). */
  private async readBlocking(thread: Thread, buffer: Uint8Array, nonBlocking: boolean): Promise<number> {
    const { characters } = this.termios;
    const clock = this.kernel.host.clock;
    const time = characters[ControlCharacter.VTIME] * NANOSECONDS_PER_VTIME;
    let minimum = 1;
    let betweenBytes = 0;
    let deadline: number | undefined;
    if (!this.discipline.isCanonical) {
      if (characters[ControlCharacter.VMIN] > 0) {
        minimum = characters[ControlCharacter.VMIN];
        betweenBytes = time;
      } else {
        deadline = clock.monotonic() + time;
      }
    }
    let expired = deadline !== undefined && time === 0;
    let got = 0;
    while (got < buffer.length) {
      if (!this.discipline.available()) {
        if (this.driver.disconnected === true || expired) break;
        if (nonBlocking) return got > 0 ? got : -EAGAIN;
        const how = await thread.wait(this.readers, deadline);
        if (how === "interrupted") return got > 0 ? got : -ERESTARTSYS;
        if (how === "timeout") expired = true;
        continue;
      }
      got += this.take(buffer.subarray(got));
      if (this.discipline.isCanonical || got >= minimum) break;
      if (betweenBytes > 0) deadline = clock.monotonic() + betweenBytes;
    }
    return got;
  }

  write(thread: Thread, data: Uint8Array, nonBlocking: boolean): Result {
    if ((this.termios.localFlags & LocalFlag.TOSTOP) !== 0) {
      const denied = checkForeground(thread, this, SIGTTOU);
      if (denied !== 0) return denied;
    }
    if (this.driver.disconnected === true) return -EIO;
    const n = this.discipline.write(data);
    if (n === data.length) return n;
    if (nonBlocking) return n > 0 ? n : -EAGAIN;
    return this.writeBlocking(thread, data, n);
  }

  private async writeBlocking(thread: Thread, data: Uint8Array, start: number): Promise<number> {
    let written = start;
    while (written < data.length) {
      const how = await thread.wait(this.writers);
      if (how === "interrupted") return written > 0 ? written : -ERESTARTSYS;
      if (this.driver.disconnected === true) return written > 0 ? written : -EIO;
      written += this.discipline.write(data.subarray(written));
    }
    return written;
  }

  /** n_tty_poll */
  poll(): number {
    const { characters } = this.termios;
    const wanted =
      characters[ControlCharacter.VTIME] === 0 ? Math.max(1, characters[ControlCharacter.VMIN]) : 1;
    let events = 0;
    if (this.discipline.available(wanted)) events |= Poll.IN | Poll.RDNORM;
    if (this.driver.disconnected === true) events |= Poll.HUP;
    else if (this.discipline.outputRoom > 0) events |= Poll.OUT | Poll.WRNORM;
    return events;
  }

  /** TCSADRAIN, tcdrain(3): waits until the other end has everything. */
  drain(thread: Thread): Result {
    return this.driver.pending === undefined || this.driver.pending() === 0 ? 0 : this.drainBlocking(thread);
  }

  private async drainBlocking(thread: Thread): Promise<number> {
    while (this.pendingOutput > 0 && this.driver.disconnected !== true) {
      if ((await thread.wait(this.writers)) === "interrupted") return -ERESTARTSYS;
    }
    return 0;
  }

  get pendingOutput(): number {
    return this.driver.pending?.() ?? 0;
  }

  /** TCIFLUSH: what was typed and not read yet. */
  flushInput(): void {
    this.heldBack = [];
    this.heldBackBytes = 0;
    this.discipline.flushInput();
    this.driver.inputDrained?.();
  }

  setAttributes(next: Termios): void {
    const old = { inputFlags: this.termios.inputFlags, localFlags: this.termios.localFlags };
    this.termios.assign(next);
    this.discipline.attributesChanged(old);
    this.pump();
  }
}
