/** Regular files of the host file system. */

import { ENOENT, EOPNOTSUPP, Errno } from "../errno.ts";
import type { HostFile, HostStat } from "../host.ts";
import type { Thread } from "../sched/thread.ts";
import type { AttributeChanges } from "../vfs/inode.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import { RegularFile, type RegularInode } from "../vfs/regular-file.ts";
import { errnoOf } from "./host-errors.ts";
import { HostInode } from "./hostfs-inode.ts";
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE } from "./ramfs-file.ts";
import { ReadAhead } from "./read-ahead.ts";

/** Bytes of zeroes written at once by fallocate(2), and by one call in all. */
const ZEROES_AT_ONCE = 65536;
const ZEROES_AT_MOST = 1 << 30;

export class HostFileInode extends HostInode implements RegularInode {
  private handle: HostFile | undefined;
  private handleWrites = false;
  private openFiles = 0;
  private readonly ahead = new ReadAhead(this.fileSystem.clock);

  override open(_thread: Thread | undefined, flags: number): OpenFile {
    const writes = ((flags + 1) & 2) !== 0;
    const created = this.fileSystem.takeCreated(this);
    if (created !== undefined) this.adopt(created, true);
    else this.hold(writes);
    if (this.openFiles++ === 0) this.fileSystem.remember(this);
    this.stale();
    return new RegularFile(flags, this, () => this.closed());
  }

  private closed(): void {
    if (--this.openFiles > 0) return;
    this.handle?.close();
    this.handle = undefined;
    this.ahead.forget();
    this.fileSystem.forget(this);
  }

  /** The host file to read or write by: opened when first needed, opened again when rights to write are missing. */
  private hold(writes: boolean): HostFile {
    const { handle, fileSystem } = this;
    if (handle !== undefined && (this.handleWrites || !writes)) return handle;
    const opened = fileSystem.call(() => {
      // By its descriptor: its name may be gone, or another file's by now.
      if (handle?.reopen !== undefined) return handle.reopen();
      if (this.removed) throw new Errno(ENOENT);
      return fileSystem.host.open(this.hostPath, { write: writes });
    });
    this.adopt(opened, writes);
    return opened;
  }

  private adopt(handle: HostFile, writes: boolean): void {
    this.handle?.close();
    this.handle = handle;
    this.handleWrites = writes;
  }

  /** Does something with a handle, which stays only if the file is open anyway. */
  private using<T>(writes: boolean, action: (handle: HostFile) => T): T {
    const handle = this.hold(writes);
    try {
      return this.fileSystem.call(() => action(handle));
    } finally {
      if (this.openFiles === 0) {
        handle.close();
        this.handle = undefined;
      }
    }
  }

  get size(): number {
    return this.handle === undefined ? this.hostStat().size : this.askHost().size;
  }

  protected override stale(): void {
    super.stale();
    this.ahead.forget();
  }

  protected override askHost(): HostStat {
    const { handle } = this;
    return handle === undefined ? super.askHost() : this.fileSystem.call(() => handle.stat());
  }

  readAt(position: number, buffer: Uint8Array): number {
    const { handle } = this;
    if (handle === undefined) return this.using(false, (opened) => opened.read(buffer, position));
    try {
      return this.ahead.read(handle, position, buffer);
    } catch (error) {
      throw errnoOf(error);
    }
  }

  writeAt(position: number, data: Uint8Array): number {
    this.stale();
    return this.using(true, (handle) => handle.write(data, position));
  }

  readPage(position: number, page: Uint8Array): number {
    let count = 0;
    while (count < page.length) {
      const some = this.readAt(position + count, page.subarray(count));
      if (some === 0) break;
      count += some;
    }
    page.fill(0, count);
    return count;
  }

  writePage(position: number, page: Uint8Array, length: number): void {
    const count = Math.min(length, page.length, this.size - position);
    for (let done = 0; done < count; ) done += this.writeAt(position + done, page.subarray(done, count));
  }

  override setAttributes(changes: AttributeChanges): void {
    const { size } = changes;
    if (size !== undefined) {
      this.mappings?.truncate(size);
      this.using(true, (handle) => handle.truncate(size));
      this.stale();
    }
    super.setAttributes(changes);
  }

  /** The host's own fallocate(2) cannot be reached: files grow, and ranges that shall be zero are written. */
  allocate(mode: number, position: number, length: number): void {
    const end = position + length;
    if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) !== 0)
      throw new Errno(EOPNOTSUPP);
    const { size } = this;
    if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) !== 0 && end >= size && position < size) {
      // What is cut off and put back is a hole.
      this.setAttributes({ size: position });
      this.setAttributes({ size });
    } else if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) !== 0) {
      // In a sparse file a range may be longer than the host's disk.
      if (Math.min(end, size) - position > ZEROES_AT_MOST) throw new Errno(EOPNOTSUPP);
      const zeroes = new Uint8Array(Math.min(ZEROES_AT_ONCE, length));
      this.mappings?.writeBack(position, length);
      for (let at = position; at < Math.min(end, size); ) {
        const count = this.writeAt(at, zeroes.subarray(0, Math.min(zeroes.length, Math.min(end, size) - at)));
        this.mappings?.update(at, zeroes.subarray(0, count));
        at += count;
      }
    }
    if ((mode & FALLOC_FL_KEEP_SIZE) === 0 && end > size) this.setAttributes({ size: end });
  }

  sync(): void {
    this.using(false, (handle) => handle.sync());
  }

  protected override changeMode(mode: number): void {
    if (this.handle?.chmod !== undefined) this.handle.chmod(mode);
    else super.changeMode(mode);
  }

  protected override changeOwner(uid: number, gid: number): void {
    if (this.handle?.chown !== undefined) this.handle.chown(uid, gid);
    else super.changeOwner(uid, gid);
  }

  protected override changeTimes(atime: bigint, mtime: bigint): void {
    if (this.handle?.utimes !== undefined) this.handle.utimes(atime, mtime);
    else super.changeTimes(atime, mtime);
  }
}
