/**
 * Time from Node: `process.hrtime()` (CLOCK_MONOTONIC, 60 ns a call) and timers. `performance.now()` costs as much, and 8 ms
 * when it is first named: it is in a module of Node's that is loaded then.
 */

import type { Clock } from "../../kernel/host.ts";

const NS_PER_MS = 1e6;
const NS_PER_SECOND = 1e9;
const MS_PER_SECOND = 1000;
/** How far the time of day may be from where the monotonic clock says it is before somebody must have set it. */
const SET_CLOCK_TOLERANCE_MS = 5;
/** setTimeout takes a 32-bit number of milliseconds. */
const LONGEST_TIMEOUT_MS = 0x7fffffff;

export class NodeClock implements Clock {
  private readonly start = process.hrtime();
  /** Time of day when monotonic() was 0. */
  private origin = splitMilliseconds(Date.now());

  monotonic(): number {
    const [seconds, nanoseconds] = process.hrtime();
    return (seconds - this.start[0]) * NS_PER_SECOND + nanoseconds - this.start[1];
  }

  /**
   * Has the resolution of the monotonic clock. The host tells whole milliseconds, the last one that is over: where ours is
   * behind that, it has begun too early in one. It follows the host also when somebody sets its clock.
   */
  realtime(): { seconds: number; nanoseconds: number } {
    let now = this.monotonic();
    const host = Date.now();
    const ours = this.timeOfDay(now);
    // If ours is behind, this thread may have had to wait for a processor before it asked the host.
    if (ours < host) now = this.monotonic();
    if (this.timeOfDay(now) < host || ours - host > SET_CLOCK_TOLERANCE_MS)
      this.origin = splitMilliseconds(host - now / NS_PER_MS);
    const nanoseconds = this.origin.nanoseconds + now;
    const carry = Math.floor(nanoseconds / NS_PER_SECOND);
    return { seconds: this.origin.seconds + carry, nanoseconds: nanoseconds - carry * NS_PER_SECOND };
  }

  /**
   * Node's timers count whole milliseconds and may be early by one. The last one is waited for in turns of the event
   * loop, so that a program that sleeps 50 µs does not sleep 1 ms.
   */
  after(ns: number, callback: () => void): () => void {
    const deadline = this.monotonic() + Math.max(0, ns);
    let timeout: NodeJS.Timeout | undefined;
    let immediate: NodeJS.Immediate | undefined;
    const turn = (): void => {
      timeout = undefined;
      immediate = undefined;
      const left = (deadline - this.monotonic()) / NS_PER_MS;
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

  /** In milliseconds. */
  private timeOfDay(monotonic: number): number {
    return this.origin.seconds * MS_PER_SECOND + (this.origin.nanoseconds + monotonic) / NS_PER_MS;
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
