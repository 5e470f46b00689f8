/** What lockstep execution found: where two engines part, and everything that helps to see why. */

import type { Item, Outcome } from "./outcome.ts";

/** An instruction that the first engine executed, alone. */
export interface TraceStep {
  readonly rip: number;
  /** Its bytes, as far as they can be read. */
  readonly bytes: Uint8Array;
  /** Registers before it. */
  readonly context: Uint8Array;
  readonly rflags: number;
}

export interface MemoryDifference {
  /** Of the first byte that differs. */
  readonly virtual: number;
  readonly physical: number;
  /** From there on: before, after the first engine, after the second. */
  readonly before: Uint8Array;
  readonly after: readonly [Uint8Array, Uint8Array];
  /** Bytes of the page that differ. */
  readonly count: number;
}

export interface Difference {
  readonly engines: readonly [string, string];
  /** Instructions both had executed before, in agreement. */
  readonly agreed: number;
  /** Where the shortest stretch that shows it begins, and how many instructions it has. */
  readonly start: number;
  readonly length: number;
  readonly outcomes: readonly [Outcome, Outcome];
  /** Registers and exits that differ. */
  readonly items: readonly Item[];
  readonly memory: readonly MemoryDifference[];
  /** The last instructions of that stretch, one by one as the first engine executed them. */
  readonly trace: readonly TraceStep[];
  /** By name of an item: index in the trace of the instruction that gave it its value there. */
  readonly writers: ReadonlyMap<string, number>;
  /** Jumps taken on the way to the end of the stretch, oldest first. */
  readonly branches: readonly (readonly [from: number, to: number])[];
  /** The engine that compiles regions was told to make them no longer than this, and still differed. */
  readonly regionInstructions?: number;
  /** False if the engines agreed when the stretch was repeated: then everything above is about the first time. */
  readonly repeats: boolean;
}

/** Thrown by an engine that checks, unless it was told what else to do. */
export class EngineDifference extends Error {
  constructor(readonly difference: Difference) {
    const { engines, items, memory, start, length } = difference;
    const what = [
      ...items.map(({ name }) => name),
      ...memory.map(({ virtual }) => `[${virtual.toString(16)}]`),
    ];
    super(
      `${engines.join(" and ")} differ in ${what.join(", ")} after ${length} instructions from ${start.toString(16)}`,
    );
    this.name = "EngineDifference";
  }
}
