/** What all inodes of the RAM file system have: owner, mode, times, links. */

import { ENXIO, Errno } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import { BaseInode } from "../vfs/base-inode.ts";
import { type AttributeChanges, S_IFLNK, S_IFMT, type Stat, type Timestamp } from "../vfs/inode.ts";
import { nameLength } from "../vfs/names.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import type { RamFs } from "./ramfs.ts";

export abstract class RamInode extends BaseInode {
  override readonly type: number;
  mode: number;
  nlink = 1;
  /** May get a name though it has none (O_TMPFILE). */
  linkable = false;
  atime: Timestamp;
  mtime: Timestamp;
  ctime: Timestamp;
  readonly btime: Timestamp;
  private freed = false;
  private attributes: Map<string, Uint8Array> | undefined;

  /** `mode` with type bits. */
  constructor(
    override readonly fileSystem: RamFs,
    readonly ino: bigint,
    mode: number,
    public uid: number,
    public gid: number,
  ) {
    super();
    this.type = mode & S_IFMT;
    this.mode = mode;
    this.btime = fileSystem.now();
    this.atime = this.btime;
    this.mtime = this.btime;
    this.ctime = this.btime;
  }

  get dev(): number {
    return this.fileSystem.dev;
  }

  get size(): number {
    return 0;
  }

  /** Units of 512 bytes. */
  protected get blocks(): number {
    return 0;
  }

  protected get rdev(): number {
    return 0;
  }

  get xattrs(): Map<string, Uint8Array> {
    if (this.attributes === undefined) this.attributes = new Map();
    return this.attributes;
  }

  stat(): Stat {
    return {
      dev: this.dev,
      ino: this.ino,
      mode: this.mode,
      nlink: this.nlink,
      uid: this.uid,
      gid: this.gid,
      rdev: this.rdev,
      size: this.size,
      blksize: 4096,
      blocks: this.blocks,
      atime: this.atime,
      mtime: this.mtime,
      ctime: this.ctime,
      btime: this.btime,
    };
  }

  override setAttributes(changes: AttributeChanges): void {
    this.beforeChange();
    this.ctime = this.fileSystem.now();
    if (changes.mode !== undefined) this.mode = this.type | (changes.mode & 0o7777);
    if (changes.uid !== undefined) this.uid = changes.uid;
    if (changes.gid !== undefined) this.gid = changes.gid;
    if (changes.atime !== undefined) this.atime = changes.atime;
    if (changes.mtime !== undefined) this.mtime = changes.mtime;
  }

  /** A name of this inode came or went. */
  changeLinks(by: number): void {
    this.beforeChange();
    this.nlink += by;
    this.ctime = this.fileSystem.now();
    if (this.nlink === 0) this.forget();
  }

  /** Before anything about this inode changes: where copy-on-write takes over what it has from below. */
  beforeChange(): void {}

  /** The last name is gone; open files may remain. */
  protected forget(): void {
    if (!this.freed) this.fileSystem.inodeFreed();
    this.freed = true;
  }

  /** The content was read: atime moves as with the mount option relatime (mount(8)). */
  protected accessed(): void {
    const { atime, mtime, ctime } = this;
    if (!laterThan(atime, mtime) || !laterThan(atime, ctime)) this.atime = this.fileSystem.now();
  }

  /** The content was changed. */
  protected modified(): void {
    this.mtime = this.fileSystem.now();
    this.ctime = this.mtime;
  }
}

function laterThan(a: Timestamp, b: Timestamp): boolean {
  return a.seconds > b.seconds || (a.seconds === b.seconds && a.nanoseconds > b.nanoseconds);
}

export class RamSymlink extends RamInode {
  private readonly length: number;

  constructor(
    fileSystem: RamFs,
    ino: bigint,
    private readonly target: string,
    uid: number,
    gid: number,
  ) {
    super(fileSystem, ino, S_IFLNK | 0o777, uid, gid);
    this.length = nameLength(target);
  }

  override get size(): number {
    return this.length;
  }

  override readlink(): string {
    this.accessed();
    return this.target;
  }
}

/** A fifo, socket or device node: opened by the VFS, which knows the drivers. */
export class RamSpecial extends RamInode {
  constructor(
    fileSystem: RamFs,
    ino: bigint,
    mode: number,
    private readonly device: number,
    uid: number,
    gid: number,
  ) {
    super(fileSystem, ino, mode, uid, gid);
  }

  protected override get rdev(): number {
    return this.device;
  }

  override open(_thread: Thread | undefined): OpenFile {
    throw new Errno(ENXIO);
  }
}
