/**
 * Regions: hot pieces of the guest's control flow graph, found by following direct jumps from a hot address.
 */

import type { Instructions } from "../../ir/value.ts";

/** An instruction of a region: what it does, and the record that binds its operands. */
export interface RegionInstruction {
  readonly rip: number;
  readonly length: number;
  readonly instructions: Instructions;
  /** A copy of the decoded record. */
  readonly record: DataView;
}

export interface RegionBlock {
  readonly rip: number;
  /** Virtual address behind its last instruction. */
  end: number;
  readonly instructions: RegionInstruction[];
  /** Where control goes: the taken and the other way of a conditional jump, or the only way. An address leaves the region. */
  successors: (RegionBlock | number)[];
  /** Control leaves to a computed address at the end. */
  leaves: boolean;
}

export interface Region {
  readonly rip: number;
  /** The first one is the entry. */
  readonly blocks: readonly RegionBlock[];
  readonly instructionCount: number;
  /** Linear address of a record that leads to an address outside. */
  exitRecord(rip: number): number;
}

/** One decoded instruction, as the explorer gets it. */
export interface Explored {
  readonly instruction: RegionInstruction;
  /** Target of a direct branch. */
  readonly target: number | undefined;
  readonly conditional: boolean;
}

/** Answers what is at an address, or undefined where a region must not lead: not decodable, or left to the interpreter. */
export type Explore = (rip: number) => Explored | undefined;

const MOST_INSTRUCTIONS = 400;
const MOST_BLOCKS = 80;

/**
 * Finds the region from an address on, breadth first, up to a size. Calls and jumps to computed addresses end it.
 * @returns undefined if not even the first instruction belongs into a region
 */
export function findRegion(
  rip: number,
  explore: Explore,
  exitRecord: (rip: number) => number,
): Region | undefined {
  const { leaders, found } = survey(rip, explore);
  const blocks = new Map<number, RegionBlock>();
  for (const leader of leaders.keys()) {
    blocks.set(leader, { rip: leader, end: leader, instructions: [], successors: [], leaves: false });
  }
  let count = 0;
  for (const block of blocks.values()) {
    for (let at = block.rip; ; ) {
      const explored = leaders.has(at) && at !== block.rip ? undefined : found.get(at);
      if (explored === undefined) {
        // Falls into another block, or out of the region.
        block.successors = [blocks.get(at) ?? at];
        break;
      }
      const { instruction, target, conditional } = explored;
      block.instructions.push(instruction);
      count++;
      at += instruction.length;
      block.end = at;
      if (!instruction.instructions.transfers) continue;
      if (target === undefined) block.leaves = true;
      else block.successors = [blocks.get(target) ?? target];
      if (conditional) block.successors.push(blocks.get(at) ?? at);
      break;
    }
  }
  const entry = blocks.get(rip);
  if (entry === undefined || entry.instructions.length === 0) return undefined;
  // A block without instructions is a way out.
  for (const block of blocks.values()) {
    block.successors = block.successors.map((next) =>
      typeof next !== "number" && next.instructions.length === 0 ? next.rip : next,
    );
  }
  const ordered = [
    entry,
    ...[...blocks.values()].filter((block) => block !== entry && block.instructions.length > 0),
  ];
  return { rip, blocks: ordered, instructionCount: count, exitRecord };
}

/** Which instructions belong to the region, and at which addresses blocks begin. */
function survey(rip: number, explore: Explore): { leaders: Set<number>; found: Map<number, Explored> } {
  const leaders = new Set<number>([rip]);
  const found = new Map<number, Explored>();
  const queue = [rip];
  for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
    for (let next = at; !found.has(next) && found.size < MOST_INSTRUCTIONS; ) {
      const explored = explore(next);
      if (explored === undefined) break;
      found.set(next, explored);
      const { instruction, target, conditional } = explored;
      next += instruction.length;
      if (!instruction.instructions.transfers) continue;
      const ways = conditional ? [target, next] : [target];
      for (const way of ways) {
        if (way === undefined || leaders.has(way) || leaders.size >= MOST_BLOCKS) continue;
        leaders.add(way);
        queue.push(way);
      }
      break;
    }
  }
  return { leaders, found };
}
