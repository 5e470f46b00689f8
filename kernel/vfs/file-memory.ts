/**
 * The memory that files take which are nowhere but in memory: one account for all RAM file systems of a machine, so that
 * programs cannot fill the host's memory by writing files.
 */

export class FileMemory {
  private taken = 0;

  /** @param bytes that all files together may take */
  constructor(readonly bytes: number) {}

  /** How many bytes are left. */
  get free(): number {
    return this.bytes - this.taken;
  }

  /** @returns false when there is not so much left */
  take(bytes: number): boolean {
    if (bytes > this.free) return false;
    this.taken += bytes;
    return true;
  }

  give(bytes: number): void {
    this.taken -= bytes;
  }
}
