/** Narrows a difference between two engines down: the fewest instructions that show it, and what each of them did. */

import { PageFault } from "../../../mmu/mmu.ts";
import { PAGE_SIZE } from "../../../mmu/translator.ts";
import type { Cpu } from "../../cpu.ts";
import { type Engine, Exit } from "../../engine.ts";
import type { Difference, MemoryDifference, TraceStep } from "./difference.ts";
import { EngineCrash, type Lockstep, type Snapshot } from "./lockstep.ts";
import { differingItems, type Item, type Outcome, outcomeOf } from "./outcome.ts";

/** How far before the end the beginning of the shortest stretch is looked for. */
const MOST_WINDOW = 600;
/** How many instructions are executed alone, for the jumps on the way. */
const MOST_TRACED = 2000;
const MOST_BRANCHES = 24;
const MOST_MEMORY = 8;
const MEMORY_BYTES = 16;
const LONGEST_INSTRUCTION = 15;

interface Comparison {
  readonly outcomes: readonly [Outcome, Outcome];
  readonly items: readonly Item[];
  readonly memory: readonly MemoryDifference[];
}

/** A slice that both have executed, the second one last, with different results. */
export interface DifferentSlice {
  readonly length: number;
  readonly exits: readonly [Exit, Exit | EngineCrash];
  /** RAM after the first. */
  readonly after: ReadonlyMap<number, Int32Array>;
  /** Instructions until its end, since the machine was made. */
  readonly executed: number;
}

type CreateFiner = (cpu: Cpu, instructions: number) => Engine;
/** For each side: makes its engine with regions of so many instructions at most; undefined if it has none. */
export type Finer = readonly [first?: CreateFiner | undefined, second?: CreateFiner | undefined];

/** Lengths of regions to try, to find a bug in one: the shorter, the less there is to look at. */
const REGION_LENGTHS = [1, 2, 4, 8, 16, 32, 64, 128];

export function investigate(lockstep: Lockstep, slice: DifferentSlice, finer: Finer): Difference {
  return new Investigation(lockstep, finer).difference(slice);
}

class Investigation {
  private readonly beginning: Snapshot;

  constructor(
    private readonly lockstep: Lockstep,
    private readonly finer: Finer,
  ) {
    this.beginning = lockstep.beginning;
  }

  difference({ length, exits, after, executed }: DifferentSlice): Difference {
    const { sides } = this.lockstep;
    const engines = [sides[0].engine.name, sides[1].engine.name] as const;
    const outcomes = [
      outcome(sides[0].cpu, exits[0], length),
      outcome(sides[1].cpu, exits[1], length),
    ] as const;
    const found: Comparison = {
      outcomes,
      items: differingItems(...outcomes),
      memory: this.differingMemory(after),
    };
    const before = executed - outcomes[0].executed;
    if (!differs(this.compare(this.beginning, length))) {
      const { trace, branches, start } = this.trace(0, outcomes[0].executed, []);
      return {
        engines,
        ...found,
        agreed: before,
        start,
        length: outcomes[0].executed,
        trace,
        branches,
        writers: new Map(),
        repeats: false,
      };
    }
    const end = this.shortest(length);
    return { engines, ...(this.inShortRegions(end, before) ?? this.narrowed(end, before)) };
  }

  /** The shortest budget with which they differ, given one. */
  private shortest(length: number): number {
    let equal = 0;
    let unequal = length;
    while (unequal - equal > 1) {
      const middle = (equal + unequal) >> 1;
      if (differs(this.compare(this.beginning, middle))) unequal = middle;
      else equal = middle;
    }
    return unequal;
  }

  private narrowed(end: number, before: number): Omit<Difference, "engines"> {
    const { from, comparison } = this.latestStart(end);
    const traced = this.trace(from, end, comparison.memory);
    return {
      ...comparison,
      agreed: before + from,
      start: traced.start,
      length: end - from,
      trace: traced.trace,
      branches: traced.branches,
      writers: this.writers(comparison, traced.trace, traced.samples),
      repeats: true,
    };
  }

  /** The same with compiled regions as short as possible; undefined if it does not show then. */
  private inShortRegions(end: number, before: number): Omit<Difference, "engines"> | undefined {
    const turn = this.finer[1] !== undefined ? 1 : 0;
    const create = this.finer[turn];
    if (create === undefined) return undefined;
    for (const instructions of REGION_LENGTHS) {
      this.lockstep.replaceEngine(turn, (cpu) => create(cpu, instructions));
      if (!differs(this.compare(this.beginning, end))) continue;
      return { ...this.narrowed(this.shortest(end), before), regionInstructions: instructions };
    }
    return undefined;
  }

  /** From as late a start as possible: the last one before the end from which they still differ. */
  private latestStart(end: number): { from: number; comparison: Comparison } {
    for (let from = end - 1; from > 0 && from >= end - MOST_WINDOW; from--) {
      const comparison = this.compare(this.at(from), end - from);
      if (differs(comparison)) return { from, comparison };
    }
    return { from: 0, comparison: this.compare(this.beginning, end) };
  }

  /** The state after so many instructions of the slice. */
  private at(count: number): Snapshot {
    const { lockstep } = this;
    lockstep.restore(this.beginning);
    if (count > 0) lockstep.execute(0, count);
    return lockstep.snapshot(0);
  }

  private compare(from: Snapshot, budget: number): Comparison {
    const { lockstep } = this;
    const [first, second] = lockstep.sides;
    lockstep.restore(from);
    const one = outcome(first.cpu, lockstep.execute(0, budget), budget);
    const { pages } = lockstep.snapshot(0);
    lockstep.restore(from);
    const other = outcome(second.cpu, lockstep.execute(1, budget), budget);
    return { outcomes: [one, other], items: differingItems(one, other), memory: this.differingMemory(pages) };
  }

  /** Where RAM is not what it was after the first engine. */
  private differingMemory(after: ReadonlyMap<number, Int32Array>): MemoryDifference[] {
    const found: MemoryDifference[] = [];
    const { journal } = this.lockstep;
    for (const { physical, virtual, before } of journal.pages.values()) {
      const one = bytesOf(after.get(physical) ?? before);
      const other = bytesOf(journal.live(physical));
      let count = 0;
      let first = -1;
      for (let index = 0; index < PAGE_SIZE; index++) {
        if (one[index] === other[index]) continue;
        if (first < 0) first = index;
        count++;
      }
      if (count === 0 || found.length >= MOST_MEMORY) continue;
      const part = (bytes: Uint8Array) => bytes.slice(first, first + MEMORY_BYTES);
      found.push({
        virtual: virtual + first,
        physical: physical + first,
        before: part(bytesOf(before)),
        after: [part(one), part(other)],
        count,
      });
    }
    return found;
  }

  /** Executes instruction by instruction up to `end`; keeps those from `from` on. */
  private trace(from: number, end: number, memory: readonly MemoryDifference[]) {
    const { lockstep } = this;
    const { cpu } = lockstep.sides[0];
    const first = Math.max(0, Math.min(from, end - MOST_TRACED));
    lockstep.restore(this.at(first));
    const trace: TraceStep[] = [];
    /** What the places that differ hold before each step. */
    const samples: string[][] = [];
    const branches: [number, number][] = [];
    let start = cpu.rip;
    for (let count = first; count < end; count++) {
      const rip = cpu.rip;
      if (count === from) start = rip;
      if (count >= from) {
        trace.push(stepAt(cpu));
        samples.push(memory.map(({ physical }) => sample(cpu, physical)));
      }
      if (lockstep.execute(0, 1) !== Exit.Budget) break;
      if (cpu.rip <= rip || cpu.rip > rip + LONGEST_INSTRUCTION) branches.push([rip, cpu.rip]);
    }
    trace.push(stepAt(cpu));
    samples.push(memory.map(({ physical }) => sample(cpu, physical)));
    return { trace, samples, branches: branches.slice(-MOST_BRANCHES), start };
  }

  /** Who gave each item that differs its value, as the first engine sees it. */
  private writers(
    { items, memory }: Comparison,
    trace: readonly TraceStep[],
    samples: readonly (readonly string[])[],
  ): Map<string, number> {
    const found = new Map<string, number>();
    const names = new Set(items.map(({ name }) => name));
    for (let index = trace.length - 2; index >= 0; index--) {
      const changed = differingItems(asOutcome(trace[index]), asOutcome(trace[index + 1]));
      for (const { name } of changed) if (names.has(name) && !found.has(name)) found.set(name, index);
      memory.forEach(({ virtual }, place) => {
        const name = memoryName(virtual);
        if (!found.has(name) && samples[index][place] !== samples[index + 1][place]) found.set(name, index);
      });
    }
    return found;
  }
}

/** How a place in memory is called among the items. */
export function memoryName(virtual: number): string {
  return `[${virtual.toString(16)}]`;
}

function outcome(cpu: Cpu, exit: Exit | EngineCrash, budget: number): Outcome {
  if (!(exit instanceof EngineCrash)) return outcomeOf(cpu, exit, budget);
  const { error } = exit;
  const crash = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { ...outcomeOf(cpu, Exit.Stopped, budget), crash };
}

function asOutcome({ context, rflags }: TraceStep): Outcome {
  return { exit: Exit.Budget, executed: 0, vector: 0, errorCode: 0, address: 0, context, rflags };
}

function differs({ items, memory }: Comparison): boolean {
  return items.length > 0 || memory.length > 0;
}

function bytesOf(words: Int32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

function sample(cpu: Cpu, physical: number): string {
  return cpu.ram.subarray(physical, physical + 8).join();
}

function stepAt(cpu: Cpu): TraceStep {
  const state = outcomeOf(cpu, Exit.Budget, 0);
  return { rip: cpu.rip, bytes: codeAt(cpu), context: state.context, rflags: state.rflags };
}

/** As many bytes of the instruction as can be read. */
function codeAt(cpu: Cpu): Uint8Array {
  for (let length = LONGEST_INSTRUCTION; length > 0; length--) {
    const bytes = new Uint8Array(length);
    try {
      cpu.mmu.read(cpu.rip, bytes);
      return bytes;
    } catch (error) {
      if (!(error instanceof PageFault)) throw error;
    }
  }
  return new Uint8Array(0);
}
