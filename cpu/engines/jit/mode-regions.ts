/**
 * What the JIT knows of the code of one execution mode (cpu/system/execution-mode.ts). A whole PC has several: the same
 * bytes mean something else at another code size or while a unit is switched off, and regions look for computed jumps
 * among the traces of their own mode.
 */

import { virtualPage } from "../code-index.ts";
import type { InstalledRegion } from "./installed-region.ts";

/** Where a region can be entered. */
export interface Entry {
  readonly owner: InstalledRegion;
  /** Which of its entries it is. */
  readonly index: number;
  /** Physical address: other address spaces may have other code at the same virtual one. -1: there is only one. */
  readonly physical: number;
}

/** Addresses that are kept track of. */
const MOST_FOUND = 256;

export class ModeRegions {
  /** Hot addresses that wait for compilation, and where they are physically. */
  readonly waiting = new Map<number, number>();
  /** Exit records by target. */
  readonly exits = new Map<number, number>();
  readonly entries = new Map<number, Entry>();
  /** Entries that traces have been counted, those that had to wait longer than the first time. */
  readonly counted = new Map<number, number>();
  /** Heads whose code has changed: entries until they are compiled again. */
  readonly patience = new Map<number, number>();

  private readonly byPage = new Map<number, Set<InstalledRegion>>();
  /** What {@link at} has found: programs stay in their loops, and samples meet the same addresses again. */
  private readonly foundAt = new Map<number, readonly InstalledRegion[]>();

  /** Has {@link at} find the region by its parts. */
  add(region: InstalledRegion): void {
    this.foundAt.clear();
    for (const { rip } of region.parts) {
      const page = virtualPage(rip);
      const onPage = this.byPage.get(page);
      if (onPage === undefined) this.byPage.set(page, new Set([region]));
      else onPage.add(region);
    }
  }

  remove(region: InstalledRegion): void {
    this.foundAt.clear();
    for (const { rip } of region.parts) this.byPage.get(virtualPage(rip))?.delete(region);
  }

  /** Regions that contain the instruction at an address. */
  at(address: number): readonly InstalledRegion[] {
    const before = this.foundAt.get(address);
    if (before !== undefined) return before;
    const found: InstalledRegion[] = [];
    for (const region of this.byPage.get(virtualPage(address)) ?? []) {
      if (region.parts.some(({ rip, end }) => rip <= address && address < end)) found.push(region);
    }
    if (this.foundAt.size === MOST_FOUND) this.foundAt.clear();
    this.foundAt.set(address, found);
    return found;
  }

  /** All but what was learnt from changed code. */
  clear(): void {
    this.byPage.clear();
    this.foundAt.clear();
    this.waiting.clear();
    this.exits.clear();
    this.counted.clear();
    this.entries.clear();
  }
}
