/**
 * The software TLB: a direct-mapped table in linear memory that generated code searches inline.
 *
 * Entry of page p stands at index `(p >> 12) % TLB_ENTRIES`. An access of n bytes at address a hits if the tag for its
 * kind equals the page of a + n - 1: so an access that crosses into the next page never hits.
 */

import { Access, PAGE_SHIFT, PAGE_SIZE } from "./translator.ts";

export const TLB_ENTRIES = 4096;
export const TLB_ENTRY_SHIFT = 5;
export const TLB_BYTES = TLB_ENTRIES << TLB_ENTRY_SHIFT;

// Fields of an entry. A tag is the page's virtual address as i64, or TLB_INVALID where that access must ask.
export const TLB_READ = 0;
export const TLB_WRITE = 8;
export const TLB_EXECUTE = 16;
/** i32: linear address = low 32 bits of the virtual address + addend. */
export const TLB_ADDEND = 24;
/** Never a page address: its low bits are set. */
const INVALID = 0xffffffff;

/** TypeScript's side of the table: filling and flushing. */
export class Tlb {
  private readonly words: Uint32Array;

  /** @param base byte offset of the table in `buffer` */
  constructor(buffer: ArrayBufferLike, base: number) {
    this.words = new Uint32Array(buffer, base, TLB_BYTES >> 2);
    this.flush();
  }

  /** Enters a page. Tags of rights that are not given become invalid. */
  fill(virtualPage: number, linearPage: number, rights: number): void {
    const low = virtualPage >>> 0;
    const high = Math.floor(virtualPage / 0x100000000) >>> 0;
    const entry = ((low >>> PAGE_SHIFT) % TLB_ENTRIES) << (TLB_ENTRY_SHIFT - 2);
    const words = this.words;
    const sameTag = words[entry + 6] === ((linearPage - low) | 0) >>> 0;
    // A fill for one kind keeps what is known for the others, if it is about the same page.
    for (const [field, right] of FIELDS) {
      if ((rights & right) !== 0) {
        words[entry + field] = low;
        words[entry + field + 1] = high;
      } else if (!(sameTag && words[entry + field] === low && words[entry + field + 1] === high)) {
        words[entry + field] = INVALID;
        words[entry + field + 1] = INVALID;
      }
    }
    words[entry + 6] = (linearPage - low) | 0;
  }

  flush(): void {
    this.words.fill(INVALID);
  }

  /** Forgets the pages that overlap `[start, start + length)`. */
  flushRange(start: number, length: number): void {
    const first = start - (((start % PAGE_SIZE) + PAGE_SIZE) % PAGE_SIZE);
    const pages = Math.ceil((start + length - first) / PAGE_SIZE);
    if (pages >= TLB_ENTRIES) {
      this.flush();
      return;
    }
    for (let page = 0; page < pages; page++) this.flushPage(first + page * PAGE_SIZE);
  }

  private flushPage(virtualPage: number): void {
    const low = virtualPage >>> 0;
    const entry = ((low >>> PAGE_SHIFT) % TLB_ENTRIES) << (TLB_ENTRY_SHIFT - 2);
    for (const [field] of FIELDS) {
      if (this.words[entry + field] === low) {
        this.words[entry + field] = INVALID;
        this.words[entry + field + 1] = INVALID;
      }
    }
  }

  /** Takes the right to write away from every entry that leads to a page of linear memory: it holds code now. */
  protectLinearPage(linearPage: number): void {
    const words = this.words;
    for (let entry = 0; entry < words.length; entry += 8) {
      if (words[entry + 2] === INVALID) continue;
      if ((words[entry + 2] + words[entry + 6]) >>> 0 === linearPage) {
        words[entry + 2] = INVALID;
        words[entry + 3] = INVALID;
      }
    }
  }
}

/** Word index of each tag and the right it stands for. */
const FIELDS = [
  [TLB_READ >> 2, Access.Read],
  [TLB_WRITE >> 2, Access.Write],
  [TLB_EXECUTE >> 2, Access.Execute],
] as const;
