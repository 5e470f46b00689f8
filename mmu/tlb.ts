/**
 * The software TLB: a direct-mapped table in linear memory that generated code searches inline.
 *
 * Entry of page p stands at index `(p >> 12) % TLB_ENTRIES`. An access of n bytes at address a hits if the tag for its
 * kind equals the page of a + n - 1: so an access that crosses into the next page never hits.
 */

import { Access, PAGE_SHIFT, PAGE_SIZE } from "./translator.ts";

/** They reach 256 MiB: with a quarter of that, programs that use more spent a fortieth of their time on misses. */
export const TLB_ENTRIES = 65536;
export const TLB_ENTRY_SHIFT = 5;
/** The same for words of 4 bytes. */
const WORDS_SHIFT = TLB_ENTRY_SHIFT - 2;
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

/** What is known of the page behind an entry, for those who flush. */
export const TlbAttribute = {
  /** Survives a load of CR3. */
  Global: 1,
  /** Mapped by an entry for 2 MiB, or for 4 MiB or 1 GiB. INVLPG of any address in such a page drops all of it. */
  Large: 2,
  Huge: 4,
  /** A user page, which SMAP may take away from the supervisor. */
  User: 8,
} as const;
/** The entry's index stands in the list of those that a load of CR3, or the end of access to user pages, drops. */
const LISTED = 16;
const LISTED_USER = 32;
/** Pages of 4 KiB in one of 2 MiB, and the address bits above. */
const LARGE_PAGES = 512;
const LARGE_MASK = ~0x1fffff;

/** Entries that a page of the host holds, 2 ** 7: what is not used is not touched, since fresh memory is expensive. */
const CHUNK_SHIFT = 7;

/** Entries by index, each once. */
class IndexList {
  private readonly indices = new Uint16Array(TLB_ENTRIES);
  private count = 0;

  add(index: number): void {
    this.indices[this.count++] = index;
  }

  take(visit: (index: number) => void): void {
    for (let at = 0; at < this.count; at++) visit(this.indices[at]);
    this.count = 0;
  }

  clear(): void {
    this.count = 0;
  }
}

/** TypeScript's side of the table: filling and flushing. */
export class Tlb {
  private readonly words: Uint32Array;
  /** {@link TlbAttribute}s and list membership of each entry. */
  private readonly attributes = new Uint8Array(TLB_ENTRIES);
  private readonly transient = new IndexList();
  private readonly user = new IndexList();
  /** Attributes of any entry filled since the last flush. */
  private seen = 0;
  /** By chunk: 1 if any entry in it has been filled since the last flush. */
  private readonly used = new Uint8Array(TLB_ENTRIES >> CHUNK_SHIFT);

  /** @param base byte offset of the table in `buffer`: memory that is still zero */
  constructor(buffer: ArrayBufferLike, base: number) {
    this.words = new Uint32Array(buffer, base, TLB_BYTES >> 2);
    // A tag of 0 is that of page 0: its own place, and the place of the page before it, where accesses can cross into it.
    this.drop(0);
    this.drop(TLB_ENTRIES - 1);
    this.drop(TLB_ENTRIES); // the stack's
  }

  /** Enters a page. Tags of rights that are not given become invalid. */
  fill(virtualPage: number, linearPage: number, rights: number, attributes = 0): void {
    const low = virtualPage >>> 0;
    const high = Math.floor(virtualPage / 0x100000000) >>> 0;
    const index = (low >>> PAGE_SHIFT) % TLB_ENTRIES;
    const entry = index << WORDS_SHIFT;
    this.note(index, attributes);
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

  /** The last page that {@link executable} has found is mapped as global. */
  foundGlobal = false;

  /** Linear address of an instruction byte, or -1 if the table does not know that it may be executed. */
  executable(address: number): number {
    const low = address >>> 0;
    const index = (low >>> PAGE_SHIFT) % TLB_ENTRIES;
    const entry = index << WORDS_SHIFT;
    const { words } = this;
    const isHit =
      words[entry + EXECUTE_WORD] === (low & -PAGE_SIZE) >>> 0 &&
      words[entry + EXECUTE_WORD + 1] === Math.floor(address / 0x100000000) >>> 0;
    if (!isHit) return -1;
    this.foundGlobal = (this.attributes[index] & TlbAttribute.Global) !== 0;
    return (low + words[entry + ADDEND_WORD]) >>> 0;
  }

  private note(index: number, attributes: number): void {
    this.used[index >> CHUNK_SHIFT] = 1;
    let noted = attributes | (this.attributes[index] & (LISTED | LISTED_USER));
    if ((noted & (TlbAttribute.Global | LISTED)) === 0) {
      this.transient.add(index);
      noted |= LISTED;
    }
    if ((noted & (TlbAttribute.User | LISTED_USER)) === TlbAttribute.User) {
      this.user.add(index);
      noted |= LISTED_USER;
    }
    this.attributes[index] = noted;
    this.seen |= attributes;
  }

  /** What it holds, for debuggers: virtual page, linear page and {@link Access} bits. */
  *entries(): Generator<{ page: number; linear: number; rights: number }> {
    for (let index = 0; index < TLB_ENTRIES; index++) {
      if (this.used[index >> CHUNK_SHIFT] === 0) continue;
      const entry = index << WORDS_SHIFT;
      const tags = [READ_WORD, WRITE_WORD, EXECUTE_WORD].map((tag) => this.words[entry + tag]);
      const isTag = (low: number) => low !== INVALID && (low >>> PAGE_SHIFT) % TLB_ENTRIES === index;
      const at = tags.findIndex(isTag);
      if (at < 0) continue;
      const tag = entry + [READ_WORD, WRITE_WORD, EXECUTE_WORD][at];
      const page = (this.words[tag + 1] | 0) * 0x100000000 + this.words[tag];
      const linear = (this.words[tag] + this.words[entry + 6]) >>> 0;
      const rights = tags.reduce((bits, low, bit) => bits | (isTag(low) ? 1 << bit : 0), 0);
      yield { page, linear, rights };
    }
  }

  flush(): void {
    this.forgetStack();
    for (const [first, end] of this.usedChunks()) {
      this.words.fill(INVALID, first << WORDS_SHIFT, end << WORDS_SHIFT);
      this.attributes.fill(0, first, end);
    }
    this.used.fill(0);
    this.transient.clear();
    this.user.clear();
    this.seen = 0;
  }

  /** Indices of entries that may be in use, a chunk at a time. */
  private *usedChunks(): Generator<readonly [first: number, end: number]> {
    const { used } = this;
    for (let chunk = used.indexOf(1); chunk >= 0; chunk = used.indexOf(1, chunk + 1))
      yield [chunk << CHUNK_SHIFT, (chunk + 1) << CHUNK_SHIFT];
  }

  /** Forgets all pages but global ones: CR3 was loaded. */
  flushTransient(): void {
    this.forgetStack();
    this.transient.take((index) => {
      if ((this.attributes[index] & TlbAttribute.Global) === 0) this.drop(index);
      this.attributes[index] &= ~LISTED;
    });
  }

  /** Forgets all user pages. */
  flushUser(): void {
    this.forgetStack();
    this.user.take((index) => {
      if ((this.attributes[index] & TlbAttribute.User) !== 0) this.drop(index);
      this.attributes[index] &= ~LISTED_USER;
    });
  }

  /** INVLPG: forgets the page of an address, which may be a large one. */
  flushPageOf(virtual: number): void {
    this.forgetStack();
    this.flushPage(virtual - (((virtual % PAGE_SIZE) + PAGE_SIZE) % PAGE_SIZE));
    const { attributes } = this;
    if ((this.seen & TlbAttribute.Large) !== 0) {
      // All pages of the 2 MiB around it have places in a row.
      const first = ((virtual >>> PAGE_SHIFT) % TLB_ENTRIES) & ~(LARGE_PAGES - 1);
      for (let index = first; index < first + LARGE_PAGES; index++) {
        if ((attributes[index] & TlbAttribute.Large) !== 0 && this.isNear(index, virtual)) this.drop(index);
      }
    }
    if ((this.seen & TlbAttribute.Huge) !== 0) {
      for (let index = 0; index < TLB_ENTRIES; index++) {
        if ((attributes[index] & TlbAttribute.Huge) !== 0) this.drop(index);
      }
    }
  }

  /** Is an entry for a page in the same 2 MiB (of the same 4 GiB)? */
  private isNear(index: number, virtual: number): boolean {
    const entry = index << WORDS_SHIFT;
    for (const tag of [READ_WORD, WRITE_WORD, EXECUTE_WORD]) {
      const low = this.words[entry + tag];
      if (low !== INVALID && ((low ^ virtual) & LARGE_MASK) === 0) return true;
    }
    return false;
  }

  private drop(index: number): void {
    const entry = index << WORDS_SHIFT;
    this.words.fill(INVALID, entry, entry + 6);
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
    const entry = ((low >>> PAGE_SHIFT) % TLB_ENTRIES) << WORDS_SHIFT;
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
    this.dropTag((((low >>> PAGE_SHIFT) % TLB_ENTRIES) << WORDS_SHIFT) + WRITE_WORD, low);
  }

  /** Takes the right to write away from every entry that leads to a page of linear memory: it holds code now. */
  protectLinearPage(linearPage: number): void {
    const words = this.words;
    this.forgetStack();
    for (const [first, end] of this.usedChunks()) {
      for (let entry = first << WORDS_SHIFT; entry < end << WORDS_SHIFT; entry += 1 << WORDS_SHIFT) {
        if (words[entry + 2] === INVALID) continue;
        if ((words[entry + 2] + words[entry + 6]) >>> 0 !== linearPage) continue;
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
const ADDEND_WORD = TLB_ADDEND >> 2;
