/**
 * What a disk's bytes are kept in: a file of the host, memory, something over a network. Controllers (virtio-blk, the BIOS)
 * see only this.
 *
 * Operations that complete at once return nothing; a machine on instruction time is deterministic with such backends only.
 */

import type { Saveable } from "../saved-state.ts";

export const SECTOR_BYTES = 512;

export interface BlockBackend {
  /** Bytes, a multiple of {@link SECTOR_BYTES}. */
  readonly size: number;
  readonly isReadOnly: boolean;
  /** Fills `into` from a byte offset; all of it lies inside the disk. @throws BlockError, also as a rejection */
  read(offset: number, into: Uint8Array): void | Promise<void>;
  /** Never called when {@link isReadOnly}. @throws BlockError, also as a rejection */
  write(offset: number, from: Uint8Array): void | Promise<void>;
  /** What was written survives a crash of the host. */
  flush(): void | Promise<void>;
  /** Changes that are in no file: they are saved with a machine. */
  readonly changes?: Saveable;
}

/** The host could not read or write: the guest sees an I/O error. */
export class BlockError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "BlockError";
  }
}

/** A disk in memory. */
export class MemoryDisk implements BlockBackend {
  constructor(
    private readonly bytes: Uint8Array,
    readonly isReadOnly = false,
  ) {
    if (bytes.length % SECTOR_BYTES !== 0) throw new Error(`a disk of ${bytes.length} bytes`);
  }

  get size(): number {
    return this.bytes.length;
  }

  read(offset: number, into: Uint8Array): void {
    into.set(this.bytes.subarray(offset, offset + into.length));
  }

  write(offset: number, from: Uint8Array): void {
    this.bytes.set(from, offset);
  }

  flush(): void {}
}
