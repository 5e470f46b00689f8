/** A part of a disk as a disk: the diskette that an El Torito image plays. Nobody writes to a CD. */

import type { BlockBackend } from "../storage/block-backend.ts";

export class DiskWindow implements BlockBackend {
  readonly isReadOnly = true;

  constructor(
    private readonly backend: BlockBackend,
    private readonly start: number,
    readonly size: number,
  ) {}

  read(offset: number, into: Uint8Array): void | Promise<void> {
    return this.backend.read(this.start + offset, into);
  }

  write(): void {}

  flush(): void {}
}
