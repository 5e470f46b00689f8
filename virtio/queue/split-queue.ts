/**
 * A split virtqueue from the device's side: OASIS virtio 1.2, 2.7. Everything in its three areas is written by the guest
 * and believed only after a check; a driver that breaks the rules gets a {@link QueueError}, and the device asks to be reset.
 */

import type { GuestMemory } from "../../devices/guest-memory.ts";
import { type Saveable, type SavedState, StateReader } from "../../devices/saved-state.ts";
import { type BufferPiece, DescriptorChain } from "./descriptor-chain.ts";

/** 2.7.5: le64 addr, le32 len, le16 flags, le16 next. */
const DESCRIPTOR_BYTES = 16;
const VIRTQ_DESC_F_NEXT = 1;
const VIRTQ_DESC_F_WRITE = 2;
const VIRTQ_DESC_F_INDIRECT = 4;

/** 2.7.6: le16 flags, le16 idx, le16 ring[size], le16 used_event. */
const AVAIL_IDX = 2;
const AVAIL_RING = 4;
const VIRTQ_AVAIL_F_NO_INTERRUPT = 1;

/** 2.7.8: le16 flags, le16 idx, { le32 id, le32 len }[size], le16 avail_event. */
const USED_IDX = 2;
const USED_RING = 4;
const USED_ELEMENT_BYTES = 8;

/** 2.7: the largest queue. */
const MOST_ENTRIES = 32768;

/** The driver has broken the protocol. */
export class QueueError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "QueueError";
  }
}

export class SplitQueue implements Saveable {
  /** Entries; a power of two (2.7), which the driver may lower from {@link maxSize}. */
  size: number;
  isEnabled = false;
  /** Where the driver has put the three areas. */
  descriptorArea = 0;
  driverArea = 0;
  deviceArea = 0;
  /** VIRTIO_F_EVENT_IDX was negotiated. */
  usesEventIndex = false;
  /** VIRTIO_F_INDIRECT_DESC was negotiated. */
  usesIndirect = false;
  private nextAvail = 0;
  private nextUsed = 0;

  constructor(
    private readonly memory: GuestMemory,
    readonly maxSize: number,
  ) {
    this.size = maxSize;
  }

  reset(): void {
    this.size = this.maxSize;
    this.isEnabled = false;
    this.descriptorArea = 0;
    this.driverArea = 0;
    this.deviceArea = 0;
    this.usesEventIndex = false;
    this.usesIndirect = false;
    this.nextAvail = 0;
    this.nextUsed = 0;
  }

  private u16(address: number): number {
    const bytes = this.memory.read(address, 2);
    if (bytes === undefined) throw new QueueError(`a ring at ${address.toString(16)} is outside RAM`);
    return bytes[0] | (bytes[1] << 8);
  }

  private putU16(address: number, value: number): void {
    if (!this.memory.write(address, new Uint8Array([value, value >> 8])))
      throw new QueueError(`a ring at ${address.toString(16)} is outside RAM`);
  }

  /**
   * The next request, or undefined if there is none.
   * @throws QueueError
   */
  pop(): DescriptorChain | undefined {
    if (!this.isEnabled) return undefined;
    const available = this.u16(this.driverArea + AVAIL_IDX);
    const waiting = (available - this.nextAvail) & 0xffff;
    if (waiting === 0) return undefined;
    if (waiting > this.size) throw new QueueError("more requests are available than the queue has room for");
    const head = this.u16(this.driverArea + AVAIL_RING + 2 * (this.nextAvail % this.size));
    this.nextAvail = (this.nextAvail + 1) & 0xffff;
    if (this.usesEventIndex) this.putU16(this.availEvent, this.nextAvail); // tell me of the next one
    return this.chain(head);
  }

  /** The chain that begins with a descriptor: also for requests that were under way when a machine was saved. @throws QueueError */
  chain(head: number): DescriptorChain {
    const readable: BufferPiece[] = [];
    const writable: BufferPiece[] = [];
    let table = this.descriptorArea;
    let entries = this.size;
    let index = head;
    let isIndirect = false;
    for (let steps = 0; ; steps++) {
      if (index >= entries) throw new QueueError(`descriptor ${index} of ${entries}`);
      if (steps >= MOST_ENTRIES || steps >= entries)
        throw new QueueError("a chain of descriptors has no end");
      const bytes = this.memory.read(table + index * DESCRIPTOR_BYTES, DESCRIPTOR_BYTES);
      if (bytes === undefined) throw new QueueError("the descriptor table is outside RAM");
      const view = new DataView(bytes.buffer, bytes.byteOffset, DESCRIPTOR_BYTES);
      const address = view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true);
      const length = view.getUint32(8, true);
      const flags = view.getUint16(12, true);
      if ((flags & VIRTQ_DESC_F_INDIRECT) !== 0) {
        // 2.7.5.3.1: one table, at the end of the chain; with no WRITE or NEXT
        if (!this.usesIndirect || isIndirect) throw new QueueError("an indirect table that may not be there");
        if (length % DESCRIPTOR_BYTES !== 0 || length === 0 || (flags & VIRTQ_DESC_F_NEXT) !== 0)
          throw new QueueError(`an indirect table of ${length} bytes`);
        isIndirect = true;
        table = address;
        entries = length / DESCRIPTOR_BYTES;
        index = 0;
        steps = -1;
        continue;
      }
      if (this.memory.read(address, length) === undefined)
        throw new QueueError(`a buffer at ${address.toString(16)} is outside RAM`);
      if ((flags & VIRTQ_DESC_F_WRITE) !== 0) writable.push({ address, length });
      else if (writable.length > 0)
        throw new QueueError("a readable buffer follows a writable one"); // 2.7.4.2
      else readable.push({ address, length });
      if ((flags & VIRTQ_DESC_F_NEXT) === 0) break;
      index = view.getUint16(14, true);
    }
    return new DescriptorChain(this.memory, head, readable, writable);
  }

  /**
   * Hands a request back.
   * @param written how many bytes of its writable part have been written
   * @returns whether the driver wants an interrupt (2.7.7.2)
   * @throws QueueError
   */
  push({ head }: DescriptorChain, written: number): boolean {
    const element = new Uint8Array(USED_ELEMENT_BYTES);
    const view = new DataView(element.buffer);
    view.setUint32(0, head, true);
    view.setUint32(4, written, true);
    const slot = this.deviceArea + USED_RING + USED_ELEMENT_BYTES * (this.nextUsed % this.size);
    if (!this.memory.write(slot, element)) throw new QueueError("the used ring is outside RAM");
    const before = this.nextUsed;
    this.nextUsed = (this.nextUsed + 1) & 0xffff;
    this.putU16(this.deviceArea + USED_IDX, this.nextUsed);
    if (!this.usesEventIndex) return (this.u16(this.driverArea) & VIRTQ_AVAIL_F_NO_INTERRUPT) === 0;
    const event = this.u16(this.usedEvent);
    return ((this.nextUsed - event - 1) & 0xffff) < ((this.nextUsed - before) & 0xffff);
  }

  private get usedEvent(): number {
    return this.driverArea + AVAIL_RING + 2 * this.size;
  }

  private get availEvent(): number {
    return this.deviceArea + USED_RING + USED_ELEMENT_BYTES * this.size;
  }

  save(): SavedState {
    return {
      version: 1,
      size: this.size,
      isEnabled: this.isEnabled,
      descriptorArea: this.descriptorArea,
      driverArea: this.driverArea,
      deviceArea: this.deviceArea,
      usesEventIndex: this.usesEventIndex,
      usesIndirect: this.usesIndirect,
      nextAvail: this.nextAvail,
      nextUsed: this.nextUsed,
    };
  }

  restore(saved: SavedState): void {
    const state = new StateReader("virtqueue", saved, 1);
    const address = (name: string) => state.integer(name, Number.MAX_SAFE_INTEGER);
    this.size = Math.max(1, state.integer("size", this.maxSize));
    this.isEnabled = state.boolean("isEnabled");
    this.descriptorArea = address("descriptorArea");
    this.driverArea = address("driverArea");
    this.deviceArea = address("deviceArea");
    this.usesEventIndex = state.boolean("usesEventIndex");
    this.usesIndirect = state.boolean("usesIndirect");
    this.nextAvail = state.u16("nextAvail");
    this.nextUsed = state.u16("nextUsed");
  }
}
