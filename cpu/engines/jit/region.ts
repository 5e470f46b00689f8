/**
 * Regions: pieces of the guest's control flow graph, found by following direct jumps from a hot address through what has
 * been executed. A region has several entries: its head, where calls return to, loop headers, and what jumps to computed
 * addresses reach; so a whole function becomes one, calls and all.
 */

import type { PartSet } from "./locals.ts";
import type { InstructionTemplate } from "./template.ts";

/** An instruction of a region: what it does, and the record that binds its operands. */
export interface RegionInstruction {
  readonly rip: number;
  readonly length: number;
  readonly template: InstructionTemplate;
  /** A copy of the decoded record. */
  readonly record: DataView;
  /** Which of the two sets of capture locals it uses; -1 until that is decided. */
  bank: number;
  /** Parts of the state that it writes (dataflow.ts). */
  readonly writes: PartSet;
}

export interface RegionBlock {
  readonly rip: number;
  /** Virtual address behind its last instruction. */
  end: number;
  readonly instructions: RegionInstruction[];
  /** Where control goes: the taken and the other way of a conditional jump, or the only way. An address leaves the region. */
  successors: (RegionBlock | number)[];
  /** Control goes to a computed address at the end. */
  jumps: boolean;
  /** That address, as far as one can tell: a return from a function that is part of the region. The successor is there. */
  expected: number | undefined;
  /** Calls a function outside of the region. */
  calls: boolean;
  /** That function comes back to this entry, if it does as it should. */
  returnsTo: RegionBlock | undefined;
  /** Returns from a function. */
  returns: boolean;
}

export interface Region {
  /** The head. */
  readonly rip: number;
  readonly blocks: readonly RegionBlock[];
  /** Blocks that control may enter from outside; the first is the head. */
  readonly entries: readonly RegionBlock[];
  readonly instructionCount: number;
}

/** How control goes on behind an instruction. */
export type Flow =
  | "next"
  | "conditional"
  | "jump"
  | "call"
  | "computed call"
  | "computed jump"
  | "return"
  /** To another module, or the like. */
  | "away";

/** One decoded instruction, as the explorer gets it. */
export interface Explored {
  readonly instruction: RegionInstruction;
  readonly flow: Flow;
  /** Target of a direct branch. */
  readonly target: number;
}

/** What the explorer asks about the guest's code. */
export interface CodeMap {
  /** What is at an address, or undefined where a region must not lead: not decodable, or left to the interpreter. */
  explore(rip: number): Explored | undefined;
  /** Has control come to this address, as far as one knows? */
  isKnown(rip: number): boolean;
  /** Is it an entry of another region? */
  isEntry(rip: number): boolean;
  /** Addresses near a computed jump that control has come to. */
  knownNear(rip: number): readonly number[];
  /** If not as many as usual. */
  readonly mostInstructions: number | undefined;
}

const MOST_INSTRUCTIONS = 300;
/** Blocks at the most, in a region of so many instructions. */
const mostBlocks = (instructions: number): number => instructions >> 1;
/** A function that calls nothing and is not larger than this becomes part of its callers' regions. */
const MOST_INLINED_INSTRUCTIONS = 48;
const MOST_INLINED_BLOCKS = 12;

/**
 * Finds the region from an address on, breadth first, up to a size.
 * @returns undefined if not even the first instruction belongs into a region
 */
export function findRegion(rip: number, code: CodeMap): Region | undefined {
  const { leaders, entries, found, inlined } = survey(rip, code);
  const blocks = createBlocks(leaders, found);
  const at = (address: number): RegionBlock | number => blocks.get(address) ?? address;
  let count = 0;
  const bodies: RegionBlock[] = [];
  for (const block of blocks.values()) {
    count += fill(block, found, at);
    const call = block.instructions.at(-1);
    const body = call === undefined ? undefined : inlined.get(call.rip);
    if (body === undefined) continue;
    const inner = createBlocks(body.leaders, body.found);
    for (const innerBlock of inner.values()) {
      count += fill(innerBlock, body.found, (address) => inner.get(address) ?? address);
      if (innerBlock.jumps) {
        innerBlock.expected = block.end;
        innerBlock.successors = [at(block.end)];
      }
      bodies.push(innerBlock);
    }
    block.successors = [inner.get(body.rip) ?? body.rip];
  }
  const main = reachableBlocks(rip, entries, blocks);
  if (main === undefined) return undefined;
  noteReturns(main, found);
  return { rip, blocks: [...main.blocks, ...bodies], entries: main.entries, instructionCount: count };
}

/** Where the calls that leave the region come back. */
function noteReturns(
  { blocks, entries }: Pick<Region, "blocks" | "entries">,
  found: ReadonlyMap<number, Explored>,
): void {
  const entryAt = new Map(entries.map((entry) => [entry.rip, entry]));
  for (const block of blocks) {
    const last = block.instructions.at(-1);
    const flow = last === undefined ? undefined : found.get(last.rip)?.flow;
    const leaves = block.jumps || typeof block.successors[0] === "number";
    block.calls = (flow === "call" || flow === "computed call") && leaves;
    if (block.calls) block.returnsTo = entryAt.get(block.end);
  }
}

function createBlocks(
  leaders: Iterable<number>,
  found: ReadonlyMap<number, Explored>,
): Map<number, RegionBlock> {
  const blocks = new Map<number, RegionBlock>();
  for (const rip of leaders) {
    if (!found.has(rip)) continue;
    blocks.set(rip, createBlock(rip));
  }
  return blocks;
}

export function createBlock(rip: number): RegionBlock {
  return {
    ...{ rip, end: rip, instructions: [], successors: [], jumps: false, expected: undefined },
    ...{ calls: false, returnsTo: undefined, returns: false },
  };
}

function reachableBlocks(
  rip: number,
  entries: ReadonlySet<number>,
  blocks: ReadonlyMap<number, RegionBlock>,
): Pick<Region, "blocks" | "entries"> | undefined {
  const head = blocks.get(rip);
  if (head === undefined) return undefined;
  const others = [...entries].flatMap((entry) => (entry === rip ? [] : (blocks.get(entry) ?? [])));
  return {
    blocks: [head, ...[...blocks.values()].filter((block) => block !== head)],
    entries: [head, ...others],
  };
}

/** Gives a block its instructions and successors. @returns how many instructions */
function fill(
  block: RegionBlock,
  found: ReadonlyMap<number, Explored>,
  at: (address: number) => RegionBlock | number,
): number {
  for (let next = block.rip; ; ) {
    const explored = next !== block.rip && typeof at(next) !== "number" ? undefined : found.get(next);
    if (explored === undefined) {
      block.successors = [at(next)];
      break;
    }
    const { instruction, flow, target } = explored;
    block.instructions.push(instruction);
    next += instruction.length;
    block.end = next;
    if (flow === "next") continue;
    if (flow === "jump" || flow === "call") block.successors = [at(target)];
    else if (flow === "conditional") block.successors = [at(target), at(next)];
    else {
      block.jumps = true;
      block.returns = flow === "return";
    }
    break;
  }
  return block.instructions.length;
}

/** A function that is called from the region and made part of it. */
interface InlinedFunction {
  readonly rip: number;
  readonly leaders: ReadonlySet<number>;
  readonly found: ReadonlyMap<number, Explored>;
}

interface Survey {
  /** Addresses at which blocks begin. */
  readonly leaders: Set<number>;
  readonly entries: Set<number>;
  readonly found: Map<number, Explored>;
  /** By the address of the call. */
  readonly inlined: ReadonlyMap<number, InlinedFunction>;
}

/** Which instructions belong to the region, and where blocks and entries are. */
function survey(rip: number, code: CodeMap): Survey {
  const leaders = new Set<number>([rip]);
  const entries = new Set<number>([rip]);
  const found = new Map<number, Explored>();
  const inlined = new Map<number, InlinedFunction>();
  const queue = [rip];
  const { mostInstructions = MOST_INSTRUCTIONS } = code;
  const lead = (address: number): void => {
    if (leaders.has(address) || leaders.size >= mostBlocks(mostInstructions) || code.isEntry(address)) return;
    leaders.add(address);
    queue.push(address);
  };
  for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
    for (let next = at; !found.has(next) && found.size < mostInstructions; ) {
      if (next !== rip && code.isEntry(next)) break;
      const explored = code.explore(next);
      if (explored === undefined) break;
      found.set(next, explored);
      const { instruction, flow, target } = explored;
      const from = next;
      next += instruction.length;
      if (flow === "next") continue;
      switch (flow) {
        case "conditional":
          lead(next);
          if (code.isKnown(target)) lead(target);
          if (target <= from && leaders.has(target)) entries.add(target);
          break;
        case "jump":
          lead(target);
          if (target <= from && leaders.has(target)) entries.add(target);
          break;
        case "call": {
          const body = code.isKnown(target) ? surveyFunction(target, code) : undefined;
          if (body !== undefined && found.size + body.found.size < mostInstructions) {
            inlined.set(from, body);
            lead(next);
            break;
          }
          if (code.isKnown(next)) {
            lead(next);
            if (leaders.has(next)) entries.add(next);
          }
          break;
        }
        case "computed call":
          if (code.isKnown(next)) {
            lead(next);
            if (leaders.has(next)) entries.add(next);
          }
          break;
        case "computed jump":
          for (const known of code.knownNear(from)) {
            lead(known);
            if (leaders.has(known)) entries.add(known);
          }
          break;
      }
      break;
    }
  }
  // A jump into the middle of a run that was walked through before.
  for (const { flow, target } of found.values()) {
    if ((flow === "conditional" || flow === "jump") && found.has(target)) leaders.add(target);
  }
  return { leaders, entries, found, inlined };
}

/** @returns undefined if the function is no leaf, or too large */
function surveyFunction(rip: number, code: CodeMap): InlinedFunction | undefined {
  const leaders = new Set<number>([rip]);
  const found = new Map<number, Explored>();
  const queue = [rip];
  for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
    for (let next = at; !found.has(next); ) {
      if (found.size >= MOST_INLINED_INSTRUCTIONS || leaders.size > MOST_INLINED_BLOCKS) return undefined;
      const explored = code.explore(next);
      if (explored === undefined) return undefined;
      found.set(next, explored);
      const { instruction, flow, target } = explored;
      next += instruction.length;
      if (flow === "next") continue;
      if (flow === "conditional") {
        leaders.add(next);
        queue.push(next);
        if (!code.isKnown(target)) break;
      } else if (flow === "return" || flow === "away") break;
      else if (flow !== "jump") return undefined;
      leaders.add(target);
      queue.push(target);
      break;
    }
  }
  return { rip, leaders, found };
}
