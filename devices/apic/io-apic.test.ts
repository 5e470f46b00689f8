import { describe, expect, it } from "vitest";
import { Bus } from "../bus.ts";
import type { InterruptMessage } from "./interrupt-message.ts";
import { IO_APIC_LENGTH, IoApic } from "./io-apic.ts";

const BASE = 0xfec00000;

function create() {
  const messages: InterruptMessage[] = [];
  const bus = new Bus();
  const apic = new IoApic({ deliver: (message) => messages.push(message) });
  bus.mapMemory(BASE, IO_APIC_LENGTH, apic);
  const write = (register: number, value: number) => {
    bus.writeMemory(BASE, 4, register);
    bus.writeMemory(BASE + 0x10, 4, value);
  };
  const read = (register: number) => {
    bus.writeMemory(BASE, 4, register);
    return bus.readMemory(BASE + 0x10, 4);
  };
  const entry = (input: number, low: number, high = 0) => {
    write(0x11 + input * 2, high);
    write(0x10 + input * 2, low);
  };
  return { apic, bus, messages, read, write, entry };
}

const LEVEL = 0x8000;
const MASKED = 0x10000;

describe("the I/O APIC", () => {
  it("sends an edge as its redirection entry says", () => {
    const { apic, messages, entry } = create();
    entry(4, 0x931, 0x03000000); // logical, lowest priority
    apic.line(4).set(true);
    apic.line(4).set(true);
    expect(messages).toEqual([
      { vector: 0x31, deliveryMode: 1, destination: 3, logical: true, level: false },
    ]);
    apic.line(4).set(false);
    apic.line(4).set(true);
    expect(messages).toHaveLength(2);
  });

  it("starts with everything masked, and says what it is", () => {
    const { apic, messages, read } = create();
    for (let input = 0; input < 24; input++) apic.line(input).set(true);
    expect(messages).toEqual([]);
    expect(read(1)).toBe(0x170020);
    expect(read(0x10)).toBe(MASKED);
  });

  it("sends a level once until its EOI, and again if it is still up", () => {
    const { apic, messages, entry, read } = create();
    entry(10, LEVEL | 0x51);
    apic.line(10).set(true);
    expect(read(0x10 + 20) & 0x4000).toBe(0x4000);
    apic.line(10).set(false);
    apic.line(10).set(true);
    expect(messages).toHaveLength(1);
    apic.endOfInterrupt(0x51);
    expect(messages).toHaveLength(2);
    apic.line(10).set(false);
    apic.endOfInterrupt(0x51);
    expect(messages).toHaveLength(2);
    expect(read(0x10 + 20) & 0x4000).toBe(0);
  });

  it("sends a level that was up when it is unmasked", () => {
    const { apic, messages, entry } = create();
    entry(10, LEVEL | MASKED | 0x51);
    apic.line(10).set(true);
    entry(10, LEVEL | 0x51);
    expect(messages).toHaveLength(1);
  });

  it("takes the EOI at its own register, and forgets a stuck one when the entry becomes edge-triggered", () => {
    const { apic, bus, messages, entry, read } = create();
    entry(10, LEVEL | 0x51);
    apic.line(10).set(true);
    bus.writeMemory(BASE + 0x40, 4, 0x51);
    expect(messages).toHaveLength(2);
    entry(10, MASKED | 0x51);
    expect(read(0x10 + 20) & 0x4000).toBe(0);
  });

  it("keeps read-only bits and answers zero for registers that are not there", () => {
    const { read, write } = create();
    write(0x10, 0xffffffff);
    expect(read(0x10)).toBe(0x1afff);
    write(0x11, 0xffffffff);
    expect(read(0x11)).toBe(0xff000000);
    for (const register of [3, 0x0f, 0x40, 0xff]) {
      write(register, 0xffffffff);
      expect(read(register)).toBe(0);
    }
  });

  it("restores what it saved", () => {
    const { apic, entry } = create();
    entry(10, LEVEL | 0x51, 0x01000000);
    apic.line(10).set(true);
    const copy = create();
    copy.apic.restore(apic.save());
    expect(copy.apic.save()).toEqual(apic.save());
    copy.apic.endOfInterrupt(0x51);
    expect(copy.messages).toHaveLength(1);
  });
});
