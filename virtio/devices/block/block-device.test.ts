import { describe, expect, it } from "vitest";
import { type BlockBackend, BlockError, MemoryDisk } from "../../../devices/storage/block-backend.ts";
import { SnapshotOverlay } from "../../../devices/storage/snapshot-overlay.ts";
import { generator } from "../../../devices/testing/qtest.ts";
import { BUFFERS, blockHeader, PciDriver, QUEUE } from "../../testing/pci-driver.ts";
import { VirtioBlock } from "./block-device.ts";

const VERSION_1 = 1n << 32n;
const EVENT_IDX = 1n << 29n;
const INDIRECT = 1n << 28n;
const DISK_BYTES = 64 * 512;
const [HEADER, DATA, STATUS] = [BUFFERS, BUFFERS + 0x1000, BUFFERS + 0x800];

function disk(isReadOnly = false) {
  const bytes = Uint8Array.from({ length: DISK_BYTES }, (_, index) => (index >> 9) ^ index);
  return { bytes, backend: new MemoryDisk(bytes, isReadOnly) };
}

function create(backend: BlockBackend = disk().backend, features = VERSION_1) {
  const driver = new PciDriver(new VirtioBlock({ backend, serial: "serial number of it" }));
  expect(driver.initialize(features)).toBe(true);
  /** One request; its status and how much was written. */
  const request = (type: number, sector: number, length: number, isWrite = false) => {
    driver.memory.write(HEADER, blockHeader(type, sector));
    driver.memory.bytes[STATUS] = 0xaa;
    const header = { address: HEADER, length: 16 };
    const data = length > 0 ? [{ address: DATA, length }] : [];
    const status = { address: STATUS, length: 1 };
    if (isWrite) driver.setChain([header, ...data], [status]);
    else driver.setChain([header], [...data, status]);
    driver.offer(0);
    driver.notify();
    return { status: driver.memory.bytes[STATUS], ...driver.used() };
  };
  return { driver, request };
}

describe("a virtio block device", () => {
  it("is found by its class, IDs and capabilities", () => {
    const { driver } = create();
    expect(driver.readConfig(0, 4)).toBe(0x10011af4);
    expect(driver.readConfig(8, 4) >>> 8).toBe(0x010000);
    expect(driver.readConfig(0x2c, 4)).toBe(0x00021af4);
    expect(driver.read(4, 0, 4)).toBe(DISK_BYTES / 512);
    expect(driver.read(1, 0x12, 2)).toBe(1);
  });

  it("reads, writes, flushes and tells its name", () => {
    const { bytes, backend } = disk();
    const { driver, request } = create(backend);
    expect(request(0, 3, 1024)).toEqual({ status: 0, index: 1, head: 0, written: 1025 });
    expect(driver.memory.bytes.slice(DATA, DATA + 1024)).toEqual(bytes.slice(3 * 512, 5 * 512));
    driver.memory.bytes.fill(0x5a, DATA, DATA + 512);
    expect(request(1, 63, 512, true)).toEqual({ status: 0, index: 2, head: 0, written: 1 });
    expect(bytes.slice(63 * 512)).toEqual(new Uint8Array(512).fill(0x5a));
    expect(request(4, 0, 0)).toMatchObject({ status: 0 });
    expect(request(8, 0, 20)).toMatchObject({ status: 0, written: 21 });
    expect(String.fromCharCode(...driver.memory.bytes.slice(DATA, DATA + 20))).toBe("serial number of it\0");
    expect(request(99, 0, 0)).toMatchObject({ status: 2 });
  });

  it("refuses what is not whole sectors inside the disk, and writes to what is read-only", () => {
    const { bytes, backend } = disk(true);
    const before = bytes.slice();
    const { driver, request } = create(backend);
    expect(request(0, 63, 1024)).toMatchObject({ status: 1 });
    expect(request(0, 2 ** 52, 512)).toMatchObject({ status: 1 });
    expect(request(0, 0, 100)).toMatchObject({ status: 1 });
    expect(request(1, 0, 512, true)).toMatchObject({ status: 1 });
    expect(driver.features() & (1n << 5n)).toBe(1n << 5n);
    expect(bytes).toEqual(before);
  });

  it("answers an error of the host with an I/O error", () => {
    const { request } = create({
      size: 4096,
      isReadOnly: false,
      read: () => {
        throw new BlockError("the host has lost it");
      },
      write: () => Promise.reject(new BlockError("the host has lost it")),
      flush: () => {},
    });
    expect(request(0, 0, 512)).toMatchObject({ status: 1 });
  });

  it("completes later what its backend completes later, and forgets it on a reset", async () => {
    const open: (() => void)[] = [];
    const backend: BlockBackend = {
      size: 4096,
      isReadOnly: false,
      read: (_offset, into) =>
        new Promise((resolve) => {
          open.push(() => {
            into.fill(7);
            resolve();
          });
        }),
      write: () => {},
      flush: () => {},
    };
    const { driver, request } = create(backend);
    expect(request(0, 0, 512).index).toBe(0);
    open.shift()?.();
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(driver.used()).toEqual({ index: 1, head: 0, written: 513 });
    expect(driver.memory.bytes[DATA]).toBe(7);
    expect(driver.line.level).toBe(true);
    request(0, 0, 512);
    driver.initialize(VERSION_1);
    open.shift()?.();
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(driver.view.getUint16(QUEUE.device + 2, true)).toBe(0);
  });

  it("takes requests through indirect tables", () => {
    const { bytes, backend } = disk();
    const { driver } = create(backend, VERSION_1 | INDIRECT);
    const table = 0x8000;
    driver.memory.write(HEADER, blockHeader(0, 1));
    driver.setDescriptor(0, { address: HEADER, length: 16, flags: 1, next: 2 }, table);
    driver.setDescriptor(2, { address: DATA, length: 512, flags: 3, next: 1 }, table);
    driver.setDescriptor(1, { address: STATUS, length: 1, flags: 2 }, table);
    driver.setDescriptor(5, { address: table, length: 48, flags: 4 });
    driver.offer(5);
    driver.notify();
    expect(driver.used()).toEqual({ index: 1, head: 5, written: 513 });
    expect(driver.memory.bytes.slice(DATA, DATA + 512)).toEqual(bytes.slice(512, 1024));
  });

  it("interrupts when the driver asks for it: flags, and the event index", () => {
    const plain = create();
    plain.request(4, 0, 0);
    expect(plain.driver.line.level).toBe(true);
    expect(plain.driver.read(3, 0, 1)).toBe(1);
    expect(plain.driver.line.level).toBe(false);
    plain.driver.view.setUint16(QUEUE.driver, 1, true); // VIRTQ_AVAIL_F_NO_INTERRUPT
    plain.request(4, 0, 0);
    expect(plain.driver.line.level).toBe(false);

    const { driver, request } = create(undefined, VERSION_1 | EVENT_IDX);
    const usedEvent = QUEUE.driver + 4 + 2 * driver.size;
    driver.view.setUint16(usedEvent, 1, true);
    request(4, 0, 0);
    expect(driver.line.level).toBe(false);
    request(4, 0, 0);
    expect(driver.line.level).toBe(true);
    expect(driver.view.getUint16(QUEUE.device + 4 + 8 * driver.size, true)).toBe(2); // avail_event
  });

  it("sends MSI-X messages by the vector of the queue", () => {
    const { driver, request } = create();
    let msix = driver.readConfig(0x34, 1);
    while (driver.readConfig(msix, 1) !== 0x11) msix = driver.readConfig(msix + 1, 1);
    const table = driver.readConfig(0x14, 4);
    driver.bus.writeMemory(table + 16, 4, 0xfee00000);
    driver.bus.writeMemory(table + 24, 4, 0x51);
    driver.bus.writeMemory(table + 28, 4, 0);
    driver.writeConfig(msix + 2, 2, 0x8000);
    driver.write(1, 0x1a, 2, 9);
    expect(driver.read(1, 0x1a, 2)).toBe(0xffff); // there are two
    driver.write(1, 0x1a, 2, 1);
    request(4, 0, 0);
    expect(driver.messages.map(({ vector }) => vector)).toEqual([0x51]);
    expect(driver.line.level).toBe(false);
  });

  it("keeps FEATURES_OK clear when the driver wants what is not offered", () => {
    const { driver } = create();
    expect(driver.initialize(VERSION_1 | (1n << 40n))).toBe(false);
  });

  it("is reached through the window in its configuration space", () => {
    const { driver } = create();
    const at = driver.capability(5);
    driver.writeConfig(at + 4, 1, 4);
    driver.writeConfig(at + 8, 4, 0x2000);
    driver.writeConfig(at + 12, 4, 4);
    expect(driver.readConfig(at + 16, 4)).toBe(DISK_BYTES / 512);
    driver.writeConfig(at + 8, 4, 0x16);
    driver.writeConfig(at + 12, 4, 2);
    driver.writeConfig(at + 16, 2, 5);
    expect(driver.read(1, 0x16, 2)).toBe(5);
  });

  it("has the registers of the drafts before 1.0 in ports", () => {
    const { bytes, backend } = disk();
    const { driver } = create(backend);
    const base = driver.readConfig(0x10, 4) & ~3;
    const { bus } = driver;
    bus.writePort(base + 18, 1, 0);
    bus.writePort(base + 18, 1, 3);
    expect(bus.readPort(base, 4) & (1 << 9)).toBe(1 << 9);
    bus.writePort(base + 4, 4, 0);
    bus.writePort(base + 14, 2, 0);
    expect(bus.readPort(base + 12, 2)).toBe(256);
    expect(bus.readPort(base + 8, 4)).toBe(0);
    const queue = 0x40000;
    bus.writePort(base + 8, 4, queue / 4096);
    bus.writePort(base + 18, 1, 7);
    expect(bus.readPort(base + 20, 4)).toBe(DISK_BYTES / 512);
    driver.memory.write(HEADER, blockHeader(0, 2));
    const chain = [
      { address: HEADER, length: 16, flags: 1, next: 1 },
      { address: DATA, length: 512, flags: 3, next: 2 },
      { address: STATUS, length: 1, flags: 2 },
    ];
    for (const [index, item] of chain.entries()) driver.setDescriptor(index, item, queue);
    driver.view.setUint16(queue + 4096 + 2, 1, true);
    bus.writePort(base + 16, 2, 0);
    expect(driver.view.getUint16(queue + 0x2000 + 2, true)).toBe(1);
    expect(driver.memory.bytes.slice(DATA, DATA + 512)).toEqual(bytes.slice(1024, 1536));
    expect(bus.readPort(base + 19, 1)).toBe(1);
  });

  it("asks to be reset by a driver that breaks the rules, and does nothing until then", () => {
    const nonsense = [
      { address: 0x7fffffff0, length: 16, flags: 0 },
      { address: HEADER, length: 16, flags: 1, next: 9 },
      { address: HEADER, length: 16, flags: 1, next: 0 }, // no end
      { address: HEADER, length: 16, flags: 4 }, // an indirect table that was not negotiated
      { address: HEADER, length: 4, flags: 0 }, // no room for the header
    ];
    for (const descriptor of nonsense) {
      const { driver } = create();
      driver.setDescriptor(0, descriptor);
      driver.offer(0);
      driver.notify();
      expect(driver.status & 64, JSON.stringify(descriptor)).toBe(64);
      driver.notify();
      expect(driver.initialize(VERSION_1)).toBe(true);
      expect(driver.status).toBe(15);
    }
  });

  it("does not look into RAM while it may not master the bus", () => {
    const { driver, request } = create();
    driver.writeConfig(4, 2, 3);
    expect(request(4, 0, 0).index).toBe(0);
  });

  it("restores what it saved, with its queue and the changes of a snapshot", () => {
    const { bytes } = disk();
    const first = create(new SnapshotOverlay(new MemoryDisk(bytes.slice())));
    first.driver.memory.bytes.fill(0x77, DATA, DATA + 512);
    first.request(1, 5, 512, true);
    const second = create(new SnapshotOverlay(new MemoryDisk(bytes.slice())));
    second.driver.root.restore(first.driver.root.save());
    second.driver.memory.bytes.set(first.driver.memory.bytes);
    expect(second.driver.root.save()).toEqual(first.driver.root.save());
    second.driver.offer(0); // the driver's own count is not the device's
    second.driver.view.setUint16(QUEUE.driver + 2, 2, true);
    second.driver.view.setUint16(QUEUE.driver + 4 + 2, 0, true);
    second.driver.memory.write(HEADER, blockHeader(0, 5));
    second.driver.setChain(
      [{ address: HEADER, length: 16 }],
      [
        { address: DATA, length: 512 },
        { address: STATUS, length: 1 },
      ],
    );
    second.driver.memory.bytes.fill(0, DATA, DATA + 512);
    second.driver.notify();
    expect(second.driver.used().index).toBe(2);
    expect(second.driver.memory.bytes[DATA]).toBe(0x77);
  });

  it("survives nonsense in every register and queue", () => {
    const { driver } = create();
    const random = generator(7);
    for (let step = 0; step < 20_000; step++) {
      const size = ([1, 2, 4] as const)[random(3)];
      const structure = ([1, 2, 3, 4] as const)[random(4)];
      const offset = random(0x40) & -size;
      const value = random(2 ** (8 * size));
      if (random(4) === 0) driver.read(structure, offset, size);
      else driver.write(structure, offset, size, value);
      if (random(8) === 0) driver.writeConfig(driver.capability(5) + random(20), 1, random(256));
      if (random(16) === 0) driver.memory.bytes[QUEUE.descriptors + random(0x2100)] = random(256);
      if (random(50) === 0) driver.initialize(VERSION_1 | INDIRECT | EVENT_IDX, 2 ** random(9));
      if (random(10) === 0) driver.notify();
      if (random(30) === 0) driver.writeConfig(4, 2, 7);
    }
    driver.root.configureAsFirmware();
    driver.writeConfig(4, 2, 7);
    expect(driver.initialize(VERSION_1)).toBe(true);
  });
});
