/**
 * The terminal line discipline N_TTY: what happens between the keys a terminal sends and the bytes a program reads
 * (canonical editing, echo, signal characters), and between what a program writes and what the terminal gets (OPOST).
 *
 * Behaviour follows Linux' drivers/tty/n_tty.c, whose names are kept, quirks included: a line holds 4,095 bytes, "end
 * of file" is a line of its own that reads as nothing, erasing a tab needs to know at which column the line began.
 * Blocking, job control and who gets a signal are the business of `terminal.ts`.
 */

import {
  ControlCharacter as CC,
  InputFlag as I,
  LocalFlag as L,
  OutputFlag as O,
  type Termios,
} from "./termios.ts";

/** N_TTY_BUF_SIZE */
const BUFFER_SIZE = 4096;
const MASK = BUFFER_SIZE - 1;
/** What stands in the buffer for VEOF; as a control character it means "none" (_POSIX_VDISABLE). */
const DISABLED = 0;

export type SignalCharacter = "SIGINT" | "SIGQUIT" | "SIGTSTP";

/** What the discipline asks of the terminal it works for. */
export interface Line {
  /** Bytes that {@link put} takes right now. */
  room(): number;
  /** Bytes for the screen, at most {@link room}. */
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

/** Entries of the echo queue above byte values: the ECHO_OP_* of n_tty.c. */
const ECHO_CONTROL = 0x100; // + c: echo as ^X
const ECHO_SET_CANON_COL = 0x200;
const ECHO_MOVE_BACK_COL = 0x201;
const ECHO_ERASE_TAB = 0x300; // + columns, 0x80: after another tab

const NEWLINE = 10;
const CARRIAGE_RETURN = 13;
const BACKSPACE = 8;
const TAB = 9;
const SPACE = 32;
const SIGNAL_CHARACTERS: readonly (readonly [index: number, signal: SignalCharacter])[] = [
  [CC.VINTR, "SIGINT"],
  [CC.VQUIT, "SIGQUIT"],
  [CC.VSUSP, "SIGTSTP"],
];
const CRLF = Uint8Array.of(CARRIAGE_RETURN, NEWLINE);
const SPACES = new Uint8Array(8).fill(SPACE);

export class LineDiscipline {
  private readonly buffer = new Uint8Array(BUFFER_SIZE);
  /** readFlags: 1 where a line ends. */
  private readonly lineEnds = new Uint8Array(BUFFER_SIZE);
  // Free-running positions in the buffer.
  private readHead = 0;
  private readTail = 0;
  private canonHead = 0;
  /** How far raw readers may read. */
  private commitHead = 0;

  private canonical: boolean;
  private lnext = false;
  /** Between \ and / of ECHOPRT. */
  private erasing = false;
  private column = 0;
  private canonColumn = 0;
  private readonly echoes: number[] = [];
  /** Characters with a meaning; others go straight to the buffer. */
  private readonly special = new Uint8Array(256);
  private raw = false;
  /** ^S was typed, or TCOOFF asked for it. */
  private stopped = false;
  private stoppedByProgram = false;

  constructor(
    private readonly termios: Termios,
    private readonly line: Line,
  ) {
    this.canonical = this.local(L.ICANON);
    this.updateSpecial();
  }

  private input(flag: number): boolean {
    return (this.termios.inputFlags & flag) !== 0;
  }

  private output(flag: number): boolean {
    return (this.termios.outputFlags & flag) !== 0;
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
      this.lineEnds.fill(0);
      if (!this.local(L.ICANON) || this.count === 0) {
        this.canonHead = this.readTail;
      } else {
        this.lineEnds[(this.readHead - 1) & MASK] = 1;
        this.canonHead = this.readHead;
      }
      this.commitHead = this.readHead;
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

  private get count(): number {
    return this.readHead - this.readTail;
  }

  /** Room for keys: one byte stays free, and with PARMRK a key may take three. */
  private get space(): number {
    const free = BUFFER_SIZE - this.count;
    return (this.input(I.PARMRK) ? Math.floor((free + 2) / 3) : free) - 1;
  }

  /** A canonical line too long for the buffer still has to be ended or edited: it keeps taking keys and drops them. */
  private get overflowing(): boolean {
    return this.canonical && this.canonHead === this.readTail;
  }

  /** Would {@link receive} take a key? */
  get hasRoom(): boolean {
    return this.space > 0 || this.overflowing;
  }

  /** Takes keys; returns how many, fewer than there are when the buffer is full and nobody reads. */
  receive(bytes: Uint8Array): number {
    let taken = 0;
    while (taken < bytes.length) {
      let room = this.space;
      if (room <= 0) {
        if (!this.overflowing) break;
        if (room < 0) this.readHead--;
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
      for (const c of bytes) this.enqueue(c);
    } else {
      for (const c of bytes) this.receiveByte(c);
      this.processEchoes();
    }
    if (this.canonical && !this.local(L.EXTPROC)) return;
    this.commitHead = this.readHead;
    if (this.count > 0) this.line.inputChanged();
  }

  private receiveByte(byte: number): void {
    const quoted = this.lnext;
    this.lnext = false;
    let c = byte;
    if (this.input(I.ISTRIP)) c &= 0x7f;
    if (this.input(I.IUCLC) && this.local(L.IEXTEN)) c = toLower(c);
    if (quoted) this.receiveChar(c);
    else if (this.local(L.EXTPROC)) this.enqueue(c);
    else if (this.special[c] !== 0) this.receiveSpecial(c);
    else this.receiveChar(c);
  }

  private enqueue(c: number): void {
    this.buffer[this.readHead & MASK] = c;
    this.readHead++;
  }

  /** PARMRK marks errors with 0xff, so a real one is doubled. */
  private enqueueMarked(c: number): void {
    if (c === 0xff && this.input(I.PARMRK)) this.enqueue(c);
    this.enqueue(c);
  }

  private receiveChar(c: number): void {
    this.restartOnAny();
    if (this.local(L.ECHO)) {
      this.finishErasing();
      if (this.canonHead === this.readHead) this.echoes.push(ECHO_SET_CANON_COL);
      this.echo(c);
    }
    this.enqueueMarked(c);
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
      if (c === NEWLINE) {
        this.echoes.push(NEWLINE);
      } else {
        if (this.canonHead === this.readHead) this.echoes.push(ECHO_SET_CANON_COL);
        this.echo(c);
      }
    }
    this.enqueueMarked(c);
  }

  /** True when the character was an editing or line-ending one and is dealt with. */
  private receiveCanonical(c: number): boolean {
    const extended = this.local(L.IEXTEN);
    if (this.is(c, CC.VERASE) || this.is(c, CC.VKILL) || (extended && this.is(c, CC.VWERASE))) {
      this.erase(c);
      return true;
    }
    if (extended && this.is(c, CC.VLNEXT)) {
      this.lnext = true;
      if (this.local(L.ECHO)) {
        this.finishErasing();
        if (this.local(L.ECHOCTL)) this.echoes.push(0x5e /* ^ */, BACKSPACE);
      }
      return true;
    }
    if (extended && this.local(L.ECHO) && this.is(c, CC.VREPRINT)) {
      this.finishErasing();
      this.echo(c);
      this.echoes.push(NEWLINE);
      for (let at = this.canonHead; at !== this.readHead; at++) this.echo(this.buffer[at & MASK]);
      return true;
    }
    if (c === NEWLINE) {
      if (this.local(L.ECHO | L.ECHONL)) this.echoes.push(NEWLINE);
      this.endLine(c);
      return true;
    }
    if (this.is(c, CC.VEOF)) {
      this.endLine(DISABLED);
      return true;
    }
    if (this.is(c, CC.VEOL) || (extended && this.is(c, CC.VEOL2))) {
      if (this.local(L.ECHO)) {
        if (this.canonHead === this.readHead) this.echoes.push(ECHO_SET_CANON_COL);
        this.echo(c);
      }
      if (c === 0xff && this.input(I.PARMRK)) this.enqueue(c);
      this.endLine(c);
      return true;
    }
    return false;
  }

  private endLine(c: number): void {
    this.lineEnds[this.readHead & MASK] = 1;
    this.enqueue(c);
    this.canonHead = this.readHead;
    this.line.inputChanged();
  }

  private receiveSignal(signal: SignalCharacter, c: number): void {
    this.line.signal(signal);
    if (!this.local(L.NOFLSH)) {
      this.echoes.length = 0;
      this.line.flushOutput();
      this.flushInput();
    }
    if (this.input(I.IXON)) this.start();
    if (this.local(L.ECHO)) this.echo(c);
    else this.processEchoes();
  }

  /** VERASE, VKILL and VWERASE. */
  private erase(key: number): void {
    if (this.readHead === this.canonHead) return;
    const word = !this.is(key, CC.VERASE) && this.is(key, CC.VWERASE);
    const kill = !this.is(key, CC.VERASE) && !word;
    const echoing = this.local(L.ECHO);
    if (kill && !(echoing && this.local(L.ECHOK) && this.local(L.ECHOKE) && this.local(L.ECHOE))) {
      this.readHead = this.canonHead;
      if (!echoing) return;
      this.finishErasing();
      this.echo(this.termios.characters[CC.VKILL]);
      if (this.local(L.ECHOK)) this.echoes.push(NEWLINE);
      return;
    }
    let seenWord = false;
    while (this.readHead !== this.canonHead) {
      let head = this.readHead;
      let c: number;
      do {
        head--;
        c = this.buffer[head & MASK];
      } while (this.isContinuation(c) && head !== this.canonHead);
      // A continuation byte without its first byte stays.
      if (this.isContinuation(c)) break;
      if (word) {
        if (isWordCharacter(c)) seenWord = true;
        else if (seenWord) break;
      }
      const length = this.readHead - head;
      this.readHead = head;
      if (echoing) this.echoErased(c, head, length, kill || word);
      if (!kill && !word) break;
    }
    if (this.readHead === this.canonHead && echoing) this.finishErasing();
  }

  private echoErased(c: number, head: number, length: number, several: boolean): void {
    const { echoes } = this;
    if (this.local(L.ECHOPRT)) {
      if (!this.erasing) {
        echoes.push(0x5c /* \ */);
        this.erasing = true;
      }
      this.echo(c);
      for (let i = 1; i < length; i++) echoes.push(this.buffer[(head + i) & MASK], ECHO_MOVE_BACK_COL);
    } else if (!several && !this.local(L.ECHOE)) {
      this.echo(this.termios.characters[CC.VERASE]);
    } else if (c === TAB) {
      // How wide the tab was depends on the columns since the line began, or since the tab before.
      let columns = 0;
      let afterTab = false;
      for (let at = this.readHead - 1; at >= this.canonHead; at--) {
        const before = this.buffer[at & MASK];
        if (before === TAB) {
          afterTab = true;
          break;
        }
        if (isControl(before)) columns += this.local(L.ECHOCTL) ? 2 : 0;
        else if (!this.isContinuation(before)) columns++;
      }
      echoes.push(ECHO_ERASE_TAB + (columns & 7) + (afterTab ? 0x80 : 0));
    } else {
      if (isControl(c) && this.local(L.ECHOCTL)) echoes.push(BACKSPACE, SPACE, BACKSPACE);
      if (!isControl(c) || this.local(L.ECHOCTL)) echoes.push(BACKSPACE, SPACE, BACKSPACE);
    }
  }

  private isContinuation(c: number): boolean {
    return (c & 0xc0) === 0x80 && this.input(I.IUTF8);
  }

  // ---- echo -------------------------------------------------------------------------------------------------------

  private finishErasing(): void {
    if (!this.erasing) return;
    this.echoes.push(0x2f /* / */);
    this.erasing = false;
  }

  private echo(c: number): void {
    this.echoes.push(this.local(L.ECHOCTL) && isControl(c) && c !== TAB ? ECHO_CONTROL + c : c);
  }

  /** Sends queued echo as far as the terminal takes it. */
  processEchoes(): void {
    const { echoes } = this;
    if (echoes.length === 0) return;
    let room = this.outputRoom;
    const out: number[] = [];
    let done = 0;
    for (; done < echoes.length; done++) {
      const op = echoes[done];
      if (op >= ECHO_ERASE_TAB) {
        const columns = op - ECHO_ERASE_TAB;
        const back = 8 - (((columns & 0x80) === 0 ? columns + this.canonColumn : columns) & 7);
        if (back > room) break;
        for (let i = 0; i < back; i++) out.push(BACKSPACE);
        room -= back;
        this.column = Math.max(0, this.column - back);
      } else if (op === ECHO_SET_CANON_COL) {
        this.canonColumn = this.column;
      } else if (op === ECHO_MOVE_BACK_COL) {
        if (this.column > 0) this.column--;
      } else if (op >= ECHO_CONTROL) {
        if (room < 2) break;
        out.push(0x5e /* ^ */, (op - ECHO_CONTROL) ^ 0o100);
        room -= 2;
        this.column += 2;
      } else if (this.output(O.OPOST)) {
        const used = this.outputChar(op, out, room);
        if (used < 0) break;
        room -= used;
      } else {
        if (room < 1) break;
        out.push(op);
        room--;
      }
    }
    echoes.splice(0, done);
    if (out.length > 0) this.line.put(Uint8Array.from(out));
  }

  // ---- output -----------------------------------------------------------------------------------------------------

  get outputRoom(): number {
    return this.stopped ? 0 : this.line.room();
  }

  /** Takes what a program writes, as far as the terminal has room; returns how many bytes. */
  write(bytes: Uint8Array): number {
    this.processEchoes();
    let room = this.outputRoom;
    if (room <= 0) return 0;
    if (!this.output(O.OPOST)) {
      const n = Math.min(room, bytes.length);
      if (n > 0) this.line.put(n === bytes.length ? bytes : bytes.subarray(0, n));
      return n;
    }
    // Runs of characters that need no translation go out as they are.
    let start = 0;
    let at = 0;
    const special: number[] = [];
    for (; at < bytes.length && room > 0; at++) {
      const c = bytes[at];
      if (!isControl(c) && !this.output(O.OLCUC)) {
        if (!this.isContinuation(c)) this.column++;
        room--;
        continue;
      }
      special.length = 0;
      const used = this.outputChar(c, special, room);
      if (used < 0) break;
      room -= used;
      if (used === 1 && special[0] === c) continue;
      if (at > start) this.line.put(bytes.subarray(start, at));
      start = at + 1;
      if (used === 2 && c === NEWLINE) this.line.put(CRLF);
      else if (used > 0) this.line.put(c === TAB ? SPACES.subarray(0, used) : Uint8Array.from(special));
    }
    if (at > start) this.line.put(start === 0 && at === bytes.length ? bytes : bytes.subarray(start, at));
    return at;
  }

  /** do_output_char: appends what `c` becomes to `out`; returns how many bytes, -1 when that is more than `room`. */
  private outputChar(byte: number, out: number[], room: number): number {
    if (room < 1) return -1;
    let c = byte;
    switch (c) {
      case NEWLINE:
        if (this.output(O.ONLRET)) this.column = 0;
        if (this.output(O.ONLCR)) {
          if (room < 2) return -1;
          this.canonColumn = this.column = 0;
          out.push(CARRIAGE_RETURN, NEWLINE);
          return 2;
        }
        this.canonColumn = this.column;
        break;
      case CARRIAGE_RETURN:
        if (this.output(O.ONOCR) && this.column === 0) return 0;
        if (this.output(O.OCRNL)) {
          c = NEWLINE;
          if (this.output(O.ONLRET)) this.canonColumn = this.column = 0;
          break;
        }
        this.canonColumn = this.column = 0;
        break;
      case TAB: {
        const columns = 8 - (this.column & 7);
        if ((this.termios.outputFlags & O.TABDLY) === O.XTABS) {
          if (room < columns) return -1;
          this.column += columns;
          for (let i = 0; i < columns; i++) out.push(SPACE);
          return columns;
        }
        this.column += columns;
        break;
      }
      case BACKSPACE:
        if (this.column > 0) this.column--;
        break;
      default:
        if (!isControl(c)) {
          if (this.output(O.OLCUC)) c = toUpper(c);
          if (!this.isContinuation(c)) this.column++;
        }
    }
    out.push(c);
    return 1;
  }

  get outputStopped(): boolean {
    return this.stopped;
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

  /** VSTART, or TCOON. */
  start(byProgram = false): void {
    if (byProgram) this.stoppedByProgram = false;
    if (this.stopped && !this.stoppedByProgram) {
      this.stopped = false;
      this.line.flowChanged(false);
    }
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
    if (this.isCanonical) return this.canonHead !== this.readTail;
    return this.commitHead - this.readTail >= minimum;
  }

  /** FIONREAD */
  get readable(): number {
    if (!this.isCanonical) return this.commitHead - this.readTail;
    let n = this.canonHead - this.readTail;
    for (let at = this.readTail; at !== this.canonHead; at++) {
      if (this.lineEnds[at & MASK] !== 0 && this.buffer[at & MASK] === DISABLED) n--;
    }
    return n;
  }

  /** Copies what is there (in canonical mode at most one line) and returns how many bytes; call after available(). */
  read(target: Uint8Array): number {
    return this.isCanonical ? this.readLine(target) : this.readRaw(target);
  }

  private readRaw(target: Uint8Array): number {
    const n = Math.min(target.length, this.commitHead - this.readTail);
    this.copyOut(target, n);
    this.readTail += n;
    return n;
  }

  private readLine(target: Uint8Array): number {
    const limit = Math.min(target.length, this.canonHead - this.readTail);
    let length = 0;
    let found = false;
    while (length < limit) {
      found = this.lineEnds[(this.readTail + length) & MASK] !== 0;
      if (found) break;
      length++;
    }
    const end = (this.readTail + length) & MASK;
    // An end of file ends the read and is not part of it.
    const isEof = found && this.buffer[end] === DISABLED;
    const copied = found && !isEof ? length + 1 : length;
    this.copyOut(target, copied);
    this.readTail += found ? length + 1 : length;
    if (found) {
      this.lineEnds[end] = 0;
    } else if (copied === target.length) {
      this.skipEof();
    }
    return copied;
  }

  /** A reader that got exactly the line before an end of file must not see that as a second, empty one. */
  private skipEof(): void {
    const at = this.readTail & MASK;
    if (this.canonHead === this.readTail || this.lineEnds[at] === 0 || this.buffer[at] !== DISABLED) return;
    this.lineEnds[at] = 0;
    this.readTail++;
  }

  private copyOut(target: Uint8Array, count: number): void {
    for (let i = 0; i < count; i++) target[i] = this.buffer[(this.readTail + i) & MASK];
  }

  /** TCIFLUSH */
  flushInput(): void {
    this.readHead = this.readTail = this.canonHead = this.commitHead = 0;
    this.erasing = false;
    this.lineEnds.fill(0);
    this.line.inputFlushed();
  }
}

/** The kernel's iscntrl(). */
function isControl(c: number): boolean {
  return c < 32 || c === 127;
}

/** The kernel's tolower() and toupper(): Latin-1, which makes a mess of UTF-8 there as well. */
function toLower(c: number): number {
  return (c >= 65 && c <= 90) || (c >= 192 && c <= 222 && c !== 215) ? c + 32 : c;
}

function toUpper(c: number): number {
  return (c >= 97 && c <= 122) || (c >= 224 && c !== 247 && c !== 255) ? c - 32 : c;
}

/** The kernel's isalnum() (Latin-1) or an underscore. */
function isWordCharacter(c: number): boolean {
  return (
    (c >= 48 && c <= 57) ||
    (c >= 65 && c <= 90) ||
    (c >= 97 && c <= 122) ||
    c === 95 ||
    (c >= 192 && c !== 215 && c !== 247)
  );
}
