import { describe, expect, it } from "vitest";
import { Bus } from "./bus.ts";
import { Mc146818, RTC_CENTURY, RTC_PORT } from "./mc146818.ts";
import { ManualClock } from "./testing/manual-clock.ts";
import { canRunQtest, differenceFromQemu, type PortAccess } from "./testing/qtest.ts";
import { RecordedLine } from "./testing/recorded-line.ts";

const SECOND = 1e9;

function create(time = "2024-02-29T23:59:58Z") {
  const bus = new Bus();
  const clock = new ManualClock();
  const irq = new RecordedLine();
  const rtc = new Mc146818(
    clock,
    { realtime: () => ({ seconds: Date.parse(time) / 1000, nanoseconds: 0 }) },
    irq,
  );
  bus.mapPorts(RTC_PORT, 2, rtc);
  const write = (register: number, value: number) => {
    bus.writePort(RTC_PORT, 1, register);
    bus.writePort(RTC_PORT + 1, 1, value);
  };
  const read = (register: number) => {
    bus.writePort(RTC_PORT, 1, register);
    return bus.readPort(RTC_PORT + 1, 1);
  };
  /** Century, year, month, day, weekday, hours, minutes, seconds. */
  const time8 = () => [RTC_CENTURY, 9, 8, 7, 6, 4, 2, 0].map((register) => read(register));
  return { bus, clock, irq, rtc, write, read, time8 };
}

describe("the real-time clock", () => {
  it("shows the wall clock in BCD, and goes on from there", () => {
    const { time8, clock } = create();
    expect(time8()).toEqual([0x20, 0x24, 0x02, 0x29, 0x05, 0x23, 0x59, 0x58]);
    clock.advance(2 * SECOND);
    expect(time8()).toEqual([0x20, 0x24, 0x03, 0x01, 0x06, 0x00, 0x00, 0x00]);
  });

  it("agrees with the host's calendar on every day of 400 years", () => {
    for (let day = 0; day < 146_097; day += 37) {
      const date = new Date(Date.UTC(1970, 0, 1 + day, 12));
      const { read, write } = create(date.toISOString());
      write(11, 0x06); // binary, 24 hours
      expect([read(RTC_CENTURY) * 100 + read(9), read(8), read(7), read(6)]).toEqual([
        date.getUTCFullYear(),
        date.getUTCMonth() + 1,
        date.getUTCDate(),
        date.getUTCDay() + 1,
      ]);
    }
  });

  it("has a 12-hour format", () => {
    const { read, write } = create("2024-01-01T13:00:00Z");
    write(11, 0x00);
    expect(read(4)).toBe(0x81);
    write(11, 0x04);
    expect(read(4)).toBe(0x81);
    expect(create("2024-01-01T00:10:00Z").read(4)).toBe(0x00);
  });

  it("is set while SET holds it, all parts at once", () => {
    const { write, time8, clock } = create();
    write(11, 0x82);
    for (const [register, value] of [
      [RTC_CENTURY, 0x19],
      [9, 0x99],
      [8, 0x12],
      [7, 0x31],
      [4, 0x23],
      [2, 0x59],
      [0, 0x59],
    ]) {
      write(register, value);
    }
    clock.advance(5 * SECOND);
    expect(time8().slice(0, 4)).toEqual([0x19, 0x99, 0x12, 0x31]);
    write(11, 0x02);
    clock.advance(SECOND);
    expect(time8()).toEqual([0x20, 0x00, 0x01, 0x01, 0x07, 0x00, 0x00, 0x00]);
  });

  it("takes nonsense without harm", () => {
    const { write, time8 } = create();
    for (let register = 0; register < 10; register++) write(register, 0xff);
    for (const value of time8()) expect(value).toBeLessThanOrEqual(0xff);
  });

  it("interrupts at the end of every update while that is enabled", () => {
    const { write, read, irq, clock } = create("2024-01-01T12:00:00Z");
    write(11, 0x12);
    for (let turn = 1; turn <= 3; turn++) {
      clock.advance(SECOND);
      expect(irq.edges).toBe(turn);
      expect(read(12)).toBe(0x90);
      expect(irq.level).toBe(false);
    }
  });

  it("interrupts when the alarm's time comes, with wild cards", () => {
    const { write, read, irq, clock } = create();
    write(1, 0x05);
    write(3, 0xff);
    write(5, 0xc0);
    write(11, 0x22);
    clock.advance(6 * SECOND);
    expect(irq.edges).toBe(0);
    clock.advance(SECOND);
    expect(irq.edges).toBe(1);
    expect(read(12) & 0xb0).toBe(0xb0);
    clock.advance(60 * SECOND);
    expect(irq.edges).toBe(2);
  });

  it("interrupts periodically at the rate of register A", () => {
    const { write, read, irq, clock } = create();
    write(11, 0x42);
    let count = 0;
    for (let ms = 0; ms < 1000; ms++) {
      clock.advance(1_000_000);
      if (irq.level) count += read(12) & 0x40 ? 1 : 0;
    }
    expect(count).toBeGreaterThan(990); // 1,024 Hz, looked at every millisecond
  });

  it("says that an update is in progress shortly before it", () => {
    const { read, clock } = create();
    expect(read(10) & 0x80).toBe(0);
    clock.advance(SECOND - 100_000);
    expect(read(10) & 0x80).toBe(0x80);
  });

  it("keeps its memory and its alarm over save and restore, and takes the host's time", () => {
    const { write, rtc } = create();
    write(0x40, 0xab);
    write(11, 0x12);
    const copy = create("2030-01-01T00:00:00Z");
    copy.clock.advance(100 * SECOND);
    copy.rtc.restore(rtc.save());
    expect(copy.read(0x40)).toBe(0xab);
    expect(copy.time8().slice(0, 3)).toEqual([0x20, 0x30, 0x01]);
    expect(copy.read(0)).toBe(0x00);
    copy.clock.advance(SECOND);
    expect(copy.irq.level).toBe(true);
  });
});

describe.runIf(canRunQtest)("the real-time clock, beside QEMU's", () => {
  it("reads the same in all formats and after being set", async () => {
    const { bus } = create("2024-02-29T13:04:05Z");
    const accesses: PortAccess[] = [];
    const write = (register: number, value: number) => {
      accesses.push({ kind: "write", port: RTC_PORT, value: register });
      accesses.push({ kind: "write", port: RTC_PORT + 1, value });
    };
    const readTime = () => {
      for (const register of [RTC_CENTURY, 9, 8, 7, 6, 4, 2, 11, 12, 13]) {
        accesses.push({ kind: "write", port: RTC_PORT, value: register });
        accesses.push({ kind: "read", port: RTC_PORT + 1 });
      }
    };
    readTime();
    for (const format of [0x02, 0x06, 0x00, 0x04]) {
      write(11, format);
      readTime();
    }
    write(11, 0x82);
    for (const [register, value] of [
      [RTC_CENTURY, 0x19],
      [9, 0x99],
      [8, 0x12],
      [7, 0x25],
      [4, 0x00],
      [2, 0x30],
      [0, 0x00],
    ]) {
      write(register, value);
    }
    write(11, 0x02);
    for (const register of [RTC_CENTURY, 9, 8, 7, 4, 2, 11]) {
      accesses.push({ kind: "write", port: RTC_PORT, value: register });
      accesses.push({ kind: "read", port: RTC_PORT + 1 });
    }
    const machine = ["-rtc", "base=2024-02-29T13:04:05,clock=vm"];
    expect(await differenceFromQemu(bus, accesses, machine)).toBeUndefined();
  });
});
