/** Virtual memory areas: what each range of the address space is. */

import type { Inode } from "../vfs/inode.ts";
import type { MemoryOwner } from "./memory-owner.ts";

/** PROT_* of mmap(2) (asm-generic/mman-common.h). */
export const Prot = {
  None: 0,
  Read: 1,
  Write: 2,
  Exec: 4,
  GrowsDown: 0x01000000,
  GrowsUp: 0x02000000,
} as const;

/** Bytes of a file that an area shows. */
export interface FileBacking {
  readonly inode: Inode;
  /** Position of the area's first byte in the file, a multiple of the page size. */
  readonly offset: number;
}

/** What all pages of an area have in common. */
export interface VmaAttributes {
  /** {@link Prot} bits. */
  readonly prot: number;
  /** MAP_SHARED: writes go to the file, or are seen by all mappers. */
  readonly shared: boolean;
  /** Grows towards lower addresses when touched just below, as far down as {@link growLimit}. */
  readonly growsDown: boolean;
  readonly growLimit: number;
  /** PROT_WRITE may be asked for (a shared mapping of a file that was opened read-only may never be written). */
  readonly mayWrite: boolean;
  readonly file: FileBacking | undefined;
  /** What /proc/self/maps shows: a path, "[heap]", "[stack]", or "". */
  readonly name: string;
  readonly owner: MemoryOwner | undefined;
}

export interface Vma extends VmaAttributes {
  /** First byte and the byte behind the last; multiples of the page size. */
  readonly start: number;
  readonly end: number;
}

/** Do two neighbours look the same, so that they can be one area? */
function mergeable(low: Vma, high: Vma): boolean {
  return (
    low.end === high.start &&
    low.prot === high.prot &&
    low.shared === high.shared &&
    !low.growsDown &&
    !high.growsDown &&
    low.mayWrite === high.mayWrite &&
    low.name === high.name &&
    low.owner === high.owner &&
    (low.file === undefined
      ? high.file === undefined
      : high.file !== undefined &&
        low.file.inode === high.file.inode &&
        low.file.offset + (low.end - low.start) === high.file.offset)
  );
}

/** The part `[start, end)` of an area. */
export function sliceVma(vma: Vma, start: number, end: number): Vma {
  const file =
    vma.file === undefined
      ? undefined
      : { inode: vma.file.inode, offset: vma.file.offset + (start - vma.start) };
  return { ...vma, start, end, file };
}

/**
 * All areas, ordered by address, without overlaps. A sorted array: lookups are a binary search (and the last hit is
 * remembered); changes move the tail, which at the few hundred areas that programs have is a small memmove.
 */
export class VmaSet {
  private readonly areas: Vma[] = [];
  private last: Vma | undefined;
  /**
   * What the last search of {@link highestGap} has shown: between `from` and `high` there is no gap of `length` bytes.
   * Without it, programs with very many areas would spend their time looking at all of them for each new one.
   */
  private searched = { from: 0, high: 0, length: 0 };

  get size(): number {
    return this.areas.length;
  }

  [Symbol.iterator](): IterableIterator<Vma> {
    return this.areas[Symbol.iterator]();
  }

  at(index: number): Vma | undefined {
    return this.areas[index];
  }

  /** Index of the first area that ends behind `address`. */
  indexAfter(address: number): number {
    let low = 0;
    let high = this.areas.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.areas[middle].end > address) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The area that contains `address`. */
  find(address: number): Vma | undefined {
    const last = this.last;
    if (last !== undefined && address >= last.start && address < last.end) return last;
    const vma = this.areas[this.indexAfter(address)];
    if (vma === undefined || address < vma.start) return undefined;
    this.last = vma;
    return vma;
  }

  /** The areas that touch `[start, end)`, lowest first, whole. */
  overlapping(start: number, end: number): Vma[] {
    const from = this.indexAfter(start);
    let to = from;
    while (to < this.areas.length && this.areas[to].start < end) to++;
    return this.areas.slice(from, to);
  }

  isFree(start: number, end: number): boolean {
    const next = this.areas[this.indexAfter(start)];
    return next === undefined || next.start >= end;
  }

  /** Adds an area to a free range, joined with neighbours that look the same. */
  insert(vma: Vma): void {
    this.last = undefined;
    let index = this.indexAfter(vma.start);
    let remove = 0;
    let joined = vma;
    const below = this.areas[index - 1];
    if (below !== undefined && mergeable(below, joined)) {
      joined = { ...below, end: joined.end };
      index--;
      remove++;
    }
    const above = this.areas[index + remove];
    if (above !== undefined && mergeable(joined, above)) {
      joined = { ...joined, end: above.end };
      remove++;
    }
    this.areas.splice(index, remove, joined);
  }

  /** Takes `[start, end)` out of the area that contains it. */
  private carve(index: number, start: number, end: number): void {
    const vma = this.areas[index];
    const rest: Vma[] = [];
    if (vma.start < start) rest.push(sliceVma(vma, vma.start, start));
    if (end < vma.end) rest.push(sliceVma(vma, end, vma.end));
    this.areas.splice(index, 1, ...rest);
    if (end > this.searched.from) this.searched = { from: 0, high: 0, length: 0 };
  }

  /** Removes the part of `vma` (a member) that is in `[start, end)` and returns it. */
  cut(vma: Vma, start: number, end: number): Vma {
    this.last = undefined;
    const from = Math.max(start, vma.start);
    const to = Math.min(end, vma.end);
    this.carve(this.indexAfter(vma.start), from, to);
    return sliceVma(vma, from, to);
  }

  /**
   * The highest free range of `length` bytes within `[low, high)`.
   * @returns its start, or -1
   */
  highestGap(length: number, low: number, high: number): number {
    const { searched } = this;
    const known = high === searched.high && length >= searched.length;
    let top = known ? searched.from : high;
    for (let index = this.indexAfter(top - 1); ; index--) {
      const vma = this.areas[index];
      if (vma === undefined && index < 0) break;
      if (vma === undefined || vma.start >= top) continue;
      if (top - Math.max(vma.end, low) >= length) break;
      top = Math.min(top, vma.start);
      if (top - length < low) return -1;
    }
    if (top - length < low) return -1;
    this.searched = { from: top, high, length };
    return top - length;
  }

  /** The lowest free range of `length` bytes within `[low, high)`, or -1. */
  lowestGap(length: number, low: number, high: number): number {
    let bottom = low;
    for (let index = this.indexAfter(low); index < this.areas.length; index++) {
      const vma = this.areas[index];
      if (vma.start >= bottom + length) break;
      bottom = Math.max(bottom, vma.end);
    }
    return bottom + length <= high ? bottom : -1;
  }
}
