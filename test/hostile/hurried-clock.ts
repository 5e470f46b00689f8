/** A clock whose time is the kernel's own activity: every look at it costs a little, and waits are skipped. */

import type { Clock } from "../../kernel/host.ts";

/** What a look at the clock costs, ns. */
const LOOK = 20_000;

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

export class HurriedClock implements Clock {
  private now = 1_000_000_000;
  private readonly timers = new Set<Timer>();

  monotonic(): number {
    this.now += LOOK;
    return this.now;
  }

  realtime(): { seconds: number; nanoseconds: number } {
    const now = this.monotonic();
    return { seconds: 1_700_000_000 + Math.floor(now / 1e9), nanoseconds: now % 1e9 };
  }

  after(ns: number, callback: () => void): () => void {
    const timer = { at: this.now + Math.max(0, Math.round(ns)), callback };
    this.timers.add(timer);
    return () => void this.timers.delete(timer);
  }

  /** A turn of the event loop: whoever drives the kernel gets his chance. */
  yield(): Promise<void> {
    return new Promise((resolve) => void setImmediate(resolve));
  }

  /** Lets time pass. */
  advance(ns: number): void {
    this.now += ns;
  }

  /** How many timers are set. */
  get pending(): number {
    return this.timers.size;
  }

  /**
   * Goes to the next timer and fires it.
   * @param horizon how far it may be away, ns
   * @returns false when there is none
   */
  fireNext(horizon: number): boolean {
    let next: Timer | undefined;
    for (const timer of this.timers) if (next === undefined || timer.at < next.at) next = timer;
    if (next === undefined || next.at > this.now + horizon) return false;
    this.timers.delete(next);
    this.now = Math.max(this.now, next.at);
    next.callback();
    return true;
  }
}
