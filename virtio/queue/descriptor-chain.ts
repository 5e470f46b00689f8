/** One request of a driver: a chain of descriptors, as the device sees it. OASIS virtio 1.2, 2.7.5 "The Virtqueue Descriptor Table". */

import type { GuestMemory } from "../../devices/guest-memory.ts";

/** A piece of guest RAM; it has been checked to be RAM. */
export interface BufferPiece {
  readonly address: number;
  readonly length: number;
}

export class DescriptorChain {
  /** @param head index of the first descriptor: names the chain in the used ring */
  constructor(
    private readonly memory: GuestMemory,
    readonly head: number,
    /** Buffers the device reads; they come first in the chain (2.7.4.2). */
    readonly readable: readonly BufferPiece[],
    /** Buffers the device writes. */
    readonly writable: readonly BufferPiece[],
  ) {}

  get readableLength(): number {
    return lengthOf(this.readable);
  }

  get writableLength(): number {
    return lengthOf(this.writable);
  }

  /** Bytes from the device-readable part; what lies beyond its end is missing. */
  read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.readableLength - offset)));
    let done = 0;
    for (const { address, length: count } of within(this.readable, offset, bytes.length)) {
      const piece = this.memory.read(address, count);
      if (piece !== undefined) bytes.set(piece, done);
      done += count;
    }
    return bytes;
  }

  /** Writes into the device-writable part; what lies beyond its end is dropped. */
  write(offset: number, bytes: Uint8Array): void {
    let done = 0;
    for (const { address, length } of within(this.writable, offset, bytes.length)) {
      this.memory.write(address, bytes.subarray(done, done + length));
      done += length;
    }
  }
}

function lengthOf(pieces: readonly BufferPiece[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

/** The parts of the pieces that are `[offset, offset + length)` of all of them. */
function within(pieces: readonly BufferPiece[], offset: number, length: number): BufferPiece[] {
  const found: BufferPiece[] = [];
  let start = 0;
  for (const piece of pieces) {
    const from = Math.max(offset, start);
    const to = Math.min(offset + length, start + piece.length);
    if (from < to) found.push({ address: piece.address + (from - start), length: to - from });
    start += piece.length;
  }
  return found;
}
