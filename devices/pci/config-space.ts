/** One function's configuration space: PCI Local Bus specification 3.0, 6.1 "Configuration Space Organization". */

import { type Saveable, type SavedState, StateError, StateReader } from "../saved-state.ts";

/** Header type 0 (figure 6-1). */
export const ConfigOffset = {
  VendorId: 0x00,
  DeviceId: 0x02,
  Command: 0x04,
  Status: 0x06,
  Revision: 0x08,
  ClassCode: 0x09,
  HeaderType: 0x0e,
  Bar0: 0x10,
  SubsystemVendorId: 0x2c,
  SubsystemId: 0x2e,
  ExpansionRom: 0x30,
  Capabilities: 0x34,
  InterruptLine: 0x3c,
  InterruptPin: 0x3d,
} as const;

/** 6.2.2 */
export const CommandBit = { Io: 1 << 0, Memory: 1 << 1, Master: 1 << 2, InterruptDisable: 1 << 10 } as const;
/** 6.2.3 */
export const StatusBit = { Interrupt: 1 << 3, Capabilities: 1 << 4 } as const;

export const CONFIG_BYTES = 256;
/** PCI Express gives every function this much; nothing of ours lives beyond the first 256 bytes. */
export const EXTENDED_CONFIG_BYTES = 4096;

const FIRST_CAPABILITY = 0x40;

export class ConfigSpace implements Saveable {
  private readonly bytes = new Uint8Array(CONFIG_BYTES);
  /** Bits that software can change. */
  private readonly writable = new Uint8Array(CONFIG_BYTES);
  readonly view = new DataView(this.bytes.buffer);
  private nextCapability = FIRST_CAPABILITY;

  /** Lets software change these bits of the `size` bytes at `offset`. */
  allow(offset: number, size: 1 | 2 | 4, mask: number): void {
    for (let index = 0; index < size; index++) this.writable[offset + index] = mask >>> (8 * index);
  }

  /**
   * Puts a capability of `length` bytes (with its ID and next pointer) at the head of the list (6.7).
   * @returns its offset
   */
  addCapability(id: number, length: number): number {
    const offset = this.nextCapability;
    if (offset + length > CONFIG_BYTES)
      throw new Error("a PCI function has more capabilities than room for them");
    this.nextCapability = (offset + length + 3) & ~3;
    this.bytes[offset] = id;
    this.bytes[offset + 1] = this.bytes[ConfigOffset.Capabilities];
    this.bytes[ConfigOffset.Capabilities] = offset;
    this.bytes[ConfigOffset.Status] |= StatusBit.Capabilities;
    return offset;
  }

  read(offset: number, size: number): number {
    let value = 0;
    for (let index = 0; index < size; index++) value += (this.bytes[offset + index] ?? 0) * 2 ** (8 * index);
    return value;
  }

  write(offset: number, size: number, value: number): void {
    for (let index = 0; index < size && offset + index < CONFIG_BYTES; index++) {
      const mask = this.writable[offset + index];
      const before = this.bytes[offset + index];
      this.bytes[offset + index] = (before & ~mask) | ((value >>> (8 * index)) & mask);
    }
  }

  /** Everything that software has changed is gone; what the device has said about itself stays. */
  reset(): void {
    for (let offset = 0; offset < CONFIG_BYTES; offset++) this.bytes[offset] &= ~this.writable[offset];
  }

  save(): SavedState {
    return { version: 1, bytes: this.bytes.slice() };
  }

  restore(saved: SavedState): void {
    const bytes = new StateReader("PCI configuration space", saved, 1).bytes("bytes", CONFIG_BYTES);
    const isSameDevice = [ConfigOffset.VendorId, ConfigOffset.DeviceId].every(
      (offset) => bytes[offset] === this.bytes[offset] && bytes[offset + 1] === this.bytes[offset + 1],
    );
    if (!isSameDevice)
      throw new StateError("PCI configuration space: the saved machine has another device there");
    for (let offset = 0; offset < CONFIG_BYTES; offset++) {
      const mask = this.writable[offset];
      this.bytes[offset] = (this.bytes[offset] & ~mask) | (bytes[offset] & mask);
    }
  }
}
