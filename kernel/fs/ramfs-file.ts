/** Regular files of the RAM file system: pages that have been written; the rest are holes. */

import { EFBIG, EINVAL, ENOSPC, EOPNOTSUPP, EPERM, Errno } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import { type AttributeChanges, S_IFREG } from "../vfs/inode.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import type { Path } from "../vfs/path.ts";
import { MAX_FILE_SIZE, RegularFile, type RegularInode } from "../vfs/regular-file.ts";
import type { RamFs } from "./ramfs.ts";
import { RamInode } from "./ramfs-inode.ts";

export const PAGE_SIZE = 4096;

/** fallocate(2) modes (linux/falloc.h). */
export const FALLOC_FL_KEEP_SIZE = 0x01;
export const FALLOC_FL_PUNCH_HOLE = 0x02;
export const FALLOC_FL_COLLAPSE_RANGE = 0x08;
export const FALLOC_FL_ZERO_RANGE = 0x10;
export const FALLOC_FL_INSERT_RANGE = 0x20;
export const FALLOC_FL_UNSHARE_RANGE = 0x40;

/** Seals of memfd_create(2) (linux/fcntl.h). */
export const F_SEAL_SEAL = 0x0001;
export const F_SEAL_SHRINK = 0x0002;
export const F_SEAL_GROW = 0x0004;
export const F_SEAL_WRITE = 0x0008;
export const F_SEAL_FUTURE_WRITE = 0x0010;
export const F_SEAL_EXEC = 0x0020;

export class RamFile extends RamInode implements RegularInode {
  protected readonly pages = new Map<number, Uint8Array>();
  protected length = 0;
  private openFiles = 0;
  /** undefined: this file cannot be sealed. */
  seals?: number;

  constructor(fileSystem: RamFs, ino: bigint, mode: number, uid: number, gid: number) {
    super(fileSystem, ino, S_IFREG | (mode & 0o7777), uid, gid);
  }

  override get size(): number {
    return this.length;
  }

  protected override get blocks(): number {
    return this.pages.size * (PAGE_SIZE / 512);
  }

  override open(_thread: Thread | undefined, flags: number, _path?: Path): OpenFile {
    this.openFiles++;
    return new RegularFile(flags, this, () => this.closed());
  }

  protected closed(): void {
    this.openFiles--;
    if (this.openFiles === 0 && this.nlink === 0) this.forget();
  }

  protected get isOpen(): boolean {
    return this.openFiles > 0;
  }

  protected override forget(): void {
    super.forget();
    if (this.openFiles === 0) this.discard();
  }

  readAt(position: number, buffer: Uint8Array): number {
    const count = this.copyOut(position, buffer);
    if (count > 0) this.accessed();
    return count;
  }

  writeAt(position: number, data: Uint8Array): number {
    this.checkSeals(position + data.length, true);
    this.beforeChange();
    const count = this.copyIn(position, data);
    if (count === 0 && data.length > 0) throw new Errno(ENOSPC);
    if (position + count > this.length) this.length = position + count;
    this.modified();
    return count;
  }

  /**
   * Gives an empty file its contents. Whole pages are not copied: `data` is the file's from now on.
   * @throws Errno ENOSPC
   */
  adopt(data: Uint8Array): void {
    for (let start = 0; start < data.length; start += PAGE_SIZE) {
      if (!this.fileSystem.takePage()) throw new Errno(ENOSPC);
      const isWhole = start + PAGE_SIZE <= data.length;
      const page = isWhole
        ? new Uint8Array(data.buffer, data.byteOffset + start, PAGE_SIZE)
        : new Uint8Array(PAGE_SIZE);
      if (!isWhole) page.set(data.subarray(start));
      this.pages.set(start / PAGE_SIZE, page);
    }
    this.length = data.length;
    this.modified();
  }

  readPage(position: number, page: Uint8Array): number {
    const count = this.copyOut(position, page);
    page.fill(0, count);
    return count;
  }

  writePage(position: number, page: Uint8Array, length: number): void {
    const count = Math.min(length, this.size - position);
    if (count <= 0) return;
    this.beforeChange();
    if (this.copyIn(position, page.subarray(0, count)) < count) throw new Errno(ENOSPC);
    this.modified();
  }

  override setAttributes(changes: AttributeChanges): void {
    if (changes.size !== undefined) this.truncate(changes.size);
    super.setAttributes(changes);
  }

  sync(): void {}

  protected truncate(size: number): void {
    if (size > MAX_FILE_SIZE) throw new Errno(EFBIG);
    this.checkSeals(size, false);
    this.beforeChange();
    if (size < this.length) {
      this.mappings?.truncate(size);
      this.dropPages(Math.ceil(size / PAGE_SIZE), Number.POSITIVE_INFINITY);
      const tail = size % PAGE_SIZE;
      if (tail !== 0) this.pages.get(Math.floor(size / PAGE_SIZE))?.fill(0, tail);
    }
    this.length = size;
    this.modified();
  }

  allocate(mode: number, position: number, length: number): void {
    const end = position + length;
    if (end > MAX_FILE_SIZE) throw new Errno(EFBIG);
    this.beforeChange();
    const keepSize = (mode & FALLOC_FL_KEEP_SIZE) !== 0;
    if ((mode & FALLOC_FL_PUNCH_HOLE) !== 0 || (mode & FALLOC_FL_ZERO_RANGE) !== 0) {
      if ((mode & FALLOC_FL_PUNCH_HOLE) !== 0 && mode !== (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)) {
        throw new Errno(EOPNOTSUPP);
      }
      if (((this.seals ?? 0) & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !== 0) throw new Errno(EPERM);
      this.mappings?.writeBack(position, length);
      this.zeroRange(position, Math.min(end, this.length));
    } else if ((mode & ~FALLOC_FL_KEEP_SIZE) !== 0) {
      throw new Errno(EOPNOTSUPP);
    }
    if (!keepSize && end > this.length) {
      this.checkSeals(end, false);
      this.length = end;
    }
    this.modified();
  }

  seekHole(position: number, hole: boolean): number {
    const first = Math.floor(position / PAGE_SIZE);
    if (this.isHole(first) === hole) return position;
    if (!hole) return Math.min(this.length, this.nextPage(first) * PAGE_SIZE);
    let index = first + 1;
    while (index * PAGE_SIZE < this.length && !this.isHole(index)) index++;
    return Math.min(this.length, index * PAGE_SIZE);
  }

  /** The first page behind one in a hole. Files may be far longer than what is in them: only what is there counts. */
  private nextPage(hole: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const index of this.pages.keys()) if (index > hole && index < next) next = index;
    return next;
  }

  /** Are there bytes below the pages (copy-on-write)? */
  protected get hasBacking(): boolean {
    return false;
  }

  protected isHole(index: number): boolean {
    return !this.pages.has(index);
  }

  /** Bytes of a page that is not in {@link pages}, into `target` (zeroes where there are none). */
  protected readHole(_position: number, target: Uint8Array): void {
    target.fill(0);
  }

  private copyOut(position: number, buffer: Uint8Array): number {
    const count = Math.min(buffer.length, this.length - position);
    if (count <= 0) return 0;
    for (let done = 0; done < count; ) {
      const at = position + done;
      const inPage = at % PAGE_SIZE;
      const some = Math.min(PAGE_SIZE - inPage, count - done);
      const page = this.pages.get((at - inPage) / PAGE_SIZE);
      if (page === undefined) this.readHole(at, buffer.subarray(done, done + some));
      else if (some === PAGE_SIZE) buffer.set(page, done);
      else buffer.set(page.subarray(inPage, inPage + some), done);
      done += some;
    }
    return count;
  }

  /** Returns how many bytes there was room for. */
  private copyIn(position: number, data: Uint8Array): number {
    for (let done = 0; done < data.length; ) {
      const at = position + done;
      const inPage = at % PAGE_SIZE;
      const some = Math.min(PAGE_SIZE - inPage, data.length - done);
      const index = (at - inPage) / PAGE_SIZE;
      let page = this.pages.get(index);
      if (page === undefined) {
        if (!this.fileSystem.takePage()) return done;
        page = new Uint8Array(PAGE_SIZE);
        if (some !== PAGE_SIZE && this.hasBacking) this.readHole(at - inPage, page);
        this.pages.set(index, page);
      }
      page.set(some === data.length ? data : data.subarray(done, done + some), inPage);
      done += some;
    }
    return data.length;
  }

  private zeroRange(start: number, end: number): void {
    const first = Math.ceil(start / PAGE_SIZE);
    const last = end >= this.length ? Math.ceil(end / PAGE_SIZE) : Math.floor(end / PAGE_SIZE);
    const zeroes = (from: number, to: number) => {
      if (to > from) this.copyIn(from, new Uint8Array(to - from));
    };
    if (start < first * PAGE_SIZE && !this.isHole(first - 1)) zeroes(start, Math.min(end, first * PAGE_SIZE));
    if (last >= first && end > last * PAGE_SIZE && !this.isHole(last)) zeroes(last * PAGE_SIZE, end);
    this.punchPages(first, last);
    if (end > start) this.mappings?.zero(start, end - start);
  }

  /** Makes whole pages read as zero. */
  protected punchPages(first: number, end: number): void {
    this.dropPages(first, end);
  }

  /** A page of zeroes where something else would show. */
  protected coverWithZeroes(index: number): void {
    if (!this.fileSystem.takePage()) throw new Errno(ENOSPC);
    this.pages.set(index, new Uint8Array(PAGE_SIZE));
  }

  private dropPages(first: number, end: number): void {
    if (this.pages.size === 0 || end <= first) return;
    if (end - first < this.pages.size) {
      for (let index = first; index < end; index++) if (this.pages.delete(index)) this.fileSystem.givePage();
      return;
    }
    for (const index of [...this.pages.keys()]) {
      if (index >= first && index < end) {
        this.pages.delete(index);
        this.fileSystem.givePage();
      }
    }
  }

  /** No name and no open file are left. */
  private discard(): void {
    this.dropPages(0, Number.POSITIVE_INFINITY);
  }

  private checkSeals(end: number, writing: boolean): void {
    const { seals } = this;
    if (seals === undefined || seals === 0) return;
    if (writing && (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !== 0) throw new Errno(EPERM);
    if (end > this.length && (seals & F_SEAL_GROW) !== 0) throw new Errno(EPERM);
    if (!writing && end < this.length && (seals & F_SEAL_SHRINK) !== 0) throw new Errno(EPERM);
  }

  /** fcntl(2) F_ADD_SEALS */
  addSeals(seals: number): void {
    if (this.seals === undefined) throw new Errno(EINVAL);
    if ((this.seals & F_SEAL_SEAL) !== 0) throw new Errno(EPERM);
    this.seals |= seals;
  }
}
