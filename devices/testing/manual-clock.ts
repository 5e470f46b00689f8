/** A machine clock that a test moves by hand. */

import { MachineClock } from "../clock.ts";

export class ManualClock extends MachineClock {
  private time: { ns: number };

  constructor() {
    const time = { ns: 0 };
    super(() => time.ns);
    this.time = time;
  }

  /** Moves time on, firing timers one after the other at their own times. */
  advance(ns: number): void {
    const end = this.time.ns + ns;
    for (let next = this.nextDeadline(); next <= end; next = this.nextDeadline()) {
      this.time.ns = Math.max(this.time.ns, next);
      this.fireDue();
    }
    this.time.ns = end;
  }

  /** Moves time on; timers fire when somebody looks. */
  pass(ns: number): void {
    this.time.ns += ns;
  }
}
