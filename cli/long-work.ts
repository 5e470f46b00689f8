/** Shows on a terminal how far work has come that a person waits for. */

import type { HostStream } from "../kernel/host.ts";

/** Work that is over sooner is not shown. */
const PATIENCE_NS = 300_000_000;
const ERASE_LINE = "\r\x1b[K";

export class LongWork {
  private shown = "";
  private readonly begin: number;

  /** @param monotonic the host's time, ns */
  constructor(
    private readonly stream: HostStream,
    private readonly what: string,
    private readonly monotonic: () => number,
  ) {
    this.begin = monotonic();
  }

  readonly progress = (done: number, total: number): void => {
    if (!this.stream.isTerminal || this.elapsed < PATIENCE_NS || total === 0) return;
    const text = `${this.what}: ${Math.floor((done / total) * 100)} %`;
    if (text !== this.shown) this.write(ERASE_LINE + text);
    this.shown = text;
  };

  /** Takes the line away. */
  end(): void {
    if (this.shown !== "") this.write(ERASE_LINE);
  }

  /** Nanoseconds since the beginning. */
  get elapsed(): number {
    return this.monotonic() - this.begin;
  }

  private write(text: string): void {
    void this.stream.write?.(new TextEncoder().encode(text));
  }
}
