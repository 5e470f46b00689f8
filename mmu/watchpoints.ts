/**
 * Data watchpoints. A page with one is never entered into the TLB with the right for that access, so that its accesses
 * come to the slow paths of the {@link import("./mmu.ts").Mmu}, which compare exactly; all other pages are as fast as ever.
 */

import { Access, PAGE_SIZE } from "./translator.ts";

/** Accesses that are looked for; virtual addresses as engines have them. */
export interface Watchpoint {
  readonly address: number;
  readonly length: number;
  /** {@link Access} bits: Read, Write or both. */
  readonly access: number;
}

export class Watchpoints {
  private list: readonly Watchpoint[] = [];
  /** Rights that the TLB must not have, by virtual page number. */
  private readonly pages = new Map<number, number>();

  /** @param onHit told of every access to watched bytes, before it happens; it may throw to have it given up */
  constructor(private readonly onHit: (watchpoint: Watchpoint, access: Access) => void) {}

  /** Replaces all watchpoints. The TLB must be flushed afterwards. */
  set(watchpoints: readonly Watchpoint[]): void {
    this.list = watchpoints;
    this.pages.clear();
    for (const { address, length, access } of watchpoints) {
      // The right to write is the right to read and write: nobody asks for both.
      const denied = (access & Access.Read) !== 0 ? Access.Read | Access.Write : Access.Write;
      const last = pageOf(address + length - 1);
      for (let page = pageOf(address); page <= last; page++)
        this.pages.set(page, (this.pages.get(page) ?? 0) | denied);
    }
  }

  /** {@link Access} bits that have to be looked at for the page of an address. */
  denied(address: number): number {
    return this.pages.get(pageOf(address)) ?? 0;
  }

  /** `length` bytes are about to be accessed. */
  check(address: number, length: number, access: Access): void {
    for (const watchpoint of this.list) {
      if ((watchpoint.access & access) === 0) continue;
      if (address < watchpoint.address + watchpoint.length && watchpoint.address < address + length)
        this.onHit(watchpoint, access);
    }
  }
}

function pageOf(address: number): number {
  return Math.floor(address / PAGE_SIZE);
}
