/** A driver for tests: finds a virtio device by its PCI capabilities, negotiates, and makes requests, as the specification tells. */

import type { InterruptMessage } from "../../devices/apic/interrupt-message.ts";
import { type AccessSize, Bus } from "../../devices/bus.ts";
import { PlainMemory } from "../../devices/guest-memory.ts";
import { PciRootBus } from "../../devices/pci/root-bus.ts";
import { RecordedLine } from "../../devices/testing/recorded-line.ts";
import type { VirtioDevice } from "../transport/virtio-device.ts";
import { VirtioPci } from "../transport/virtio-pci.ts";

const MEMORY_BYTES = 0x100000;
/** Where the driver keeps its queue. */
export const QUEUE = { descriptors: 0x1000, driver: 0x2000, device: 0x3000 } as const;
export const BUFFERS = 0x10000;

export interface TestDescriptor {
  readonly address: number;
  readonly length: number;
  readonly flags?: number;
  readonly next?: number;
}

export class PciDriver {
  readonly memory = new PlainMemory(new Uint8Array(MEMORY_BYTES));
  readonly view = new DataView(this.memory.bytes.buffer);
  readonly bus = new Bus();
  readonly messages: InterruptMessage[] = [];
  readonly line = new RecordedLine();
  readonly root: PciRootBus;
  readonly function: VirtioPci;
  readonly slot: number;
  private available = 0;
  size = 0;

  constructor(readonly device: VirtioDevice) {
    const { line } = this;
    this.root = new PciRootBus(
      this.bus,
      { deliver: (message) => this.messages.push(message) },
      {
        ecam: 0xe0000000,
        memory: { start: 0xf0000000, end: 0xf1000000 },
        io: { start: 0xc000, end: 0x10000 },
        interrupts: [{ irq: 10, line }],
      },
    );
    this.function = new VirtioPci(device, this.memory);
    this.slot = this.root.add(this.function);
    this.root.configureAsFirmware();
    this.writeConfig(4, 2, 7);
  }

  private address(register: number): number {
    return (0x80000000 | (this.slot << 11) | (register & 0xfc)) >>> 0;
  }

  readConfig(register: number, size: AccessSize): number {
    this.bus.writePort(0xcf8, 4, this.address(register));
    return this.bus.readPort(0xcfc + (register & 3), size);
  }

  writeConfig(register: number, size: AccessSize, value: number): void {
    this.bus.writePort(0xcf8, 4, this.address(register));
    this.bus.writePort(0xcfc + (register & 3), size, value);
  }

  /** Offset of the capability with this cfg_type. */
  capability(type: number): number {
    for (let at = this.readConfig(0x34, 1); at !== 0; at = this.readConfig(at + 1, 1))
      if (this.readConfig(at, 1) === 9 && this.readConfig(at + 3, 1) === type) return at;
    throw new Error(`no capability of type ${type}`);
  }

  /** Physical address of a structure (4.1.4). */
  structure(type: number): number {
    const at = this.capability(type);
    const bar = this.readConfig(0x10 + 4 * this.readConfig(at + 4, 1), 4) & ~0xf;
    return (bar >>> 0) + this.readConfig(at + 8, 4);
  }

  read(type: number, offset: number, size: AccessSize): number {
    return this.bus.readMemory(this.structure(type) + offset, size);
  }

  write(type: number, offset: number, size: AccessSize, value: number): void {
    this.bus.writeMemory(this.structure(type) + offset, size, value);
  }

  get status(): number {
    return this.read(1, 0x14, 1);
  }

  features(): bigint {
    let features = 0n;
    for (const word of [0, 1]) {
      this.write(1, 0, 4, word);
      features |= BigInt(this.read(1, 4, 4)) << BigInt(32 * word);
    }
    return features;
  }

  /** 3.1.1 "Driver Requirements: Device Initialization" @returns whether FEATURES_OK has stayed set */
  initialize(wanted: bigint, size = 8): boolean {
    this.available = 0;
    this.write(1, 0x14, 1, 0);
    this.write(1, 0x14, 1, 1);
    this.write(1, 0x14, 1, 3);
    for (const word of [0, 1]) {
      this.write(1, 8, 4, word);
      this.write(1, 0xc, 4, Number((wanted >> BigInt(32 * word)) & 0xffffffffn));
    }
    this.write(1, 0x14, 1, 11);
    if ((this.status & 8) === 0) return false;
    this.write(1, 0x16, 2, 0);
    this.write(1, 0x18, 2, size);
    this.size = this.read(1, 0x18, 2);
    for (const [register, address] of [
      [0x20, QUEUE.descriptors],
      [0x28, QUEUE.driver],
      [0x30, QUEUE.device],
    ]) {
      this.write(1, register, 4, address);
      this.write(1, register + 4, 4, 0);
    }
    this.memory.bytes.fill(0, QUEUE.descriptors, QUEUE.device + 0x1000);
    this.write(1, 0x1c, 2, 1);
    this.write(1, 0x14, 1, 15);
    return true;
  }

  setDescriptor(
    index: number,
    { address, length, flags = 0, next = 0 }: TestDescriptor,
    table: number = QUEUE.descriptors,
  ): void {
    const at = table + 16 * index;
    this.view.setBigUint64(at, BigInt(address), true);
    this.view.setUint32(at + 8, length, true);
    this.view.setUint16(at + 12, flags, true);
    this.view.setUint16(at + 14, next, true);
  }

  /** A chain of descriptors from `first` on: readable buffers, then writable ones. */
  setChain(readable: readonly TestDescriptor[], writable: readonly TestDescriptor[], first = 0): void {
    const all = [
      ...readable.map((item) => ({ ...item, flags: 0 })),
      ...writable.map((item) => ({ ...item, flags: 2 })),
    ];
    for (const [index, item] of all.entries()) {
      const isLast = index === all.length - 1;
      this.setDescriptor(first + index, {
        ...item,
        flags: item.flags | (isLast ? 0 : 1),
        next: first + index + 1,
      });
    }
  }

  /** Makes a chain available, without a word to the device. */
  offer(head: number): void {
    this.view.setUint16(QUEUE.driver + 4 + 2 * (this.available % this.size), head, true);
    this.available = (this.available + 1) & 0xffff;
    this.view.setUint16(QUEUE.driver + 2, this.available, true);
  }

  notify(queue = 0): void {
    const at = this.capability(2);
    this.write(2, queue * this.readConfig(at + 16, 4), 2, queue);
  }

  /** Index and the last element of the used ring. */
  used(): { index: number; head: number; written: number } {
    const index = this.view.getUint16(QUEUE.device + 2, true);
    const at = QUEUE.device + 4 + 8 * ((index - 1) & (this.size - 1));
    return { index, head: this.view.getUint32(at, true), written: this.view.getUint32(at + 4, true) };
  }
}

/** struct virtio_blk_req's header. */
export function blockHeader(type: number, sector = 0): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setBigUint64(8, BigInt(sector), true);
  return bytes;
}
