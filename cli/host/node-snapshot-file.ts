/** Files of saved machines. A file is there whole or not at all: it is written beside its place and then moved there. */

import { constants } from "node:fs";
import { access, type FileHandle, open, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { SnapshotSink, SnapshotSource } from "../../devices/snapshot/snapshot-host.ts";

/** A guest's memory may hold its secrets. */
const MODE = 0o600;

/** Where a file really is, and that something can be written there. @throws errors of node:fs */
export async function placeFor(path: string): Promise<string> {
  const place = await realpath(path).catch(() => path);
  const existing = await stat(place).catch(() => undefined);
  if (existing !== undefined && !existing.isFile())
    throw Object.assign(new Error("is not a regular file"), {
      code: existing.isDirectory() ? "EISDIR" : "EINVAL",
    });
  await access(dirname(place), constants.W_OK);
  return place;
}

export class NodeSnapshotSink implements SnapshotSink {
  /** Bytes written so far. */
  size = 0;

  private constructor(
    private readonly file: FileHandle,
    private readonly temporary: string,
    private readonly place: string,
  ) {}

  /** @throws errors of node:fs */
  static async create(path: string): Promise<NodeSnapshotSink> {
    const place = await placeFor(path);
    const temporary = join(dirname(place), `.${basename(place)}.${process.pid}.tmp`);
    await rm(temporary, { force: true });
    return new NodeSnapshotSink(await open(temporary, "wx", MODE), temporary, place);
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.file.write(bytes, done);
      done += bytesWritten;
    }
    this.size += bytes.length;
  }

  /** The file takes its place. */
  async commit(): Promise<void> {
    await this.file.sync();
    await this.file.close();
    await rename(this.temporary, this.place);
  }

  /** Nothing is left of it; what was at its place before is still there. */
  async abandon(): Promise<void> {
    await this.file.close().catch(() => undefined);
    await rm(this.temporary, { force: true });
  }
}

export class NodeSnapshotSource implements SnapshotSource {
  private constructor(
    private readonly file: FileHandle,
    readonly size: number,
  ) {}

  /** @throws errors of node:fs */
  static async open(path: string): Promise<NodeSnapshotSource> {
    const file = await open(path, "r");
    const { size } = await file.stat();
    return new NodeSnapshotSource(file, size);
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    const wanted = Math.max(0, Math.min(length, this.size - position));
    const bytes = new Uint8Array(wanted);
    let done = 0;
    while (done < wanted) {
      const { bytesRead } = await this.file.read(bytes, done, wanted - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes.subarray(0, done);
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}
