/** MSI-X: PCI Local Bus specification 3.0, 6.8.2. The table and the pending bits are memory in one of the device's BARs. */

import { decodeMsi, type InterruptMessageSink } from "../apic/interrupt-message.ts";
import type { AccessSize, MemoryDevice } from "../bus.ts";
import { type Saveable, type SavedState, StateReader } from "../saved-state.ts";
import type { ConfigSpace } from "./config-space.ts";

const CAPABILITY_ID = 0x11;
const LENGTH = 12;
const CONTROL = 2;
const TABLE = 4;
const PENDING = 8;

/** 6.8.2.3 */
const Control = { FunctionMask: 1 << 14, Enable: 1 << 15 } as const;

/** 6.8.2.6 to 6.8.2.9: address, upper address, data, vector control. */
const ENTRY_BYTES = 16;
const ENTRY_DATA = 8;
const ENTRY_CONTROL = 12;
const ENTRY_MASKED = 1;

/** Where the pending bits begin behind the table. */
export const MSIX_PENDING_OFFSET = 0x800;
/** What a BAR for MSI-X must have: room for 128 vectors and their pending bits. */
export const MSIX_BAR_BYTES = 0x1000;
const MOST_VECTORS = MSIX_PENDING_OFFSET / ENTRY_BYTES;

export class MsiX implements MemoryDevice, Saveable {
  private readonly offset: number;
  private readonly table: DataView;
  private readonly pending: Uint32Array;

  /**
   * @param bar index of the BAR of {@link MSIX_BAR_BYTES} bytes behind which this object is the {@link MemoryDevice}
   */
  constructor(
    private readonly config: ConfigSpace,
    private readonly vectors: number,
    bar: number,
    private readonly sink: InterruptMessageSink,
  ) {
    if (vectors < 1 || vectors > MOST_VECTORS) throw new Error(`MSI-X with ${vectors} vectors`);
    this.table = new DataView(new ArrayBuffer(vectors * ENTRY_BYTES));
    this.pending = new Uint32Array(Math.ceil(vectors / 32));
    const offset = config.addCapability(CAPABILITY_ID, LENGTH);
    this.offset = offset;
    config.view.setUint16(offset + CONTROL, vectors - 1, true);
    config.allow(offset + CONTROL, 2, Control.FunctionMask | Control.Enable);
    config.view.setUint32(offset + TABLE, bar, true);
    config.view.setUint32(offset + PENDING, MSIX_PENDING_OFFSET | bar, true);
    this.reset();
  }

  reset(): void {
    new Uint8Array(this.table.buffer).fill(0);
    this.pending.fill(0);
    for (let vector = 0; vector < this.vectors; vector++) {
      this.table.setUint32(vector * ENTRY_BYTES + ENTRY_CONTROL, ENTRY_MASKED, true);
    }
  }

  private get control(): number {
    return this.config.view.getUint16(this.offset + CONTROL, true);
  }

  get isEnabled(): boolean {
    return (this.control & Control.Enable) !== 0;
  }

  /** The device has an event for this vector; events for vectors that do not exist are nobody's. */
  notify(vector: number): void {
    if (!this.isEnabled || vector >= this.vectors) return;
    const entry = vector * ENTRY_BYTES;
    const masked =
      (this.control & Control.FunctionMask) !== 0 ||
      (this.table.getUint32(entry + ENTRY_CONTROL, true) & ENTRY_MASKED) !== 0;
    if (masked) {
      this.pending[vector >>> 5] |= 1 << (vector & 31);
      return;
    }
    this.pending[vector >>> 5] &= ~(1 << (vector & 31));
    this.sink.deliver(
      decodeMsi(this.table.getUint32(entry, true), this.table.getUint32(entry + ENTRY_DATA, true)),
    );
  }

  /** Software has changed the capability or the table: what waited behind a mask goes out. */
  configWritten(): void {
    for (let vector = 0; vector < this.vectors; vector++) {
      if (((this.pending[vector >>> 5] >>> (vector & 31)) & 1) !== 0) this.notify(vector);
    }
  }

  readMemory(offset: number, size: AccessSize): number {
    const word = this.readWord(offset & ~3);
    return size === 4 ? word : (word >>> (8 * (offset & 3))) & (2 ** (8 * size) - 1);
  }

  private readWord(offset: number): number {
    if (offset >= MSIX_PENDING_OFFSET) return this.pending[(offset - MSIX_PENDING_OFFSET) >> 2] ?? 0;
    return offset < this.table.byteLength ? this.table.getUint32(offset, true) : 0;
  }

  writeMemory(offset: number, size: AccessSize, value: number): void {
    if (size !== 4 || (offset & 3) !== 0 || offset >= this.table.byteLength) return;
    this.table.setUint32(offset, value, true);
    if (offset % ENTRY_BYTES === ENTRY_CONTROL) this.configWritten();
  }

  save(): SavedState {
    return { version: 1, table: new Uint8Array(this.table.buffer.slice(0)), pending: [...this.pending] };
  }

  restore(saved: SavedState): void {
    const state = new StateReader("MSI-X", saved, 1);
    new Uint8Array(this.table.buffer).set(state.bytes("table", this.table.byteLength));
    this.pending.set(state.integers("pending", this.pending.length, 0xffffffff));
  }
}
