/** Guest RAM while a boot protocol fills it: what is placed where is checked, and told to people when it cannot be. */

import { BootError } from "./boot-error.ts";

const PAGE = 4096;

export interface Placed {
  readonly what: string;
  readonly start: number;
  readonly end: number;
}

export class LoaderMemory {
  private readonly placed: Placed[] = [];

  /** @param ram all of guest RAM, which is zero; physical address = index */
  constructor(readonly ram: Uint8Array) {}

  get size(): number {
    return this.ram.length;
  }

  /**
   * Copies bytes to a physical address.
   * @param memoryLength what it takes in memory, zeros behind the bytes: nothing is written there, for the host would have
   * to provide tens of megabytes that the guest writes over at once (measured: 0.25 s of a start)
   * @throws BootError if that is not RAM or something else is there
   */
  place(subject: string, what: string, start: number, bytes: Uint8Array, memoryLength = bytes.length): void {
    const end = start + Math.max(memoryLength, bytes.length);
    if (!Number.isInteger(start) || start < 0 || end > this.size) {
      const needed = Math.ceil(end / 2 ** 20);
      const advice = end < 2 ** 32 ? `; it would take --memory ${needed + 16}M` : "";
      throw new BootError(
        subject,
        `${what} does not fit into the machine's ${Math.floor(this.size / 2 ** 20)} MiB of memory${advice}`,
      );
    }
    const other = this.placed.find((item) => start < item.end && item.start < end);
    if (other !== undefined) throw new BootError(subject, `${what} would overwrite ${other.what} in memory`);
    this.placed.push({ what, start, end });
    this.ram.set(bytes, start);
  }

  /** The highest page-aligned place for `length` bytes that ends at or below `limit` and is free; undefined if none. */
  highest(length: number, limit: number): number | undefined {
    let top = Math.min(limit, this.size);
    for (;;) {
      const start = Math.floor((top - length) / PAGE) * PAGE;
      if (start < 2 ** 20) return undefined;
      const blocking = this.placed.filter((item) => start < item.end && item.start < start + length);
      if (blocking.length === 0) return start;
      top = Math.min(...blocking.map((item) => item.start));
    }
  }
}
