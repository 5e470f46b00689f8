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
export type Flow = "next" | "conditional" | "jump" | "call" | "computed call" | "computed jump" | "return";

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
  /** If fewer than usual. */
  readonly mostInstructions: number | undefined;
}

const MOST_INSTRUCTIONS = 500;
const MOST_BLOCKS = 150;

/**
 * Finds the region from an address on, breadth first, up to a size.
 * @returns undefined if not even the first instruction belongs into a region
 */
export function findRegion(rip: number, code: CodeMap): Region | undefined {
  const { leaders, entries, found } = survey(rip, code);
  const blocks = new Map<number, RegionBlock>();
  for (const leader of leaders) {
    if (found.has(leader))
      blocks.set(leader, { rip: leader, end: leader, instructions: [], successors: [], jumps: false });
  }
  const at = (address: number): RegionBlock | number => blocks.get(address) ?? address;
  let count = 0;
  for (const block of blocks.values()) count += fill(block, found, at);
  const reachable = reachableBlocks(rip, entries, blocks);
  if (reachable === undefined) return undefined;
  return { rip, ...reachable, instructionCount: count };
}

function reachableBlocks(
  rip: number,
  entries: ReadonlySet<number>,
  blocks: ReadonlyMap<number, RegionBlock>,
): Pick<Region, "blocks" | "entries"> | undefined {
  const head = blocks.get(rip);
  if (head === undefined) return undefined;
  const others = [...entries].flatMap((entry) => (entry === rip ? [] : (blocks.get(entry) ?? [])));
  return { blocks: [head, ...[...blocks.values()].filter((block) => block !== head)], entries: [head, ...others] };
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
    else block.jumps = true;
    break;
  }
  return block.instructions.length;
}

interface Survey {
  /** Addresses at which blocks begin. */
  readonly leaders: Set<number>;
  readonly entries: Set<number>;
  readonly found: Map<number, Explored>;
}

/** Which instructions belong to the region, and where blocks and entries are. */
function survey(rip: number, code: CodeMap): Survey {
  const leaders = new Set<number>([rip]);
  const entries = new Set<number>([rip]);
  const found = new Map<number, Explored>();
  const queue = [rip];
  const { mostInstructions = MOST_INSTRUCTIONS } = code;
  const lead = (address: number): void => {
    if (leaders.has(address) || leaders.size >= MOST_BLOCKS || code.isEntry(address)) return;
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
        case "call":
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
  return { leaders, entries, found };
}
