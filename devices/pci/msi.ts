/** Message signalled interrupts: PCI Local Bus specification 3.0, 6.8.1. 64-bit addresses, one mask bit a vector. */

import { decodeMsi, type InterruptMessageSink } from "../apic/interrupt-message.ts";
import { type Saveable, type SavedState, StateReader } from "../saved-state.ts";
import type { ConfigSpace } from "./config-space.ts";

const CAPABILITY_ID = 0x05;
const LENGTH = 24;
const CONTROL = 2;
const ADDRESS = 4;
const DATA = 12;
const MASK = 16;
const PENDING = 20;

/** 6.8.1.3 */
const Control = { Enable: 1 << 0, Address64: 1 << 7, PerVectorMask: 1 << 8 } as const;

export class Msi implements Saveable {
  private readonly offset: number;

  /** @param vectorsLog2 how many vectors the device asks for: 0 for one, 5 for 32 */
  constructor(
    private readonly config: ConfigSpace,
    vectorsLog2: number,
    private readonly sink: InterruptMessageSink,
  ) {
    const offset = config.addCapability(CAPABILITY_ID, LENGTH);
    this.offset = offset;
    const control = (vectorsLog2 << 1) | Control.Address64 | Control.PerVectorMask;
    config.view.setUint16(offset + CONTROL, control, true);
    config.allow(offset + CONTROL, 2, Control.Enable | (7 << 4));
    config.allow(offset + ADDRESS, 4, 0xfffffffc);
    config.allow(offset + ADDRESS + 4, 4, 0xffffffff);
    config.allow(offset + DATA, 2, 0xffff);
    config.allow(offset + MASK, 4, 2 ** (2 ** vectorsLog2) - 1);
  }

  private get control(): number {
    return this.config.view.getUint16(this.offset + CONTROL, true);
  }

  get isEnabled(): boolean {
    return (this.control & Control.Enable) !== 0;
  }

  /** The device has an event for this vector; vectors that were not granted wrap into those that were. */
  notify(vector: number): void {
    const { view } = this.config;
    if (!this.isEnabled) return;
    const granted = 1 << Math.min((this.control >>> 4) & 7, (this.control >>> 1) & 7);
    const index = vector & (granted - 1);
    if (((view.getUint32(this.offset + MASK, true) >>> index) & 1) !== 0) {
      const pending = view.getUint32(this.offset + PENDING, true);
      view.setUint32(this.offset + PENDING, pending | (1 << index), true);
      return;
    }
    const data = (view.getUint16(this.offset + DATA, true) & ~(granted - 1)) | index;
    this.sink.deliver(decodeMsi(view.getUint32(this.offset + ADDRESS, true), data));
  }

  /** Software has written to the capability: what waited behind a mask goes out. */
  configWritten(): void {
    const { view } = this.config;
    const pending = view.getUint32(this.offset + PENDING, true);
    const open = pending & ~view.getUint32(this.offset + MASK, true);
    if (open === 0 || !this.isEnabled) return;
    view.setUint32(this.offset + PENDING, pending & ~open, true);
    for (let index = 0; index < 32; index++) if (((open >>> index) & 1) !== 0) this.notify(index);
  }
  /** Registers that software writes are saved with the configuration space. */
  save(): SavedState {
    return { version: 1, pending: this.config.view.getUint32(this.offset + PENDING, true) };
  }

  restore(saved: SavedState): void {
    const state = new StateReader("MSI", saved, 1);
    this.config.view.setUint32(this.offset + PENDING, state.u32("pending"), true);
  }

  reset(): void {
    this.config.view.setUint32(this.offset + PENDING, 0, true);
  }
}
