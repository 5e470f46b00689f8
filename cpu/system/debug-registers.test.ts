import { beforeEach, describe, expect, it } from "vitest";
import { Cpu } from "../cpu.ts";
import { GuestException } from "../helpers.ts";
import { Cr4 } from "./control-bits.ts";
import { notePort, readDebug, writeDebug } from "./debug-registers.ts";
import { SystemState } from "./system-state.ts";
import { barePlatform } from "./testing/bare-platform.ts";

/** What QEMU has otherwise than the Intel SDM; the rest is compared in testing/images/debug.asm. */
describe("debug registers", () => {
  let system: SystemState;
  beforeEach(() => {
    const cpu = new Cpu({
      ramSize: 1 << 16,
      views: 2,
      host: { timeStampCounter: () => 0, random: () => undefined },
    });
    system = new SystemState(cpu, barePlatform());
  });

  it("are guarded by DR7.GD against reading too, and DR6.BD says so", () => {
    writeDebug(system, 7, 0x2400n);
    expect(() => readDebug(system, 0)).toThrow(GuestException);
    expect(system.debug[6] & 0x2000).toBe(0x2000);
    expect(() => writeDebug(system, 7, 0x400n)).toThrow(GuestException);
  });

  it("keep their reserved bits", () => {
    writeDebug(system, 6, 0xffffffffn);
    expect(readDebug(system, 6)).toBe(0xffffefff);
    writeDebug(system, 7, 0xffff0000n);
    expect(readDebug(system, 7)).toBe(0xffff0400);
    expect(() => writeDebug(system, 7, 1n << 32n)).toThrow(GuestException);
  });

  it("4 and 5 are 6 and 7 unless CR4.DE makes them undefined", () => {
    expect(readDebug(system, 5)).toBe(0x400);
    system.cr4 |= Cr4.DE;
    expect(() => readDebug(system, 5)).toThrow(GuestException);
  });

  it("watch ports if CR4.DE is set", () => {
    writeDebug(system, 1, 0x3f8n);
    writeDebug(system, 7, 0x404n | (0x6n << 20n)); // L1, two ports
    notePort(system, 0x3f8, 1);
    expect(system.cpu.stops.guestHits).toBe(0);
    system.cr4 |= Cr4.DE;
    writeDebug(system, 1, 0x3f8n);
    notePort(system, 0x3f7, 1);
    notePort(system, 0x3fa, 1);
    expect(system.cpu.stops.guestHits).toBe(0);
    notePort(system, 0x3f7, 4);
    expect(system.cpu.stops.guestHits).toBe(2);
  });
});
