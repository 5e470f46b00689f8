/** Inodes of the host file system: directories, links and special files. */

import {
  EACCES,
  EEXIST,
  EISDIR,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  EOPNOTSUPP,
  EPERM,
  Errno,
  EXDEV,
} from "../errno.ts";
import type { HostStat } from "../host.ts";
import { BaseInode } from "../vfs/base-inode.ts";
import {
  type AttributeChanges,
  type DirectoryItem,
  type Inode,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  type Stat,
  type Timestamp,
} from "../vfs/inode.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import { directoryEntryType } from "../vfs/open-flags.ts";
import { errnoOf } from "./host-errors.ts";
import type { HostFs } from "./hostfs.ts";
import { RamInode } from "./ramfs-inode.ts";

/**
 * How long attributes may be used again (ns): a system call's worth. Saves the second of two identical host calls (a
 * lookup's and a stat's) of 2 µs each. What we change ourselves is seen at once.
 */
const FRESH_FOR = 200_000;

/** How long a directory, once found, is taken to have its name still (ns): most of a path is directories. */
const TRUST_DIRECTORIES_FOR = 50e6;

const BILLION = 1_000_000_000n;

function timestamp(ns: bigint): Timestamp {
  let seconds = ns / BILLION;
  let rest = ns % BILLION;
  if (rest < 0n) {
    seconds--;
    rest += BILLION;
  }
  return { seconds: Number(seconds), nanoseconds: Number(rest) };
}

function nanoseconds(time: Timestamp): bigint {
  return BigInt(time.seconds) * BILLION + BigInt(time.nanoseconds);
}

export abstract class HostInode extends BaseInode {
  override readonly type: number;
  readonly ino: bigint;
  readonly hostDevice: number;
  /** The name we know was unlinked or removed by us: only an open handle reaches the file, until a lookup finds it anew. */
  removed = false;
  protected last: HostStat;
  private lastAt: number;
  private cachedPath = "";
  private pathGeneration = -1;

  constructor(
    override readonly fileSystem: HostFs,
    /** The name it was last found by; undefined for the root. */
    protected parent: HostDirectoryInode | undefined,
    protected name: string,
    stat: HostStat,
  ) {
    super();
    this.type = stat.mode & S_IFMT;
    this.ino = stat.ino;
    this.hostDevice = stat.dev;
    this.last = stat;
    this.lastAt = fileSystem.clock.monotonic();
  }

  /** A lookup has found this file by this name. */
  found(parent: HostDirectoryInode | undefined, name: string, stat: HostStat): void {
    this.last = stat;
    this.lastAt = this.fileSystem.clock.monotonic();
    this.moved(parent, name);
  }

  moved(parent: HostDirectoryInode | undefined, name: string): void {
    this.removed = false;
    if (this.parent === parent && this.name === name) return;
    this.parent = parent;
    this.name = name;
    this.pathGeneration = -1;
    if (this.type === S_IFDIR) this.fileSystem.generation++;
  }

  /** Below the root of the host directory, as the host wants it. */
  get hostPath(): string {
    const { generation } = this.fileSystem;
    if (this.pathGeneration !== generation) {
      const above = this.parent?.hostPath ?? "";
      this.cachedPath = above === "" ? this.name : `${above}/${this.name}`;
      this.pathGeneration = generation;
    }
    return this.cachedPath;
  }

  stat(): Stat {
    const stat = this.hostStat();
    return {
      dev: this.fileSystem.device(stat.dev),
      ino: stat.ino,
      mode: stat.mode,
      nlink: this.removed && this.type === S_IFDIR ? 0 : stat.nlink,
      uid: stat.uid,
      gid: stat.gid,
      rdev: stat.rdev,
      size: stat.size,
      blksize: 4096,
      blocks: stat.blocks,
      atime: timestamp(stat.atime),
      mtime: timestamp(stat.mtime),
      ctime: timestamp(stat.ctime),
    };
  }

  /** Attributes have changed through us: the next stat asks the host. */
  protected stale(): void {
    this.lastAt = Number.NEGATIVE_INFINITY;
  }

  protected hostStat(): HostStat {
    const { clock } = this.fileSystem;
    const now = clock.monotonic();
    if (now - this.lastAt > FRESH_FOR) {
      this.last = this.askHost();
      this.lastAt = now;
    }
    return this.last;
  }

  protected askHost(): HostStat {
    if (this.removed) return this.last;
    const stat = this.fileSystem.call(() => this.fileSystem.host.lstat(this.hostPath));
    if (stat === undefined) throw new Errno(ENOENT);
    return stat;
  }

  /** `name` of `parent` was unlinked, or replaced by another file. */
  unlinked(parent: HostDirectoryInode, name: string): void {
    this.stale();
    if (this.parent === parent && this.name === name) this.removed = true;
  }

  override setAttributes({ mode, uid, gid, atime, mtime }: AttributeChanges): void {
    this.fileSystem.call(() => {
      const partial =
        (uid === undefined) !== (gid === undefined) || (atime === undefined) !== (mtime === undefined);
      const old = partial ? this.askHost() : this.last;
      if (uid !== undefined || gid !== undefined) this.changeOwner(uid ?? old.uid, gid ?? old.gid);
      if (mode !== undefined) {
        if (this.type === S_IFLNK) throw new Errno(EOPNOTSUPP);
        this.changeMode(mode & 0o7777);
      }
      if (atime !== undefined || mtime !== undefined) {
        const newAtime = atime === undefined ? old.atime : nanoseconds(atime);
        const newMtime = mtime === undefined ? old.mtime : nanoseconds(mtime);
        this.changeTimes(newAtime, newMtime);
      }
    });
    this.stale();
  }

  /** Where to change something by name: not if the name may be another file's by now. */
  private get changeablePath(): string {
    if (this.removed) throw new Errno(ENOENT);
    return this.hostPath;
  }

  protected changeOwner(uid: number, gid: number): void {
    this.fileSystem.host.chown(this.changeablePath, uid, gid);
  }

  protected changeMode(mode: number): void {
    this.fileSystem.host.chmod(this.changeablePath, mode);
  }

  protected changeTimes(atime: bigint, mtime: bigint): void {
    this.fileSystem.host.utimes(this.changeablePath, atime, mtime);
  }
}

export class HostDirectoryInode extends HostInode {
  /** What is in memory only: special files and missing mount points. */
  private inMemory: Map<string, RamInode> | undefined;
  /** Directories in this one, and until when they need not be looked up again. */
  private readonly subdirectories = new Map<string, { inode: HostInode; until: number }>();

  private below(name: string): string {
    const path = this.hostPath;
    return path === "" ? name : `${path}/${name}`;
  }

  override lookup(name: string): Inode | undefined {
    const special = this.inMemory?.get(name);
    if (special !== undefined) return special;
    const known = this.subdirectories.get(name);
    if (known !== undefined) {
      if (this.fileSystem.clock.monotonic() < known.until && !known.inode.removed) return known.inode;
      this.subdirectories.delete(name);
    }
    let stat: HostStat | undefined;
    try {
      stat = this.fileSystem.host.lstat(this.below(name));
    } catch (error) {
      throw errnoOf(error);
    }
    if (stat === undefined) return undefined;
    const inode = this.fileSystem.inodeFor(stat, this, name);
    if (inode.type === S_IFDIR) {
      this.subdirectories.set(name, {
        inode,
        until: this.fileSystem.clock.monotonic() + TRUST_DIRECTORIES_FOR,
      });
    }
    return inode;
  }

  override readdir(): DirectoryItem[] {
    const { inMemory } = this;
    const items: DirectoryItem[] = this.fileSystem.call(() => this.fileSystem.host.readdir(this.hostPath));
    if (inMemory === undefined) return items;
    const others = items.filter(({ name }) => !inMemory.has(name));
    for (const [name, { ino, type }] of inMemory) others.push({ name, ino, type: directoryEntryType(type) });
    return others;
  }

  /** A name that lives in memory, on top of what the host has. */
  attach(name: string, inode: RamInode): void {
    if (this.inMemory === undefined) this.inMemory = new Map();
    this.inMemory.set(name, inode);
  }

  /** Takes a name that lives in memory away. */
  private detach(name: string): boolean {
    const inode = this.inMemory?.get(name);
    if (inode === undefined) return false;
    if (inode.type === S_IFDIR) throw new Errno(EISDIR);
    this.inMemory?.delete(name);
    inode.changeLinks(-1);
    return true;
  }

  override create(name: string, mode: number, rdev: number, uid: number, gid: number): Inode {
    const type = mode & S_IFMT;
    if (type !== 0 && type !== S_IFREG) {
      if (this.lookup(name) !== undefined) throw new Errno(EEXIST);
      const special = this.fileSystem.memory.newSpecial(mode, rdev, uid, gid);
      this.attach(name, special);
      return special;
    }
    this.checkNew(name);
    return this.fileSystem.call(() => {
      const create = { mode: mode & 0o7777, exclusive: true };
      const handle = this.fileSystem.host.open(this.below(name), { write: true, create });
      const inode = this.fileSystem.inodeFor(handle.stat(), this, name);
      this.stale();
      this.fileSystem.keepCreated(inode, handle);
      return inode;
    });
  }

  override mkdir(name: string, mode: number, _uid: number, _gid: number): Inode {
    this.checkNew(name);
    this.fileSystem.call(() => this.fileSystem.host.mkdir(this.below(name), mode & 0o7777));
    return this.made(name);
  }

  override symlink(name: string, target: string, _uid: number, _gid: number): Inode {
    this.checkNew(name);
    this.fileSystem.call(() => this.fileSystem.host.symlink(target, this.below(name)));
    return this.made(name);
  }

  override link(name: string, inode: Inode): void {
    this.checkNew(name);
    if (inode instanceof RamInode && inode.fileSystem === this.fileSystem.memory) {
      inode.changeLinks(1);
      this.attach(name, inode);
      return;
    }
    const source = this.own(inode);
    if (source.type === S_IFDIR) throw new Errno(EPERM);
    if (source.removed) throw new Errno(ENOENT);
    this.fileSystem.call(() => this.fileSystem.host.link(source.hostPath, this.below(name)));
    source.moved(this, name);
    this.stale();
  }

  override unlink(name: string): void {
    if (this.detach(name)) return;
    const inode = this.lookup(name);
    if (inode === undefined) throw new Errno(ENOENT);
    if (inode.type === S_IFDIR) throw new Errno(EISDIR);
    this.fileSystem.call(() => this.fileSystem.host.unlink(this.below(name)));
    if (inode instanceof HostInode) inode.unlinked(this, name);
    this.stale();
  }

  override rmdir(name: string): void {
    if (this.inMemory?.has(name) === true) throw new Errno(EPERM);
    const inode = this.lookup(name);
    if (inode === undefined) throw new Errno(ENOENT);
    if (inode.type !== S_IFDIR) throw new Errno(ENOTDIR);
    if (inode instanceof HostDirectoryInode && (inode.inMemory?.size ?? 0) > 0) throw new Errno(ENOTEMPTY);
    this.fileSystem.call(() => this.fileSystem.host.rmdir(this.below(name)));
    this.subdirectories.delete(name);
    if (inode instanceof HostInode) {
      inode.unlinked(this, name);
      this.fileSystem.forget(inode);
    }
    this.stale();
  }

  override rename(name: string, newParent: Inode, newName: string): void {
    if (!(newParent instanceof HostDirectoryInode) || newParent.fileSystem !== this.fileSystem)
      throw new Errno(EXDEV);
    const special = this.inMemory?.get(name);
    if (special !== undefined) {
      const replaced = newParent.lookup(newName);
      if (replaced === special) return;
      if (replaced !== undefined) newParent.unlink(newName);
      this.inMemory?.delete(name);
      newParent.attach(newName, special);
      return;
    }
    const inode = this.lookup(name);
    if (inode === undefined) throw new Errno(ENOENT);
    const replaced = newParent.lookup(newName);
    if (replaced === inode && inode.type !== S_IFDIR) return;
    newParent.detach(newName);
    this.fileSystem.call(() => this.fileSystem.host.rename(this.below(name), newParent.below(newName)));
    this.subdirectories.delete(name);
    newParent.subdirectories.delete(newName);
    if (replaced instanceof HostInode) {
      replaced.unlinked(newParent, newName);
      if (replaced.type === S_IFDIR) this.fileSystem.forget(replaced);
    }
    if (inode instanceof HostInode) inode.moved(newParent, newName);
    this.stale();
    newParent.stale();
  }

  private made(name: string): Inode {
    this.stale();
    const inode = this.lookup(name);
    if (inode === undefined) throw new Errno(ENOENT);
    return inode;
  }

  private checkNew(name: string): void {
    if (this.removed) throw new Errno(ENOENT);
    if (this.inMemory?.has(name) === true) throw new Errno(EEXIST);
  }

  private own(inode: Inode): HostInode {
    if (!(inode instanceof HostInode) || inode.fileSystem !== this.fileSystem) throw new Errno(EXDEV);
    return inode;
  }
}

export class HostLinkInode extends HostInode {
  override readlink(): string {
    return this.fileSystem.call(() => this.fileSystem.host.readlink(this.hostPath));
  }
}

/** A fifo, socket or device of the host: shown, but what it leads to is ours (the VFS opens by device number). */
export class HostSpecialInode extends HostInode {
  override open(): OpenFile {
    throw new Errno(EACCES);
  }
}
