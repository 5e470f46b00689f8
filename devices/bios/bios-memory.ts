/**
 * The BIOS data area and what else the BIOS keeps in low memory (IBM PC AT Technical Reference, section 5 "ROM BIOS
 * Data Areas"; Phoenix "System BIOS for IBM PCs, Compatibles, and EISA Computers", 2nd edition, chapter 3).
 */

import type { GuestMemory } from "../guest-memory.ts";

/** Physical addresses. */
export const Bda = {
  COM1: 0x400,
  LPT1: 0x408,
  EBDA_SEGMENT: 0x40e,
  EQUIPMENT: 0x410,
  MEMORY_KIB: 0x413,
  SHIFT_FLAGS: 0x417,
  SHIFT_FLAGS_2: 0x418,
  /** Head and tail of the keyboard buffer, as offsets in segment 40H. */
  KEYBOARD_HEAD: 0x41a,
  KEYBOARD_TAIL: 0x41c,
  KEYBOARD_BUFFER: 0x41e,
  DISKETTE_STATUS: 0x441,
  VIDEO_MODE: 0x449,
  COLUMNS: 0x44a,
  PAGE_BYTES: 0x44c,
  PAGE_START: 0x44e,
  /** Column and row, of 8 pages. */
  CURSOR: 0x450,
  CURSOR_SHAPE: 0x460,
  ACTIVE_PAGE: 0x462,
  CRTC_PORT: 0x463,
  TICKS: 0x46c,
  MIDNIGHT: 0x470,
  DISK_STATUS: 0x474,
  HARD_DISKS: 0x475,
  COM_TIMEOUT: 0x47c,
  KEYBOARD_START: 0x480,
  KEYBOARD_END: 0x482,
  LAST_ROW: 0x484,
  CHARACTER_HEIGHT: 0x485,
  VIDEO_CONTROL: 0x487,
  VIDEO_SWITCHES: 0x488,
  KEYBOARD_MODE: 0x496,
} as const;
export const BDA_SEGMENT = 0x40;
export const BDA_START = 0x400;
export const BDA_BYTES = 0x100;

/** Low memory by name and size; an address outside of RAM reads as zeros, and takes no writes. */
export class BiosMemory {
  constructor(readonly memory: GuestMemory) {}

  read(address: number, length: number): Uint8Array {
    return this.memory.read(address, length)?.slice() ?? new Uint8Array(length);
  }

  write(address: number, bytes: Uint8Array): boolean {
    return this.memory.write(address, bytes);
  }

  u8(address: number): number {
    return this.memory.read(address, 1)?.[0] ?? 0;
  }

  u16(address: number): number {
    return this.u8(address) | (this.u8(address + 1) << 8);
  }

  u32(address: number): number {
    return (this.u16(address) | (this.u16(address + 2) << 16)) >>> 0;
  }

  putU8(address: number, value: number): void {
    this.memory.write(address, new Uint8Array([value]));
  }

  putU16(address: number, value: number): void {
    this.memory.write(address, new Uint8Array([value, value >> 8]));
  }

  putU32(address: number, value: number): void {
    this.memory.write(address, new Uint8Array([value, value >> 8, value >> 16, value >>> 24]));
  }
}
