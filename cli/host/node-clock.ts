/** Time from Node: `performance.now()` (CLOCK_MONOTONIC, 50 ns a call) and timers. */

import type { Clock } from "../../kernel/host.ts";

const NS_PER_MS = 1e6;
const NS_PER_SECOND = 1e9;
const MS_PER_SECOND = 1000;
/** How far the time of day may be from where the monotonic clock says it is before somebody must have set it. */
const SET_CLOCK_TOLERANCE_MS = 5;
/** setTimeout takes a 32-bit number of milliseconds. */
const LONGEST_TIMEOUT_MS = 0x7fffffff;

export class NodeClock implements Clock {
  private readonly start = performance.now();
  /** Time of day when performance.now() was 0. */
  private origin = splitMilliseconds(performance.timeOrigin);

  monotonic(): number {
    return Math.round((performance.now() - this.start) * NS_PER_MS);
  }

  /** Follows the host when its clock is set; between, it has the resolution of the monotonic clock. */
  realtime(): { seconds: number; nanoseconds: number } {
    const now = performance.now();
    const host = Date.now();
    const ours = this.origin.seconds * MS_PER_SECOND + this.origin.nanoseconds / NS_PER_MS + now;
    if (Math.abs(host - ours) > SET_CLOCK_TOLERANCE_MS) this.origin = splitMilliseconds(host - now);
    const nanoseconds = this.origin.nanoseconds + Math.round(now * NS_PER_MS);
    const carry = Math.floor(nanoseconds / NS_PER_SECOND);
    return { seconds: this.origin.seconds + carry, nanoseconds: nanoseconds - carry * NS_PER_SECOND };
  }

  /**
   * Node's timers count whole milliseconds and may be early by one. The last one is waited for in turns of the event
   * loop, so that a program that sleeps 50 µs does not sleep 1 ms.
   */
  after(ns: number, callback: () => void): () => void {
    const deadline = performance.now() + Math.max(0, ns) / NS_PER_MS;
    let timeout: NodeJS.Timeout | undefined;
    let immediate: NodeJS.Immediate | undefined;
    const turn = (): void => {
      timeout = undefined;
      immediate = undefined;
      const left = deadline - performance.now();
      if (left <= 0) callback();
      else if (left > 1) timeout = setTimeout(turn, Math.min(Math.floor(left), LONGEST_TIMEOUT_MS));
      else immediate = setImmediate(turn);
    };
    const left = ns / NS_PER_MS;
    if (left > 1) timeout = setTimeout(turn, Math.min(Math.floor(left), LONGEST_TIMEOUT_MS));
    else immediate = setImmediate(turn);
    return () => {
      clearTimeout(timeout);
      clearImmediate(immediate);
    };
  }

  yield(): Promise<void> {
    return new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

function splitMilliseconds(ms: number): { seconds: number; nanoseconds: number } {
  const seconds = Math.floor(ms / MS_PER_SECOND);
  return { seconds, nanoseconds: Math.round((ms - seconds * MS_PER_SECOND) * NS_PER_MS) };
}
