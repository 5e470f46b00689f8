/** An open regular file, of any file system that stores bytes. */

import { EFBIG, EINVAL, ENOTTY, ENXIO } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import { type Inode, S_IFREG } from "./inode.ts";
import { OpenFile, type Result } from "./open-file.ts";
import { O_APPEND, SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET } from "./open-flags.ts";

/** Largest size of a file here: positions are JS numbers (s_maxbytes; ext4 has 2^44). */
export const MAX_FILE_SIZE = 2 ** 53 - 4096;

/** Inodes of regular files, as {@link RegularFile} needs them. Positions are within MAX_FILE_SIZE. */
export interface RegularInode extends Inode {
  /** Current length in bytes. */
  readonly size: number;
  /** Fills the front of `buffer`; returns how many bytes there were (0 at the end). */
  readAt(position: number, buffer: Uint8Array): number;
  /** Returns how many bytes were written; throws Errno when none could be. */
  writeAt(position: number, data: Uint8Array): number;
  sync(): void;
}

export function isRegularInode(inode: Inode): inode is RegularInode {
  return inode.type === S_IFREG && "readAt" in inode && "writeAt" in inode;
}

export class RegularFile extends OpenFile {
  constructor(
    flags: number,
    override readonly inode: RegularInode,
    /** Called when the last descriptor is gone. */
    private readonly onClose?: () => void,
  ) {
    super(flags);
  }

  override describe(): string {
    return this.path?.toString() ?? "";
  }

  override get seekable(): boolean {
    return true;
  }

  override read(_thread: Thread | undefined, buffer: Uint8Array, position?: number): Result {
    const { inode } = this;
    const at = position ?? this.offset;
    inode.mappings?.writeBack(at, buffer.length);
    const count = inode.readAt(at, buffer);
    if (position === undefined) this.offset = at + count;
    return count;
  }

  override write(_thread: Thread | undefined, data: Uint8Array, position?: number): Result {
    const { inode } = this;
    // pwrite(2) appends too when O_APPEND is set (its man page, "BUGS").
    const at = (this.flags & O_APPEND) !== 0 ? inode.size : (position ?? this.offset);
    if (data.length === 0) return 0;
    if (at >= MAX_FILE_SIZE) return -EFBIG;
    const room = MAX_FILE_SIZE - at;
    const bytes = data.length <= room ? data : data.subarray(0, room);
    // A write that is not whole pages is merged with what the mapping has: the frames are newer than the file.
    const { mappings } = inode;
    mappings?.writeBack(at, bytes.length);
    const count = inode.writeAt(at, bytes);
    mappings?.update(at, count === bytes.length ? bytes : bytes.subarray(0, count));
    if (position === undefined) this.offset = at + count;
    return count;
  }

  override seek(offset: number, whence: number): number {
    let target: number;
    switch (whence) {
      case SEEK_SET:
        target = offset;
        break;
      case SEEK_CUR:
        target = this.offset + offset;
        break;
      case SEEK_END:
        target = this.inode.size + offset;
        break;
      case SEEK_DATA:
      case SEEK_HOLE: {
        const { size } = this.inode;
        if (offset < 0 || offset >= size) return -ENXIO;
        const hole = whence === SEEK_HOLE;
        target = this.inode.seekHole?.(offset, hole) ?? (hole ? size : offset);
        if (target >= size && !hole) return -ENXIO;
        break;
      }
      default:
        return -EINVAL;
    }
    if (target < 0 || target > MAX_FILE_SIZE) return -EINVAL;
    this.offset = target;
    return target;
  }

  override sync(): Result {
    this.inode.mappings?.writeBack(0, this.inode.size);
    this.inode.sync();
    return 0;
  }

  override ioctl(): Result {
    return -ENOTTY;
  }

  override close(): void {
    this.onClose?.();
  }
}
