import { describe, expect, it } from "vitest";
import { Bus } from "./bus.ts";
import { DebugConsole } from "./debug-console.ts";
import { IsaDebugExit } from "./isa-debug-exit.ts";
import { PvPanic } from "./pvpanic.ts";
import { canRunQtest, runQtest } from "./testing/qtest.ts";

describe("isa-debug-exit", () => {
  it("ends the machine with QEMU's exit status", () => {
    const statuses: number[] = [];
    const bus = new Bus();
    bus.mapPorts(0xf4, 4, new IsaDebugExit((status) => statuses.push(status)), 4);
    for (const value of [0, 1, 0x10, 0x7f, 0x80]) bus.writePort(0xf4, 1, value);
    bus.writePort(0xf4, 4, 0x12345678);
    expect(statuses).toEqual([1, 3, 0x21, 0xff, 1, 0xf1]);
  });
});

describe("the debug consoles", () => {
  it("print bytes", () => {
    const printed: number[] = [];
    const bus = new Bus();
    bus.mapPorts(0xe9, 1, new DebugConsole((byte) => printed.push(byte)));
    bus.writePort(0xe9, 1, 0x41);
    expect(printed).toEqual([0x41]);
  });

  it.runIf(canRunQtest)("are found as QEMU's are", async () => {
    const bus = new Bus();
    for (const port of [0xe9, 0x402]) bus.mapPorts(port, 1, new DebugConsole(() => {}));
    for (const port of [0xe9, 0x402]) {
      const machine = ["-chardev", "null,id=d", "-device", `isa-debugcon,iobase=${port},chardev=d`];
      const [[theirs]] = await runQtest([`inb ${port}`], machine);
      expect(bus.readPort(port, 1)).toBe(Number(theirs));
    }
  });
});

describe("pvpanic", () => {
  it("tells a panic from one that a crash kernel takes over", () => {
    const told: boolean[] = [];
    const bus = new Bus();
    bus.mapPorts(0x505, 1, new PvPanic((loaded) => told.push(loaded)));
    bus.writePort(0x505, 1, 1);
    bus.writePort(0x505, 1, 2);
    bus.writePort(0x505, 1, 0);
    expect(told).toEqual([false, true]);
  });

  it.runIf(canRunQtest)("offers the events that QEMU offers", async () => {
    const bus = new Bus();
    bus.mapPorts(0x505, 1, new PvPanic(() => {}));
    const [[theirs]] = await runQtest(["inb 0x505"], ["-device", "pvpanic"]);
    expect(bus.readPort(0x505, 1)).toBe(Number(theirs));
  });
});
