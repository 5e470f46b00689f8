/**
 * Time that is made of instructions: one takes a nanosecond, and waiting takes no time at all. With it a run depends on
 * nothing but the programs and their input (`--deterministic`). The scheduler drives it.
 */

import type { Clock } from "../host.ts";

/** 2024-01-01T00:00:00Z: where the time of day starts. */
const EPOCH = 1_704_067_200;
const NS_PER_SECOND = 1e9;

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

export class InstructionClock implements Clock {
  private now = 0;
  /** Soonest first; equal ones in the order they were set. */
  private readonly timers: Timer[] = [];

  /** @param host whose events get a turn now and then */
  constructor(private readonly host: Clock) {}

  monotonic(): number {
    return this.now;
  }

  realtime(): { seconds: number; nanoseconds: number } {
    const seconds = Math.floor(this.now / NS_PER_SECOND);
    return { seconds: EPOCH + seconds, nanoseconds: this.now - seconds * NS_PER_SECOND };
  }

  after(ns: number, callback: () => void): () => void {
    const timer = { at: this.now + Math.max(0, Math.round(ns)), callback };
    let index = this.timers.length;
    while (index > 0 && this.timers[index - 1].at > timer.at) index--;
    this.timers.splice(index, 0, timer);
    return () => {
      const position = this.timers.indexOf(timer);
      if (position >= 0) this.timers.splice(position, 1);
    };
  }

  yield(): Promise<void> {
    return this.host.yield();
  }

  /** Instructions were executed. */
  advance(instructions: number): void {
    this.now += instructions;
  }

  /** Calls what is due. */
  fireDue(): void {
    for (let next = this.timers[0]; next !== undefined && next.at <= this.now; next = this.timers[0]) {
      this.timers.shift();
      next.callback();
    }
  }

  /** Nobody has anything to do: goes to the next timer. @returns false when there is none */
  skipToNext(): boolean {
    const next = this.timers[0];
    if (next === undefined) return false;
    this.now = Math.max(this.now, next.at);
    this.fireDue();
    return true;
  }
}
