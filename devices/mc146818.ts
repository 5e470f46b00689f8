/**
 * The real-time clock and its CMOS memory: Motorola MC146818A datasheet (1984), at ports 70H and 71H. Register 32H holds
 * the century, as the FADT says.
 *
 * The time is the host's, plus what the guest has set it off by.
 */

import type { AccessSize, PortDevice } from "./bus.ts";
import { type Clock, restoreTimer, type Timer, type WallClock } from "./clock.ts";
import type { InterruptLine } from "./interrupt-line.ts";
import { type Saveable, type SavedState, StateReader } from "./saved-state.ts";

export const RTC_PORT = 0x70;
export const RTC_CENTURY = 0x32;

const Register = {
  Seconds: 0,
  SecondsAlarm: 1,
  Minutes: 2,
  MinutesAlarm: 3,
  Hours: 4,
  HoursAlarm: 5,
  DayOfWeek: 6,
  DayOfMonth: 7,
  Month: 8,
  Year: 9,
  A: 10,
  B: 11,
  C: 12,
  D: 13,
} as const;

const A_UIP = 1 << 7;
const B_SET = 1 << 7;
const B_PIE = 1 << 6;
const B_AIE = 1 << 5;
const B_UIE = 1 << 4;
const B_DM_BINARY = 1 << 2;
const B_24_HOURS = 1 << 1;
const C_IRQF = 1 << 7;
const C_PF = 1 << 6;
const C_AF = 1 << 5;
const C_UF = 1 << 4;
const D_VRT = 1 << 7;
/** 32,768 Hz time base and a periodic rate of 1,024 Hz, as firmware sets it. */
const A_DEFAULT = 0x26;
const HOURS_PM = 1 << 7;
/** The two top bits of an alarm register: any value matches. */
const ALARM_ANY = 0xc0;

const NS_PER_SECOND = 1e9;
/** The update cycle begins 244 µs after UIP rises (datasheet, "Update cycle"). */
const UIP_LEAD_NS = 244_000;
const CMOS_BYTES = 128;
const SECONDS_PER_DAY = 86_400;

/** A moment as the registers show it. */
interface CivilTime {
  year: number;
  month: number;
  day: number;
  weekday: number;
  hours: number;
  minutes: number;
  seconds: number;
}

export class Mc146818 implements PortDevice, Saveable {
  /** What is not the clock's is memory. */
  readonly cmos = new Uint8Array(CMOS_BYTES);
  private index = 0;
  private a = A_DEFAULT;
  private b = B_24_HOURS;
  private c = 0;
  /** What the guest's clock is ahead of the host's, in ns. */
  private offset = 0;
  /** While B_SET holds the clock: the registers as they are written. */
  private held: CivilTime | undefined;
  /** Time of day when the machine's clock was 0, in ns since 1970 (rounded to what a number holds: 256 ns). */
  private origin: number;
  private readonly updateTimer: Timer;
  private readonly periodicTimer: Timer;

  constructor(
    private readonly clock: Clock,
    private readonly wall: WallClock,
    private readonly irq8: InterruptLine,
  ) {
    this.origin = this.hostOrigin();
    this.updateTimer = clock.timer(() => this.updateEnded());
    this.periodicTimer = clock.timer(() => this.periodPassed());
  }

  private hostOrigin(): number {
    const { seconds, nanoseconds } = this.wall.realtime();
    return seconds * NS_PER_SECOND + nanoseconds - this.clock.now();
  }

  /** The machine's clock goes on from another value: the time of day is still the host's. */
  clockChanged(): void {
    const origin = this.hostOrigin();
    if (origin === this.origin) return;
    this.origin = origin;
    this.updateTimer.cancel();
    this.rearm();
  }

  reset(): void {
    // RESET clears the interrupt enables and flags, not the time (datasheet, "RESET").
    this.b &= ~(B_PIE | B_AIE | B_UIE);
    this.c = 0;
    this.index = 0;
    this.rearm();
    this.update();
  }

  /** ns since 1970 on the guest's clock. */
  private get time(): number {
    return this.origin + this.clock.now() + this.offset;
  }

  private get civil(): CivilTime {
    return this.held ?? civilFromSeconds(Math.floor(this.time / NS_PER_SECOND));
  }

  // ---- interrupts ----

  private flag(bit: number): void {
    this.c |= bit;
    this.update();
  }

  private update(): void {
    const active = (this.c & this.b & (C_PF | C_AF | C_UF)) !== 0;
    this.c = active ? this.c | C_IRQF : this.c & ~C_IRQF;
    this.irq8.set(active);
  }

  /** Updates are watched only while somebody wants to hear of them: an idle machine is not woken every second. */
  private rearm(): void {
    const watched = (this.b & (B_UIE | B_AIE)) !== 0 && (this.b & B_SET) === 0;
    if (!watched) this.updateTimer.cancel();
    else if (this.updateTimer.deadline === undefined) {
      const left = NS_PER_SECOND - (this.time % NS_PER_SECOND);
      this.updateTimer.schedule(this.clock.now() + left);
    }
    const period = this.period;
    if (period === undefined || (this.b & B_PIE) === 0) this.periodicTimer.cancel();
    else if (this.periodicTimer.deadline === undefined)
      this.periodicTimer.schedule(this.clock.now() + period);
  }

  /** Rate selection, bits 0…3 of register A (datasheet, table 5). */
  private get period(): number | undefined {
    const rate = this.a & 0xf;
    const running = ((this.a >>> 4) & 7) === 2;
    if (rate === 0 || !running) return undefined;
    const shift = rate <= 2 ? rate + 6 : rate - 1;
    return (NS_PER_SECOND * 2 ** shift) / 32_768;
  }

  private periodPassed(): void {
    this.rearm();
    this.flag(C_PF);
  }

  private updateEnded(): void {
    this.rearm();
    const alarm = this.alarmMatches() ? C_AF : 0;
    this.flag(C_UF | alarm);
  }

  private alarmMatches(): boolean {
    const { seconds, minutes, hours } = this.civil;
    const matches = (register: number, value: number) =>
      (this.cmos[register] & ALARM_ANY) === ALARM_ANY || this.cmos[register] === value;
    return (
      matches(Register.SecondsAlarm, this.encode(seconds)) &&
      matches(Register.MinutesAlarm, this.encode(minutes)) &&
      matches(Register.HoursAlarm, this.encodeHours(hours))
    );
  }

  // ---- the formats of register B ----

  private encode(value: number): number {
    return (this.b & B_DM_BINARY) !== 0 ? value : Math.floor(value / 10) * 16 + (value % 10);
  }

  private decode(value: number): number {
    return (this.b & B_DM_BINARY) !== 0 ? value : (value >>> 4) * 10 + (value & 0xf);
  }

  private encodeHours(hours: number): number {
    if ((this.b & B_24_HOURS) !== 0) return this.encode(hours);
    return this.encode(hours % 12 === 0 ? 12 : hours % 12) | (hours >= 12 ? HOURS_PM : 0);
  }

  private decodeHours(value: number): number {
    if ((this.b & B_24_HOURS) !== 0) return this.decode(value);
    return (this.decode(value & ~HOURS_PM) % 12) + ((value & HOURS_PM) !== 0 ? 12 : 0);
  }

  // ---- registers ----

  private read(register: number): number {
    switch (register) {
      case Register.Seconds:
        return this.encode(this.civil.seconds);
      case Register.Minutes:
        return this.encode(this.civil.minutes);
      case Register.Hours:
        return this.encodeHours(this.civil.hours);
      case Register.DayOfWeek:
        return this.encode(this.civil.weekday);
      case Register.DayOfMonth:
        return this.encode(this.civil.day);
      case Register.Month:
        return this.encode(this.civil.month);
      case Register.Year:
        return this.encode(this.civil.year % 100);
      case RTC_CENTURY:
        return this.encode(Math.floor(this.civil.year / 100));
      case Register.A:
        return this.a | (this.isUpdating ? A_UIP : 0);
      case Register.B:
        return this.b;
      case Register.C: {
        const flags = this.c;
        this.c = 0;
        this.update();
        return flags;
      }
      case Register.D:
        return D_VRT;
      default:
        return this.cmos[register];
    }
  }

  private get isUpdating(): boolean {
    return this.held === undefined && NS_PER_SECOND - (this.time % NS_PER_SECOND) <= UIP_LEAD_NS;
  }

  private write(register: number, value: number): void {
    switch (register) {
      case Register.Seconds:
        this.set({ seconds: this.decode(value & 0x7f) });
        return;
      case Register.Minutes:
        this.set({ minutes: this.decode(value) });
        return;
      case Register.Hours:
        this.set({ hours: this.decodeHours(value) });
        return;
      case Register.DayOfWeek:
        return; // follows from the date
      case Register.DayOfMonth:
        this.set({ day: this.decode(value) });
        return;
      case Register.Month:
        this.set({ month: this.decode(value) });
        return;
      case Register.Year:
        this.set({ year: Math.floor(this.civil.year / 100) * 100 + (this.decode(value) % 100) });
        return;
      case RTC_CENTURY:
        this.set({ year: (this.decode(value) % 100) * 100 + (this.civil.year % 100) });
        return;
      case Register.A:
        this.a = value & 0x7f;
        this.periodicTimer.cancel();
        this.rearm();
        return;
      case Register.B:
        this.writeB(value);
        return;
      case Register.C:
      case Register.D:
        return;
      default:
        this.cmos[register] = value;
    }
  }

  private writeB(value: number): void {
    const starts = (value & B_SET) === 0 && this.held !== undefined;
    if ((value & B_SET) !== 0) this.held ??= { ...this.civil };
    this.b = value & B_SET ? value & ~B_UIE : value;
    if (starts && this.held !== undefined) {
      const fraction = this.time % NS_PER_SECOND;
      this.offset += secondsFromCivil(this.held) * NS_PER_SECOND + fraction - this.time;
      this.held = undefined;
    }
    this.rearm();
    this.update();
  }

  /** Sets a part of the time; nonsense (a month of 77) becomes the nearest that there is. */
  private set(part: Partial<CivilTime>): void {
    const time = { ...this.civil, ...part };
    if (this.held !== undefined) {
      this.held = time;
      return;
    }
    const seconds = Math.floor(this.time / NS_PER_SECOND);
    this.offset += (secondsFromCivil(time) - seconds) * NS_PER_SECOND;
  }

  readPort(offset: number, _size: AccessSize): number {
    return offset === 0 ? 0xff : this.read(this.index);
  }

  writePort(offset: number, _size: AccessSize, value: number): void {
    if (offset === 0)
      this.index = value & 0x7f; // bit 7 masks NMI, which nothing here raises
    else this.write(this.index, value);
  }

  save(): SavedState {
    return {
      version: 1,
      cmos: this.cmos.slice(),
      index: this.index,
      a: this.a,
      b: this.b,
      c: this.c,
      origin: this.origin,
      offset: this.offset,
      updateDeadline: this.updateTimer.deadline,
      periodicDeadline: this.periodicTimer.deadline,
      held: this.held === undefined ? undefined : secondsFromCivil(this.held),
    };
  }

  /** The time goes on from the host's time of day, as a machine's that was switched off. */
  restore(saved: SavedState): void {
    const state = new StateReader("MC146818", saved, 1);
    this.cmos.set(state.bytes("cmos", CMOS_BYTES));
    this.index = state.integer("index", 0x7f);
    this.a = state.integer("a", 0x7f);
    this.b = state.u8("b");
    this.c = state.u8("c");
    this.origin = this.hostOrigin();
    this.offset = state.time("offset");
    const held = state.deadline("held");
    this.held = held === undefined ? undefined : civilFromSeconds(held);
    // A second of the time of day ends elsewhere than when this was saved, unless time stood still meanwhile.
    const isSameTime = this.origin === state.time("origin");
    restoreTimer(this.updateTimer, isSameTime ? state.deadline("updateDeadline") : undefined);
    restoreTimer(this.periodicTimer, state.deadline("periodicDeadline"));
    this.rearm();
    this.update();
  }
}

/** Days since 1970-01-01 of a date in the Gregorian calendar (E. G. Richards, "Mapping Time", 1998, chapter 25). */
function daysFromCivil(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function secondsFromCivil(time: CivilTime): number {
  const month = Math.min(Math.max(time.month, 1), 12);
  const day = Math.min(Math.max(time.day, 1), 31);
  const days = daysFromCivil(time.year, month, day);
  return (
    days * SECONDS_PER_DAY +
    Math.min(time.hours, 23) * 3600 +
    Math.min(time.minutes, 59) * 60 +
    Math.min(time.seconds, 59)
  );
}

function civilFromSeconds(seconds: number): CivilTime {
  const days = Math.floor(seconds / SECONDS_PER_DAY);
  const rest = seconds - days * SECONDS_PER_DAY;
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1,
    weekday: ((((days + 4) % 7) + 7) % 7) + 1,
    hours: Math.floor(rest / 3600),
    minutes: Math.floor(rest / 60) % 60,
    seconds: rest % 60,
  };
}
