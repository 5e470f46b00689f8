/**
 * QEMU's firmware configuration device: qemu/docs/specs/fw_cfg.rst. Firmware and Linux (qemu_fw_cfg) read named files by
 * port or by DMA.
 */

import type { AccessSize, Bus } from "./bus.ts";
import type { GuestMemory } from "./guest-memory.ts";
import { type Saveable, type SavedState, StateReader } from "./saved-state.ts";

export const FW_CFG_PORT = 0x510;
const DATA_OFFSET = 1;
const DMA_PORT = 0x514;

/** Well-known items. */
export const FwCfgKey = {
  Signature: 0x00,
  Id: 0x01,
  RamSize: 0x03,
  NumberOfCpus: 0x05,
  FileDirectory: 0x19,
} as const;
const FIRST_FILE = 0x20;
/** FW_CFG_ID: the traditional interface and DMA. */
const FEATURES = 0x3;
const NAME_BYTES = 56;
const FILE_ENTRY_BYTES = 64;

/** FWCfgDmaAccess.control */
const Dma = { Error: 1 << 0, Read: 1 << 1, Skip: 1 << 2, Select: 1 << 3, Write: 1 << 4 } as const;
const DMA_ACCESS_BYTES = 16;
/** What the DMA address register reads as: "QEMU CFG". */
const DMA_SIGNATURE = [0x51454d55, 0x20434647] as const;

export class FwCfg implements Saveable {
  private readonly items = new Map<number, Uint8Array>();
  private readonly files: { name: string; key: number; size: number }[] = [];
  private key = 0;
  private position = 0;
  private dmaHigh = 0;

  constructor(private readonly memory: GuestMemory) {
    this.items.set(FwCfgKey.Signature, new TextEncoder().encode("QEMU"));
    this.items.set(FwCfgKey.Id, new Uint8Array([FEATURES, 0, 0, 0]));
    this.writeDirectory();
  }

  set(key: number, bytes: Uint8Array): void {
    this.items.set(key, bytes);
  }

  /** @param name up to 55 characters ("opt/org.example/thing") */
  addFile(name: string, bytes: Uint8Array): void {
    if (name.length >= NAME_BYTES) throw new Error(`the fw_cfg name is too long: ${name}`);
    const key = FIRST_FILE + this.files.length;
    this.files.push({ name, key, size: bytes.length });
    this.items.set(key, bytes);
    this.writeDirectory();
  }

  /** Count, then entries of size, key and name; the numbers are big-endian. */
  private writeDirectory(): void {
    const bytes = new Uint8Array(4 + this.files.length * FILE_ENTRY_BYTES);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.files.length);
    for (const [index, { name, key, size }] of this.files.entries()) {
      const at = 4 + index * FILE_ENTRY_BYTES;
      view.setUint32(at, size);
      view.setUint16(at + 4, key);
      new TextEncoder().encodeInto(name, bytes.subarray(at + 8, at + 8 + NAME_BYTES - 1));
    }
    this.items.set(FwCfgKey.FileDirectory, bytes);
  }

  mapOn(bus: Bus): void {
    bus.mapPorts(
      FW_CFG_PORT,
      2,
      {
        readPort: (offset, size) => this.readData(offset, size),
        writePort: (offset, size, value) => {
          if (offset === 0 && size === 2) this.select(value);
        },
      },
      2,
    );
    bus.mapPorts(
      DMA_PORT,
      8,
      {
        readPort: (offset, size) =>
          size === 4 && (offset & 3) === 0 ? swap32(DMA_SIGNATURE[offset >> 2]) : 2 ** (8 * size) - 1,
        writePort: (offset, size, value) => {
          if (size !== 4) return;
          if (offset === 0) this.dmaHigh = swap32(value);
          else if (offset === 4) this.dma(this.dmaHigh * 2 ** 32 + swap32(value));
        },
      },
      4,
    );
  }

  private select(key: number): void {
    this.key = key;
    this.position = 0;
  }

  private next(): number {
    return this.items.get(this.key)?.[this.position++] ?? 0;
  }

  /** The data port is a byte at 511H; a word read of 510H gives what QEMU gives: the byte in its upper half. */
  private readData(offset: number, size: AccessSize): number {
    if (offset === DATA_OFFSET && size === 1) return this.next();
    return size === 2 ? 0xff | (this.next() << 8) : 0xff;
  }

  /** Carries out the FWCfgDmaAccess at this physical address, and says how it went in its control word. */
  private dma(address: number): void {
    this.dmaHigh = 0;
    const bytes = this.memory.read(address, DMA_ACCESS_BYTES);
    if (bytes === undefined) return; // nowhere to say so
    const access = new DataView(bytes.buffer, bytes.byteOffset, DMA_ACCESS_BYTES);
    const control = access.getUint32(0);
    const length = access.getUint32(4);
    const target = access.getUint32(8) * 2 ** 32 + access.getUint32(12);
    const ok = this.transfer(control, length, target);
    const result = new Uint8Array(4);
    new DataView(result.buffer).setUint32(0, ok ? 0 : Dma.Error);
    this.memory.write(address, result);
  }

  private transfer(control: number, length: number, target: number): boolean {
    if ((control & Dma.Select) !== 0) this.select(control >>> 16);
    const item = this.items.get(this.key);
    if ((control & Dma.Read) !== 0) {
      if (this.memory.read(target, length) === undefined) return false;
      const data = new Uint8Array(length); // zeros behind the item's end
      if (item !== undefined) data.set(item.subarray(this.position, this.position + length));
      this.position = Math.min(this.position + length, 0xffffffff);
      return this.memory.write(target, data);
    }
    if ((control & Dma.Write) !== 0) return false; // no item is writable
    if ((control & Dma.Skip) !== 0) this.position = Math.min(this.position + length, 0xffffffff);
    return true;
  }

  save(): SavedState {
    return { version: 1, key: this.key, position: this.position, dmaHigh: this.dmaHigh };
  }

  restore(saved: SavedState): void {
    const state = new StateReader("fw_cfg", saved, 1);
    this.key = state.u16("key");
    this.position = state.u32("position");
    this.dmaHigh = state.u32("dmaHigh");
  }
}

function swap32(value: number): number {
  return ((value >>> 24) | ((value >>> 8) & 0xff00) | ((value << 8) & 0xff0000) | (value << 24)) >>> 0;
}
