import { describe, expect, it } from "vitest";
import { Bus } from "../bus.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { ApicBus } from "./apic-bus.ts";
import { DeliveryMode } from "./interrupt-message.ts";
import { LocalApic } from "./local-apic.ts";

const BASE = 0xfee00000;
const Reg = {
  ID: 0x20,
  TPR: 0x80,
  PPR: 0xa0,
  EOI: 0xb0,
  LDR: 0xd0,
  SVR: 0xf0,
  ISR: 0x100,
  IRR: 0x200,
  ESR: 0x280,
  ICR: 0x300,
  ICR_HIGH: 0x310,
  TIMER: 0x320,
  LINT0: 0x350,
  LINT1: 0x360,
  ERROR: 0x370,
  INITIAL: 0x380,
  CURRENT: 0x390,
  DIVIDE: 0x3e0,
};
const X2APIC = 0x800n;
const msr = (register: number) => Number(X2APIC) + (register >> 4);

function create(id = 0, apicBus = new ApicBus()) {
  const clock = new ManualClock();
  const bus = new Bus();
  const events: string[] = [];
  const eois: number[] = [];
  apicBus.listen({ endOfInterrupt: (vector) => eois.push(vector) });
  let external = -1;
  const apic = new LocalApic({
    id,
    bootstrap: id === 0,
    clock,
    bus,
    apicBus,
    pins: {
      interruptRequest: (pending) => events.push(pending ? "request" : "no request"),
      nmi: () => events.push("nmi"),
      init: () => events.push("init"),
      startUp: (vector) => events.push(`start-up ${vector}`),
    },
    external: { acknowledge: () => external },
    tscDeadline: (tsc) => Number(tsc),
  });
  const read = (register: number) => bus.readMemory(BASE + register, 4);
  const write = (register: number, value: number) => bus.writeMemory(BASE + register, 4, value);
  const send = (vector: number, level = false) =>
    apic.accept({ vector, deliveryMode: DeliveryMode.Fixed, destination: id, logical: false, level });
  write(Reg.SVR, 0x1ff);
  return {
    apic,
    apicBus,
    clock,
    bus,
    events,
    eois,
    read,
    write,
    send,
    setExternal: (v: number) => (external = v),
  };
}

describe("the local APIC", () => {
  it("delivers by priority: the class of what is in service must be lower", () => {
    const { apic, send, write, read } = create();
    send(0x41);
    expect(apic.acknowledge()).toBe(0x41);
    expect(read(Reg.PPR)).toBe(0x40);
    send(0x4f);
    expect(apic.isPending).toBe(false);
    send(0x52);
    expect(apic.acknowledge()).toBe(0x52);
    write(Reg.EOI, 0);
    expect(apic.isPending).toBe(false);
    write(Reg.EOI, 0);
    expect(apic.acknowledge()).toBe(0x4f);
  });

  it("holds back what is not above the task priority, also when CR8 sets it", () => {
    const { apic, send, write, events } = create();
    write(Reg.TPR, 0x50);
    send(0x51);
    expect(apic.isPending).toBe(false);
    expect(apic.cr8).toBe(5);
    apic.cr8 = 4;
    expect(apic.isPending).toBe(true);
    expect(events).toEqual(["request"]);
    apic.cr8 = 0xf;
    expect(apic.acknowledge()).toBe(-1);
  });

  it("shows vectors in the registers they belong to", () => {
    const { apic, send, read } = create();
    send(0x21);
    send(0xff);
    expect([read(Reg.IRR + 0x10), read(Reg.IRR + 0x70)]).toEqual([2, 0x80000000]);
    apic.acknowledge();
    expect([read(Reg.ISR + 0x70), read(Reg.IRR + 0x70)]).toEqual([0x80000000, 0]);
  });

  it("tells the I/O APICs of the end of a level-triggered interrupt only", () => {
    const { apic, send, write, eois } = create();
    send(0x31, true);
    send(0x51);
    apic.acknowledge();
    write(Reg.EOI, 0);
    expect(eois).toEqual([]);
    apic.acknowledge();
    write(Reg.EOI, 0);
    expect(eois).toEqual([0x31]);
  });

  it("counts down once, or again and again, at the divided rate", () => {
    const { apic, clock, write, read } = create();
    write(Reg.DIVIDE, 0x3); // by 16
    write(Reg.TIMER, 0x40);
    write(Reg.INITIAL, 1000);
    clock.advance(8_000);
    expect(read(Reg.CURRENT)).toBe(500);
    clock.advance(8_000);
    expect(read(Reg.CURRENT)).toBe(0);
    expect(apic.acknowledge()).toBe(0x40);
    write(Reg.EOI, 0);
    clock.advance(100_000);
    expect(apic.isPending).toBe(false);

    write(Reg.TIMER, 0x20040);
    write(Reg.DIVIDE, 0xb); // by 1
    write(Reg.INITIAL, 1000);
    for (let turn = 0; turn < 5; turn++) {
      clock.advance(1000);
      expect(apic.acknowledge()).toBe(0x40);
      write(Reg.EOI, 0);
    }
  });

  it("fires when the time-stamp counter reaches the deadline, and disarms", () => {
    const { apic, clock, write } = create();
    write(Reg.TIMER, 0x40041);
    write(Reg.INITIAL, 5); // ignored in this mode
    expect(apic.writeMsr(0x6e0, 5000n)).toBe(true);
    expect(apic.readMsr(0x6e0)).toBe(5000n);
    clock.advance(4999);
    expect(apic.isPending).toBe(false);
    clock.advance(1);
    expect(apic.acknowledge()).toBe(0x41);
    expect(apic.readMsr(0x6e0)).toBe(0n);
    write(Reg.EOI, 0);
    apic.writeMsr(0x6e0, 1n); // long ago: at once
    clock.advance(0);
    clock.fireDue();
    expect(apic.acknowledge()).toBe(0x41);
  });

  it("keeps a masked timer silent", () => {
    const { apic, clock, write } = create();
    write(Reg.TIMER, 0x10040);
    write(Reg.INITIAL, 10);
    clock.advance(1000);
    expect(apic.isPending).toBe(false);
  });

  it("lets the 8259's interrupt through LINT0 in ExtINT mode", () => {
    const { apic, write, setExternal } = create();
    setExternal(0x08);
    apic.pin(0).set(true);
    expect(apic.isPending).toBe(false);
    write(Reg.LINT0, 0x700);
    expect(apic.acknowledge()).toBe(0x08);
    write(Reg.LINT0, 0x10700);
    expect(apic.acknowledge()).toBe(-1);
  });

  it("passes the 8259's interrupt by when it is switched off", () => {
    const { apic, setExternal } = create();
    setExternal(0x0c);
    expect(apic.writeMsr(0x1b, 0xfee00000n)).toBe(true);
    apic.pin(0).set(true);
    expect(apic.acknowledge()).toBe(0x0c);
  });

  it("makes an NMI of LINT1", () => {
    const { apic, write, events } = create();
    apic.pin(1).set(true);
    expect(events).toEqual([]);
    apic.pin(1).set(false);
    write(Reg.LINT1, 0x400);
    apic.pin(1).set(true);
    expect(events).toEqual(["nmi"]);
  });

  it("sends to itself and to others, by physical and logical names", () => {
    const apicBus = new ApicBus();
    const [first, second] = [create(0, apicBus), create(1, apicBus)];
    first.write(Reg.LDR, 0x01000000);
    second.write(Reg.LDR, 0x02000000);
    first.write(Reg.ICR, 0x40061); // self
    expect([first.apic.acknowledge(), second.apic.acknowledge()]).toEqual([0x61, -1]);
    first.write(Reg.ICR_HIGH, 1 << 24);
    first.write(Reg.ICR, 0x62);
    expect([first.apic.acknowledge(), second.apic.acknowledge()]).toEqual([-1, 0x62]);
    first.write(Reg.ICR_HIGH, 3 << 24);
    first.write(Reg.ICR, 0x871); // logical: both
    expect([first.apic.acknowledge(), second.apic.acknowledge()]).toEqual([0x71, 0x71]);
    first.write(Reg.ICR, 0xc0500);
    first.write(Reg.ICR, 0xc0608);
    expect(second.events.slice(-2)).toEqual(["init", "start-up 8"]);
    expect(first.events).not.toContain("init");
  });

  it("reports illegal vectors in ESR and by its error interrupt", () => {
    const { apic, write, read } = create();
    write(Reg.ERROR, 0xfe);
    write(Reg.ICR, 0x40003);
    expect(apic.acknowledge()).toBe(0xfe);
    write(Reg.ESR, 0);
    expect(read(Reg.ESR)).toBe(0x20);
    write(Reg.ESR, 0);
    expect(read(Reg.ESR)).toBe(0);
  });

  it("is masked altogether while it is disabled by software", () => {
    const { apic, send, write, read } = create();
    write(Reg.TIMER, 0x40);
    write(Reg.SVR, 0xff);
    expect(read(Reg.TIMER)).toBe(0x10040);
    write(Reg.TIMER, 0x40);
    expect(read(Reg.TIMER)).toBe(0x10040);
    send(0x80);
    expect(apic.isPending).toBe(false);
  });

  it("as x2APIC is reached by MSRs only, and refuses what silicon refuses", () => {
    const { apic, read } = create();
    expect(apic.readMsr(0x802)).toBeUndefined();
    expect(apic.writeMsr(0x1b, 0xfee00400n)).toBe(false); // EXTD without EN
    expect(apic.writeMsr(0x1b, 0xfee00c00n)).toBe(true);
    expect(apic.readMsr(0x1b)).toBe(0xfee00d00n);
    expect(read(Reg.ID)).toBe(0xffffffff);
    expect(apic.readMsr(msr(Reg.ID))).toBe(0n);
    expect(apic.readMsr(msr(Reg.LDR))).toBe(1n);
    expect(apic.readMsr(msr(Reg.EOI))).toBeUndefined();
    expect(apic.writeMsr(msr(Reg.EOI), 1n)).toBe(false);
    expect(apic.writeMsr(msr(Reg.ID), 0n)).toBe(false);
    expect(apic.writeMsr(msr(0xe0), 0n)).toBe(false);
    expect(apic.readMsr(msr(Reg.ICR_HIGH))).toBeUndefined();
    expect(apic.writeMsr(msr(Reg.TPR), 0x100000000n)).toBe(false);
    expect(apic.writeMsr(0x1b, 0xfee00800n)).toBe(false); // back to xAPIC without switching off
    expect(apic.writeMsr(0x83f, 0x42n)).toBe(true);
    expect(apic.acknowledge()).toBe(0x42);
    expect(apic.writeMsr(msr(Reg.ICR), 0x55n)).toBe(true); // physical destination 0: itself
    expect(apic.acknowledge()).toBe(0x55);
  });

  it("moves with IA32_APIC_BASE", () => {
    const { apic, bus } = create();
    expect(apic.writeMsr(0x1b, 0xd0000800n)).toBe(true);
    expect(bus.readMemory(0xd0000030, 4)).toBe(0x50014);
    expect(bus.readMemory(BASE + 0x30, 4)).toBe(0xffffffff);
  });

  it("survives any access to its registers", () => {
    const { apic, bus } = create();
    for (let offset = 0; offset < 0x1000; offset++) {
      for (const size of [1, 2, 4] as const) {
        bus.writeMemory(BASE + offset, size, 0xffffffff);
        const value = bus.readMemory(BASE + offset, size);
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThan(2 ** (8 * size));
      }
    }
    for (let index = 0; index < 0x100; index++) apic.writeMsr(0x800 + index, 0xffffffffffffffffn);
  });

  it("restores what it saved, timer included", () => {
    const { apic, send, write } = create();
    send(0x51, true);
    apic.acknowledge();
    send(0x61);
    write(Reg.TIMER, 0x20070);
    write(Reg.INITIAL, 1000);
    const copy = create();
    copy.apic.restore(apic.save());
    expect(copy.apic.save()).toEqual(apic.save());
    expect(copy.apic.acknowledge()).toBe(0x61);
    copy.clock.advance(2000);
    expect(copy.apic.acknowledge()).toBe(0x70);
  });
});
