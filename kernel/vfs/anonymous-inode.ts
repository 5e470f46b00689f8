/** Inodes without a name: pipes, sockets, epoll, eventfd … (Linux: pipefs, sockfs, anon_inodefs). */

import type { Clock } from "../host.ts";
import { BaseInode } from "./base-inode.ts";
import { makedev } from "./character-device.ts";
import type { AttributeChanges, FileSystem, FileSystemStat, Stat, Timestamp } from "./inode.ts";
import { S_IFMT } from "./inode.ts";

/** ANON_INODE_FS_MAGIC (linux/magic.h) */
const ANON_INODE_FS_MAGIC = 0x09041934;
/** The device number of all anonymous inodes. */
const ANONYMOUS_DEV = makedev(0, 2);

let nextIno = 1n;

export class AnonymousInode extends BaseInode {
  readonly fileSystem: FileSystem;
  readonly type: number;
  readonly ino: bigint;
  private readonly created: Timestamp;
  private mode: number;
  private uid = 0;
  private gid = 0;

  /** `mode` with type bits, e.g. S_IFIFO | 0o600. epoll and friends have none (as on Linux: anon_inode, 0o600). */
  constructor(mode: number, clock: Clock) {
    super();
    this.type = mode & S_IFMT;
    this.mode = mode;
    this.ino = nextIno++;
    this.created = clock.realtime();
    this.fileSystem = new AnonymousFileSystem(this);
  }

  stat(): Stat {
    const time = this.created;
    return {
      dev: ANONYMOUS_DEV,
      ino: this.ino,
      mode: this.mode,
      nlink: 1,
      uid: this.uid,
      gid: this.gid,
      rdev: 0,
      size: 0,
      blksize: 4096,
      blocks: 0,
      atime: time,
      mtime: time,
      ctime: time,
    };
  }

  override setAttributes(changes: AttributeChanges): void {
    if (changes.mode !== undefined) this.mode = this.type | (changes.mode & 0o7777);
    if (changes.uid !== undefined) this.uid = changes.uid;
    if (changes.gid !== undefined) this.gid = changes.gid;
  }
}

class AnonymousFileSystem implements FileSystem {
  readonly type = "anon_inodefs";
  readonly readOnly = false;

  constructor(readonly root: AnonymousInode) {}

  statfs(): FileSystemStat {
    return {
      type: ANON_INODE_FS_MAGIC,
      blockSize: 4096,
      blocks: 0,
      freeBlocks: 0,
      files: 0,
      freeFiles: 0,
      nameLength: 255,
    };
  }

  sync(): void {}
}
