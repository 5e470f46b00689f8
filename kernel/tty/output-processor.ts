/**
 * What becomes of output on its way to the terminal (OPOST, termios(3)), and at which column that leaves the cursor
 * (n_tty.c: do_output_char, process_output_block).
 */

import { BACKSPACE, CARRIAGE_RETURN, isControl, NEWLINE, SPACE, TAB, toUpper } from "./characters.ts";
import { InputFlag, OutputFlag as O, type Termios } from "./termios.ts";

/** Output is put together here, so that it goes out in few pieces. */
const SCRATCH_SIZE = 8192;
/** A character becomes at most this many: a tab. */
const LONGEST = 8;

export class OutputProcessor {
  column = 0;
  private readonly scratch = new Uint8Array(SCRATCH_SIZE);
  /** The column at which the line that is being typed began. */
  canonColumn = 0;

  constructor(private readonly termios: Termios) {}

  private is(flag: number): boolean {
    return (this.termios.outputFlags & flag) !== 0;
  }

  get enabled(): boolean {
    return this.is(O.OPOST);
  }

  private isContinuation(c: number): boolean {
    return (c & 0xc0) === 0x80 && (this.termios.inputFlags & InputFlag.IUTF8) !== 0;
  }

  /**
   * Puts out what fits into `available` bytes; returns how many of the given ones that was. What `put` gets is only good
   * until it returns.
   */
  write(bytes: Uint8Array, available: number, put: (bytes: Uint8Array) => void): number {
    if (!this.enabled) {
      const n = Math.min(available, bytes.length);
      if (n > 0) put(n === bytes.length ? bytes : bytes.subarray(0, n));
      return n;
    }
    let room = available;
    let at = 0;
    let filled = 0;
    const { scratch } = this;
    const changed: number[] = [];
    const literal = !this.is(O.OLCUC);
    for (; at < bytes.length && room > 0; at++) {
      if (filled > SCRATCH_SIZE - LONGEST) {
        put(scratch.subarray(0, filled));
        filled = 0;
      }
      const c = bytes[at];
      if (literal && !isControl(c)) {
        if (!this.isContinuation(c)) this.column++;
        scratch[filled++] = c;
        room--;
        continue;
      }
      changed.length = 0;
      const used = this.translate(c, changed, room);
      if (used < 0) break;
      for (const each of changed) scratch[filled++] = each;
      room -= used;
    }
    if (filled > 0) put(scratch.subarray(0, filled));
    return at;
  }

  /** Appends what `byte` becomes to `out`; returns how many bytes, -1 when that is more than `room`. */
  translate(byte: number, out: number[], room: number): number {
    if (room < 1) return -1;
    let c = byte;
    switch (c) {
      case NEWLINE:
        if (this.is(O.ONLRET)) this.column = 0;
        if (this.is(O.ONLCR)) {
          if (room < 2) return -1;
          this.canonColumn = this.column = 0;
          out.push(CARRIAGE_RETURN, NEWLINE);
          return 2;
        }
        this.canonColumn = this.column;
        break;
      case CARRIAGE_RETURN:
        if (this.is(O.ONOCR) && this.column === 0) return 0;
        if (this.is(O.OCRNL)) {
          c = NEWLINE;
          if (this.is(O.ONLRET)) this.canonColumn = this.column = 0;
          break;
        }
        this.canonColumn = this.column = 0;
        break;
      case TAB:
        return this.tab(out, room);
      case BACKSPACE:
        if (this.column > 0) this.column--;
        break;
      default:
        if (!isControl(c)) {
          if (this.is(O.OLCUC)) c = toUpper(c);
          if (!this.isContinuation(c)) this.column++;
        }
    }
    out.push(c);
    return 1;
  }

  private tab(out: number[], room: number): number {
    const columns = 8 - (this.column & 7);
    if ((this.termios.outputFlags & O.TABDLY) !== O.XTABS) {
      this.column += columns;
      out.push(TAB);
      return 1;
    }
    if (room < columns) return -1;
    this.column += columns;
    for (let i = 0; i < columns; i++) out.push(SPACE);
    return columns;
  }
}
