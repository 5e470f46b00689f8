/** The local APIC's timer: one-shot, periodic and TSC-deadline (Intel SDM vol. 3, 11.5.4). */

import { type Clock, restoreTimer, type Timer } from "../clock.ts";
import { type Saveable, type SavedState, StateReader } from "../saved-state.ts";

/** Bits 17 and 18 of the timer's LVT entry. */
export const TimerMode = { OneShot: 0, Periodic: 1, TscDeadline: 2 } as const;

/** The timer's input: 1 GHz, one count a nanosecond before division. Linux measures it, or is told by KVM's leaves. */
export const APIC_TIMER_HZ = 1_000_000_000;

export class ApicTimer implements Saveable {
  private currentMode = 0;
  private count = 0;
  private divide = 0;
  /** When the count began, while it runs. */
  private started = 0;
  private deadlineValue = 0n;
  private readonly timer: Timer;

  /**
   * @param tscDeadline when the time-stamp counter reaches a value
   * @param fire raises the interrupt; the LVT entry's mask is the caller's business
   */
  constructor(
    private readonly clock: Clock,
    private readonly tscDeadline: (tsc: bigint) => number,
    private readonly fire: () => void,
  ) {
    this.timer = clock.timer(() => this.expired());
  }

  reset(): void {
    this.currentMode = TimerMode.OneShot;
    this.count = 0;
    this.divide = 0;
    this.deadlineValue = 0n;
    this.timer.cancel();
  }

  get mode(): number {
    return this.currentMode;
  }

  /** Changing between TSC-deadline and the counting modes disarms the timer (11.5.4.1). */
  set mode(mode: number) {
    const before = this.currentMode;
    this.currentMode = mode;
    if (mode === before || (mode !== TimerMode.TscDeadline && before !== TimerMode.TscDeadline)) return;
    this.count = 0;
    this.deadlineValue = 0n;
    this.timer.cancel();
  }

  /** Nanoseconds of one count: the divisor is coded in bits 0, 1 and 3 (figure 11-10). */
  private get divisor(): number {
    const code = (this.divide & 3) | ((this.divide & 8) >> 1);
    return code === 7 ? 1 : 2 << code;
  }

  get divideConfiguration(): number {
    return this.divide;
  }

  set divideConfiguration(value: number) {
    const left = this.currentCount;
    this.divide = value;
    if (this.timer.deadline === undefined || this.currentMode === TimerMode.TscDeadline) return;
    const now = this.clock.now();
    this.started = now - (this.count - left) * this.divisor;
    this.timer.schedule(now + left * this.divisor);
  }

  get initialCount(): number {
    return this.count;
  }

  set initialCount(value: number) {
    if (this.currentMode === TimerMode.TscDeadline) return; // 11.5.4.1: writes are ignored
    this.count = value;
    this.started = this.clock.now();
    if (value === 0) this.timer.cancel();
    else this.timer.schedule(this.started + value * this.divisor);
  }

  get currentCount(): number {
    const { deadline } = this.timer;
    if (deadline === undefined || this.currentMode === TimerMode.TscDeadline) return 0;
    return Math.max(0, Math.ceil((deadline - this.clock.now()) / this.divisor));
  }

  /** IA32_TSC_DEADLINE: zero while disarmed. */
  get tscDeadlineValue(): bigint {
    return this.deadlineValue;
  }

  set tscDeadlineValue(value: bigint) {
    this.deadlineValue = value;
    if (value === 0n) this.timer.cancel();
    else this.timer.schedule(this.tscDeadline(value));
  }

  private expired(): void {
    if (this.currentMode === TimerMode.Periodic) {
      const period = this.count * this.divisor;
      const now = this.clock.now();
      // Periods that nobody looked at in time are not made up for: one interrupt is pending at most.
      const missed = Math.floor((now - this.started) / period);
      this.started += missed * period;
      this.timer.schedule(this.started + period);
    } else this.deadlineValue = 0n;
    this.fire();
  }

  save(): SavedState {
    return {
      version: 1,
      mode: this.currentMode,
      initialCount: this.count,
      divide: this.divide,
      started: this.started,
      tscDeadline: this.deadlineValue,
      deadline: this.timer.deadline,
    };
  }

  restore(saved: SavedState): void {
    const state = new StateReader("local APIC timer", saved, 1);
    this.currentMode = state.integer("mode", 3);
    this.count = state.u32("initialCount");
    this.divide = state.integer("divide", 0xb);
    this.started = state.time("started");
    this.deadlineValue = state.u64("tscDeadline");
    const isEndless = this.currentMode === TimerMode.Periodic && this.count === 0; // nothing saves that
    restoreTimer(this.timer, isEndless ? undefined : state.deadline("deadline"));
  }
}
