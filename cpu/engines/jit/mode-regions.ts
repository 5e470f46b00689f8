/**
 * What the JIT knows of the code of one execution mode (cpu/system/execution-mode.ts). A whole PC has several: the same
 * bytes mean something else at another code size or while a unit is switched off, and regions look for computed jumps
 * among the traces of their own mode.
 */

import type { InstalledRegion } from "./installed-region.ts";

/** Where a region can be entered. */
export interface Entry {
  readonly owner: InstalledRegion;
  /** Which of its entries it is. */
  readonly index: number;
  /** Physical address: other address spaces may have other code at the same virtual one. -1: there is only one. */
  readonly physical: number;
}

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

  /** All but what was learnt from changed code. */
  clear(): void {
    this.waiting.clear();
    this.exits.clear();
    this.counted.clear();
    this.entries.clear();
  }
}
