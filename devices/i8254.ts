/**
 * The 8254 programmable interval timer of a PC and port 61H, through which its third counter is gated and heard.
 * Intel 8254 datasheet (231164-005, 1993), "Mode definitions"; port 61H: ICH9 datasheet, 13.7.1 (NMI_SC).
 *
 * Counters are not counted: their values follow from when they were started.
 */

import type { AccessSize, Bus, PortDevice } from "./bus.ts";
import { type Clock, restoreTimer, type Timer } from "./clock.ts";
import type { InterruptLine } from "./interrupt-line.ts";
import { type Saveable, type SavedState, StateReader } from "./saved-state.ts";

/** Input of all three counters. */
export const PIT_HZ = 1193182;
const NS_PER_TICK = 1e9 / PIT_HZ;

const PORT = 0x40;
const CONTROL = 3;
const PORT_61 = 0x61;

/** Read/write selection, bits 4 and 5 of the control word. */
const Access = { Latch: 0, Low: 1, High: 2, LowHigh: 3 } as const;

class Counter implements Saveable {
  private mode = 0;
  private access: number = Access.LowHigh;
  private bcd = false;
  /** Count as written; 0 means 10000H (or 10,000). */
  private initial = 0;
  /** CE starts from `initial` at this time; undefined until a count is written (and, in modes 1 and 5, a trigger comes). */
  private started: number | undefined;
  private gate: boolean;
  /** Count when the gate stopped it. */
  private frozen = 0;
  private nullCount = true;
  private writeHigh = false;
  private lowByte = 0;
  private readHigh = false;
  private latched: number | undefined;
  private latchedStatus: number | undefined;
  private readonly timer: Timer | undefined;

  constructor(
    private readonly clock: Clock,
    gate: boolean,
    private readonly output?: InterruptLine,
  ) {
    this.gate = gate;
    if (output !== undefined) this.timer = clock.timer(() => this.outputChanged(true));
  }

  private get period(): number {
    const whole = this.bcd ? 10_000 : 0x10000;
    return this.initial === 0 ? whole : this.initial;
  }

  private get isPeriodic(): boolean {
    return this.mode === 2 || this.mode === 3;
  }

  private get elapsed(): number {
    if (this.started === undefined) return 0;
    return Math.floor((this.clock.now() - this.started) / NS_PER_TICK);
  }

  private get isCounting(): boolean {
    return this.started !== undefined && (this.gate || this.mode === 1 || this.mode === 5);
  }

  /** CE as it reads. */
  private get count(): number {
    const { period } = this;
    const whole = this.bcd ? 10_000 : 0x10000;
    if (this.started === undefined) return this.initial % whole;
    if (!this.isCounting) return this.frozen % whole;
    const ticks = this.elapsed;
    switch (this.mode) {
      case 2:
        return (period - (ticks % period)) % whole;
      case 3: // by two, twice a period
        return ((period - ((ticks * 2) % period)) % whole) & ~1;
      default:
        return (((period - ticks) % whole) + whole) % whole;
    }
  }

  get out(): boolean {
    if (this.started === undefined) return this.mode !== 0;
    const { period } = this;
    if (this.isPeriodic && !this.gate) return true;
    const ticks = this.isCounting ? this.elapsed : period - this.frozen;
    switch (this.mode) {
      case 0:
      case 1:
        return ticks >= period;
      case 2:
        return ticks % period !== period - 1;
      case 3:
        return ticks % period < (period + 1) >> 1;
      default: // 4, 5: low for one tick
        return ticks !== period;
    }
  }

  /** When OUT changes next, in ticks since the start; undefined if it does not. */
  private nextChange(): number | undefined {
    if (!this.isCounting) return undefined;
    const { period } = this;
    const ticks = this.elapsed;
    const begin = ticks - (ticks % period);
    switch (this.mode) {
      case 0:
      case 1:
        return ticks < period ? period : undefined;
      case 2:
        return begin + period; // where the low tick ends
      case 3: {
        const half = (period + 1) >> 1;
        return ticks % period < half ? begin + half : begin + period;
      }
      default:
        return ticks < period ? period : ticks === period ? period + 1 : undefined;
    }
  }

  /**
   * Drives OUT, and arms the timer for its next change.
   * @param periodPassed a period is over: OUT was low in between, however late anybody looks; one edge stands for all
   *   that were missed
   */
  private outputChanged(periodPassed = false): void {
    const { output, timer } = this;
    if (output === undefined || timer === undefined) return;
    if (periodPassed && this.isPeriodic) output.set(false);
    output.set(this.out);
    const change = this.nextChange();
    if (change === undefined || this.started === undefined) timer.cancel();
    else timer.schedule(this.started + Math.ceil(change * NS_PER_TICK));
  }

  control(word: number): void {
    const access = (word >>> 4) & 3;
    if (access === Access.Latch) {
      this.latchCount();
      return;
    }
    const mode = (word >>> 1) & 7;
    this.mode = mode > 5 ? mode - 4 : mode;
    this.access = access;
    this.bcd = (word & 1) !== 0;
    this.started = undefined;
    this.nullCount = true;
    this.writeHigh = false;
    this.readHigh = false;
    this.latched = undefined;
    this.latchedStatus = undefined;
    this.outputChanged();
  }

  latchCount(): void {
    this.latched ??= this.count;
  }

  latchStatus(): void {
    this.latchedStatus ??=
      (this.out ? 0x80 : 0) |
      (this.nullCount ? 0x40 : 0) |
      (this.access << 4) |
      (this.mode << 1) |
      (this.bcd ? 1 : 0);
  }

  read(): number {
    if (this.latchedStatus !== undefined) {
      const status = this.latchedStatus;
      this.latchedStatus = undefined;
      return status;
    }
    const binary = this.latched ?? this.count;
    const value = this.bcd ? toBcd(binary) : binary;
    if (this.access === Access.LowHigh) {
      this.readHigh = !this.readHigh;
      if (this.readHigh) return value & 0xff;
      this.latched = undefined;
      return value >>> 8;
    }
    this.latched = undefined;
    return this.access === Access.Low ? value & 0xff : value >>> 8;
  }

  write(value: number): void {
    switch (this.access) {
      case Access.Low:
        this.load(value);
        return;
      case Access.High:
        this.load(value << 8);
        return;
      default:
        this.writeHigh = !this.writeHigh;
        if (this.writeHigh) {
          this.lowByte = value;
          // Mode 0: the first byte stops the count and sets OUT low.
          if (this.mode === 0) {
            this.started = undefined;
            this.outputChanged();
          }
        } else this.load(this.lowByte | (value << 8));
    }
  }

  private load(value: number): void {
    const running = this.started !== undefined;
    this.initial = this.bcd ? fromBcd(value) : value;
    this.nullCount = false;
    // Modes 1 and 5 wait for the gate. In modes 2 and 3 a new count is taken over at the end of the period; here at once,
    // which is a period that is cut short.
    if (this.mode !== 1 && this.mode !== 5) this.begin();
    else if (!running) this.started = undefined;
    this.outputChanged();
  }

  private begin(): void {
    // The count is loaded with the next pulse of the clock.
    this.started = this.clock.now();
    this.frozen = this.period;
  }

  setGate(level: boolean): void {
    if (level === this.gate) return;
    if (!level) this.frozen = this.count;
    this.gate = level;
    if (level) {
      if (this.mode === 1 || this.mode === 5 || (this.isPeriodic && this.started !== undefined)) this.begin();
      else if (this.started !== undefined) {
        this.started = this.clock.now() - (this.period - this.frozen) * NS_PER_TICK;
      }
    }
    this.outputChanged();
  }

  save(): SavedState {
    return {
      version: 1,
      mode: this.mode,
      access: this.access,
      bcd: this.bcd,
      initial: this.initial,
      started: this.started,
      gate: this.gate,
      frozen: this.frozen,
      nullCount: this.nullCount,
      writeHigh: this.writeHigh,
      lowByte: this.lowByte,
      readHigh: this.readHigh,
      latched: this.latched ?? -1,
      latchedStatus: this.latchedStatus ?? -1,
      deadline: this.timer?.deadline,
    };
  }

  restore(saved: SavedState): void {
    const state = new StateReader("8254", saved, 1);
    this.mode = state.integer("mode", 5);
    this.access = state.integer("access", 3);
    this.bcd = state.boolean("bcd");
    this.initial = state.u16("initial");
    this.started = state.deadline("started");
    this.gate = state.boolean("gate");
    this.frozen = state.integer("frozen", 0x10000);
    this.nullCount = state.boolean("nullCount");
    this.writeHigh = state.boolean("writeHigh");
    this.lowByte = state.u8("lowByte");
    this.readHigh = state.boolean("readHigh");
    const optional = (name: string) => {
      const value = state.time(name);
      return value < 0 ? undefined : value & 0xffff;
    };
    this.latched = optional("latched");
    this.latchedStatus = optional("latchedStatus");
    if (this.timer !== undefined) restoreTimer(this.timer, state.deadline("deadline"));
  }
}

export class I8254 implements PortDevice, Saveable {
  private readonly counters: readonly [Counter, Counter, Counter];
  /** Port 61H bits 0…3: gate 2, speaker data, and the two NMI disables. */
  private control61 = 0;

  /** @param irq0 OUT of counter 0 */
  constructor(
    private readonly clock: Clock,
    irq0: InterruptLine,
  ) {
    this.counters = [new Counter(clock, true, irq0), new Counter(clock, true), new Counter(clock, false)];
  }

  mapOn(bus: Bus): void {
    bus.mapPorts(PORT, 4, this);
    bus.mapPorts(PORT_61, 1, {
      readPort: () => this.readPort61(),
      writePort: (_offset, _size, value) => {
        this.control61 = value & 0xf;
        this.counters[2].setGate((value & 1) !== 0);
      },
    });
  }

  reset(): void {
    for (const counter of this.counters) counter.control(0x30);
    this.control61 = 0;
    this.counters[2].setGate(false);
  }

  /** Bit 5 is OUT of counter 2; bit 4 toggles with memory refresh, which software uses as a clock of 15 µs. */
  private readPort61(): number {
    const refreshToggle = Math.floor(this.clock.now() / 15_085) % 2 === 1;
    return this.control61 | (refreshToggle ? 0x10 : 0) | (this.counters[2].out ? 0x20 : 0);
  }

  readPort(offset: number, _size: AccessSize): number {
    return offset === CONTROL ? 0xff : this.counters[offset].read();
  }

  writePort(offset: number, _size: AccessSize, value: number): void {
    if (offset !== CONTROL) {
      this.counters[offset].write(value);
      return;
    }
    const select = value >>> 6;
    if (select < 3) {
      this.counters[select].control(value);
      return;
    }
    // Read-back command: bits 5 and 4 low ask for count and status of the counters in bits 1…3.
    for (const [index, counter] of this.counters.entries()) {
      if ((value & (2 << index)) === 0) continue;
      if ((value & 0x20) === 0) counter.latchCount();
      if ((value & 0x10) === 0) counter.latchStatus();
    }
  }

  save(): SavedState {
    return {
      version: 1,
      counters: this.counters.map((counter) => counter.save()),
      control61: this.control61,
    };
  }

  restore(saved: SavedState): void {
    const state = new StateReader("8254", saved, 1);
    const counters = new StateReader(
      "8254",
      { version: 1, ...Object.fromEntries(state.list("counters", 3).entries()) },
      1,
    );
    for (const [index, counter] of this.counters.entries()) counter.restore(counters.state(String(index)));
    this.control61 = state.integer("control61", 0xf);
  }
}

function toBcd(value: number): number {
  return (
    (Math.floor(value / 1000) % 10) * 0x1000 +
    (Math.floor(value / 100) % 10) * 0x100 +
    (Math.floor(value / 10) % 10) * 0x10 +
    (value % 10)
  );
}

/** Digits above nine, which the datasheet does not define, count as their value. */
function fromBcd(value: number): number {
  return (
    ((value >>> 12) * 1000 + ((value >>> 8) & 0xf) * 100 + ((value >>> 4) & 0xf) * 10 + (value & 0xf)) %
    10_000
  );
}
