/**
 * Echo that has not been shown yet: characters, and what can only be decided once the cursor is where it belongs (the
 * echo buffer of n_tty.c with its ECHO_OP_* codes).
 */

import { BACKSPACE, isControl, SPACE, TAB } from "./characters.ts";
import type { OutputProcessor } from "./output-processor.ts";
import { LocalFlag, type Termios } from "./termios.ts";

// Entries above byte values.
const CONTROL = 0x100; // + c: as ^X
const SET_CANON_COLUMN = 0x200;
const MOVE_BACK = 0x201;
const ERASE_TAB = 0x300; // + columns, and AFTER_TAB
const AFTER_TAB = 0x80;
const CARET = 0x5e;

export class EchoQueue {
  private readonly queue: number[] = [];

  constructor(
    private readonly termios: Termios,
    private readonly output: OutputProcessor,
  ) {}

  /** A character as a person should see it: control characters as ^X, if ECHOCTL says so. */
  character(c: number): void {
    const caret = (this.termios.localFlags & LocalFlag.ECHOCTL) !== 0 && isControl(c) && c !== TAB;
    this.queue.push(caret ? CONTROL + c : c);
  }

  /** Characters as they are. */
  raw(...characters: number[]): void {
    this.queue.push(...characters);
  }

  /** Takes the character left of the cursor off the screen. */
  rubOut(): void {
    this.queue.push(BACKSPACE, SPACE, BACKSPACE);
  }

  /** A line begins here. */
  setCanonColumn(): void {
    this.queue.push(SET_CANON_COLUMN);
  }

  /** The byte before was not a column of its own. */
  moveBack(): void {
    this.queue.push(MOVE_BACK);
  }

  /** Goes back over a tab that came `columns` after the beginning of the line, or after another tab. */
  eraseTab(columns: number, afterTab: boolean): void {
    this.queue.push(ERASE_TAB + (columns & 7) + (afterTab ? AFTER_TAB : 0));
  }

  clear(): void {
    this.queue.length = 0;
  }

  get isEmpty(): boolean {
    return this.queue.length === 0;
  }

  /** Takes out what fits into `available` bytes, as it goes to the screen. */
  take(available: number): Uint8Array {
    const out: number[] = [];
    let room = available;
    let done = 0;
    for (; done < this.queue.length; done++) {
      const used = this.show(this.queue[done], out, room);
      if (used < 0) break;
      room -= used;
    }
    this.queue.splice(0, done);
    return Uint8Array.from(out);
  }

  /** Returns how many bytes, -1 when that is more than `room`. */
  private show(entry: number, out: number[], room: number): number {
    const { output } = this;
    if (entry >= ERASE_TAB) {
      const columns = entry - ERASE_TAB;
      const back = 8 - (((columns & AFTER_TAB) === 0 ? columns + output.canonColumn : columns) & 7);
      if (back > room) return -1;
      for (let i = 0; i < back; i++) out.push(BACKSPACE);
      output.column = Math.max(0, output.column - back);
      return back;
    }
    if (entry === SET_CANON_COLUMN) {
      output.canonColumn = output.column;
      return 0;
    }
    if (entry === MOVE_BACK) {
      if (output.column > 0) output.column--;
      return 0;
    }
    if (entry >= CONTROL) {
      if (room < 2) return -1;
      out.push(CARET, (entry - CONTROL) ^ 0o100);
      output.column += 2;
      return 2;
    }
    if (output.enabled) return output.translate(entry, out, room);
    if (room < 1) return -1;
    out.push(entry);
    return 1;
  }
}
