/** Places in the interpreter's function table for compiled regions: their handler numbers. */

import type { LoadedCode } from "../interp/loaded-code.ts";
import { REGION_SLOTS } from "../interp/record.ts";

/** By how many places the table grows. */
const SLOTS_AT_ONCE = 1024;

export class RegionSlots {
  private readonly first: number;
  private next: number;
  private readonly free: number[] = [];

  constructor(private readonly code: LoadedCode) {
    this.first = code.table.size;
    this.next = this.first;
  }

  /** @returns -1 if there are no more */
  allocate(): number {
    const free = this.free.pop();
    if (free !== undefined) return free;
    const slot = this.next;
    const end = this.first + REGION_SLOTS;
    if (slot === end) return -1;
    if (slot >= this.code.functions.length) this.code.growTable(Math.min(slot + SLOTS_AT_ONCE, end));
    this.next++;
    return slot;
  }

  release(slot: number): void {
    if (this.code.functions.get(slot) !== null) this.code.functions.set(slot, null);
    this.free.push(slot);
  }

  /** All of them. What stays in the table is kept in memory. */
  clear(): void {
    for (let slot = this.first; slot < this.next; slot++) this.code.functions.set(slot, null);
    this.free.length = 0;
    this.next = this.first;
  }
}
