/**
 * Where a debugger, or the guest's debug registers, want a processor to stop. Engines look here while they translate and
 * when they return, the Mmu in its slow paths: what is not concerned runs as fast as without.
 */

import type { Watchpoint } from "../mmu/watchpoints.ts";

/** A watched access that has happened. */
export interface WatchHit {
  readonly watchpoint: Watchpoint;
  /** One of {@link import("../mmu/translator.ts").Access}: Read or Write. */
  readonly access: number;
}

export class DebugStops {
  /**
   * Linear addresses of instructions before which engines stop ({@link import("./engine.ts").Exit.Debug}). Whoever changes
   * the set calls `Engine.invalidateVirtual(address, 1)`.
   */
  readonly breakpoints = new Set<number>();
  /** Those of the guest's own debug registers, with their bits in DR6 (system/debug-registers.ts). */
  readonly guestBreakpoints = new Map<number, number>();
  /** Bits in DR6 of data and port breakpoints of the guest's that the instruction under way has met. */
  guestHits = 0;
  /** There are data breakpoints of the guest's. */
  isWatchedByGuest = false;
  /** The next run executes the instruction at RIP even if there is a breakpoint. */
  pass = false;
  /** A watched access that has happened since this was last set to undefined; the first one. */
  hit: WatchHit | undefined;

  /** Is there any breakpoint? */
  get isInUse(): boolean {
    return this.breakpoints.size + this.guestBreakpoints.size > 0;
  }

  /** Is there a breakpoint, a debugger's or the guest's, at a linear address? */
  isAt(address: number): boolean {
    return this.breakpoints.has(address) || this.guestBreakpoints.has(address);
  }
}
