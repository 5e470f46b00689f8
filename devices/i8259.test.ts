import { describe, expect, it } from "vitest";
import { Bus } from "./bus.ts";
import { I8259Pair } from "./i8259.ts";
import { canRunQtest, differenceFromQemu, generator, type PortAccess } from "./testing/qtest.ts";
import { RecordedLine } from "./testing/recorded-line.ts";

const [MASTER, SLAVE, ELCR] = [0x20, 0xa0, 0x4d0];

function create() {
  const bus = new Bus();
  const intr = new RecordedLine();
  const pic = new I8259Pair(intr);
  pic.mapOn(bus);
  const write = (port: number, value: number) => bus.writePort(port, 1, value);
  return { bus, intr, pic, write };
}

function initialized(masterMask = 0, slaveMask = 0) {
  const machine = create();
  machine.pic.initializeAsFirmware([]);
  machine.write(MASTER + 1, masterMask);
  machine.write(SLAVE + 1, slaveMask);
  return machine;
}

describe("the pair of 8259s", () => {
  it("gives the vector of the most important input and nothing more until its EOI", () => {
    const { pic, intr, write } = initialized();
    pic.line(4).set(true);
    pic.line(1).set(true);
    expect(intr.level).toBe(true);
    expect(pic.acknowledge()).toBe(0x09);
    expect(intr.level).toBe(false);
    write(MASTER, 0x20);
    expect(intr.level).toBe(true);
    expect(pic.acknowledge()).toBe(0x0c);
  });

  it("passes the second controller's interrupts through input 2", () => {
    const { pic, write } = initialized();
    pic.line(8).set(true);
    expect(pic.acknowledge()).toBe(0x70);
    pic.line(12).set(true);
    write(MASTER, 0x20);
    expect(pic.acknowledge()).toBe(0x0f); // the slave has nothing to say before its own EOI
  });

  it("answers with input 7 when the request has gone: a spurious interrupt", () => {
    const { pic, intr, write } = initialized();
    write(ELCR, 1 << 3);
    pic.line(3).set(true);
    pic.line(3).set(false);
    expect(intr.level).toBe(false);
    expect(pic.acknowledge()).toBe(0x0f);
  });

  it("remembers an edge whose level has gone", () => {
    const { pic } = initialized();
    pic.line(3).set(true);
    pic.line(3).set(false);
    expect(pic.acknowledge()).toBe(0x0b);
  });

  it("does not end a masked interrupt by a non-specific EOI in special mask mode", () => {
    const { bus, pic, write } = initialized();
    pic.line(1).set(true);
    pic.acknowledge();
    write(MASTER, 0x68);
    write(MASTER + 1, 0x02);
    pic.line(4).set(true);
    expect(pic.acknowledge()).toBe(0x0c);
    write(MASTER, 0x20);
    write(MASTER, 0x20);
    write(MASTER, 0x0b);
    expect(bus.readPort(MASTER, 1)).toBe(0x02);
  });

  it("asks again for a level that stays up, but not for an edge that has been seen", () => {
    const { pic, write } = initialized();
    write(ELCR + 1, 1 << (10 - 8));
    pic.line(10).set(true);
    pic.line(5).set(true);
    for (let turn = 0; turn < 3; turn++) {
      expect(pic.acknowledge()).toBe(0x72);
      if (turn === 2) pic.line(10).set(false);
      write(SLAVE, 0x20);
      write(MASTER, 0x20);
    }
    expect(pic.acknowledge()).toBe(0x0d);
    write(MASTER, 0x20);
    expect(pic.acknowledge()).toBe(0x0f);
  });

  it("restores what it saved", () => {
    const { pic, write } = initialized(0x0a, 0x55);
    pic.line(4).set(true);
    write(MASTER, 0x0b);
    const copy = create();
    copy.pic.restore(pic.save());
    expect(copy.pic.save()).toEqual(pic.save());
    expect(copy.intr.level).toBe(true);
    expect(copy.pic.acknowledge()).toBe(0x0c);
  });
});

/**
 * Random programming, in which the poll command (OCW3) takes the part of INTA: QEMU's qtest has no processor to
 * acknowledge with.
 */
describe.runIf(canRunQtest)("the pair of 8259s, beside QEMU's", () => {
  it.each([1, 2, 3, 4])("reads the same after random programming (seed %d)", async (seed) => {
    const { bus, pic } = create();
    const random = generator(seed * 7919);
    const accesses: PortAccess[] = [];
    const write = (port: number, value: number) => accesses.push({ kind: "write", port, value });
    const initialize = (port: number) => {
      write(port, 0x11);
      write(port + 1, random(32) * 8);
      write(port + 1, port === MASTER ? 4 : 2);
      write(port + 1, [1, 1, 1, 3, 0x11][random(5)]);
    };
    initialize(MASTER);
    initialize(SLAVE);
    write(ELCR, random(256));
    write(ELCR + 1, random(256));
    for (let step = 0; step < 600; step++) {
      const port = [MASTER, SLAVE][random(2)];
      switch (random(7)) {
        case 0:
          write(port + 1, random(256));
          break;
        case 1: // OCW2 without the "no operation" code
          write(port, ([0, 1, 3, 4, 5, 6, 7][random(7)] << 5) | random(8));
          break;
        case 2:
          write(port, 0x08 | [0x02, 0x03][random(2)]);
          break;
        case 3:
          write(port, 0x0c); // poll
          accesses.push({ kind: "read", port });
          break;
        default: {
          const irq = [0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15][random(15)];
          const level = random(2) === 1;
          accesses.push({
            kind: "input",
            command: `set_irq_in ${irq < 8 ? QEMU_MASTER : QEMU_SLAVE} unnamed-gpio-in ${irq & 7} ${level ? 1 : 0}`,
            apply: () => pic.line(irq).set(level),
          });
        }
      }
      for (const read of [MASTER, MASTER + 1, SLAVE, SLAVE + 1, ELCR, ELCR + 1]) {
        accesses.push({ kind: "read", port: read });
      }
    }
    expect(await differenceFromQemu(bus, accesses)).toBeUndefined();
  });
});

/** Where they are in the object tree of QEMU's "pc" machine with -nodefaults. */
const QEMU_MASTER = "/machine/unattached/device[6]";
const QEMU_SLAVE = "/machine/unattached/device[7]";
