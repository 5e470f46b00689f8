/**
 * The software TLB: a direct-mapped table in linear memory that generated code searches inline.
 *
 * Entry of page p stands at index `(p >> 12) % TLB_ENTRIES`. An access of n bytes at address a hits if the tag for its
 * kind equals the page of a + n - 1: so an access that crosses into the next page never hits.
 */

import { Access, PAGE_SHIFT, PAGE_SIZE } from "./translator.ts";

export const TLB_ENTRIES = 16384;
export const TLB_ENTRY_SHIFT = 5;
/** One more entry behind the table: the page that the stack was last written in, found without hashing. */
export const TLB_STACK = TLB_ENTRIES << TLB_ENTRY_SHIFT;
export const TLB_BYTES = (TLB_ENTRIES + 1) << TLB_ENTRY_SHIFT;

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
    const addend = (linearPage - low) >>> 0;
    const same = words[entry + 6] === addend;
    this.setTag(entry + READ_WORD, low, high, (rights & Access.Read) !== 0, same);
    this.setTag(entry + WRITE_WORD, low, high, (rights & Access.Write) !== 0, same);
    this.setTag(entry + EXECUTE_WORD, low, high, (rights & Access.Execute) !== 0, same);
    words[entry + 6] = addend;
  }

  /** A fill for one kind of access keeps what is known for the others, if it is about the same page. */
  private setTag(at: number, low: number, high: number, allowed: boolean, same: boolean): void {
    const words = this.words;
    if (allowed) {
      words[at] = low;
      words[at + 1] = high;
    } else if (!same || words[at] !== low || words[at + 1] !== high) {
      words[at] = INVALID;
      words[at + 1] = INVALID;
    }
  }

  flush(): void {
    this.words.fill(INVALID);
  }

  /** Forgets the pages that overlap `[start, start + length)`. */
  flushRange(start: number, length: number): void {
    this.forgetStack();
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
    this.dropTag(entry + READ_WORD, low);
    this.dropTag(entry + WRITE_WORD, low);
    this.dropTag(entry + EXECUTE_WORD, low);
  }

  private dropTag(at: number, low: number): void {
    if (this.words[at] !== low) return;
    this.words[at] = INVALID;
    this.words[at + 1] = INVALID;
  }

  /** The stack's entry is only a copy. */
  private forgetStack(): void {
    this.words[(TLB_STACK + TLB_WRITE) >> 2] = INVALID;
  }

  /** Takes the right to write to a virtual page away. */
  protectPage(virtualPage: number): void {
    const low = virtualPage >>> 0;
    this.forgetStack();
    this.dropTag((((low >>> PAGE_SHIFT) % TLB_ENTRIES) << (TLB_ENTRY_SHIFT - 2)) + WRITE_WORD, low);
  }

  /** Takes the right to write away from every entry that leads to a page of linear memory: it holds code now. */
  protectLinearPage(linearPage: number): void {
    const words = this.words;
    this.forgetStack();
    for (let entry = 0; entry < words.length; entry += 8) {
      if (words[entry + 2] === INVALID) continue;
      if ((words[entry + 2] + words[entry + 6]) >>> 0 === linearPage) {
        words[entry + 2] = INVALID;
        words[entry + 3] = INVALID;
      }
    }
  }
}

/** Word index of each tag. */
const READ_WORD = TLB_READ >> 2;
const WRITE_WORD = TLB_WRITE >> 2;
const EXECUTE_WORD = TLB_EXECUTE >> 2;
