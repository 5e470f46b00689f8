import { describe, expect, it } from "vitest";
import { Bus } from "./bus.ts";
import { ManualClock } from "./testing/manual-clock.ts";
import { canRunQtest, differenceFromQemu, generator, type PortAccess } from "./testing/qtest.ts";
import { RecordedLine } from "./testing/recorded-line.ts";
import { COM1, Uart16550 } from "./uart16550.ts";

const [DATA, IER, IIR, LCR, MCR, LSR, MSR] = [0, 1, 2, 3, 4, 5, 6].map((offset) => COM1.port + offset);

function create() {
  const bus = new Bus();
  const clock = new ManualClock();
  const irq = new RecordedLine();
  const sent: number[] = [];
  let ready = 0;
  const uart = new Uart16550(clock, irq, {
    transmit: (byte) => sent.push(byte),
    receiverReady: () => ready++,
  });
  bus.mapPorts(COM1.port, 8, uart);
  const write = (port: number, value: number) => bus.writePort(port, 1, value);
  const read = (port: number) => bus.readPort(port, 1);
  return { bus, clock, irq, uart, sent, write, read, readyCount: () => ready };
}

/** OUT2 on: the interrupt output is connected. */
const OUT2 = 0x0b;

describe("the 16550", () => {
  it("sends bytes and is empty again at once", () => {
    const { write, read, sent } = create();
    write(DATA, 0x41);
    write(DATA, 0x42);
    expect(sent).toEqual([0x41, 0x42]);
    expect(read(LSR)).toBe(0x60);
  });

  it("raises THRE when the interrupt is enabled, and takes it back when IIR is read", () => {
    const { write, read, irq } = create();
    write(MCR, OUT2);
    write(IER, 0x02);
    expect(irq.level).toBe(true);
    expect(read(IIR)).toBe(0x02);
    expect(irq.level).toBe(false);
    write(DATA, 0x41);
    expect(irq.level).toBe(true);
  });

  it("announces received bytes at the trigger level, and fewer of them after a time", () => {
    const { write, read, irq, uart, clock } = create();
    write(MCR, OUT2);
    write(IIR, 0x81); // FIFO, trigger at 8
    write(IER, 0x01);
    uart.receive(new Uint8Array(7));
    expect(irq.level).toBe(false);
    uart.receive(new Uint8Array([0x55]));
    expect(read(IIR)).toBe(0xc4);
    for (let index = 0; index < 5; index++) read(DATA);
    expect(irq.level).toBe(false);
    clock.advance(1_000_000);
    expect(read(IIR)).toBe(0xcc);
    expect([read(DATA), read(DATA), read(DATA)]).toEqual([0, 0, 0x55]);
    expect(irq.level).toBe(false);
    expect(read(IIR)).toBe(0xc1);
  });

  it("takes no more than fits, and asks for the rest when it has room", () => {
    const { write, read, uart, readyCount } = create();
    write(IIR, 0x01);
    expect(uart.receive(new Uint8Array(20))).toBe(16);
    while ((read(LSR) & 1) !== 0) read(DATA);
    expect(readyCount()).toBe(1);
  });

  it("loops its modem outputs back as inputs, and tells of their changes", () => {
    const { write, read } = create();
    write(MCR, 0x10);
    read(MSR);
    write(MCR, 0x1f);
    expect(read(MSR)).toBe(0xfb); // the ring indicator counts when it ends
    expect(read(MSR)).toBe(0xf0);
    write(MCR, 0x1b);
    expect(read(MSR)).toBe(0xb4);
  });

  it("keeps its interrupt to itself without OUT2", () => {
    const { write, irq } = create();
    write(IER, 0x02);
    expect(irq.level).toBe(false);
    write(MCR, OUT2);
    expect(irq.level).toBe(true);
  });

  it("restores what it saved, with the bytes it had not been asked for", () => {
    const { write, uart } = create();
    write(IIR, 0xc1);
    write(IER, 0x05);
    write(MCR, OUT2);
    uart.receive(new Uint8Array([1, 2, 3]));
    const copy = create();
    copy.uart.restore(uart.save());
    expect(copy.uart.save()).toEqual(uart.save());
    copy.clock.advance(1_000_000);
    expect(copy.irq.level).toBe(true);
    expect([copy.read(DATA), copy.read(DATA), copy.read(DATA)]).toEqual([1, 2, 3]);
  });
});

describe.runIf(canRunQtest)("the 16550, beside QEMU's", () => {
  it.each([1, 2, 3])("reads the same after random programming in loop mode (seed %d)", async (seed) => {
    const { bus } = create();
    const random = generator(seed * 104729);
    const accesses: PortAccess[] = [];
    const write = (port: number, value: number) => accesses.push({ kind: "write", port, value });
    const read = (port: number) => accesses.push({ kind: "read", port });
    write(MCR, 0x10);
    for (let step = 0; step < 500; step++) {
      switch (random(8)) {
        case 0:
          write(IER, random(8)); // QEMU has no modem status interrupts in loop mode
          break;
        case 1: // every trigger level of 1: the others depend on time
          write(IIR, [0x00, 0x01, 0x03, 0x07][random(4)]);
          break;
        case 2:
          write(LCR, 0x80);
          write(DATA, random(256));
          write(IER, random(256));
          read(DATA);
          read(IER);
          write(LCR, random(0x40));
          break;
        case 3:
          write(MCR, 0x10 | random(16));
          break;
        case 4:
          read(LSR);
          break;
        case 5:
          write(COM1.port + 7, random(256));
          read(COM1.port + 7);
          break;
        case 6:
          // Errors come first in FIFO order; one byte at a time makes none.
          write(DATA, random(256));
          read(LSR);
          read(IIR);
          read(DATA);
          break;
        default:
          read(LSR);
      }
      read(IIR);
      read(MCR);
      read(LCR);
    }
    expect(await differenceFromQemu(bus, accesses, ["-serial", "null"])).toBeUndefined();
  });

  it("marks a break: a zero that is no character, told by LSR once and by the interrupt of the highest priority", () => {
    const line = new RecordedLine();
    const uart = new Uart16550(new ManualClock(), line, { transmit: () => {} });
    uart.writePort(2, 1, 0xc1);
    uart.writePort(4, 1, 0x08);
    uart.writePort(1, 1, 0x05);
    uart.receiveBreak();
    expect([line.level, uart.readPort(2, 1) & 0xf]).toEqual([true, 0x06]);
    expect(uart.readPort(5, 1) & 0x11).toBe(0x11);
    expect(uart.readPort(5, 1) & 0x11).toBe(0x01);
    expect([uart.readPort(0, 1), uart.readPort(5, 1) & 1]).toEqual([0, 0]);
  });
});
