/** Inodes over those of a lower file system: see {@link import("./overlayfs.ts").OverlayFs}. */

import type { Thread } from "../sched/thread.ts";
import { type DirectoryItem, type Inode, S_IFLNK, type Stat } from "../vfs/inode.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import { O_RDONLY } from "../vfs/open-flags.ts";
import type { Path } from "../vfs/path.ts";
import type { RegularInode } from "../vfs/regular-file.ts";
import type { OverlayFs } from "./overlayfs.ts";
import { RamDirectory } from "./ramfs-directory.ts";
import { PAGE_SIZE, RamFile } from "./ramfs-file.ts";
import { RamInode } from "./ramfs-inode.ts";

export type OverlayInode = OverlayDirectory | OverlayFile | OverlayLink | OverlaySpecial;

/** What an inode has below it. */
export class Backing {
  /** The lower's device (as its file system reports it) and number, which stay ours. */
  readonly dev: number;
  readonly ino: bigint;
  /** The attributes are ours now. */
  adopted = false;

  constructor(
    readonly fileSystem: OverlayFs,
    /** May be another object for the same file after a later lookup. */
    public lower: Inode,
    readonly first: Stat,
  ) {
    this.dev = first.dev;
    this.ino = first.ino;
  }

  stat(): Stat {
    const stat = this.lower.stat();
    return { ...stat, dev: this.fileSystem.deviceFor(stat.dev) };
  }

  /** Takes the lower's attributes over; returns them, or undefined when that has happened before. */
  adopt(inode: OverlayInode): Stat | undefined {
    if (this.adopted) return undefined;
    const stat = this.lower.stat();
    this.fileSystem.inodeTaken();
    this.adopted = true;
    inode.mode = stat.mode;
    inode.nlink = stat.nlink;
    inode.uid = stat.uid;
    inode.gid = stat.gid;
    inode.atime = stat.atime;
    inode.mtime = stat.mtime;
    inode.ctime = stat.ctime;
    this.fileSystem.hold(inode);
    return stat;
  }
}

export class OverlayDirectory extends RamDirectory {
  /** Names of the lower directory that are gone or stand for something else now. */
  private readonly hidden = new Set<string>();

  constructor(
    fileSystem: OverlayFs,
    readonly backing: Backing,
  ) {
    super(fileSystem, backing.ino, backing.first.mode, backing.first.uid, backing.first.gid);
  }

  override get dev(): number {
    return this.backing.fileSystem.deviceFor(this.backing.dev);
  }

  override stat(): Stat {
    return this.backing.adopted ? super.stat() : this.backing.stat();
  }

  override beforeChange(): void {
    this.backing.adopt(this);
  }

  override lookup(name: string): RamInode | undefined {
    const own = super.lookup(name);
    if (own !== undefined || this.hidden.has(name)) return own;
    const lower = this.backing.lower.lookup(name);
    return lower === undefined ? undefined : this.backing.fileSystem.over(lower);
  }

  override readdir(): DirectoryItem[] {
    const items = super.readdir();
    for (const item of this.backing.lower.readdir()) if (this.showsThrough(item.name)) items.push(item);
    return items;
  }

  protected override get isEmpty(): boolean {
    return super.isEmpty && !this.backing.lower.readdir().some(({ name }) => this.showsThrough(name));
  }

  protected override put(name: string, inode: RamInode): void {
    super.put(name, inode);
    this.hidden.add(name);
  }

  protected override remove(name: string): void {
    super.remove(name);
    this.hidden.add(name);
  }

  protected override accessed(): void {
    if (this.backing.adopted) super.accessed();
  }

  protected override forget(): void {
    super.forget();
    this.backing.fileSystem.letGo(this);
  }

  private showsThrough(name: string): boolean {
    return !this.hidden.has(name);
  }
}

export class OverlayFile extends RamFile {
  /** So many bytes of the lower file are still part of this one, where no page of ours covers them. */
  private lowerSize = 0;
  /** The lower file, kept open while this one is. */
  private lowerFile: OpenFile | undefined;

  constructor(
    fileSystem: OverlayFs,
    readonly backing: Backing,
    lower: RegularInode,
  ) {
    super(fileSystem, backing.ino, backing.first.mode, backing.first.uid, backing.first.gid);
    this.lowerInode = lower;
  }

  /** What bytes are read from: stays the one that is open. */
  private lowerInode: RegularInode;

  override get dev(): number {
    return this.backing.fileSystem.deviceFor(this.backing.dev);
  }

  override get size(): number {
    return this.backing.adopted ? super.size : this.lowerInode.size;
  }

  override stat(): Stat {
    return this.backing.adopted ? super.stat() : this.backing.stat();
  }

  override beforeChange(): void {
    const stat = this.backing.adopt(this);
    if (stat === undefined) return;
    this.length = stat.size;
    this.lowerSize = stat.size;
  }

  /** The lower file was met again, perhaps as another object. */
  found(lower: RegularInode): void {
    if (!this.isOpen) this.lowerInode = lower;
  }

  override open(thread: Thread | undefined, flags: number, path: Path): OpenFile {
    if (this.lowerFile === undefined) {
      const opened = this.lowerInode.open(thread, O_RDONLY, path);
      if (opened instanceof Promise) throw new Error("a regular file opens at once");
      this.lowerFile = opened;
      opened.retain();
      this.backing.fileSystem.hold(this);
    }
    return super.open(thread, flags, path);
  }

  protected override closed(): void {
    super.closed();
    if (this.isOpen) return;
    this.lowerFile?.release();
    this.lowerFile = undefined;
    if (!this.backing.adopted) this.backing.fileSystem.letGo(this);
  }

  protected override forget(): void {
    super.forget();
    this.backing.fileSystem.letGo(this);
  }

  override readAt(position: number, buffer: Uint8Array): number {
    return this.backing.adopted ? super.readAt(position, buffer) : this.lowerInode.readAt(position, buffer);
  }

  override readPage(position: number, page: Uint8Array): number {
    if (this.backing.adopted) return super.readPage(position, page);
    return this.lowerInode.readPage?.(position, page) ?? 0;
  }

  override seekHole(position: number, hole: boolean): number {
    if (this.backing.adopted) return super.seekHole(position, hole);
    return this.lowerInode.seekHole?.(position, hole) ?? (hole ? this.size : position);
  }

  protected override get blocks(): number {
    return Math.ceil(this.lowerSize / PAGE_SIZE) * (PAGE_SIZE / 512) + super.blocks;
  }

  protected override get hasBacking(): boolean {
    return this.lowerSize > 0;
  }

  protected override isHole(index: number): boolean {
    return index * PAGE_SIZE >= this.lowerSize && super.isHole(index);
  }

  protected override readHole(position: number, target: Uint8Array): void {
    let count = 0;
    const there = Math.max(0, Math.min(target.length, this.lowerSize - position));
    while (count < there) {
      const some = this.lowerInode.readAt(position + count, target.subarray(count, there));
      if (some === 0) break;
      count += some;
    }
    target.fill(0, count);
  }

  protected override truncate(size: number): void {
    super.truncate(size);
    this.lowerSize = Math.min(this.lowerSize, size);
  }

  /** Pages that the lower file has cannot be dropped: they are covered with zeroes. */
  protected override punchPages(first: number, end: number): void {
    super.punchPages(first, end);
    const covered = Math.min(end, Math.ceil(this.lowerSize / PAGE_SIZE));
    for (let index = first; index < covered; index++) this.coverWithZeroes(index);
  }
}

/** A symbolic link of the lower file system. */
export class OverlayLink extends RamInode {
  constructor(
    fileSystem: OverlayFs,
    readonly backing: Backing,
  ) {
    super(fileSystem, backing.ino, S_IFLNK | 0o777, backing.first.uid, backing.first.gid);
  }

  override get dev(): number {
    return this.backing.fileSystem.deviceFor(this.backing.dev);
  }

  override get size(): number {
    return this.backing.first.size;
  }

  override stat(): Stat {
    return this.backing.adopted ? super.stat() : this.backing.stat();
  }

  override beforeChange(): void {
    this.backing.adopt(this);
  }

  protected override forget(): void {
    super.forget();
    this.backing.fileSystem.letGo(this);
  }

  override readlink(thread: Thread | undefined): string {
    return this.backing.lower.readlink(thread);
  }
}

/** A fifo, socket or device node of the lower file system. */
export class OverlaySpecial extends RamInode {
  constructor(
    fileSystem: OverlayFs,
    readonly backing: Backing,
  ) {
    super(fileSystem, backing.ino, backing.first.mode, backing.first.uid, backing.first.gid);
  }

  override get dev(): number {
    return this.backing.fileSystem.deviceFor(this.backing.dev);
  }

  protected override get rdev(): number {
    return this.backing.first.rdev;
  }

  override stat(): Stat {
    return this.backing.adopted ? super.stat() : this.backing.stat();
  }

  override beforeChange(): void {
    this.backing.adopt(this);
  }

  protected override forget(): void {
    super.forget();
    this.backing.fileSystem.letGo(this);
  }
}
