import { describe, expect, it } from "vitest";
import { Bus, type MemoryDevice, type PortDevice } from "./bus.ts";

/** Registers that are plain bytes, and a record of how they were reached. */
function registers(length: number): PortDevice & MemoryDevice & { bytes: number[]; accesses: string[] } {
  const bytes: number[] = Array.from({ length }, () => 0);
  const accesses: string[] = [];
  const read = (offset: number, size: number): number => {
    accesses.push(`r${size}@${offset}`);
    let value = 0;
    for (let index = 0; index < size; index++) value += (bytes[offset + index] ?? 0) * 2 ** (8 * index);
    return value;
  };
  const write = (offset: number, size: number, value: number): void => {
    accesses.push(`w${size}@${offset}`);
    for (let index = 0; index < size; index++) bytes[offset + index] = (value >>> (8 * index)) & 0xff;
  };
  return { bytes, accesses, readPort: read, writePort: write, readMemory: read, writeMemory: write };
}

describe("the bus", () => {
  it("answers with ones where nothing is", () => {
    const bus = new Bus();
    expect([bus.readPort(0x80, 1), bus.readPort(0x80, 2), bus.readPort(0x80, 4)]).toEqual([
      0xff, 0xffff, 0xffffffff,
    ]);
    expect(bus.readMemory(0xfed00000, 4)).toBe(0xffffffff);
    bus.writePort(0x80, 4, 1);
    bus.writeMemory(0xfed00000, 4, 1);
  });

  it("makes byte accesses of wider ones for a device of one byte's width", () => {
    const bus = new Bus();
    const device = registers(8);
    bus.mapPorts(0x3f8, 8, device);
    bus.writePort(0x3f8, 4, 0x87654321);
    expect(device.accesses).toEqual(["w1@0", "w1@1", "w1@2", "w1@3"]);
    expect(bus.readPort(0x3f9, 2)).toBe(0x6543);
  });

  it("hands a whole access to a wide device", () => {
    const bus = new Bus();
    const device = registers(4);
    bus.mapPorts(0xcf8, 4, device, 4);
    bus.writePort(0xcf8, 4, 0x80000000);
    expect(device.accesses).toEqual(["w4@0"]);
    expect(bus.readPort(0xcf8, 4)).toBe(0x80000000);
  });

  it("splits an access that leaves a device's ports", () => {
    const bus = new Bus();
    const [low, high] = [registers(1), registers(1)];
    bus.mapPorts(0x20, 1, low);
    bus.mapPorts(0x21, 1, high);
    bus.writePort(0x20, 2, 0x1234);
    expect([low.bytes, high.bytes]).toEqual([[0x34], [0x12]]);
    expect(bus.readPort(0x20, 4)).toBe(0xffff1234);
  });

  it("survives an access at the last port", () => {
    const bus = new Bus();
    bus.mapPorts(0xfffe, 8, registers(8), 4);
    bus.writePort(0xffff, 4, 0);
    expect(bus.readPort(0xffff, 4) >>> 8).toBe(0xffffff);
  });

  it("lets the first of two overlapping regions answer, and the second when the first is gone", () => {
    const bus = new Bus();
    const [first, second] = [registers(16), registers(16)];
    const mapping = bus.mapMemory(0xf0000000, 16, first);
    bus.mapMemory(0xf0000008, 16, second);
    bus.writeMemory(0xf0000008, 4, 5);
    expect([first.bytes[8], second.bytes[0]]).toEqual([5, 0]);
    mapping.unmap();
    bus.writeMemory(0xf0000008, 4, 6);
    expect([first.bytes[8], second.bytes[0]]).toEqual([5, 6]);
  });
});
