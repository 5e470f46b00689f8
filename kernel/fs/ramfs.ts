/** The RAM file system: a complete POSIX file system in memory (Linux: tmpfs). */

import { ENOSPC, Errno } from "../errno.ts";
import type { Clock } from "../host.ts";
import { FileMemory } from "../vfs/file-memory.ts";
import type { FileSystem, FileSystemStat, Timestamp } from "../vfs/inode.ts";
import { allocateDevice } from "./device-numbers.ts";
import { RamDirectory } from "./ramfs-directory.ts";
import { F_SEAL_SEAL, PAGE_SIZE, RamFile } from "./ramfs-file.ts";
import { RamSpecial, RamSymlink } from "./ramfs-inode.ts";

/** linux/magic.h */
const RAMFS_MAGIC = 0x858458f6;
const TMPFS_MAGIC = 0x01021994;

/** What an inode and its name are taken to need (shmem_inode_info and dentry are of that order). */
const INODE_BYTES = 1024;

export interface RamFsOptions {
  /** Shown in /proc/mounts: "ramfs" (default) or "tmpfs". */
  readonly type?: string;
  /** What its files take is taken from here (ENOSPC). Default: an account of its own. */
  readonly memory?: FileMemory | undefined;
  /** Bytes of file content at most (ENOSPC); 2 GiB by default, or all of the memory. */
  readonly capacity?: number;
  /** Inodes at most (ENOSPC). */
  readonly inodes?: number;
  /** Mode of the root directory: 0o755 by default. */
  readonly mode?: number;
}

export class RamFs implements FileSystem {
  readonly type: string;
  readonly readOnly: boolean = false;
  readonly dev = allocateDevice();
  private rootDirectory: RamDirectory | undefined;
  private readonly rootMode: number;
  private readonly fileMemory: FileMemory;
  private readonly pages: number;
  private freePages: number;
  private readonly inodes: number;
  private freeInodes: number;
  protected nextIno = 1n;

  constructor(
    private readonly clock: Clock,
    options: RamFsOptions = {},
  ) {
    this.type = options.type ?? "ramfs";
    const capacity = options.capacity ?? options.memory?.bytes ?? 2 ** 31;
    this.fileMemory = options.memory ?? new FileMemory(Number.POSITIVE_INFINITY);
    this.pages = Math.floor(capacity / PAGE_SIZE);
    this.freePages = this.pages;
    this.inodes = options.inodes ?? 2 ** 20;
    this.freeInodes = this.inodes;
    this.rootMode = options.mode ?? 0o755;
  }

  get root(): RamDirectory {
    if (this.rootDirectory === undefined) this.rootDirectory = this.newRoot(this.rootMode);
    return this.rootDirectory;
  }

  protected newRoot(mode: number): RamDirectory {
    return this.newDirectory(mode, 0, 0);
  }

  now(): Timestamp {
    return this.clock.realtime();
  }

  statfs(): FileSystemStat {
    return {
      type: this.type === "tmpfs" ? TMPFS_MAGIC : RAMFS_MAGIC,
      blockSize: PAGE_SIZE,
      blocks: this.pages,
      freeBlocks: Math.min(this.freePages, Math.floor(this.fileMemory.free / PAGE_SIZE)),
      files: this.inodes,
      freeFiles: Math.min(this.freeInodes, Math.floor(this.fileMemory.free / INODE_BYTES)),
      nameLength: 255,
    };
  }

  sync(): void {}

  newFile(mode: number, uid: number, gid: number): RamFile {
    const file = new RamFile(this, this.takeInode(), mode, uid, gid);
    // Files of tmpfs could be sealed, if they were not sealed against it (mm/shmem.c).
    if (this.type === "tmpfs") file.seals = F_SEAL_SEAL;
    return file;
  }

  newDirectory(mode: number, uid: number, gid: number): RamDirectory {
    return new RamDirectory(this, this.takeInode(), mode, uid, gid);
  }

  newSymlink(target: string, uid: number, gid: number): RamSymlink {
    return new RamSymlink(this, this.takeInode(), target, uid, gid);
  }

  /** A fifo, socket or device node. */
  newSpecial(mode: number, rdev: number, uid: number, gid: number): RamSpecial {
    return new RamSpecial(this, this.takeInode(), mode, rdev, uid, gid);
  }

  /** One more page of content: false when the file system is full. */
  takePage(): boolean {
    if (this.freePages === 0 || !this.fileMemory.take(PAGE_SIZE)) return false;
    this.freePages--;
    return true;
  }

  givePage(): void {
    this.freePages++;
    this.fileMemory.give(PAGE_SIZE);
  }

  inodeFreed(): void {
    this.freeInodes++;
    this.fileMemory.give(INODE_BYTES);
  }

  /** One more inode is kept here: ENOSPC when there are too many. */
  inodeTaken(): void {
    if (this.freeInodes === 0 || !this.fileMemory.take(INODE_BYTES)) throw new Errno(ENOSPC);
    this.freeInodes--;
  }

  private takeInode(): bigint {
    this.inodeTaken();
    return this.nextIno++;
  }
}
