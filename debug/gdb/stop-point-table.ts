/** The breakpoints and watchpoints that a client has inserted (Z and z packets). */

import type { Target, WatchAccess, WatchRequest } from "../target.ts";

/** Types of Z packets (appendix E.2): 0 and 1 are breakpoints, of memory and of hardware: here they are the same. */
const WATCH_TYPES: Readonly<Record<string, WatchAccess>> = { "2": "write", "3": "read", "4": "access" };
const MOST_POINTS = 10_000;
const MOST_WATCHPOINTS = 64;
const MOST_WATCHED_BYTES = 1 << 20;

export class StopPointTable {
  /** By address: the types that are inserted there. */
  private readonly breakpoints = new Map<number, Set<string>>();
  private readonly watchpoints = new Map<string, WatchRequest>();

  constructor(private readonly target: Target) {}

  /** @returns undefined for a type that there is not, false if it cannot be done */
  insert(type: string, address: number, length: number): boolean | undefined {
    if (type === "0" || type === "1") {
      const types = this.breakpoints.get(address);
      if (types !== undefined) types.add(type);
      else if (this.breakpoints.size >= MOST_POINTS) return false;
      else {
        this.breakpoints.set(address, new Set([type]));
        this.target.setBreakpoint(address, true);
      }
      return true;
    }
    const access = WATCH_TYPES[type];
    if (access === undefined) return undefined;
    if (length < 1 || length > MOST_WATCHED_BYTES || this.watchpoints.size >= MOST_WATCHPOINTS) return false;
    this.watchpoints.set(`${type} ${address} ${length}`, { address, length, access });
    this.target.setWatchpoints([...this.watchpoints.values()]);
    return true;
  }

  remove(type: string, address: number, length: number): boolean | undefined {
    if (type === "0" || type === "1") {
      const types = this.breakpoints.get(address);
      types?.delete(type);
      if (types?.size === 0) {
        this.breakpoints.delete(address);
        this.target.setBreakpoint(address, false);
      }
      return true;
    }
    if (WATCH_TYPES[type] === undefined) return undefined;
    if (this.watchpoints.delete(`${type} ${address} ${length}`))
      this.target.setWatchpoints([...this.watchpoints.values()]);
    return true;
  }

  clear(): void {
    for (const address of this.breakpoints.keys()) this.target.setBreakpoint(address, false);
    this.breakpoints.clear();
    if (this.watchpoints.size > 0) this.target.setWatchpoints([]);
    this.watchpoints.clear();
  }
}
