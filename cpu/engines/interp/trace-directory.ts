/** Traces by execution mode and address. */

import { type ExecutionMode, USER_CODE_MODE } from "../../system/execution-mode.ts";
import type { Trace } from "./trace.ts";

/** Those of one mode. */
class ModeTraces {
  /** By address; on a whole PC perhaps not the only ones there. */
  readonly known = new Map<number, Trace>();
  /** What other address spaces have at these addresses. */
  readonly others = new Map<number, Trace[]>();
}

export class TraceDirectory {
  private readonly byMode = new Map<number, ModeTraces>();
  private current = this.tracesOf(USER_CODE_MODE);

  private tracesOf({ id }: ExecutionMode): ModeTraces {
    let traces = this.byMode.get(id);
    if (traces === undefined) {
      traces = new ModeTraces();
      this.byMode.set(id, traces);
    }
    return traces;
  }

  /** From now on addresses are looked up in this mode. */
  useMode(mode: ExecutionMode): void {
    this.current = this.tracesOf(mode);
  }

  /** The trace at an address that was in use last. */
  get(rip: number): Trace | undefined {
    return this.current.known.get(rip);
  }

  /** Another one at that address that fits, which is the one in use from now on. */
  change(rip: number, fits: (trace: Trace) => boolean): Trace | undefined {
    const { known, others } = this.current;
    const before = known.get(rip);
    const alike = others.get(rip);
    const index = alike?.findIndex(fits) ?? -1;
    if (before === undefined || alike === undefined || index < 0) return undefined;
    const found = alike[index];
    alike[index] = before;
    known.set(rip, found);
    return found;
  }

  /** A trace of the mode in use. */
  add(trace: Trace): void {
    const { known, others } = this.current;
    const { rip } = trace;
    const before = known.get(rip);
    if (before !== undefined) {
      const alike = others.get(rip);
      if (alike === undefined) others.set(rip, [before]);
      else alike.push(before);
    }
    known.set(rip, trace);
  }

  /** Of any mode. */
  remove(trace: Trace): void {
    const { rip, mapping } = trace;
    const { known, others } = mapping === undefined ? this.current : this.tracesOf(mapping.mode);
    const alike = others.get(rip);
    if (known.get(rip) === trace) {
      const next = alike?.pop();
      if (next === undefined) known.delete(rip);
      else known.set(rip, next);
    } else if (alike?.includes(trace)) alike.splice(alike.indexOf(trace), 1);
    if (alike?.length === 0) others.delete(rip);
  }

  clear(): void {
    for (const { known, others } of this.byMode.values()) {
      known.clear();
      others.clear();
    }
  }
}
