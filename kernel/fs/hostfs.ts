/**
 * A directory tree of the host as a file system (`--root DIR`).
 *
 * Nothing is cached but identity: the same host file is the same inode while it is open, and the same directory always,
 * so that hard links share locks and mappings. Every lookup asks the host, since the tree may change behind our back.
 */

import { EIO, Errno } from "../errno.ts";
import type { Clock, HostDirectory, HostFile, HostStat } from "../host.ts";
import { type FileSystem, type FileSystemStat, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../vfs/inode.ts";
import { allocateDevice } from "./device-numbers.ts";
import { errnoOf } from "./host-errors.ts";
import { HostFileInode } from "./hostfs-file.ts";
import { HostDirectoryInode, type HostInode, HostLinkInode, HostSpecialInode } from "./hostfs-inode.ts";
import { RamFs } from "./ramfs.ts";

/** V9FS_MAGIC (linux/magic.h): what a shared host directory is in other virtual machines. */
const V9FS_MAGIC = 0x01021997;

export class HostFs implements FileSystem {
  readonly type = "hostfs";
  readonly readOnly: boolean;
  readonly root: HostDirectoryInode;
  /** Fifos, sockets and device nodes made in the tree, and mount points that are missing in it: they live in memory. */
  readonly memory: RamFs;
  /** Counts renames of directories: names of inodes below them have to be put together again. */
  generation = 0;
  /** Our device numbers for the host's: a host tree may span file systems. */
  private readonly devices = new Map<number, { dev: number; inodes: Map<bigint, HostInode> }>();
  /** A file just created, still open on the host, as open(2) is about to need it. */
  private created: { inode: HostFileInode; handle: HostFile } | undefined;

  constructor(
    readonly host: HostDirectory,
    readonly clock: Clock,
  ) {
    this.readOnly = host.readOnly;
    this.memory = new RamFs(clock);
    const stat = this.call(() => host.lstat(""));
    const root = stat === undefined ? undefined : this.inodeFor(stat, undefined, "");
    if (!(root instanceof HostDirectoryInode)) throw new Errno(EIO);
    this.root = root;
  }

  statfs(): FileSystemStat {
    const space = this.call(() => this.host.statfs?.());
    return {
      type: V9FS_MAGIC,
      blockSize: space?.blockSize ?? 4096,
      blocks: space?.blocks ?? 0,
      freeBlocks: space?.freeBlocks ?? 0,
      files: space?.files ?? 0,
      freeFiles: space?.freeFiles ?? 0,
      nameLength: 255,
    };
  }

  sync(): void {}

  /** Makes a call to the host; its errors become ours. */
  call<T>(operation: () => T): T {
    try {
      return operation();
    } catch (error) {
      throw errnoOf(error);
    }
  }

  /** Our device number for one of the host's. */
  device(hostDevice: number): number {
    return this.deviceEntry(hostDevice).dev;
  }

  /** The inode of a file that was found as `name` in `parent`. */
  inodeFor(stat: HostStat, parent: HostDirectoryInode | undefined, name: string): HostInode {
    const { inodes } = this.deviceEntry(stat.dev);
    const known = inodes.get(stat.ino);
    const type = stat.mode & S_IFMT;
    if (known !== undefined && known.type === type) {
      known.found(parent, name, stat);
      return known;
    }
    switch (type) {
      case S_IFDIR: {
        const directory = new HostDirectoryInode(this, parent, name, stat);
        inodes.set(stat.ino, directory);
        return directory;
      }
      case S_IFREG:
        return new HostFileInode(this, parent, name, stat);
      case S_IFLNK:
        return new HostLinkInode(this, parent, name, stat);
      default:
        return new HostSpecialInode(this, parent, name, stat);
    }
  }

  /** From now on (until {@link forget}) lookups of this file give this inode. */
  remember(inode: HostInode): void {
    this.deviceEntry(inode.hostDevice).inodes.set(inode.ino, inode);
  }

  forget(inode: HostInode): void {
    const { inodes } = this.deviceEntry(inode.hostDevice);
    if (inodes.get(inode.ino) === inode) inodes.delete(inode.ino);
  }

  /** Keeps the handle of a created file for the open that follows; at most one is kept. */
  keepCreated(inode: HostInode, handle: HostFile): void {
    this.created?.handle.close();
    this.created = inode instanceof HostFileInode ? { inode, handle } : undefined;
    if (this.created === undefined) handle.close();
  }

  takeCreated(inode: HostFileInode): HostFile | undefined {
    if (this.created === undefined) return undefined;
    const { created } = this;
    this.created = undefined;
    if (created.inode === inode) return created.handle;
    created.handle.close();
    return undefined;
  }

  private deviceEntry(hostDevice: number): { dev: number; inodes: Map<bigint, HostInode> } {
    let entry = this.devices.get(hostDevice);
    if (entry === undefined) {
      entry = { dev: allocateDevice(), inodes: new Map() };
      this.devices.set(hostDevice, entry);
    }
    return entry;
  }
}
