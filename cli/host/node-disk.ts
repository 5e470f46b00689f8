/** A disk image in a file of this computer (or a block device of it): `--disk FILE`. */

import * as fs from "node:fs";
import { type BlockBackend, BlockError, SECTOR_BYTES } from "../../devices/storage/block-backend.ts";

export class NodeDisk implements BlockBackend {
  readonly size: number;
  private readonly descriptor: number;
  /** Bytes of the file; the rest of its last sector reads as zeros. */
  private readonly fileSize: number;

  /** @throws what node:fs throws */
  constructor(
    path: string,
    readonly isReadOnly: boolean,
  ) {
    this.descriptor = fs.openSync(path, isReadOnly ? "r" : "r+");
    const stat = fs.fstatSync(this.descriptor);
    if (stat.isDirectory()) throw Object.assign(new Error("is a directory"), { code: "EISDIR" });
    this.fileSize = stat.isBlockDevice() ? blockDeviceSize(stat.rdev) : stat.size;
    this.size = Math.ceil(this.fileSize / SECTOR_BYTES) * SECTOR_BYTES;
  }

  read(offset: number, into: Uint8Array): void {
    let done = 0;
    while (done < into.length) {
      const count = this.attempt(() =>
        fs.readSync(this.descriptor, into, done, into.length - done, offset + done),
      );
      if (count === 0) {
        if (offset + done < this.fileSize) throw new BlockError("the image has become shorter");
        into.fill(0, done);
        return;
      }
      done += count;
    }
  }

  write(offset: number, from: Uint8Array): void {
    let done = 0;
    while (done < from.length)
      done += this.attempt(() =>
        fs.writeSync(this.descriptor, from, done, from.length - done, offset + done),
      );
  }

  flush(): void {
    if (!this.isReadOnly) this.attempt(() => fs.fdatasyncSync(this.descriptor));
  }

  close(): void {
    fs.closeSync(this.descriptor);
  }

  private attempt<Value>(operation: () => Value): Value {
    try {
      return operation();
    } catch (error) {
      throw new BlockError(error instanceof Error ? error.message : String(error));
    }
  }
}

/** In sysfs: sectors of 512 bytes, whatever the device's own are (Documentation/ABI/stable/sysfs-block). */
function blockDeviceSize(rdev: number): number {
  const major = ((rdev >>> 8) & 0xfff) | (Math.floor(rdev / 2 ** 32) & ~0xfff);
  const minor = (rdev & 0xff) | ((rdev >>> 12) & 0xfff00);
  return Number(fs.readFileSync(`/sys/dev/block/${major}:${minor}/size`, "latin1")) * SECTOR_BYTES;
}
