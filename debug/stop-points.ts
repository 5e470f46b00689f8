/** Breakpoints and watchpoints of a debugger on one processor. */

import type { Cpu } from "../cpu/cpu.ts";
import type { Engine } from "../cpu/engine.ts";
import { Access, PAGE_SIZE } from "../mmu/translator.ts";
import type { WatchAccess, WatchRequest } from "./target.ts";

const ACCESS: Readonly<Record<WatchAccess, number>> = {
  write: Access.Write,
  read: Access.Read,
  access: Access.Read | Access.Write,
};

export class StopPoints {
  private requests: readonly WatchRequest[] = [];

  constructor(
    private readonly cpu: Cpu,
    private readonly engine: Engine,
  ) {}

  setBreakpoint(address: number, isSet: boolean): void {
    const { breakpoints } = this.cpu.stops;
    if (breakpoints.has(address) === isSet) return;
    if (isSet) breakpoints.add(address);
    else breakpoints.delete(address);
    this.engine.invalidateVirtual(address, 1);
  }

  setWatchpoints(requests: readonly WatchRequest[]): void {
    this.requests = requests;
    this.cpu.watch(
      requests.map(({ address, length, access }) => ({ address, length, access: ACCESS[access] })),
    );
  }

  clear(): void {
    for (const address of [...this.cpu.stops.breakpoints]) this.setBreakpoint(address, false);
    if (this.requests.length > 0) this.setWatchpoints([]);
  }

  /**
   * Not the processor has written to physical memory, but a device or the kernel: perhaps to what is watched.
   * @param physicalOf where a virtual address is; undefined where nothing is
   */
  written(physical: number, length: number, physicalOf: (address: number) => number | undefined): void {
    for (const { address, length: watched, access } of this.requests) {
      if (access === "read") continue;
      for (let at = address; at < address + watched; ) {
        const count = Math.min(address + watched - at, PAGE_SIZE - pageOffset(at));
        const start = physicalOf(at);
        if (start !== undefined && start < physical + length && physical < start + count) {
          const watchpoint = { address, length: watched, access: ACCESS[access] };
          this.cpu.stops.hit ??= { watchpoint, access: Access.Write };
          return;
        }
        at += count;
      }
    }
  }

  /** Is there a watched access that nobody has taken yet? */
  get hasHit(): boolean {
    return this.cpu.stops.hit !== undefined;
  }

  /** The watched access that has happened, once. */
  takeHit(): WatchRequest | undefined {
    const { stops } = this.cpu;
    const { hit } = stops;
    stops.hit = undefined;
    if (hit === undefined) return undefined;
    const { address, length, access } = hit.watchpoint;
    return this.requests.find(
      (request) =>
        request.address === address && request.length === length && ACCESS[request.access] === access,
    );
  }
}

/** Offset in the page, for negative (upper-half) addresses too. */
function pageOffset(address: number): number {
  return ((address % PAGE_SIZE) + PAGE_SIZE) % PAGE_SIZE;
}
