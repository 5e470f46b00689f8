/**
 * The machine's one clock. Devices read it and set timers on it; the machine's run loop decides when it is looked at.
 *
 * Time is nanoseconds since the machine was switched on, as a JS number (exact to 2^53 ns = 104 days).
 */

/** One alarm of a device, armed again and again. */
export interface Timer {
  /** When it will fire, or undefined while it is not armed. */
  readonly deadline: number | undefined;
  /** Fires once at `deadline` or as soon after it as the machine looks; replaces the deadline before. */
  schedule(deadline: number): void;
  cancel(): void;
}

export interface Clock {
  now(): number;
  /** A timer that is not armed yet. */
  timer(callback: () => void): Timer;
}

/** Arms a timer as it was saved, or not at all. */
export function restoreTimer(timer: Timer, deadline: number | undefined): void {
  if (deadline === undefined) timer.cancel();
  else timer.schedule(deadline);
}

/** The time of day, where the host (or a test) says what it is. */
export interface WallClock {
  realtime(): { readonly seconds: number; readonly nanoseconds: number };
}

const NEVER = Number.POSITIVE_INFINITY;

class ArmedTimer implements Timer {
  at = NEVER;

  constructor(
    private readonly clock: MachineClock,
    readonly callback: () => void,
  ) {}

  get deadline(): number | undefined {
    return this.at === NEVER ? undefined : this.at;
  }

  schedule(deadline: number): void {
    this.at = deadline;
    this.clock.changed(deadline);
  }

  cancel(): void {
    this.at = NEVER;
  }
}

/** A {@link Clock} over any source of nanoseconds: the host's monotonic clock, or counted instructions. */
export class MachineClock implements Clock {
  /** Called when a timer is set to an earlier time than any other: the run loop shortens its slice. */
  onEarlier: ((deadline: number) => void) | undefined;
  /** A machine has a dozen timers: looking at all of them is cheaper than keeping them in order. */
  private readonly timers: ArmedTimer[] = [];
  /** No timer is due before this. */
  private earliest = NEVER;

  /** @param nanoseconds rises, and never falls */
  constructor(private readonly nanoseconds: () => number) {}

  now(): number {
    return this.nanoseconds();
  }

  timer(callback: () => void): Timer {
    const timer = new ArmedTimer(this, callback);
    this.timers.push(timer);
    return timer;
  }

  /** A timer's deadline is now this. */
  changed(deadline: number): void {
    if (deadline >= this.earliest) return;
    this.earliest = deadline;
    this.onEarlier?.(deadline);
  }

  /** When the next timer is due; infinity if none is armed. */
  nextDeadline(): number {
    let next = NEVER;
    for (const timer of this.timers) if (timer.at < next) next = timer.at;
    this.earliest = next;
    return next;
  }

  /**
   * Fires every timer that is due, in the order of their deadlines. A callback that arms its timer for a time that has
   * passed as well is called in the next turn: a guest with a period of a nanosecond gets no loop of its own here.
   */
  fireDue(): void {
    const now = this.now();
    if (now < this.earliest) return;
    const due = this.timers.filter((timer) => timer.at <= now).sort((a, b) => a.at - b.at);
    for (const timer of due) {
      if (timer.at > now) continue; // an earlier callback moved it
      timer.at = NEVER;
      timer.callback();
    }
    this.nextDeadline();
  }
}
