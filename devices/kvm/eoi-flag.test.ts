import { describe, expect, it } from "vitest";
import { createTestBoard } from "../machine/testing/test-board.ts";

const PV_EOI_EN = 0x4b564d04;
const FLAG = 0x2000;
const SVR = 0xfee000f0;
const EOI = 0xfee000b0;
const ISR = 0xfee00100;
const ICR = 0xfee00300;
/** Destination shorthand "self". */
const SELF = 0x40000;

/** A board whose guest has told where its flag is. */
function create() {
  const machine = createTestBoard();
  const { bus, kvm, localApic } = machine.board;
  const { bytes } = machine.memory;
  bus.writeMemory(SVR, 4, 0x1ff);
  expect(kvm.writeMsr(PV_EOI_EN, BigInt(FLAG) | 1n)).toBe(true);
  const send = (vector: number) => bus.writeMemory(ICR, 4, SELF | vector);
  const inService = () => [...Array(8).keys()].map((word) => bus.readMemory(ISR + 16 * word, 4) >>> 0);
  /** As Linux does (arch/x86/kernel/kvm.c, kvm_guest_apic_eoi_write). @returns whether the register was needed */
  const end = () => {
    const isSpared = (bytes[FLAG] & 1) !== 0;
    bytes[FLAG] &= ~1;
    if (!isSpared) bus.writeMemory(EOI, 4, 0);
    return !isSpared;
  };
  return { ...machine, bus, kvm, localApic, bytes, send, inService, end };
}

describe("PV EOI", () => {
  it("lets the guest end an interrupt in its memory, when nothing waits for that", () => {
    const { send, localApic, bytes, end, inService, isRequested } = create();
    for (const vector of [0x41, 0x31, 0xff]) {
      send(vector);
      expect(localApic.acknowledge()).toBe(vector);
      expect(bytes[FLAG]).toBe(1);
      expect(end()).toBe(false);
    }
    expect(inService()).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    expect(isRequested()).toBe(false);
  });

  it("takes the flag back when an interrupt comes that waits for the end of the one in service", () => {
    const { send, localApic, end, isRequested } = create();
    send(0x41);
    localApic.acknowledge();
    send(0x42);
    expect(isRequested()).toBe(false);
    expect(end()).toBe(true);
    expect(isRequested()).toBe(true);
    expect(localApic.acknowledge()).toBe(0x42);
  });

  it("is not offered for a nested interrupt, nor while others wait", () => {
    const { send, localApic, bytes, end } = create();
    send(0x41);
    send(0x42);
    expect(localApic.acknowledge()).toBe(0x42);
    expect(bytes[FLAG]).toBe(0);
    send(0x81);
    expect(localApic.acknowledge()).toBe(0x81);
    expect(bytes[FLAG]).toBe(0);
    expect([end(), end()]).toEqual([true, true]);
    expect(localApic.acknowledge()).toBe(0x41);
    expect(bytes[FLAG]).toBe(1);
  });

  it("is not offered for a level-triggered interrupt, whose end the I/O APIC waits for", () => {
    const { board, localApic, bus, bytes, end } = create();
    const input = 4; // COM1's
    bus.writeMemory(0xfec00000, 4, 0x10 + 2 * input);
    bus.writeMemory(0xfec00010, 4, 0x51 | (1 << 15));
    bus.writePort(0x3fc, 1, 8); // OUT2 lets it through
    bus.writePort(0x3f9, 1, 2); // the transmitter is empty
    expect(localApic.acknowledge()).toBe(0x51);
    expect(bytes[FLAG]).toBe(0);
    board.bus.readPort(0x3fa, 1);
    expect(end()).toBe(true);
  });

  it("ends an interrupt by the flag that was set, though the guest has moved it since", () => {
    const { send, localApic, kvm, bytes, inService } = create();
    send(0x41);
    localApic.acknowledge();
    bytes[FLAG] = 0;
    expect(kvm.writeMsr(PV_EOI_EN, 0n)).toBe(true);
    expect(inService().every((word) => word === 0)).toBe(true);
    send(0x41);
    localApic.acknowledge();
    expect(bytes[FLAG]).toBe(0);
  });

  it("refuses the reserved bit, and ignores a place that is not RAM", () => {
    const { send, localApic, kvm, end, bytes } = create();
    expect(kvm.writeMsr(PV_EOI_EN, BigInt(FLAG) | 3n)).toBe(false);
    expect(kvm.readMsr(PV_EOI_EN)).toBe(BigInt(FLAG) | 1n);
    expect(kvm.writeMsr(PV_EOI_EN, 0xfffffffffffffffdn)).toBe(true);
    send(0x41);
    localApic.acknowledge();
    expect(end()).toBe(true);
    expect(bytes[FLAG]).toBe(0);
  });
});
