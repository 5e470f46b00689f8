import { describe, expect, it } from "vitest";
import { Bus } from "./bus.ts";
import { HPET_BASE, HPET_LENGTH, Hpet } from "./hpet.ts";
import { ManualClock } from "./testing/manual-clock.ts";
import { RecordedLine } from "./testing/recorded-line.ts";

function create() {
  const bus = new Bus();
  const clock = new ManualClock();
  const legacy = [new RecordedLine(), new RecordedLine()] as const;
  const inputs = Array.from({ length: 24 }, () => new RecordedLine());
  const hpet = new Hpet(clock, { legacy: (timer) => legacy[timer], ioApic: (input) => inputs[input] });
  bus.mapMemory(HPET_BASE, HPET_LENGTH, hpet);
  const read = (offset: number) => bus.readMemory(HPET_BASE + offset, 4);
  const write = (offset: number, value: number) => bus.writeMemory(HPET_BASE + offset, 4, value);
  return { bus, clock, hpet, legacy, inputs, read, write };
}

const [CONFIGURATION, STATUS, COUNTER] = [0x10, 0x20, 0xf0];
const timer = (index: number) => ({ configuration: 0x100 + index * 0x20, comparator: 0x108 + index * 0x20 });

describe("the HPET", () => {
  it("counts 10 ns while it is enabled, from where it was set", () => {
    const { read, write, clock } = create();
    expect(read(4)).toBe(10_000_000);
    clock.advance(1000);
    expect(read(COUNTER)).toBe(0);
    write(COUNTER, 0xfffffff0);
    write(CONFIGURATION, 1);
    clock.advance(10 * 0x20);
    expect([read(COUNTER), read(COUNTER + 4)]).toEqual([0x10, 1]);
    write(CONFIGURATION, 0);
    clock.advance(1000);
    expect(read(COUNTER)).toBe(0x10);
  });

  it("raises a one-shot edge at the comparator", () => {
    const { write, clock, inputs } = create();
    write(timer(0).configuration, (16 << 9) | 4);
    write(timer(0).comparator, 100);
    write(timer(0).comparator + 4, 0);
    write(CONFIGURATION, 1);
    clock.advance(990);
    expect(inputs[16].edges).toBe(0);
    clock.advance(20);
    expect(inputs[16].edges).toBe(1);
    clock.advance(1e6);
    expect(inputs[16].edges).toBe(1);
  });

  it("raises periodic edges, first at the accumulator's value", () => {
    const { write, clock, inputs } = create();
    write(timer(1).configuration, (20 << 9) | 0x4c | 0x100);
    write(timer(1).comparator, 1000); // accumulator (VAL_SET)
    write(timer(1).comparator, 100); // period
    write(CONFIGURATION, 1);
    clock.advance(9_990);
    expect(inputs[20].edges).toBe(0);
    clock.advance(1_020);
    expect(inputs[20].edges).toBe(2);
    clock.advance(10_000);
    expect(inputs[20].edges).toBe(12);
  });

  it("holds a level until its status bit is cleared", () => {
    const { read, write, clock, inputs } = create();
    write(timer(2).configuration, (17 << 9) | 4 | 2);
    write(timer(2).comparator, 10);
    write(timer(2).comparator + 4, 0);
    write(CONFIGURATION, 1);
    clock.advance(100);
    expect([inputs[17].level, read(STATUS)]).toEqual([true, 4]);
    write(STATUS, 4);
    expect([inputs[17].level, read(STATUS)]).toEqual([false, 0]);
  });

  it("replaces the legacy timers when told to", () => {
    const { write, clock, legacy, hpet } = create();
    const told: boolean[] = [];
    hpet.onLegacyReplacement = (replaced) => told.push(replaced);
    write(timer(0).configuration, 4);
    write(timer(0).comparator, 10);
    write(timer(0).comparator + 4, 0);
    write(CONFIGURATION, 3);
    clock.advance(1000);
    expect(legacy[0].edges).toBe(1);
    write(CONFIGURATION, 0);
    expect(told).toEqual([true, false]);
  });

  it("cannot be routed to inputs it has not got", () => {
    const { write, clock, inputs } = create();
    write(timer(0).configuration, (3 << 9) | 4);
    write(timer(0).comparator, 10);
    write(timer(0).comparator + 4, 0);
    write(CONFIGURATION, 1);
    clock.advance(1000);
    expect(inputs.every(({ edges }) => edges === 0)).toBe(true);
  });

  it("survives any access, and a period of nothing", () => {
    const { bus, clock, write } = create();
    for (let offset = 0; offset < HPET_LENGTH; offset++) {
      for (const size of [1, 2, 4] as const) {
        bus.writeMemory(HPET_BASE + offset, size, 0xffffffff);
        expect(bus.readMemory(HPET_BASE + offset, size)).toBeLessThan(2 ** (8 * size));
      }
    }
    write(timer(0).configuration, 0x10c);
    write(timer(0).comparator, 0);
    write(CONFIGURATION, 1);
    clock.fireDue();
    write(timer(0).comparator, 1); // every 10 ns
    for (let turn = 0; turn < 10; turn++) clock.fireDue();
  });

  it("restores what it saved", () => {
    const { hpet, write, clock } = create();
    write(timer(0).configuration, (16 << 9) | 0x4c);
    write(timer(0).comparator, 1000);
    write(timer(0).comparator + 4, 0);
    write(timer(0).comparator, 500);
    write(CONFIGURATION, 1);
    clock.advance(5_000);
    const copy = create();
    copy.clock.advance(5_000);
    copy.hpet.restore(hpet.save());
    expect(copy.hpet.save()).toEqual(hpet.save());
    expect(copy.read(COUNTER)).toBe(500);
    copy.clock.advance(5_100);
    expect(copy.inputs[16].edges).toBe(1);
  });
});
