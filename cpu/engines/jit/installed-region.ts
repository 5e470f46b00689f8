/** A compiled region that is in use, and how it hangs in the guest's page tables. */

import type { Mmu } from "../../../mmu/mmu.ts";
import { PAGE_SIZE } from "../../../mmu/translator.ts";
import type { Trace } from "../interp/trace.ts";
import type { ModeRegions } from "./mode-regions.ts";
import type { Region } from "./region.ts";

/** What code a region has: each kind is better than the one before, and takes longer to make. */
export const Quality = {
  Quick: 0,
  /** The same compiled by an optimizing compiler. */
  Optimized: 1,
  /** All registers in locals, and optimized. */
  ForLoops: 2,
} as const;
export type Quality = (typeof Quality)[keyof typeof Quality];

export interface InstalledRegion {
  readonly region: Region;
  readonly slot: number;
  /** Those of its mode. */
  readonly regions: ModeRegions;
  /** The pieces of memory that its code was translated from. */
  readonly parts: RegionPart[];
  /** Indices of the records that lead into it. */
  readonly headers: Set<number>;
  readonly mapping: RegionMapping;
  /** Of the code that it has, and of that which is being made. */
  madeQuality: Quality;
  quality: Quality;
  /** It is as wide as it can be, or is to become so. */
  isWide: boolean;
  /** Its code has changed, or has been forgotten. */
  dropped: boolean;
  /** How often the end of a run has been in it. */
  samples: number;
}

/** If the code in this piece of memory changes, the region must go. */
export interface RegionPart extends Trace {
  readonly owner: InstalledRegion;
}

/** A page of code: page-aligned addresses. */
interface CodePage {
  readonly linear: number;
  readonly physical: number;
}

/**
 * Which pages a region's code is in. The trace that leads into a region vouches for the page that it begins in; whether
 * the others are where they were has to be asked after each load of CR3, unless they are global.
 */
export class RegionMapping {
  readonly pages: readonly CodePage[];
  /** All of its pages are, as was last found. */
  isGlobal = false;

  /** @param parts where its code is: each within a page */
  constructor(parts: readonly { readonly rip: number; readonly physical: number }[]) {
    const pages = new Map<number, number>();
    for (const { rip, physical } of parts) {
      const offset = physical % PAGE_SIZE;
      pages.set(rip - offset, physical - offset);
    }
    this.pages = [...pages].map(([linear, physical]) => ({ linear, physical }));
  }

  /** There are pages that no trace vouches for. */
  get spansPages(): boolean {
    return this.pages.length > 1;
  }

  /** "absent": a page cannot be executed now, or not without being marked as accessed: whoever executes it must do that. */
  check(mmu: Mmu): "same" | "absent" | "elsewhere" {
    const { pages } = this;
    let isGlobal = true;
    for (const { linear, physical } of pages) {
      const found = mmu.peekCode(linear);
      if (found < 0) return "absent";
      if (found !== physical) return "elsewhere";
      isGlobal = isGlobal && mmu.isGlobal;
    }
    this.isGlobal = isGlobal;
    return "same";
  }
}

/** The pieces of memory that a region's code is in, each within a page. */
export function codeRanges({ blocks }: Region): [start: number, end: number][] {
  const sorted = [...blocks].sort((a, b) => a.rip - b.rip);
  const merged: [number, number][] = [];
  for (const { rip, end } of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && rip <= last[1]) last[1] = Math.max(last[1], end);
    else merged.push([rip, end]);
  }
  return merged.flatMap(([start, end]) => {
    const pieces: [number, number][] = [];
    for (let at = start; at < end; ) {
      const next = Math.min(end, (Math.floor(at / PAGE_SIZE) + 1) * PAGE_SIZE);
      pieces.push([at, next]);
      at = next;
    }
    return pieces;
  });
}
