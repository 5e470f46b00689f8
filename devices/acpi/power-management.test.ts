import { describe, expect, it } from "vitest";
import { Bus } from "../bus.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { RecordedLine } from "../testing/recorded-line.ts";
import { AcpiPowerManagement, PM_PORT } from "./power-management.ts";

const [STATUS, ENABLE, CONTROL, TIMER] = [0, 2, 4, 8].map((offset) => PM_PORT + offset);

function create() {
  const bus = new Bus();
  const clock = new ManualClock();
  const sci = new RecordedLine();
  const events: string[] = [];
  const pm = new AcpiPowerManagement(clock, sci, {
    powerOff: () => events.push("power-off"),
    reset: () => events.push("reset"),
  });
  pm.mapOn(bus);
  return { bus, clock, sci, events, pm };
}

describe("ACPI power management", () => {
  it("switches off for S5 with SLP_EN, and for nothing else", () => {
    const { bus, events } = create();
    bus.writePort(CONTROL, 2, 5 << 10);
    bus.writePort(CONTROL, 2, (1 << 13) | (3 << 10));
    expect(events).toEqual([]);
    bus.writePort(CONTROL, 2, (1 << 13) | (5 << 10));
    expect(events).toEqual(["power-off"]);
    expect(bus.readPort(CONTROL, 2) & 1).toBe(1);
  });

  it("switches off when the control register is written by bytes as well", () => {
    const { bus, events } = create();
    bus.writePort(CONTROL + 1, 1, 0x20 | (5 << 2));
    expect(events).toEqual(["power-off"]);
  });

  it("resets by CF9H", () => {
    const { bus, events } = create();
    bus.writePort(0xcf9, 1, 0x02);
    expect(events).toEqual([]);
    bus.writePort(0xcf9, 1, 0x06);
    expect(events).toEqual(["reset"]);
  });

  it("counts at 3.579545 MHz", () => {
    const { bus, clock } = create();
    clock.advance(1e9);
    expect(bus.readPort(TIMER, 4)).toBe(3_579_545);
    clock.advance(2000e9);
    expect(bus.readPort(TIMER, 4)).toBe((3_579_545 * 2001) % 2 ** 32);
  });

  it("asserts the SCI for an enabled power button until its status is cleared", () => {
    const { bus, sci, pm } = create();
    pm.pressPowerButton();
    expect(sci.level).toBe(false);
    bus.writePort(ENABLE, 2, 0x100);
    expect(sci.level).toBe(true);
    expect(bus.readPort(STATUS, 2)).toBe(0x100);
    bus.writePort(STATUS, 2, 0x100);
    expect(sci.level).toBe(false);
  });

  it("tells when the timer's highest bit changes, if that is enabled", () => {
    const { bus, sci, clock } = create();
    bus.writePort(ENABLE, 2, 1);
    clock.advance((2 ** 31 / 3_579_545) * 1e9 + 1000);
    expect(sci.level).toBe(true);
    bus.writePort(STATUS, 2, 1);
    expect(sci.level).toBe(false);
  });

  it("restores what it saved", () => {
    const { bus, pm } = create();
    bus.writePort(ENABLE, 2, 0x121);
    pm.pressPowerButton();
    const copy = create();
    copy.pm.restore(pm.save());
    expect(copy.pm.save()).toEqual(pm.save());
    expect(copy.sci.level).toBe(true);
  });
});
