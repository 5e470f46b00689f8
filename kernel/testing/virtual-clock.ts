/** A clock for tests: time passes only when everybody waits for it. */

import type { Clock } from "../host.ts";

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

export class VirtualClock implements Clock {
  private now = 1_000_000_000;
  private timers: Timer[] = [];

  monotonic(): number {
    return this.now;
  }

  realtime(): { seconds: number; nanoseconds: number } {
    const ns = this.now;
    return { seconds: 1_700_000_000 + Math.floor(ns / 1e9), nanoseconds: ns % 1e9 };
  }

  after(ns: number, callback: () => void): () => void {
    const timer = { at: this.now + Math.max(0, Math.round(ns)), callback };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  yield(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** Lets time pass. */
  advance(ns: number): void {
    this.now += ns;
  }

  /** Goes to the next timer and fires it. @returns false when there is none */
  fireNext(): boolean {
    const next = this.timers.reduce<Timer | undefined>(
      (first, timer) => (first === undefined || timer.at < first.at ? timer : first),
      undefined,
    );
    if (next === undefined) return false;
    this.timers = this.timers.filter((timer) => timer !== next);
    this.now = Math.max(this.now, next.at);
    next.callback();
    return true;
  }
}
