/**
 * Which frame each virtual page is in: a sparse table over the 2^35 pages of user space.
 *
 * A TLB miss ends here, so a lookup must be quick: pages are grouped into leaves of 1024 (4 MiB); the last leaf is
 * remembered, others are found in a Map with small-integer keys (~15 ns).
 */

import { PAGE_SHIFT } from "../../mmu/translator.ts";

/**
 * An entry is `frame << 8 | bits`. The low three bits are {@link import("../../mmu/translator.ts").Access} rights as
 * they may be cached in the TLB *now*: a page that is to be copied on the first write has no write right yet.
 */
export const Entry = {
  Rights: 7,
  /** The frame is valid, whatever the rights. */
  Present: 8,
  /** The frame has other users, or is the zero frame: copy before the first write. */
  CopyOnWrite: 16,
} as const;

export const FRAME_SHIFT = 8;

const LEAF_SHIFT = 10;
const LEAF_PAGES = 1 << LEAF_SHIFT;
const LEAF_MASK = LEAF_PAGES - 1;
const LEAF_BYTES = LEAF_PAGES << PAGE_SHIFT;
/** Where a leaf counts its entries that are not zero. */
const COUNT = LEAF_PAGES;

const EMPTY_LEAF = new Uint32Array(LEAF_PAGES + 1);

export class PageMap {
  private readonly leaves = new Map<number, Uint32Array>();
  private lastKey = -1;
  private lastLeaf: Uint32Array = EMPTY_LEAF;

  /** The entry of the page at a virtual address in `[0, 2^47)`; 0 when there is none. */
  get(address: number): number {
    const key = Math.floor(address / LEAF_BYTES);
    if (key !== this.lastKey) {
      const leaf = this.leaves.get(key);
      if (leaf === undefined) return 0;
      this.lastKey = key;
      this.lastLeaf = leaf;
    }
    // Bit operators see the low 32 bits of a number, exactly.
    return this.lastLeaf[(address >>> PAGE_SHIFT) & LEAF_MASK];
  }

  set(address: number, entry: number): void {
    const key = Math.floor(address / LEAF_BYTES);
    let leaf = key === this.lastKey ? this.lastLeaf : this.leaves.get(key);
    if (leaf === undefined) {
      if (entry === 0) return;
      leaf = new Uint32Array(LEAF_PAGES + 1);
      this.leaves.set(key, leaf);
    }
    this.lastKey = key;
    this.lastLeaf = leaf;
    const index = (address >>> PAGE_SHIFT) & LEAF_MASK;
    if (leaf[index] === 0) {
      if (entry !== 0) leaf[COUNT]++;
    } else if (entry === 0 && --leaf[COUNT] === 0) {
      this.leaves.delete(key);
      this.lastKey = -1;
      this.lastLeaf = EMPTY_LEAF;
    }
    leaf[index] = entry;
  }

  /**
   * Calls back for every page of `[start, end)` that has an entry, and stores what the callback returns. The cost is in
   * the pages that exist: reservations of many GiB are free.
   */
  update(start: number, end: number, visit: (address: number, entry: number) => number): void {
    const firstKey = Math.floor(start / LEAF_BYTES);
    const lastKey = Math.floor((end - 1) / LEAF_BYTES);
    if (lastKey - firstKey + 1 <= this.leaves.size) {
      for (let key = firstKey; key <= lastKey; key++) this.updateLeaf(key, start, end, visit);
    } else {
      for (const key of [...this.leaves.keys()]) {
        if (key >= firstKey && key <= lastKey) this.updateLeaf(key, start, end, visit);
      }
    }
  }

  private updateLeaf(
    key: number,
    start: number,
    end: number,
    visit: (address: number, entry: number) => number,
  ) {
    const leaf = this.leaves.get(key);
    if (leaf === undefined) return;
    const base = key * LEAF_BYTES;
    const first = Math.max(0, (start - base) / (1 << PAGE_SHIFT));
    const last = Math.min(LEAF_PAGES, (end - base) / (1 << PAGE_SHIFT));
    for (let index = first; index < last; index++) {
      const entry = leaf[index];
      if (entry === 0) continue;
      const address = base + index * (1 << PAGE_SHIFT);
      const changed = visit(address, entry);
      if (changed !== entry) this.set(address, changed);
    }
  }
}
