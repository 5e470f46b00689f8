import { describe, expect, it } from "vitest";
import { Bus } from "./bus.ts";
import { I8254, PIT_HZ } from "./i8254.ts";
import { ManualClock } from "./testing/manual-clock.ts";
import { canRunQtest, differenceFromQemu, type PortAccess } from "./testing/qtest.ts";
import { RecordedLine } from "./testing/recorded-line.ts";

const TICK_NS = 1e9 / PIT_HZ;

function create() {
  const bus = new Bus();
  const clock = new ManualClock();
  const irq = new RecordedLine();
  const pit = new I8254(clock, irq);
  pit.mapOn(bus);
  const write = (port: number, value: number) => bus.writePort(port, 1, value);
  const read = (port: number) => bus.readPort(port, 1);
  const readCount = (counter: number) => {
    write(0x43, counter << 6);
    const low = read(0x40 + counter);
    return low | (read(0x40 + counter) << 8);
  };
  const load = (counter: number, mode: number, count: number) => {
    write(0x43, (counter << 6) | 0x30 | (mode << 1));
    write(0x40 + counter, count & 0xff);
    write(0x40 + counter, count >>> 8);
  };
  return { bus, clock, irq, pit, write, read, readCount, load };
}

describe("the 8254", () => {
  it("in mode 2 raises IRQ 0 once a period, at the right time", () => {
    const { clock, irq, load } = create();
    load(0, 2, 11932);
    const before = irq.edges;
    clock.advance(1e9);
    expect(irq.edges - before).toBe(Math.floor(PIT_HZ / 11932));
  });

  it("in mode 3 is up for half of the period", () => {
    const { clock, irq, load } = create();
    load(0, 3, 1000);
    clock.advance(TICK_NS * 250);
    expect(irq.level).toBe(true);
    clock.advance(TICK_NS * 500);
    expect(irq.level).toBe(false);
    clock.advance(TICK_NS * 500);
    expect(irq.level).toBe(true);
  });

  it("in mode 0 goes up once, when the count is over, and counts on", () => {
    const { clock, irq, load, readCount } = create();
    load(0, 0, 100);
    expect(irq.level).toBe(false);
    clock.advance(TICK_NS * 99);
    expect(irq.level).toBe(false);
    clock.advance(TICK_NS * 2);
    expect(irq.level).toBe(true);
    clock.advance(TICK_NS * 10);
    expect(readCount(0)).toBeGreaterThan(0xff00);
    expect(irq.edges).toBe(1);
  });

  it("counts down and holds a latched count until it has been read", () => {
    const { clock, load, write, read } = create();
    load(0, 2, 1000);
    clock.advance(TICK_NS * 300.5);
    write(0x43, 0x00);
    clock.advance(TICK_NS * 300);
    const low = read(0x40);
    expect(low | (read(0x40) << 8)).toBe(700);
  });

  it("counts in BCD", () => {
    const { clock, write, read } = create();
    write(0x43, 0x35);
    write(0x40, 0x00);
    write(0x40, 0x10); // 1000
    clock.advance(TICK_NS * 1.5);
    write(0x43, 0x00);
    const low = read(0x40);
    expect(low | (read(0x40) << 8)).toBe(0x0999);
  });

  it("shows the third counter's output at port 61H and stops it with its gate", () => {
    const { clock, load, write, read, readCount } = create();
    write(0x61, 1);
    load(2, 0, 1000);
    expect(read(0x61) & 0x20).toBe(0);
    clock.advance(TICK_NS * 400.5);
    write(0x61, 0);
    clock.advance(TICK_NS * 5000);
    expect(readCount(2)).toBe(600);
    write(0x61, 1);
    clock.advance(TICK_NS * 601);
    expect(read(0x61) & 0x20).toBe(0x20);
  });

  it("makes one edge of the periods that nobody looked at", () => {
    const { irq, load, clock } = create();
    load(0, 2, 2);
    const before = irq.edges;
    clock.advance(TICK_NS * 4.5);
    expect(irq.edges - before).toBe(2);
  });

  it("restores what it saved, at the same point of the period", () => {
    const { clock, pit, load } = create();
    load(0, 2, 1000);
    clock.advance(TICK_NS * 300.5);
    const copy = create();
    copy.clock.advance(TICK_NS * 300.5);
    copy.pit.restore(pit.save());
    expect(copy.pit.save()).toEqual(pit.save());
    expect(copy.readCount(0)).toBe(700);
    copy.clock.advance(TICK_NS * 700);
    expect(copy.irq.edges).toBe(1);
  });
});

describe.runIf(canRunQtest)("the 8254, beside QEMU's", () => {
  it("has the same status and count right after programming", async () => {
    const { bus } = create();
    const accesses: PortAccess[] = [];
    const write = (port: number, value: number) => accesses.push({ kind: "write", port, value });
    const read = (port: number) => accesses.push({ kind: "read", port });
    // In modes 2, 4 and 5 QEMU has OUT upside down at first: nothing there looks at it.
    for (const mode of [0, 1, 3]) {
      for (const access of [1, 2, 3]) {
        write(0x43, (access << 4) | (mode << 1));
        write(0x40, 0x34);
        if (access === 3) write(0x40, 0x12);
        write(0x43, 0xe2); // status of counter 0
        read(0x40);
      }
    }
    expect(await differenceFromQemu(bus, accesses)).toBeUndefined();
  });
});
