/** Guest RAM as devices reach it (DMA). Addresses come from the guest: every access is checked. */

export interface GuestMemory {
  /** Bytes of RAM; it begins at physical address 0. */
  readonly size: number;
  /** `length` bytes at a physical address, live; undefined if any of them is not RAM. */
  read(address: number, length: number): Uint8Array | undefined;
  /** Writes all of it or, if any byte would not be RAM, nothing. */
  write(address: number, bytes: Uint8Array): boolean;
}

/** RAM without a processor that could have translated code from it: for tests, and before a machine starts. */
export class PlainMemory implements GuestMemory {
  constructor(readonly bytes: Uint8Array) {}

  get size(): number {
    return this.bytes.length;
  }

  read(address: number, length: number): Uint8Array | undefined {
    return isInside(address, length, this.size) ? this.bytes.subarray(address, address + length) : undefined;
  }

  write(address: number, bytes: Uint8Array): boolean {
    if (!isInside(address, bytes.length, this.size)) return false;
    this.bytes.set(bytes, address);
    return true;
  }
}

/** Does `[address, address + length)` lie in `[0, size)`? */
export function isInside(address: number, length: number, size: number): boolean {
  return Number.isInteger(address) && address >= 0 && length >= 0 && address + length <= size;
}
