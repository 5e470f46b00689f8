/**
 * A file system whose changes are kept in memory, over another that is only read (`--ro`; Linux: overlayfs with an upper
 * tmpfs).
 *
 * It is a RAM file system some of whose inodes take from a lower one what they have not got themselves: directories
 * their names, files the pages that were not written, all of them the attributes that were not changed. Nothing is
 * copied before it changes, and of a file only the pages that do.
 */

import type { Clock } from "../host.ts";
import {
  type FileSystem,
  type FileSystemStat,
  type Inode,
  S_IFDIR,
  S_IFLNK,
  type Stat,
} from "../vfs/inode.ts";
import { isRegularInode } from "../vfs/regular-file.ts";
import {
  Backing,
  OverlayDirectory,
  OverlayFile,
  type OverlayInode,
  OverlayLink,
  OverlaySpecial,
} from "./overlayfs-inode.ts";
import { RamFs, type RamFsOptions } from "./ramfs.ts";
import type { RamDirectory } from "./ramfs-directory.ts";

/** OVERLAYFS_SUPER_MAGIC (linux/magic.h) */
const OVERLAYFS_SUPER_MAGIC = 0x794c7630;

/** New inodes are numbered from here: lower file systems number theirs below (Linux: xino). */
const FIRST_NEW_INO = 1n << 48n;

/** Inodes that nobody holds but that may be met again in the same call, by another of their names. */
const RECENT = 256;

export class OverlayFs extends RamFs {
  /** Inodes over lower ones that are open, changed or directories, by the lower's device and number. */
  private readonly held = new Map<number, Map<bigint, OverlayInode>>();
  private readonly recent = new Map<bigint, OverlayInode>();
  private readonly lowerDev: number;

  constructor(
    readonly lower: FileSystem,
    clock: Clock,
    options: RamFsOptions = {},
  ) {
    super(clock, { ...options, type: "overlay" });
    this.nextIno = FIRST_NEW_INO;
    this.lowerDev = lower.root.stat().dev;
  }

  protected override newRoot(): RamDirectory {
    const { root } = this.lower;
    const inode = new OverlayDirectory(this, new Backing(this, root, root.stat()));
    this.hold(inode);
    return inode;
  }

  override statfs(): FileSystemStat {
    return { ...super.statfs(), type: OVERLAYFS_SUPER_MAGIC };
  }

  /** Everything on the lower's own device is on ours; other devices below it stay apart. */
  deviceFor(lowerDev: number): number {
    return lowerDev === this.lowerDev ? this.dev : lowerDev;
  }

  /** The inode for a lower one: the same for the same file as long as it matters. */
  over(lower: Inode): OverlayInode {
    const stat = lower.stat();
    const known = this.held.get(stat.dev)?.get(stat.ino) ?? this.recentFor(stat);
    if (known !== undefined && known.type === lower.type) {
      known.backing.lower = lower;
      if (known instanceof OverlayFile && isRegularInode(lower)) known.found(lower);
      return known;
    }
    const inode = this.make(lower, new Backing(this, lower, stat));
    if (inode.type === S_IFDIR) this.hold(inode);
    else this.remember(stat.ino, inode);
    return inode;
  }

  private make(lower: Inode, backing: Backing): OverlayInode {
    if (isRegularInode(lower)) return new OverlayFile(this, backing, lower);
    switch (lower.type) {
      case S_IFDIR:
        return new OverlayDirectory(this, backing);
      case S_IFLNK:
        return new OverlayLink(this, backing);
      default:
        return new OverlaySpecial(this, backing);
    }
  }

  /** From now on lookups of this lower file give this inode. */
  hold(inode: OverlayInode): void {
    const { dev, ino } = inode.backing;
    let inodes = this.held.get(dev);
    if (inodes === undefined) {
      inodes = new Map();
      this.held.set(dev, inodes);
    }
    inodes.set(ino, inode);
  }

  letGo(inode: OverlayInode): void {
    const { dev, ino } = inode.backing;
    const inodes = this.held.get(dev);
    if (inodes?.get(ino) === inode) inodes.delete(ino);
  }

  private recentFor(stat: Stat): OverlayInode | undefined {
    const inode = this.recent.get(stat.ino);
    return inode?.backing.dev === stat.dev ? inode : undefined;
  }

  private remember(ino: bigint, inode: OverlayInode): void {
    this.recent.set(ino, inode);
    if (this.recent.size <= RECENT) return;
    for (const oldest of this.recent.keys()) {
      this.recent.delete(oldest);
      return;
    }
  }
}
