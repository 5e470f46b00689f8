/** What a snapshot asks of the world: a place for its bytes, and compression. Implemented in cli/host/ for Node. */

export interface SnapshotSink {
  /** Appends bytes, which are the sink's from then on. */
  write(bytes: Uint8Array): Promise<void>;
}

export interface SnapshotSource {
  /** Bytes in all. */
  readonly size: number;
  /** The `length` bytes at a position; fewer if the source ends there. */
  read(position: number, length: number): Promise<Uint8Array>;
}

/** gzip (RFC 1952), whose check sums also tell damaged bytes. */
export interface Compression {
  compress(bytes: Uint8Array): Promise<Uint8Array>;
  /** @returns exactly `length` bytes; it rejects if there are more or fewer, or the bytes are damaged */
  decompress(bytes: Uint8Array, length: number): Promise<Uint8Array>;
}

/** Told how far long work has come, in bytes of the machine's memory. */
export type Progress = (done: number, total: number) => void;
