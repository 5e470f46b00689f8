import { describe, expect, it } from "vitest";
import { createTestBoard, TEST_RAM } from "./testing/test-board.ts";

describe("the board", () => {
  it("delivers the 8254's interrupt through the 8259 and LINT0, as a BIOS leaves it", () => {
    const { board, clock, isRequested } = createTestBoard();
    const { bus, localApic } = board;
    bus.writeMemory(0xfee000f0, 4, 0x1ff);
    bus.writeMemory(0xfee00350, 4, 0x700);
    bus.writePort(0x21, 1, 0xfe);
    bus.writePort(0x43, 1, 0x34);
    bus.writePort(0x40, 1, 0);
    bus.writePort(0x40, 1, 0x10);
    clock.advance(10_000_000);
    expect(isRequested()).toBe(true);
    expect(localApic.acknowledge()).toBe(0x08);
  });

  it("delivers it through input 2 of the I/O APIC", () => {
    const { board, clock } = createTestBoard();
    const { bus, localApic } = board;
    bus.writeMemory(0xfee000f0, 4, 0x1ff);
    bus.writeMemory(0xfec00000, 4, 0x10 + 2 * 2);
    bus.writeMemory(0xfec00010, 4, 0x30);
    bus.writePort(0x43, 1, 0x34);
    bus.writePort(0x40, 1, 0);
    bus.writePort(0x40, 1, 0x10);
    clock.advance(10_000_000);
    expect(localApic.acknowledge()).toBe(0x30);
  });

  it("stops for every reason that it knows", () => {
    const { board, stops } = createTestBoard();
    const { bus } = board;
    bus.writePort(0x64, 1, 0xfe);
    bus.writePort(0xcf9, 1, 6);
    bus.writePort(0x604, 2, 0x3400);
    bus.writePort(0xf4, 1, 0x10);
    bus.writePort(0x505, 1, 1);
    expect(stops).toEqual([
      { kind: "reset" },
      { kind: "reset" },
      { kind: "power-off" },
      { kind: "debug-exit", status: 0x21 },
      { kind: "guest-panic", crashLoaded: false },
    ]);
  });

  it("has its tables in memory, where a system looks for them", () => {
    const { memory } = createTestBoard();
    const find = (text: string, step: number) => {
      for (let at = 0xe0000; at < TEST_RAM; at += step) {
        if (String.fromCharCode(...memory.bytes.subarray(at, at + text.length)) === text) return at;
      }
      return -1;
    };
    expect(find("RSD PTR ", 16)).toBeGreaterThan(0);
    expect(find("_SM3_", 16)).toBe(0xf0000);
  });
});
