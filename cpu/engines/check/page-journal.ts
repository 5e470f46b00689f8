/**
 * What a stretch of execution does to guest RAM, so that it can be undone and done again by another engine: every page is
 * copied before it is written to for the first time.
 */

import type { Mmu, WriteJournal } from "../../../mmu/mmu.ts";
import { Access, PAGE_SIZE } from "../../../mmu/translator.ts";

const WORDS = PAGE_SIZE / 4;
/** Copies that are kept for the next stretch: 16 MiB. */
const MOST_SPARE = 4096;

export interface JournalPage {
  readonly physical: number;
  /** A virtual address that it was written through. */
  readonly virtual: number;
  /** Its words before. */
  readonly before: Int32Array;
}

export class PageJournal {
  readonly pages = new Map<number, JournalPage>();
  private readonly words: Int32Array;
  private readonly spare: Int32Array[] = [];

  constructor(ram: Uint8Array) {
    this.words = new Int32Array(ram.buffer, ram.byteOffset, ram.byteLength >>> 2);
  }

  /** Another stretch begins: everything stays as it is now. */
  begin(): void {
    for (const { before } of this.pages.values()) this.release(before);
    this.pages.clear();
  }

  /** Notes a page that is about to be written to. */
  save(virtual: number, physical: number): void {
    if (!this.pages.has(physical))
      this.pages.set(physical, { physical, virtual, before: this.copy(physical) });
  }

  /** The words of a page as they are. */
  live(physical: number): Int32Array {
    return this.words.subarray(physical >>> 2, (physical >>> 2) + WORDS);
  }

  /** A copy of a page as it is; to be given back with {@link release}. */
  copy(physical: number): Int32Array {
    const copy = this.spare.pop() ?? new Int32Array(WORDS);
    copy.set(this.live(physical));
    return copy;
  }

  release(copy: Int32Array): void {
    if (this.spare.length < MOST_SPARE) this.spare.push(copy);
  }
}

/** One processor's side of a {@link PageJournal}: what its TLB lets through has been saved. */
export class JournaledTlb implements WriteJournal {
  /** Virtual pages that the TLB may let writes through to. */
  private readonly granted: number[] = [];
  private running = false;

  constructor(
    private readonly mmu: Mmu,
    private readonly journal: PageJournal,
  ) {
    mmu.tlb.flush();
    mmu.journal = this;
  }

  entering(virtualPage: number, physicalPage: number, access: Access, rights: number): number {
    if (access !== Access.Write || !this.running) return rights & ~Access.Write;
    this.journal.save(virtualPage, physicalPage);
    if ((rights & Access.Write) !== 0) this.granted.push(virtualPage);
    return rights;
  }

  /** Until {@link end} writes are let through, and noted. */
  begin(): void {
    this.running = true;
  }

  end(): void {
    this.running = false;
    for (const page of this.granted) this.mmu.tlb.protectPage(page);
    this.granted.length = 0;
  }
}

export function samePage(one: Int32Array, other: Int32Array): boolean {
  for (let index = 0; index < WORDS; index++) if (one[index] !== other[index]) return false;
  return true;
}
