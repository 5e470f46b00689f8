/**
 * Reads ahead in a file that is read in small pieces one behind the other: a read of the host costs a few microseconds
 * whatever its length, most of what `read(2)` of a few hundred bytes takes.
 */

import type { Clock, HostFile } from "../host.ts";

/** Reads of this length and more are not worth a copy. */
const LONG_READ = 32_768;
const AHEAD = 65_536;
/**
 * How long what was read ahead may be used (ns). What others than our guests change in a file is seen after that at the
 * latest; what our guests change at once, because they {@link ReadAhead.forget} it.
 */
const FRESH_FOR = 20e6;

export class ReadAhead {
  private buffer: Uint8Array | undefined;
  /** The piece of the file that the buffer holds, and since when. */
  private start = 0;
  private end = 0;
  private readAt = 0;
  /** Where the next read begins, if it goes on behind the last one. */
  private next = -1;

  constructor(private readonly clock: Clock) {}

  /** As {@link HostFile.read}. */
  read(file: HostFile, position: number, into: Uint8Array): number {
    const isNext = position === this.next;
    let count = this.take(position, into);
    if (count === 0) {
      if (isNext && into.length < LONG_READ) {
        this.fill(file, position);
        count = this.take(position, into);
      } else count = file.read(into, position);
    }
    this.next = position + count;
    // At the end of the buffer there may be more of what was asked for.
    return count > 0 && count < into.length && this.next === this.end && this.isFull
      ? count + this.read(file, this.next, into.subarray(count))
      : count;
  }

  /** The file has been changed, or closed. */
  forget(): void {
    this.end = this.start;
    this.next = -1;
  }

  private get isFull(): boolean {
    return this.end - this.start === AHEAD;
  }

  private take(position: number, into: Uint8Array): number {
    const { buffer, start, end } = this;
    if (buffer === undefined || position < start || position >= end) return 0;
    if (this.clock.monotonic() - this.readAt > FRESH_FOR) return 0;
    const from = position - start;
    const count = Math.min(into.length, end - position);
    into.set(buffer.subarray(from, from + count));
    return count;
  }

  private fill(file: HostFile, position: number): void {
    this.buffer ??= new Uint8Array(AHEAD);
    this.end = this.start = position;
    this.end += file.read(this.buffer, position);
    this.readAt = this.clock.monotonic();
  }
}
