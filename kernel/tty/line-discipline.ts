/**
 * The terminal line discipline N_TTY: what happens between the keys a terminal sends and the bytes a program reads
 * (canonical editing, echo, signal characters), and between what a program writes and what the terminal gets.
 *
 * Behaviour follows Linux' drivers/tty/n_tty.c, quirks included: a line holds 4,095 bytes, "end of file" is a line of
 * its own that reads as nothing, erasing a tab needs to know at which column the line began. Blocking, job control and
 * who gets a signal are the business of `terminal.ts`.
 */

import {
  BACKSPACE,
  CARRIAGE_RETURN,
  isControl,
  isWordCharacter,
  NEWLINE,
  TAB,
  toLower,
} from "./characters.ts";
import { EchoQueue } from "./echo-queue.ts";
import { DISABLED, InputQueue } from "./input-queue.ts";
import { OutputProcessor } from "./output-processor.ts";
import { ControlCharacter as CC, InputFlag as I, LocalFlag as L, type Termios } from "./termios.ts";

export type SignalCharacter = "SIGINT" | "SIGQUIT" | "SIGTSTP";

/** What the discipline asks of the terminal it works for. */
export interface Line {
  /** Bytes that {@link put} takes right now. */
  room(): number;
  /** Bytes for the screen, at most {@link room}. They are only good until this returns. */
  put(bytes: Uint8Array): void;
  /** The foreground process group gets a signal. */
  signal(signal: SignalCharacter): void;
  /** Throws away output the terminal has not shown yet. */
  flushOutput(): void;
  /** More can be read, or less. */
  inputChanged(): void;
  /** What was typed and not read is thrown away. */
  inputFlushed(): void;
  /** Output was stopped (^S) or goes on. */
  flowChanged(stopped: boolean): void;
}

const SIGNAL_CHARACTERS: readonly (readonly [index: number, signal: SignalCharacter])[] = [
  [CC.VINTR, "SIGINT"],
  [CC.VQUIT, "SIGQUIT"],
  [CC.VSUSP, "SIGTSTP"],
];
const CARET = 0x5e;
const SLASH = 0x2f;
const BACKSLASH = 0x5c;

export class LineDiscipline {
  private readonly queue = new InputQueue();
  private readonly output: OutputProcessor;
  private readonly echoes: EchoQueue;
  private canonical: boolean;
  /** The next character is taken as it is (VLNEXT). */
  private lnext = false;
  /** Between \ and / of ECHOPRT. */
  private erasing = false;
  /** Characters with a meaning; others go straight to the queue. */
  private readonly special = new Uint8Array(256);
  /** No character has a meaning, none is echoed. */
  private raw = false;
  /** ^S was typed, or TCOOFF asked for it. */
  private stopped = false;
  private stoppedByProgram = false;

  constructor(
    private readonly termios: Termios,
    private readonly line: Line,
  ) {
    this.output = new OutputProcessor(termios);
    this.echoes = new EchoQueue(termios, this.output);
    this.canonical = this.local(L.ICANON);
    this.updateSpecial();
  }

  private input(flag: number): boolean {
    return (this.termios.inputFlags & flag) !== 0;
  }

  private local(flag: number): boolean {
    return (this.termios.localFlags & flag) !== 0;
  }

  /** Is `c` this control character? One that is disabled matches nothing. */
  private is(c: number, index: number): boolean {
    return c === this.termios.characters[index] && c !== DISABLED;
  }

  // ---- attributes -------------------------------------------------------------------------------------------------

  /** The termios object has new contents; `old` are the flags before. */
  attributesChanged(old: { inputFlags: number; localFlags: number }): void {
    const changed = old.localFlags ^ this.termios.localFlags;
    if ((changed & (L.ICANON | L.EXTPROC)) !== 0) {
      this.queue.switchMode(this.local(L.ICANON));
      this.erasing = false;
      this.lnext = false;
    }
    this.canonical = this.local(L.ICANON);
    this.updateSpecial();
    if (!this.input(I.IXON) && (old.inputFlags & I.IXON) !== 0 && !this.stoppedByProgram) this.restart();
    this.line.inputChanged();
  }

  private updateSpecial(): void {
    const { special, termios } = this;
    special.fill(0);
    const mark = (...indices: number[]): void => {
      for (const index of indices) special[termios.characters[index]] = 1;
    };
    this.raw = !(
      this.input(I.ISTRIP | I.IUCLC | I.IGNCR | I.ICRNL | I.INLCR | I.IXON | I.PARMRK) ||
      this.local(L.ICANON | L.ISIG | L.ECHO)
    );
    if (this.raw) return;
    if (this.input(I.IGNCR | I.ICRNL)) special[CARRIAGE_RETURN] = 1;
    if (this.input(I.INLCR)) special[NEWLINE] = 1;
    if (this.local(L.ICANON)) {
      mark(CC.VERASE, CC.VKILL, CC.VEOF, CC.VEOL);
      special[NEWLINE] = 1;
      if (this.local(L.IEXTEN)) {
        mark(CC.VWERASE, CC.VLNEXT, CC.VEOL2);
        if (this.local(L.ECHO)) mark(CC.VREPRINT);
      }
    }
    if (this.input(I.IXON)) mark(CC.VSTART, CC.VSTOP);
    if (this.local(L.ISIG)) mark(CC.VINTR, CC.VQUIT, CC.VSUSP);
    special[DISABLED] = 0;
  }

  // ---- keys in ----------------------------------------------------------------------------------------------------

  /** Room for keys: one byte stays free, and with PARMRK a key may take three. */
  private get space(): number {
    const { free } = this.queue;
    return (this.input(I.PARMRK) ? Math.floor((free + 2) / 3) : free) - 1;
  }

  /** Takes keys; returns how many, fewer than there are when the queue is full and nobody reads. */
  receive(bytes: Uint8Array): number {
    let taken = 0;
    while (taken < bytes.length) {
      let room = this.space;
      if (room <= 0) {
        // A line too long for the queue still has to be ended or edited: keys replace its last character.
        if (!this.canonical || this.queue.hasLines) break;
        if (room < 0) this.queue.dropLast();
        room = 1;
      }
      const n = Math.min(room, bytes.length - taken);
      this.receiveRun(bytes.subarray(taken, taken + n));
      taken += n;
    }
    return taken;
  }

  private receiveRun(bytes: Uint8Array): void {
    if (this.raw) {
      for (const c of bytes) this.queue.push(c);
    } else {
      for (const c of bytes) this.receiveByte(c);
      this.processEchoes();
    }
    if (this.isCanonical) return;
    this.queue.commit();
    if (this.queue.count > 0) this.line.inputChanged();
  }

  private receiveByte(byte: number): void {
    const quoted = this.lnext;
    this.lnext = false;
    let c = byte;
    if (this.input(I.ISTRIP)) c &= 0x7f;
    if (this.input(I.IUCLC) && this.local(L.IEXTEN)) c = toLower(c);
    if (quoted) this.receiveChar(c);
    else if (this.local(L.EXTPROC)) this.queue.push(c);
    else if (this.special[c] !== 0) this.receiveSpecial(c);
    else this.receiveChar(c);
  }

  /** PARMRK marks errors with 0xff, so a real one is doubled. */
  private enqueue(c: number): void {
    if (c === 0xff && this.input(I.PARMRK)) this.queue.push(c);
    this.queue.push(c);
  }

  private receiveChar(c: number): void {
    this.restartOnAny();
    if (this.local(L.ECHO)) {
      this.finishErasing();
      this.echoTyped(c);
    }
    this.enqueue(c);
  }

  private restartOnAny(): void {
    if (this.stopped && !this.stoppedByProgram && this.input(I.IXON) && this.input(I.IXANY)) this.restart();
  }

  /** Flow control and signals; true when the character was one of those. */
  private receiveControl(c: number): boolean {
    if (this.input(I.IXON)) {
      if (this.is(c, CC.VSTART)) {
        this.restart();
        return true;
      }
      if (this.is(c, CC.VSTOP)) {
        this.stop();
        return true;
      }
    }
    if (!this.local(L.ISIG)) return false;
    const signal = SIGNAL_CHARACTERS.find(([index]) => this.is(c, index))?.[1];
    if (signal !== undefined) this.receiveSignal(signal, c);
    return signal !== undefined;
  }

  private receiveSpecial(key: number): void {
    if (this.receiveControl(key)) return;
    let c = key;
    this.restartOnAny();
    if (c === CARRIAGE_RETURN) {
      if (this.input(I.IGNCR)) return;
      if (this.input(I.ICRNL)) c = NEWLINE;
    } else if (c === NEWLINE && this.input(I.INLCR)) {
      c = CARRIAGE_RETURN;
    }
    if (this.canonical && this.receiveCanonical(c)) return;
    if (this.local(L.ECHO)) {
      this.finishErasing();
      if (c === NEWLINE) this.echoes.raw(NEWLINE);
      else this.echoTyped(c);
    }
    this.enqueue(c);
  }

  /** True when the character was an editing or line-ending one and is dealt with. */
  private receiveCanonical(c: number): boolean {
    const extended = this.local(L.IEXTEN);
    if (this.is(c, CC.VERASE) || this.is(c, CC.VKILL) || (extended && this.is(c, CC.VWERASE))) {
      this.erase(c);
    } else if (extended && this.is(c, CC.VLNEXT)) {
      this.quoteNext();
    } else if (extended && this.local(L.ECHO) && this.is(c, CC.VREPRINT)) {
      this.reprint(c);
    } else if (c === NEWLINE) {
      if (this.local(L.ECHO | L.ECHONL)) this.echoes.raw(NEWLINE);
      this.endLine(c);
    } else if (this.is(c, CC.VEOF)) {
      this.endLine(DISABLED);
    } else if (this.is(c, CC.VEOL) || (extended && this.is(c, CC.VEOL2))) {
      if (this.local(L.ECHO)) this.echoTyped(c);
      if (c === 0xff && this.input(I.PARMRK)) this.queue.push(c);
      this.endLine(c);
    } else {
      return false;
    }
    return true;
  }

  private quoteNext(): void {
    this.lnext = true;
    if (!this.local(L.ECHO)) return;
    this.finishErasing();
    if (this.local(L.ECHOCTL)) this.echoes.raw(CARET, BACKSPACE);
  }

  private reprint(c: number): void {
    this.finishErasing();
    this.echoes.character(c);
    this.echoes.raw(NEWLINE);
    for (let i = 0; i < this.queue.lineLength; i++) this.echoes.character(this.queue.lineByte(i));
  }

  private endLine(c: number): void {
    this.queue.endLine(c);
    this.line.inputChanged();
  }

  private receiveSignal(signal: SignalCharacter, c: number): void {
    this.line.signal(signal);
    if (!this.local(L.NOFLSH)) {
      this.echoes.clear();
      this.line.flushOutput();
      this.flushInput();
    }
    if (this.input(I.IXON)) this.start();
    if (this.local(L.ECHO)) this.echoes.character(c);
    else this.processEchoes();
  }

  // ---- editing ----------------------------------------------------------------------------------------------------

  /** VERASE, VKILL and VWERASE. */
  private erase(key: number): void {
    const { queue } = this;
    if (queue.lineIsEmpty) return;
    const word = !this.is(key, CC.VERASE) && this.is(key, CC.VWERASE);
    const kill = !this.is(key, CC.VERASE) && !word;
    const echoing = this.local(L.ECHO);
    if (kill && !(echoing && this.local(L.ECHOK) && this.local(L.ECHOKE) && this.local(L.ECHOE))) {
      queue.truncateLine(0);
      if (echoing) this.echoKill();
      return;
    }
    let seenWord = false;
    while (!queue.lineIsEmpty) {
      const length = queue.lineLength;
      let start = length;
      do start--;
      while (this.isContinuation(queue.lineByte(start)) && start > 0);
      const c = queue.lineByte(start);
      // A continuation byte without its first byte stays.
      if (this.isContinuation(c)) break;
      if (word) {
        if (isWordCharacter(c)) seenWord = true;
        else if (seenWord) break;
      }
      queue.truncateLine(start);
      if (echoing) this.echoErased(c, start, length, kill || word);
      if (!kill && !word) break;
    }
    if (queue.lineIsEmpty && echoing) this.finishErasing();
  }

  private echoKill(): void {
    this.finishErasing();
    this.echoes.character(this.termios.characters[CC.VKILL]);
    if (this.local(L.ECHOK)) this.echoes.raw(NEWLINE);
  }

  /** `c`, whose bytes were at `start` … `end` of the line, is gone. */
  private echoErased(c: number, start: number, end: number, several: boolean): void {
    const { echoes } = this;
    if (this.local(L.ECHOPRT)) {
      if (!this.erasing) {
        echoes.raw(BACKSLASH);
        this.erasing = true;
      }
      echoes.character(c);
      for (let i = start + 1; i < end; i++) {
        echoes.raw(this.queue.lineByte(i));
        echoes.moveBack();
      }
    } else if (!several && !this.local(L.ECHOE)) {
      echoes.character(this.termios.characters[CC.VERASE]);
    } else if (c === TAB) {
      this.echoErasedTab(start);
    } else {
      if (isControl(c) && this.local(L.ECHOCTL)) echoes.rubOut();
      if (!isControl(c) || this.local(L.ECHOCTL)) echoes.rubOut();
    }
  }

  /** How wide a tab was depends on the columns since the line began, or since the tab before. */
  private echoErasedTab(start: number): void {
    let columns = 0;
    for (let i = start - 1; i >= 0; i--) {
      const before = this.queue.lineByte(i);
      if (before === TAB) {
        this.echoes.eraseTab(columns, true);
        return;
      }
      if (isControl(before)) columns += this.local(L.ECHOCTL) ? 2 : 0;
      else if (!this.isContinuation(before)) columns++;
    }
    this.echoes.eraseTab(columns, false);
  }

  private isContinuation(c: number): boolean {
    return (c & 0xc0) === 0x80 && this.input(I.IUTF8);
  }

  private finishErasing(): void {
    if (!this.erasing) return;
    this.echoes.raw(SLASH);
    this.erasing = false;
  }

  /** Echo of a character that becomes part of the line. */
  private echoTyped(c: number): void {
    if (this.queue.lineIsEmpty) this.echoes.setCanonColumn();
    this.echoes.character(c);
  }

  // ---- output -----------------------------------------------------------------------------------------------------

  get outputRoom(): number {
    return this.stopped ? 0 : this.line.room();
  }

  /** Sends echo as far as the terminal takes it. */
  processEchoes(): void {
    if (this.echoes.isEmpty) return;
    const bytes = this.echoes.take(this.outputRoom);
    if (bytes.length > 0) this.line.put(bytes);
  }

  /** Takes what a program writes, as far as the terminal has room; returns how many bytes. */
  write(bytes: Uint8Array): number {
    this.processEchoes();
    const room = this.outputRoom;
    return room <= 0 ? 0 : this.output.write(bytes, room, (part) => this.line.put(part));
  }

  /** VSTOP, or TCOOFF when a program asks. */
  stop(byProgram = false): void {
    if (byProgram) {
      if (this.stoppedByProgram) return;
      this.stoppedByProgram = true;
    }
    if (this.stopped) return;
    this.stopped = true;
    this.line.flowChanged(true);
  }

  /** TCOON, or what a key starts again. */
  start(byProgram = false): void {
    if (byProgram) this.stoppedByProgram = false;
    if (!this.stopped || this.stoppedByProgram) return;
    this.stopped = false;
    this.line.flowChanged(false);
  }

  private restart(): void {
    this.start();
    this.processEchoes();
  }

  // ---- reading ----------------------------------------------------------------------------------------------------

  get isCanonical(): boolean {
    return this.canonical && !this.local(L.EXTPROC);
  }

  /** Can a reader have something? In raw mode, from `minimum` bytes on. */
  available(minimum = 1): boolean {
    return this.isCanonical ? this.queue.hasLines : this.queue.committed >= minimum;
  }

  /** FIONREAD */
  get readable(): number {
    return this.isCanonical ? this.queue.lineBytes : this.queue.committed;
  }

  /** Copies what is there (in canonical mode at most one line) and returns how many bytes; call after available(). */
  read(target: Uint8Array): number {
    return this.isCanonical ? this.queue.readLine(target) : this.queue.readRaw(target);
  }

  /** TCIFLUSH */
  flushInput(): void {
    this.queue.clear();
    this.erasing = false;
    this.line.inputFlushed();
  }
}
