import { describe, expect, it } from "vitest";
import type { InterruptMessage } from "../apic/interrupt-message.ts";
import { Bus, type MemoryDevice } from "../bus.ts";
import { RecordedLine } from "../testing/recorded-line.ts";
import { PciDevice } from "./pci-device.ts";
import { PciRootBus } from "./root-bus.ts";

const ECAM = 0xe0000000;
const MEMORY = { start: 0xf0000000, end: 0xf1000000 };

/** A device with everything: memory of 64 bits, ports, MSI, MSI-X, INTA#. */
class TestDevice extends PciDevice {
  readonly memory = new Map<number, number>();

  constructor() {
    super({ vendorId: 0x1af4, deviceId: 0x1234, classCode: 0x020000, revision: 1, subsystemId: 7 });
    const registers: MemoryDevice = {
      readMemory: (offset) => this.memory.get(offset) ?? 0,
      writeMemory: (offset, _size, value) => this.memory.set(offset, value),
    };
    this.addBar(0, { kind: "memory", size: 0x1000, device: registers, is64Bit: true });
    this.addBar(2, {
      kind: "io",
      size: 32,
      device: { readPort: (offset) => 0x50 + offset, writePort: () => {} },
    });
    this.useIntx();
    this.addMsi(2);
    this.addMsiX(4, 4);
  }

  event(vector: number): void {
    this.notify(vector);
  }

  line(level: boolean): void {
    this.setIntx(level);
  }
}

function create() {
  const bus = new Bus();
  const messages: InterruptMessage[] = [];
  const lines = [new RecordedLine(), new RecordedLine()];
  const root = new PciRootBus(
    bus,
    { deliver: (message) => messages.push(message) },
    {
      ecam: ECAM,
      memory: MEMORY,
      io: { start: 0xc000, end: 0x10000 },
      interrupts: lines.map((line, index) => ({ irq: 10 + index, line })),
    },
  );
  const device = new TestDevice();
  const slot = root.add(device);
  const address = (register: number) => (0x80000000 | (slot << 11) | (register & 0xfc)) >>> 0;
  const read = (register: number, size: 1 | 2 | 4 = 4) => {
    bus.writePort(0xcf8, 4, address(register));
    return bus.readPort(0xcfc + (register & 3), size);
  };
  const write = (register: number, value: number, size: 1 | 2 | 4 = 4) => {
    bus.writePort(0xcf8, 4, address(register));
    bus.writePort(0xcfc + (register & 3), size, value);
  };
  const capability = (id: number) => {
    let at = read(0x34, 1);
    while (at !== 0 && read(at, 1) !== id) at = read(at + 1, 1);
    return at;
  };
  return { bus, root, device, slot, messages, lines, read, write, capability };
}

describe("PCI configuration", () => {
  it("is the same by ports and by ECAM", () => {
    const { bus, slot, read } = create();
    for (let register = 0; register < 256; register += 4) {
      expect(bus.readMemory(ECAM + (slot << 15) + register, 4)).toBe(read(register));
    }
    expect(read(0)).toBe(0x12341af4);
    expect(read(8)).toBe(0x02000001);
    expect(read(0x2c)).toBe(0x00070000);
  });

  it("answers ones where no function is", () => {
    const { bus } = create();
    for (const address of [0x8000f800, 0x80000100, 0x80010000, 0x00000000]) {
      bus.writePort(0xcf8, 4, address);
      expect(bus.readPort(0xcfc, 4)).toBe(0xffffffff);
    }
    expect(bus.readMemory(ECAM + (31 << 15), 4)).toBe(0xffffffff);
    expect(bus.readMemory(ECAM + (1 << 12), 4)).toBe(0xffffffff);
  });

  it("reads zero in the extended part", () => {
    const { bus, slot } = create();
    expect(bus.readMemory(ECAM + (slot << 15) + 0x100, 4)).toBe(0);
  });

  it("tells the size of a BAR when ones are written, and keeps its type bits", () => {
    const { read, write } = create();
    for (const register of [0x10, 0x14, 0x18, 0x20, 0x24]) write(register, 0xffffffff);
    expect([read(0x10), read(0x14), read(0x18), read(0x20), read(0x24)]).toEqual([
      0xfffff004, 0xffffffff, 0xffffffe1, 0xfffff000, 0,
    ]);
  });

  it("keeps identity and status read-only", () => {
    const { read, write } = create();
    write(0, 0);
    write(8, 0xffffffff);
    write(6, 0xffff, 2);
    expect([read(0), read(8), read(6, 2)]).toEqual([0x12341af4, 0x02000001, 0x10]);
  });

  it("moves a region with its BAR, and takes it off while decoding is disabled", () => {
    const { bus, read, write } = create();
    write(4, 3, 2);
    write(0x10, 0xf0100000);
    write(0x18, 0xc100);
    bus.writeMemory(0xf0100010, 4, 77);
    expect(bus.readMemory(0xf0100010, 4)).toBe(77);
    expect(bus.readPort(0xc103, 1)).toBe(0x53);
    write(0x10, 0xf0200000);
    expect(bus.readMemory(0xf0100010, 4)).toBe(0xffffffff);
    expect(bus.readMemory(0xf0200010, 4)).toBe(77);
    write(4, 0, 2);
    expect(bus.readMemory(0xf0200010, 4)).toBe(0xffffffff);
    expect(bus.readPort(0xc103, 1)).toBe(0xff);
    expect(read(0x10)).toBe(0xf0200004);
  });

  it("maps a 64-bit BAR above 4 GiB", () => {
    const { bus, write } = create();
    write(4, 2, 2);
    write(0x14, 8);
    write(0x10, 0);
    bus.writeMemory(8 * 2 ** 32 + 16, 4, 5);
    expect(bus.readMemory(8 * 2 ** 32 + 16, 4)).toBe(5);
  });

  it("is laid out by firmware: BARs apart, interrupt lines written down", () => {
    const { root, device, read } = create();
    root.configureAsFirmware();
    const places = device.baseAddresses.map(
      ({ address, region }) => [address, address + region.size, region.kind] as const,
    );
    for (const [start, end, kind] of places) {
      if (kind === "memory") expect(start >= MEMORY.start && end <= MEMORY.end).toBe(true);
      for (const other of places) {
        if (other[0] !== start && other[2] === kind) expect(end <= other[0] || other[1] <= start).toBe(true);
      }
    }
    expect(read(4, 2)).toBe(3);
    expect(read(0x3c, 2)).toBe(0x0100 | 11);
  });
});

describe("PCI interrupts", () => {
  it("use INTA# of the slot's line, unless that is disabled", () => {
    const { device, lines, read, write } = create();
    device.line(true);
    expect(lines.map(({ level }) => level)).toEqual([false, true]);
    expect(read(6, 2) & 8).toBe(8);
    write(4, 0x400, 2);
    expect(lines[1].level).toBe(false);
    write(4, 0, 2);
    expect(lines[1].level).toBe(true);
    device.line(false);
    expect(lines[1].level).toBe(false);
  });

  it("go out as MSI, with the granted vectors in the low bits of the data", () => {
    const { device, messages, capability, write, read } = create();
    const msi = capability(5);
    expect(read(msi + 2, 2)).toBe(0x0184);
    write(4, 4, 2);
    write(msi + 4, 0xfee01000);
    write(msi + 12, 0x4050, 2);
    write(msi + 2, 0x0011, 2); // two vectors
    device.event(3);
    expect(messages).toEqual([
      { vector: 0x51, deliveryMode: 0, destination: 1, logical: false, level: false },
    ]);
  });

  it("wait behind an MSI mask, once", () => {
    const { device, messages, capability, write, read } = create();
    const msi = capability(5);
    write(4, 4, 2);
    write(msi + 4, 0xfee00000);
    write(msi + 12, 0x60, 2);
    write(msi + 2, 0x0001, 2);
    write(msi + 16, 1);
    device.event(0);
    device.event(0);
    expect([messages.length, read(msi + 20)]).toEqual([0, 1]);
    write(msi + 16, 0);
    expect([messages.length, read(msi + 20)]).toEqual([1, 0]);
  });

  it("go out as MSI-X by the table, and wait behind its masks", () => {
    const { bus, device, messages, capability, write } = create();
    const msix = capability(0x11);
    const table = 0xf0300000;
    write(0x20, table);
    write(4, 6, 2);
    write(msix + 2, 0x8000, 2);
    for (const [offset, value] of [
      [0, 0xfee00000],
      [8, 0x71],
      [16, 0xfee00000],
      [24, 0x72],
    ]) {
      bus.writeMemory(table + offset, 4, value);
    }
    device.event(1); // still masked
    expect(bus.readMemory(table + 0x800, 4)).toBe(2);
    bus.writeMemory(table + 28, 4, 0);
    expect(messages.map(({ vector }) => vector)).toEqual([0x72]);
    expect(bus.readMemory(table + 0x800, 4)).toBe(0);
    write(msix + 2, 0xc000, 2);
    device.event(1);
    expect(messages).toHaveLength(1);
    write(msix + 2, 0x8000, 2);
    expect(messages).toHaveLength(2);
    device.event(99);
    expect(messages).toHaveLength(2);
  });

  it("are not sent by a device that may not master the bus", () => {
    const { device, messages, capability, write } = create();
    const msi = capability(5);
    write(msi + 4, 0xfee00000);
    write(msi + 12, 0x60, 2);
    write(msi + 2, 1, 2);
    device.event(0);
    expect(messages).toEqual([]);
  });
});

describe("a PCI bus", () => {
  it("restores what it saved, with its regions where they were", () => {
    const { root, write, device, capability } = create();
    write(4, 7, 2);
    write(0x10, 0xf0100000);
    write(capability(5) + 2, 1, 2);
    device.line(true);
    const copy = create();
    copy.root.restore(root.save());
    expect(copy.root.save()).toEqual(root.save());
    copy.bus.writeMemory(0xf0100000, 4, 1);
    expect(copy.device.memory.get(0)).toBe(1);
  });

  it("does not restore what another machine has saved", () => {
    const { root } = create();
    const saved = root.save();
    const lonely = new PciRootBus(new Bus(), { deliver: () => {} }, root.resources);
    expect(() => lonely.restore(saved)).toThrow(
      "slot 1 of the saved machine has a device, this one's is different",
    );
    const other = new PciRootBus(new Bus(), { deliver: () => {} }, root.resources);
    other.add(new PciDevice({ vendorId: 1, deviceId: 2, classCode: 0 }));
    expect(() => other.restore(saved)).toThrow("the saved machine has another device there");
  });

  it("survives nonsense written to every register of every function", () => {
    const { bus, root } = create();
    let state = 12345;
    for (let step = 0; step < 20_000; step++) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      const size = ([1, 2, 4] as const)[state % 3];
      bus.writePort(0xcf8, 4, (0x80000000 | ((state >>> 3) & 0x1ff8fc)) >>> 0);
      bus.writePort(0xcfc + ((state >>> 9) & (4 - size)), size, Math.imul(state, 2654435761) >>> 0);
      bus.writeMemory(ECAM + ((state >>> 4) & 0xfffff), size, state);
      expect(bus.readMemory(ECAM + ((state >>> 4) & 0xfffff), size)).toBeLessThan(2 ** (8 * size));
    }
    root.reset();
  });
});
