/** Translated code by the pages of memory that it was made from: what goes when these change. */

import type { CodePages } from "../../mmu/code-pages.ts";
import { PAGE_SHIFT, PAGE_SIZE } from "../../mmu/translator.ts";

/** A translated run of instructions. */
export interface IndexedCode {
  /** Virtual address of the first instruction and of the first byte behind the last. */
  readonly rip: number;
  readonly end: number;
  /** Physical address of the first byte; of the continuation's page if an instruction crosses into it, else -1. */
  readonly physical: number;
  readonly secondPage: number;
  /** Its linear address, where that is not the virtual one. */
  readonly mapping?: { readonly linear: number } | undefined;
}

/** Number of the page that a virtual address is in. */
export function virtualPage(address: number): number {
  return Math.floor(address / PAGE_SIZE);
}

/** How many of the bytes that code was decoded from are in its first page. */
function bytesInFirstPage({ rip, end, physical, secondPage }: IndexedCode): number {
  return secondPage < 0 ? end - rip : PAGE_SIZE - (physical % PAGE_SIZE);
}

/** The one or two physical ranges that code was decoded from. */
export function physicalRanges(code: IndexedCode): [start: number, length: number][] {
  const length = code.end - code.rip;
  const inFirst = bytesInFirstPage(code);
  const first: [number, number] = [code.physical, inFirst];
  return code.secondPage < 0 ? [first] : [first, [code.secondPage, length - inFirst]];
}

export class CodeIndex<Code extends IndexedCode> {
  private readonly byPhysicalPage = new Map<number, Set<Code>>();
  private readonly byVirtualPage = new Map<number, Set<Code>>();

  insert(code: Code): void {
    this.insertPhysical(code);
    insert(this.byVirtualPage, firstVirtualPage(code), code);
    if (code.secondPage >= 0) insert(this.byVirtualPage, lastVirtualPage(code), code);
  }

  withdraw(code: Code): void {
    this.withdrawPhysical(code);
    withdraw(this.byVirtualPage, firstVirtualPage(code), code);
    if (code.secondPage >= 0) withdraw(this.byVirtualPage, lastVirtualPage(code), code);
  }

  /** Has it go with its bytes only, and not with its address. */
  insertPhysical(code: Code): void {
    insert(this.byPhysicalPage, code.physical >>> PAGE_SHIFT, code);
    if (code.secondPage >= 0) insert(this.byPhysicalPage, code.secondPage >>> PAGE_SHIFT, code);
  }

  withdrawPhysical(code: Code): void {
    withdraw(this.byPhysicalPage, code.physical >>> PAGE_SHIFT, code);
    if (code.secondPage >= 0) withdraw(this.byPhysicalPage, code.secondPage >>> PAGE_SHIFT, code);
  }

  has(code: Code): boolean {
    return this.byVirtualPage.get(firstVirtualPage(code))?.has(code) ?? false;
  }

  clear(): void {
    this.byPhysicalPage.clear();
    this.byVirtualPage.clear();
  }

  /** All that goes with its bytes, each once. */
  *all(): Iterable<Code> {
    for (const [page, codes] of this.byPhysicalPage)
      for (const code of codes) if (code.physical >>> PAGE_SHIFT === page) yield code;
  }

  onVirtualPage(page: number): Iterable<Code> {
    return this.byVirtualPage.get(page) ?? [];
  }

  /** What was made from the code at an address. */
  *at(rip: number): Iterable<Code> {
    for (const code of this.onVirtualPage(virtualPage(rip)))
      if (code.rip <= rip && rip < code.end) yield code;
  }

  /** What begins at addresses in `[start, end)`. */
  *between(start: number, end: number): Iterable<Code> {
    for (let page = virtualPage(start); page <= virtualPage(end - 1); page++) {
      for (const code of this.onVirtualPage(page)) if (code.rip >= start && code.rip < end) yield code;
    }
  }

  /**
   * These bytes have changed.
   * @param remove takes code out of use and out of the index; other code may go with it
   * @param codePages told what is still code in the pages that lost some
   */
  invalidatePhysical(
    start: number,
    length: number,
    remove: (code: Code) => void,
    codePages: CodePages,
  ): void {
    const first = start >>> PAGE_SHIFT;
    const last = (start + length - 1) >>> PAGE_SHIFT;
    const change = (page: number) => {
      const onPage = this.byPhysicalPage.get(page);
      if (onPage === undefined) return;
      const before = onPage.size;
      for (const code of onPage) if (coversPhysical(code, start, length)) remove(code);
      if (onPage.size === before) return;
      codePages.clearPage(page << PAGE_SHIFT);
      for (const code of onPage) markIn(page, code, codePages);
    };
    if (last - first < this.byPhysicalPage.size) {
      for (let page = first; page <= last; page++) change(page);
    } else {
      for (const page of [...this.byPhysicalPage.keys()]) if (page >= first && page <= last) change(page);
    }
  }

  /** These addresses may mean something else now: all code in their pages goes. */
  invalidateVirtual(start: number, length: number, remove: (code: Code) => void): void {
    const first = virtualPage(start);
    const last = virtualPage(start + length - 1);
    if (last - first < this.byVirtualPage.size) {
      for (let page = first; page <= last; page++) this.removeVirtualPage(page, remove);
    } else {
      for (const page of [...this.byVirtualPage.keys()])
        if (page >= first && page <= last) this.removeVirtualPage(page, remove);
    }
  }

  private removeVirtualPage(page: number, remove: (code: Code) => void): void {
    // What goes leaves the set, and so does what goes with it.
    for (const code of this.onVirtualPage(page)) remove(code);
  }
}

/** The virtual page of the first byte that code was decoded from, and that of the last. */
function firstVirtualPage({ rip, mapping }: IndexedCode): number {
  return virtualPage(mapping?.linear ?? rip);
}

function lastVirtualPage({ rip, end, mapping }: IndexedCode): number {
  return virtualPage((mapping?.linear ?? rip) + (end - 1 - rip));
}

function coversPhysical(code: IndexedCode, start: number, length: number): boolean {
  const { rip, end, physical, secondPage } = code;
  const inFirst = bytesInFirstPage(code);
  if (physical < start + length && start < physical + inFirst) return true;
  return secondPage >= 0 && secondPage < start + length && start < secondPage + (end - rip - inFirst);
}

/** Marks what is in a page of the bytes that code was decoded from. */
function markIn(page: number, code: IndexedCode, codePages: CodePages): void {
  const { rip, end, physical, secondPage } = code;
  const inFirst = bytesInFirstPage(code);
  if (physical >>> PAGE_SHIFT === page) codePages.mark(physical, inFirst);
  if (secondPage >= 0 && secondPage >>> PAGE_SHIFT === page) codePages.mark(secondPage, end - rip - inFirst);
}

function insert<Item>(map: Map<number, Set<Item>>, key: number, item: Item): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([item]));
  else set.add(item);
}

function withdraw<Item>(map: Map<number, Set<Item>>, key: number, item: Item): void {
  const set = map.get(key);
  set?.delete(item);
  if (set?.size === 0) map.delete(key);
}
