/** INT 1Ah: the tick count and the real-time clock. Phoenix, "System BIOS", chapter 15. */

import type { Bus } from "../bus.ts";
import { RTC_CENTURY, RTC_PORT } from "../mc146818.ts";
import { Bda, type BiosMemory } from "./bios-memory.ts";
import type { BiosCall } from "./bios-processor.ts";

/** Registers of the MC146818 (datasheet, figure 11). */
const Rtc = { Seconds: 0, Minutes: 2, Hours: 4, Day: 7, Month: 8, Year: 9, StatusB: 11 } as const;
const STATUS_B_DAYLIGHT = 1;
/** 1,193,182 Hz / 65,536 for 24 hours. */
const TICKS_IN_DAY = 0x1800b0;

export class TimeServices {
  constructor(
    private readonly memory: BiosMemory,
    private readonly bus: Bus,
  ) {}

  /** INT 08h, 18.2 times a second. */
  tick(): void {
    const next = this.memory.u32(Bda.TICKS) + 1;
    this.memory.putU32(Bda.TICKS, next >= TICKS_IN_DAY ? 0 : next);
    if (next >= TICKS_IN_DAY) this.memory.putU8(Bda.MIDNIGHT, 1);
  }

  /** The tick count that belongs to the time of day. */
  setTicksFromClock(): void {
    const binary = (value: number) => (value >> 4) * 10 + (value & 15);
    const seconds =
      (binary(this.read(Rtc.Hours)) * 60 + binary(this.read(Rtc.Minutes))) * 60 +
      binary(this.read(Rtc.Seconds));
    this.memory.putU32(Bda.TICKS, Math.floor((seconds * TICKS_IN_DAY) / 86400));
  }

  private read(register: number): number {
    this.bus.writePort(RTC_PORT, 1, register);
    return this.bus.readPort(RTC_PORT + 1, 1);
  }

  private write(register: number, value: number): void {
    this.bus.writePort(RTC_PORT, 1, register);
    this.bus.writePort(RTC_PORT + 1, 1, value);
  }

  /** @returns whether it was one of these functions */
  serve(call: BiosCall): boolean {
    const { registers } = call;
    const { memory } = this;
    switch (registers.ah) {
      case 0x00: {
        const ticks = memory.u32(Bda.TICKS);
        registers.al = memory.u8(Bda.MIDNIGHT);
        registers.cx = ticks >>> 16;
        registers.dx = ticks & 0xffff;
        memory.putU8(Bda.MIDNIGHT, 0);
        return true;
      }
      case 0x01:
        memory.putU32(Bda.TICKS, (registers.cx << 16) | registers.dx);
        memory.putU8(Bda.MIDNIGHT, 0);
        return true;
      case 0x02:
        registers.ch = this.read(Rtc.Hours);
        registers.cl = this.read(Rtc.Minutes);
        registers.dh = this.read(Rtc.Seconds);
        registers.dl = this.read(Rtc.StatusB) & STATUS_B_DAYLIGHT;
        call.setCarry(false);
        return true;
      case 0x03:
        this.write(Rtc.Hours, registers.ch);
        this.write(Rtc.Minutes, registers.cl);
        this.write(Rtc.Seconds, registers.dh);
        call.setCarry(false);
        return true;
      case 0x04:
        registers.ch = this.read(RTC_CENTURY);
        registers.cl = this.read(Rtc.Year);
        registers.dh = this.read(Rtc.Month);
        registers.dl = this.read(Rtc.Day);
        call.setCarry(false);
        return true;
      case 0x05:
        this.write(RTC_CENTURY, registers.ch);
        this.write(Rtc.Year, registers.cl);
        this.write(Rtc.Month, registers.dh);
        this.write(Rtc.Day, registers.dl);
        call.setCarry(false);
        return true;
      default:
        return false;
    }
  }
}
