/**
 * What was typed and not read yet: 4,096 bytes (N_TTY_BUF_SIZE) and, in canonical mode, where in them lines end. An end
 * of file is a line whose only character, {@link DISABLED}, is not handed out (n_tty.c: read_buf, read_flags).
 */

const SIZE = 4096;
const MASK = SIZE - 1;
/** What stands in the buffer for VEOF; as a control character it means "none" (_POSIX_VDISABLE). */
export const DISABLED = 0;

export class InputQueue {
  private readonly buffer = new Uint8Array(SIZE);
  /** 1 where a line ends. */
  private readonly lineEnds = new Uint8Array(SIZE);
  // Free-running positions in the buffer: where the next byte goes, where readers are …
  private head = 0;
  private tail = 0;
  /** … behind the last complete line … */
  private canonHead = 0;
  /** … and how far readers may go in raw mode. */
  private commitHead = 0;

  get count(): number {
    return this.head - this.tail;
  }

  get free(): number {
    return SIZE - this.count;
  }

  push(c: number): void {
    this.buffer[this.head & MASK] = c;
    this.head++;
  }

  /** The line that is being typed is complete with this character. */
  endLine(c: number): void {
    this.lineEnds[this.head & MASK] = 1;
    this.push(c);
    this.canonHead = this.head;
  }

  /** Raw mode: readers may have all there is. */
  commit(): void {
    this.commitHead = this.head;
  }

  // ---- the line that is being typed -------------------------------------------------------------------------------

  get lineIsEmpty(): boolean {
    return this.head === this.canonHead;
  }

  get hasLines(): boolean {
    return this.canonHead !== this.tail;
  }

  get lineLength(): number {
    return this.head - this.canonHead;
  }

  /** A byte of the line, counted from its beginning. */
  lineByte(index: number): number {
    return this.buffer[(this.canonHead + index) & MASK];
  }

  /** Shortens the line. */
  truncateLine(length: number): void {
    this.head = this.canonHead + length;
  }

  // ---- reading ----------------------------------------------------------------------------------------------------

  get committed(): number {
    return this.commitHead - this.tail;
  }

  /** Bytes of complete lines, without ends of file. */
  get lineBytes(): number {
    let n = this.canonHead - this.tail;
    for (let at = this.tail; at !== this.canonHead; at++) if (this.isEof(at)) n--;
    return n;
  }

  private isEof(at: number): boolean {
    return this.lineEnds[at & MASK] !== 0 && this.buffer[at & MASK] === DISABLED;
  }

  readRaw(target: Uint8Array): number {
    const n = Math.min(target.length, this.committed);
    this.copyOut(target, n);
    this.tail += n;
    return n;
  }

  /** Reads up to the end of a line. */
  readLine(target: Uint8Array): number {
    const limit = Math.min(target.length, this.canonHead - this.tail);
    let length = 0;
    while (length < limit && this.lineEnds[(this.tail + length) & MASK] === 0) length++;
    const end = this.tail + length;
    const found = length < limit;
    const eof = found && this.isEof(end);
    const copied = found && !eof ? length + 1 : length;
    this.copyOut(target, copied);
    this.tail = found ? end + 1 : end;
    if (found) this.lineEnds[end & MASK] = 0;
    // Who got exactly the line before an end of file must not see that as a second, empty one.
    else if (copied === target.length && this.hasLines && this.isEof(this.tail))
      this.lineEnds[this.tail++ & MASK] = 0;
    return copied;
  }

  private copyOut(target: Uint8Array, count: number): void {
    for (let i = 0; i < count; i++) target[i] = this.buffer[(this.tail + i) & MASK];
  }

  // ---- changes of mode --------------------------------------------------------------------------------------------

  /** ICANON was switched; what is there already becomes one line, or raw bytes. */
  switchMode(canonical: boolean): void {
    this.lineEnds.fill(0);
    if (!canonical || this.count === 0) {
      this.canonHead = this.tail;
    } else {
      this.lineEnds[(this.head - 1) & MASK] = 1;
      this.canonHead = this.head;
    }
    this.commitHead = this.head;
  }

  clear(): void {
    this.head = this.tail = this.canonHead = this.commitHead = 0;
    this.lineEnds.fill(0);
  }

  /** Gives up the last byte: a line is too long for the buffer. */
  dropLast(): void {
    this.head--;
  }
}
