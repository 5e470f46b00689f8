/** Timers that come back: setitimer(2), timer_create(2), alarm(2). */

import type { Clock } from "../host.ts";
import type { SignalInfo } from "./signals.ts";

/** Calls back at a time and then, if it has an interval, at every multiple. Times are ns of the monotonic clock. */
export class IntervalTimer {
  private cancel: (() => void) | undefined;
  private next = 0;
  interval = 0;

  constructor(
    private readonly clock: Clock,
    private readonly expired: (count: number) => void,
  ) {}

  get armed(): boolean {
    return this.cancel !== undefined;
  }

  /** Time until the next expiration; 0 when it is not armed. */
  get remaining(): number {
    return this.armed ? Math.max(1, this.next - this.clock.monotonic()) : 0;
  }

  /** Starts (or, without `at`, stops) the timer. */
  set(at: number | undefined, interval: number): void {
    this.cancel?.();
    this.cancel = undefined;
    this.interval = interval;
    if (at === undefined) return;
    this.next = at;
    this.schedule();
  }

  private schedule(): void {
    this.cancel = this.clock.after(Math.max(0, this.next - this.clock.monotonic()), () => this.fire());
  }

  private fire(): void {
    const now = this.clock.monotonic();
    if (now < this.next) {
      this.schedule();
      return;
    }
    let count = 1;
    if (this.interval > 0) {
      count += Math.floor((now - this.next) / this.interval);
      this.next += count * this.interval;
      this.schedule();
    } else {
      this.cancel = undefined;
    }
    this.expired(count);
  }
}

/** ITIMER_VIRTUAL and ITIMER_PROF: expires after processor time. Looked at between slices, as Linux does each tick. */
export interface CpuTimer {
  /** ns of processor time to go. */
  remaining: number;
  interval: number;
  readonly signal: number;
}

/** A timer of timer_create(2) that sends a signal, at most one at a time: more expirations are overruns of that one. */
export class PosixTimer {
  readonly timer: IntervalTimer;
  private sent: SignalInfo | undefined;
  private overrunBefore = 0;

  /**
   * @param clockId what it was created with
   * @param isPending is this record still in the queue?
   * @param send queues a signal with this record
   */
  constructor(
    clock: Clock,
    readonly clockId: number,
    private readonly isPending: (info: SignalInfo) => boolean,
    send: (overrun: number) => SignalInfo | undefined,
  ) {
    this.timer = new IntervalTimer(clock, (count) => {
      if (this.sent !== undefined && isPending(this.sent)) {
        this.sent.overrun = (this.sent.overrun ?? 0) + count;
        return;
      }
      this.overrunBefore = this.sent?.overrun ?? 0;
      this.sent = send(count - 1);
    });
  }

  /** Overruns of the signal that was delivered last. */
  get overrun(): number {
    if (this.sent === undefined) return 0;
    return this.isPending(this.sent) ? this.overrunBefore : (this.sent.overrun ?? 0);
  }
}
