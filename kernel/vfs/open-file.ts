/** Open file descriptions: what a file descriptor points to (open(2): "open file description"). */

import { EBADF, EINVAL, ENOTDIR, ENOTTY, ESPIPE } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import { WaitQueue } from "../sched/wait-queue.ts";
import type { Inode } from "./inode.ts";
import { O_NONBLOCK, O_PATH } from "./open-flags.ts";
import type { Path } from "./path.ts";

/** poll(2) event bits. */
export const Poll = {
  IN: 0x001,
  PRI: 0x002,
  OUT: 0x004,
  ERR: 0x008,
  HUP: 0x010,
  NVAL: 0x020,
  RDNORM: 0x040,
  RDBAND: 0x080,
  WRNORM: 0x100,
  WRBAND: 0x200,
  RDHUP: 0x2000,
} as const;

/** A count of bytes or a negative errno; a promise when the caller has to wait. */
export type Result = number | Promise<number>;

/**
 * One open file description. Data goes through plain byte arrays: the system-call layer copies from and to user memory,
 * in pieces of bounded size. Methods return a negative errno on failure (or throw {@link import("../errno.ts").Errno}).
 * `flags` are the O_* status flags; a method that would block returns -EAGAIN when O_NONBLOCK is set, and a promise
 * otherwise, which settles with -ERESTARTSYS when the wait was interrupted by a signal.
 */
export abstract class OpenFile {
  /** Descriptors (of all applications) that point here; closed when it drops to zero. */
  references = 0;
  /** Byte position of read, write and lseek. */
  offset = 0;
  /** Woken when {@link poll} may have changed. */
  readonly pollQueue = new WaitQueue();
  /** Called when the last descriptor is gone: epoll forgets the file. */
  onClosed: Set<() => void> | undefined;
  /** The name it was opened by, for files that have one; set once by the VFS. */
  path: Path | undefined;

  constructor(public flags: number) {}

  get readable(): boolean {
    // OPEN_FMODE (linux/fs.h): access mode 3 gives neither right.
    return ((this.flags + 1) & 1) !== 0 && (this.flags & O_PATH) === 0;
  }

  get writable(): boolean {
    return ((this.flags + 1) & 2) !== 0 && (this.flags & O_PATH) === 0;
  }

  get nonBlocking(): boolean {
    return (this.flags & O_NONBLOCK) !== 0;
  }

  /** One more descriptor, or one more call in progress, needs this file. */
  retain(): void {
    this.references++;
  }

  /** The counterpart of {@link retain}; closes at the last one. */
  release(): void {
    if (--this.references > 0) return;
    this.inode.locks?.releaseFile(this);
    if (this.onClosed !== undefined) for (const forget of [...this.onClosed]) forget();
    this.close();
    this.path?.dentry.unpin();
  }

  /** What /proc/self/fd/N shows: a path or "pipe:[7]". */
  abstract describe(): string;

  /** More lines for /proc/self/fdinfo/N (eventfd-count: …), each ending in a newline. */
  describeDetails?(): string;

  /** The inode behind it, for fstat, fchmod, *at calls …; anonymous files return a synthetic one. */
  abstract get inode(): Inode;

  /** Reads at `position`, or at (and advancing) `offset` when it is undefined. */
  read(_thread: Thread, _buffer: Uint8Array, _position?: number): Result {
    return -EINVAL;
  }

  write(_thread: Thread, _data: Uint8Array, _position?: number): Result {
    return -EINVAL;
  }

  /** Current {@link Poll} bits. */
  poll(_thread: Thread): number {
    return Poll.IN | Poll.OUT | Poll.RDNORM | Poll.WRNORM;
  }

  seek(_offset: number, _whence: number): number {
    return -ESPIPE;
  }

  ioctl(_thread: Thread, _request: number, _argument: number): Result {
    return -ENOTTY;
  }

  /** Does pread(2) work? Files that answer yes have {@link offset} moved by read and write without a position. */
  get seekable(): boolean {
    return false;
  }

  /** fcntl(2) F_SETOWN: who would get SIGIO; only remembered. */
  owner = 0;

  /** Pipes: how many bytes they hold (fcntl(2) F_GETPIPE_SZ). */
  get capacity(): number {
    return -EBADF;
  }

  /** Pipes: F_SETPIPE_SZ; the new capacity. */
  resize(_bytes: number): number {
    return -EBADF;
  }

  /** fsync(2). Files without storage say EINVAL, as on Linux. */
  sync(): Result {
    return -EINVAL;
  }

  /** fcntl(2) F_SETFL changed {@link flags} to this. */
  setStatusFlags(flags: number): number {
    this.flags = flags;
    return 0;
  }

  /** Entries from the current position on, for getdents64; the caller sets {@link offset} to the last one's cookie. */
  readdir(_thread: Thread): DirectoryEntry[] | number {
    return -ENOTDIR;
  }

  /** The last descriptor is gone. */
  close(): void {}
}

export interface DirectoryEntry {
  name: string;
  ino: bigint;
  /** DT_* */
  type: number;
  /** Position of the *next* entry (d_off). */
  next: number;
}
