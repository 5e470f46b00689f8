/** Directories of the RAM file system. */

import { EEXIST, EISDIR, EMLINK, ENOENT, ENOTDIR, ENOTEMPTY, EPERM, Errno, EXDEV } from "../errno.ts";
import { type DirectoryItem, type Inode, S_IFDIR, S_IFMT, S_IFREG, S_ISGID } from "../vfs/inode.ts";
import { directoryEntryType } from "../vfs/open-flags.ts";
import type { RamFs } from "./ramfs.ts";
import { RamInode } from "./ramfs-inode.ts";

/** st_size of a directory is a multiple of this, as in tmpfs (mm/shmem.c). */
const BOGO_DIRENT_SIZE = 20;
/** Names one inode may have; Linux allows 65,000 (ext4) to 2^32. */
const LINK_MAX = 65000;

export class RamDirectory extends RamInode {
  protected readonly entries = new Map<string, RamInode>();
  /** Removed: nothing can be made in it any more. */
  private dead = false;

  constructor(fileSystem: RamFs, ino: bigint, mode: number, uid: number, gid: number) {
    super(fileSystem, ino, S_IFDIR | (mode & 0o7777), uid, gid);
    this.nlink = 2;
  }

  override get size(): number {
    return (this.entries.size + 2) * BOGO_DIRENT_SIZE;
  }

  override lookup(name: string): RamInode | undefined {
    return this.entries.get(name);
  }

  override readdir(): DirectoryItem[] {
    this.accessed();
    const items: DirectoryItem[] = [];
    for (const [name, inode] of this.entries)
      items.push({ name, ino: inode.ino, type: directoryEntryType(inode.type) });
    return items;
  }

  protected get isEmpty(): boolean {
    return this.entries.size === 0;
  }

  override create(name: string, mode: number, rdev: number, uid: number, gid: number): RamInode {
    this.checkNew(name);
    const group = this.groupFor(gid);
    const type = mode & S_IFMT;
    const inode =
      type === 0 || type === S_IFREG
        ? this.fileSystem.newFile(mode, uid, group)
        : this.fileSystem.newSpecial(mode, rdev, uid, group);
    this.put(name, inode);
    return inode;
  }

  override mkdir(name: string, mode: number, uid: number, gid: number): RamInode {
    this.checkNew(name);
    const inherited = this.mode & S_ISGID;
    const inode = this.fileSystem.newDirectory(mode | inherited, uid, this.groupFor(gid));
    this.put(name, inode);
    return inode;
  }

  override symlink(name: string, target: string, uid: number, gid: number): RamInode {
    this.checkNew(name);
    const inode = this.fileSystem.newSymlink(target, uid, this.groupFor(gid));
    this.put(name, inode);
    return inode;
  }

  override link(name: string, inode: Inode): void {
    const target = this.own(inode);
    if (target.type === S_IFDIR) throw new Errno(EPERM);
    this.checkNew(name);
    if (target.stat().nlink === 0 && !target.linkable) throw new Errno(ENOENT);
    if (target.nlink >= LINK_MAX) throw new Errno(EMLINK);
    target.changeLinks(1);
    this.put(name, target);
  }

  override unlink(name: string): void {
    const inode = this.existing(name);
    if (inode.type === S_IFDIR) throw new Errno(EISDIR);
    this.remove(name);
    inode.changeLinks(-1);
  }

  override rmdir(name: string): void {
    const inode = this.existing(name);
    if (!(inode instanceof RamDirectory)) throw new Errno(ENOTDIR);
    if (!inode.isEmpty) throw new Errno(ENOTEMPTY);
    this.remove(name);
    inode.kill();
  }

  override rename(name: string, newParent: Inode, newName: string): void {
    const target = this.ownDirectory(newParent);
    const inode = this.existing(name);
    const replaced = target.lookup(newName);
    if (replaced === inode) return;
    if (target.dead) throw new Errno(ENOENT);
    if (replaced !== undefined) {
      if (inode instanceof RamDirectory) {
        if (!(replaced instanceof RamDirectory)) throw new Errno(ENOTDIR);
        if (!replaced.isEmpty) throw new Errno(ENOTEMPTY);
        target.remove(newName);
        replaced.kill();
      } else {
        if (replaced.type === S_IFDIR) throw new Errno(EISDIR);
        target.remove(newName);
        replaced.changeLinks(-1);
      }
    }
    this.remove(name);
    target.put(newName, inode);
    inode.beforeChange();
    inode.ctime = this.ctime;
  }

  exchange(name: string, newParent: Inode, newName: string): void {
    const target = this.ownDirectory(newParent);
    const one = this.existing(name);
    const other = target.existing(newName);
    if (one === other) return;
    this.remove(name);
    target.remove(newName);
    this.put(name, other);
    target.put(newName, one);
    for (const inode of [one, other]) {
      inode.beforeChange();
      inode.ctime = this.ctime;
    }
  }

  tmpfile(mode: number, uid: number, gid: number, linkable: boolean): RamInode {
    if (this.dead) throw new Errno(ENOENT);
    const inode = this.fileSystem.newFile(mode, uid, this.groupFor(gid));
    inode.nlink = 0;
    inode.linkable = linkable;
    return inode;
  }

  /** A new name for `inode`. */
  protected put(name: string, inode: RamInode): void {
    this.beforeChange();
    this.entries.set(name, inode);
    if (inode.type === S_IFDIR) this.nlink++;
    this.modified();
  }

  /** Takes a name away; the inode's own count is the caller's. */
  protected remove(name: string): void {
    this.beforeChange();
    if (this.lookup(name)?.type === S_IFDIR) this.nlink--;
    this.entries.delete(name);
    this.modified();
  }

  private kill(): void {
    this.beforeChange();
    this.dead = true;
    this.nlink = 0;
    this.forget();
  }

  private existing(name: string): RamInode {
    const inode = this.lookup(name);
    if (inode === undefined) throw new Errno(ENOENT);
    return inode;
  }

  private checkNew(name: string): void {
    if (this.dead) throw new Errno(ENOENT);
    if (this.lookup(name) !== undefined) throw new Errno(EEXIST);
  }

  private groupFor(gid: number): number {
    return (this.mode & S_ISGID) !== 0 ? this.gid : gid;
  }

  private own(inode: Inode): RamInode {
    if (!(inode instanceof RamInode) || inode.fileSystem !== this.fileSystem) throw new Errno(EXDEV);
    return inode;
  }

  private ownDirectory(inode: Inode): RamDirectory {
    if (!(inode instanceof RamDirectory) || inode.fileSystem !== this.fileSystem) throw new Errno(EXDEV);
    return inode;
  }
}
