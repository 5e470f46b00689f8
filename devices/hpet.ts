/** The high precision event timer: IA-PC HPET specification 1.0a (2004). Three comparators, 100 MHz, 64 bits. */

import type { AccessSize, MemoryDevice } from "./bus.ts";
import { type Clock, restoreTimer, type Timer } from "./clock.ts";
import type { InterruptLine } from "./interrupt-line.ts";
import { type Saveable, type SavedState, StateReader } from "./saved-state.ts";

export const HPET_BASE = 0xfed00000;
export const HPET_LENGTH = 0x400;

/** 2.3.4 to 2.3.7 */
const GENERAL_CAPABILITIES = 0x000;
const GENERAL_CONFIGURATION = 0x010;
const GENERAL_INTERRUPT_STATUS = 0x020;
const MAIN_COUNTER = 0x0f0;
const TIMERS = 0x100;
const TIMER_LENGTH = 0x20;

/** 2.3.5 */
const ENABLE_CNF = 1;
const LEG_RT_CNF = 2;

/** 2.3.8 */
const Tn = {
  INT_TYPE_LEVEL: 1 << 1,
  INT_ENB: 1 << 2,
  TYPE_PERIODIC: 1 << 3,
  PER_INT_CAP: 1 << 4,
  SIZE_CAP: 1 << 5,
  VAL_SET: 1 << 6,
  MODE_32: 1 << 8,
} as const;
/** Type, enable, periodic, value set, 32-bit mode and route. */
const TN_WRITABLE = 0x3f4e;

const NS_PER_TICK = 10;
const COUNTER_PERIOD_FS = NS_PER_TICK * 1_000_000;
export const HPET_TIMERS = 3;
const VENDOR_ID = 0x8086;
/** Revision 1, three timers, 64-bit counter, legacy replacement routes. */
export const HPET_CAPABILITIES =
  (0x01 | ((HPET_TIMERS - 1) << 8) | (1 << 13) | (1 << 15) | (VENDOR_ID << 16)) >>> 0;
/** Inputs of the I/O APIC that a timer may use: 16…23 are free of ISA devices. */
const ROUTES = 0x00ff0000;
const MASK_64 = (1n << 64n) - 1n;
const MASK_32 = (1n << 32n) - 1n;

/** The machine's wires, as far as the HPET can drive them. */
export interface HpetWires {
  /** Legacy replacement: instead of the 8254 (timer 0) and the RTC (timer 1). */
  legacy(timer: 0 | 1): InterruptLine;
  /** An input of the I/O APIC. */
  ioApic(input: number): InterruptLine;
}

interface Comparator {
  configuration: number;
  value: bigint;
  period: bigint;
  readonly timer: Timer;
  /** What it drives now, in level mode. */
  line: InterruptLine | undefined;
}

export class Hpet implements MemoryDevice, Saveable {
  /** Told when legacy replacement takes IRQ 0 and 8 from the 8254 and the RTC, and gives them back. */
  onLegacyReplacement: ((replaced: boolean) => void) | undefined;
  private configuration = 0;
  private status = 0;
  /** Main counter while it stands; while it runs, its value at time 0. */
  private counterBase = 0n;
  private readonly comparators: readonly Comparator[];

  constructor(
    private readonly clock: Clock,
    private readonly wires: HpetWires,
  ) {
    this.comparators = Array.from({ length: HPET_TIMERS }, (_, index) => ({
      configuration: 0,
      value: MASK_64,
      period: 0n,
      timer: clock.timer(() => this.expired(index)),
      line: undefined,
    }));
  }

  reset(): void {
    for (const comparator of this.comparators) {
      comparator.timer.cancel();
      comparator.configuration = 0;
      comparator.value = MASK_64;
      comparator.period = 0n;
    }
    this.status = 0;
    this.updateLevels();
    if ((this.configuration & LEG_RT_CNF) !== 0) this.onLegacyReplacement?.(false);
    this.configuration = 0;
    this.counterBase = 0n;
  }

  private get isEnabled(): boolean {
    return (this.configuration & ENABLE_CNF) !== 0;
  }

  private get ticks(): bigint {
    return BigInt(Math.floor(this.clock.now() / NS_PER_TICK));
  }

  private get counter(): bigint {
    return this.isEnabled ? (this.counterBase + this.ticks) & MASK_64 : this.counterBase;
  }

  private arm(index: number): void {
    const comparator = this.comparators[index];
    if (!this.isEnabled) {
      comparator.timer.cancel();
      return;
    }
    const mask = (comparator.configuration & Tn.MODE_32) !== 0 ? MASK_32 : MASK_64;
    const distance = Number((comparator.value - this.counter) & mask);
    // A comparator that has just been passed matches again after the counter has gone round.
    const ticks = distance === 0 ? Number(mask) + 1 : distance;
    const now = Math.floor(this.clock.now() / NS_PER_TICK);
    comparator.timer.schedule((now + ticks) * NS_PER_TICK);
  }

  private expired(index: number): void {
    const comparator = this.comparators[index];
    const { configuration } = comparator;
    const mask = (configuration & Tn.MODE_32) !== 0 ? MASK_32 : MASK_64;
    if ((configuration & Tn.TYPE_PERIODIC) !== 0 && comparator.period !== 0n) {
      const behind = (this.counter - comparator.value) & mask;
      const periods = behind / comparator.period + 1n;
      comparator.value = (comparator.value + periods * comparator.period) & mask;
    }
    this.arm(index);
    if ((configuration & Tn.INT_TYPE_LEVEL) !== 0) {
      this.status |= 1 << index;
      this.updateLevels();
      return;
    }
    if ((configuration & Tn.INT_ENB) === 0) return;
    const line = this.route(index);
    line?.set(true);
    line?.set(false);
  }

  private route(index: number): InterruptLine | undefined {
    if ((this.configuration & LEG_RT_CNF) !== 0 && index < 2) return this.wires.legacy(index === 0 ? 0 : 1);
    const input = (this.comparators[index].configuration >>> 9) & 0x1f;
    return ((ROUTES >>> input) & 1) !== 0 ? this.wires.ioApic(input) : undefined;
  }

  /** Level-triggered timers hold their line while their status bit is set. */
  private updateLevels(): void {
    for (const [index, comparator] of this.comparators.entries()) {
      const { configuration } = comparator;
      const active =
        (configuration & Tn.INT_TYPE_LEVEL) !== 0 &&
        (configuration & Tn.INT_ENB) !== 0 &&
        ((this.status >>> index) & 1) !== 0;
      const line = active ? this.route(index) : undefined;
      if (line !== comparator.line) comparator.line?.set(false);
      line?.set(true);
      comparator.line = line;
    }
  }

  // ---- registers: 64 bits each, reached by halves ----

  private read(offset: number): bigint {
    if (offset >= TIMERS) {
      const comparator = this.comparators[Math.floor((offset - TIMERS) / TIMER_LENGTH)];
      if (comparator === undefined) return 0n;
      switch (offset % TIMER_LENGTH) {
        case 0x00:
          return (BigInt(ROUTES) << 32n) | BigInt(comparator.configuration | Tn.PER_INT_CAP | Tn.SIZE_CAP);
        case 0x08:
          return comparator.value;
        default:
          return 0n;
      }
    }
    switch (offset) {
      case GENERAL_CAPABILITIES:
        return (BigInt(COUNTER_PERIOD_FS) << 32n) | BigInt(HPET_CAPABILITIES);
      case GENERAL_CONFIGURATION:
        return BigInt(this.configuration);
      case GENERAL_INTERRUPT_STATUS:
        return BigInt(this.status);
      case MAIN_COUNTER:
        return this.counter;
      default:
        return 0n;
    }
  }

  private write(offset: number, value: bigint, isHigh: boolean): void {
    if (offset >= TIMERS) {
      const index = Math.floor((offset - TIMERS) / TIMER_LENGTH);
      if (index < HPET_TIMERS) this.writeTimer(index, offset % TIMER_LENGTH, value, isHigh);
      return;
    }
    switch (offset) {
      case GENERAL_CONFIGURATION:
        if (!isHigh) this.configure(Number(value & 3n));
        return;
      case GENERAL_INTERRUPT_STATUS:
        if (isHigh) return;
        this.status &= ~Number(value & 7n);
        this.updateLevels();
        return;
      case MAIN_COUNTER: // only while it stands (2.3.7)
        if (!this.isEnabled) this.counterBase = value;
        return;
      default:
        return;
    }
  }

  private configure(value: number): void {
    const before = this.configuration;
    const counter = this.counter;
    this.configuration = value;
    if (((before ^ value) & ENABLE_CNF) !== 0) {
      this.counterBase = this.isEnabled ? (counter - this.ticks) & MASK_64 : counter;
      for (let index = 0; index < HPET_TIMERS; index++) this.arm(index);
    }
    if (((before ^ value) & LEG_RT_CNF) !== 0) this.onLegacyReplacement?.((value & LEG_RT_CNF) !== 0);
    this.updateLevels();
  }

  private writeTimer(index: number, register: number, value: bigint, isHigh: boolean): void {
    const comparator = this.comparators[index];
    if (register === 0x00) {
      if (isHigh) return;
      comparator.configuration = Number(value & MASK_32) & TN_WRITABLE;
      if ((comparator.configuration & Tn.MODE_32) !== 0) {
        comparator.value &= MASK_32;
        comparator.period &= MASK_32;
      }
      this.updateLevels();
      this.arm(index);
      return;
    }
    if (register !== 0x08) return;
    const mask = (comparator.configuration & Tn.MODE_32) !== 0 ? MASK_32 : MASK_64;
    // Periodic mode: the accumulator is written only behind Tn_VAL_SET_CNF; the period always (2.3.9.2.2).
    const isPeriodic = (comparator.configuration & Tn.TYPE_PERIODIC) !== 0;
    if (!isPeriodic || (comparator.configuration & Tn.VAL_SET) !== 0) comparator.value = value & mask;
    if (isPeriodic) comparator.period = value & mask;
    if (isHigh || mask === MASK_32) comparator.configuration &= ~Tn.VAL_SET;
    this.arm(index);
  }

  readMemory(offset: number, size: AccessSize): number {
    const whole = this.read(offset & ~7);
    return Number((whole >> BigInt(8 * (offset & 7))) & ((1n << BigInt(8 * size)) - 1n));
  }

  writeMemory(offset: number, size: AccessSize, value: number): void {
    if (size !== 4 || (offset & 3) !== 0) return; // "registers must be accessed with 32-bit or 64-bit" (2.3)
    const register = offset & ~7;
    const isHigh = (offset & 4) !== 0;
    const before = this.isPeriodicComparator(register) ? this.writtenPeriod(register) : this.read(register);
    const merged = isHigh
      ? (BigInt(value) << 32n) | (before & MASK_32)
      : ((before >> 32n) << 32n) | BigInt(value);
    this.write(register, merged, isHigh);
  }

  private isPeriodicComparator(register: number): boolean {
    const comparator = this.comparators[Math.floor((register - TIMERS) / TIMER_LENGTH)];
    return (
      register >= TIMERS &&
      register % TIMER_LENGTH === 8 &&
      comparator !== undefined &&
      (comparator.configuration & Tn.TYPE_PERIODIC) !== 0
    );
  }

  private writtenPeriod(register: number): bigint {
    return this.comparators[Math.floor((register - TIMERS) / TIMER_LENGTH)].period;
  }

  save(): SavedState {
    return {
      version: 1,
      configuration: this.configuration,
      status: this.status,
      counterBase: this.counterBase,
      timers: this.comparators.map(({ configuration, value, period, timer }) => ({
        version: 1,
        configuration,
        value,
        period,
        deadline: timer.deadline,
      })),
    };
  }

  restore(saved: SavedState): void {
    const state = new StateReader("HPET", saved, 1);
    this.configuration = state.integer("configuration", 3);
    this.status = state.integer("status", 7);
    this.counterBase = state.u64("counterBase");
    for (const [index, item] of state.list("timers", HPET_TIMERS).entries()) {
      const timer = new StateReader("HPET timer", item, 1);
      const comparator = this.comparators[index];
      comparator.configuration = timer.u16("configuration") & TN_WRITABLE;
      comparator.value = timer.u64("value");
      comparator.period = timer.u64("period");
      restoreTimer(comparator.timer, timer.deadline("deadline"));
    }
    this.onLegacyReplacement?.((this.configuration & LEG_RT_CNF) !== 0);
    this.updateLevels();
  }
}
