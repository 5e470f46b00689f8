/** What flows along the edges of a region: parts of the state that have been written, flags that are deferred or needed. */

import { addressRegister, placeBit } from "./binding.ts";
import { FLAG_BITS, gprBit, PartSet } from "./locals.ts";
import type { Region, RegionBlock, RegionInstruction } from "./region.ts";
import { HoleKind, isInLocal } from "./template.ts";

/** What is known of a block. */
export interface BlockFacts {
  /** Parts that may have been written since the region was entered: at the start. */
  readonly dirty: PartSet;
  /** Written by the block itself. */
  readonly writes: PartSet;
  /** Read or written by the block, whatever way through its instructions is taken: their locals hold them at the end. */
  readonly loads: PartSet;
  /** Parts that are certain to be in their locals at the start. */
  available: PartSet;
  /** Whose flags are deferred at the start and at the end; undefined: they are stored. */
  flagsIn: RegionInstruction | undefined;
  flagsOut: RegionInstruction | undefined;
  /** Somebody may look at the flags as they are at the start. */
  needsFlags: boolean;
}

export interface RegionFacts {
  readonly blocks: ReadonlyMap<RegionBlock, BlockFacts>;
  /** All parts that the region touches, and all that it writes. */
  readonly touched: PartSet;
  readonly written: PartSet;
}

/**
 * @param order the blocks in reverse postorder
 * @param targets blocks that control enters from outside or through the dispatcher
 */
export function analyze(
  region: Region,
  order: readonly RegionBlock[],
  targets: readonly RegionBlock[],
): RegionFacts {
  const blocks = new Map<RegionBlock, BlockFacts>();
  const touched = new PartSet();
  const written = new PartSet();
  for (const block of order) {
    const writes = new PartSet();
    const loads = new PartSet();
    for (const instruction of block.instructions) {
      collect(instruction, touched, loads);
      writes.addAll(instruction.writes);
    }
    written.addAll(writes);
    blocks.set(block, {
      dirty: new PartSet(),
      writes,
      loads,
      available: new PartSet(),
      flagsIn: undefined,
      flagsOut: undefined,
      needsFlags: false,
    });
  }
  touched.addAll(written);
  const entered = new Set(targets.length > 0 ? targets : region.entries);
  spreadDirty(order, blocks, entered);
  spreadFlags(order, blocks, entered);
  spreadNeeds(order, blocks);
  spreadAvailable(order, blocks, entered);
  return { blocks, touched, written };
}

function collect({ template, record, writes }: RegionInstruction, touched: PartSet, loads: PartSet): void {
  for (const { kind, place, field, depth } of template.holes) {
    if (kind === HoleKind.PlaceGet || kind === HoleKind.PlaceSet) {
      if (place === undefined || !isInLocal(place)) continue;
      const bit = placeBit(record, place);
      touched.add(bit);
      if (kind === HoleKind.PlaceSet) writes.add(bit);
      if (depth === 0 && place.kind !== "field") loads.add(bit);
    } else if (kind === HoleKind.EffectiveAddress || (kind === HoleKind.Encoded && isRegisterField(field))) {
      for (const which of ["base", "index"] as const) {
        const register = addressRegister(record, which);
        if (register < 0) continue;
        touched.add(gprBit(register));
        // A field may name only one of the two.
        if (depth === 0 && (kind === HoleKind.EffectiveAddress || field === which))
          loads.add(gprBit(register));
      }
    } else if (kind === HoleKind.Condition) touched.low |= FLAG_BITS;
  }
  if (template.deferred !== undefined || template.storesFlags) writes.low |= FLAG_BITS;
}

function isRegisterField(field: string | undefined): boolean {
  return field === "base" || field === "index";
}

function spreadDirty(
  order: readonly RegionBlock[],
  blocks: ReadonlyMap<RegionBlock, BlockFacts>,
  entered: ReadonlySet<RegionBlock>,
): void {
  // A computed jump may lead back into the region by its dispatcher.
  const atEntries = new PartSet();
  for (let changed = true; changed; ) {
    changed = false;
    for (const block of order) {
      const facts = blocks.get(block);
      if (facts === undefined) continue;
      if (entered.has(block) && facts.dirty.grow(atEntries)) changed = true;
      const out = facts.dirty.copy();
      out.addAll(facts.writes);
      if (block.jumps && atEntries.grow(out)) changed = true;
      for (const successor of block.successors) {
        if (typeof successor === "number") continue;
        if (blocks.get(successor)?.dirty.grow(out)) changed = true;
      }
    }
  }
}

function spreadAvailable(
  order: readonly RegionBlock[],
  blocks: ReadonlyMap<RegionBlock, BlockFacts>,
  entered: ReadonlySet<RegionBlock>,
): void {
  const reached = new Set<RegionBlock>(entered);
  for (let changed = true; changed; ) {
    changed = false;
    for (const block of order) {
      const facts = blocks.get(block);
      if (facts === undefined || !reached.has(block)) continue;
      const out = availableBehind(block, facts);
      for (const successor of block.successors) {
        if (typeof successor === "number" || entered.has(successor)) continue;
        const next = blocks.get(successor);
        if (next === undefined) continue;
        if (!reached.has(successor)) {
          reached.add(successor);
          next.available = out.copy();
          changed = true;
        } else if (next.available.shrink(out)) changed = true;
      }
    }
  }
}

/** A helper may change everything. */
function availableBehind(block: RegionBlock, facts: BlockFacts): PartSet {
  if (block.instructions.some(({ template }) => template.helps)) return new PartSet();
  const out = facts.available.copy();
  out.addAll(facts.loads);
  return out;
}

function spreadFlags(
  order: readonly RegionBlock[],
  blocks: ReadonlyMap<RegionBlock, BlockFacts>,
  entered: ReadonlySet<RegionBlock>,
): void {
  const reached = new Set<RegionBlock>(entered);
  for (let changed = true; changed; ) {
    changed = false;
    for (const block of order) {
      const facts = blocks.get(block);
      if (facts === undefined || !reached.has(block)) continue;
      facts.flagsOut = flagsBehind(block, facts.flagsIn);
      for (const successor of block.successors) {
        if (typeof successor === "number" || entered.has(successor)) continue;
        const next = blocks.get(successor);
        if (next === undefined) continue;
        if (!reached.has(successor)) {
          reached.add(successor);
          next.flagsIn = facts.flagsOut;
          changed = true;
        } else if (next.flagsIn !== undefined && next.flagsIn !== facts.flagsOut) {
          next.flagsIn = undefined;
          changed = true;
        }
      }
    }
  }
}

/** Also gives every instruction whose flags are deferred the bank that the one before does not use. */
function flagsBehind(
  block: RegionBlock,
  before: RegionInstruction | undefined,
): RegionInstruction | undefined {
  let flags = before;
  for (const instruction of block.instructions) {
    const { template } = instruction;
    if (template.deferred !== undefined) {
      instruction.bank = flags === undefined ? 0 : 1 - flags.bank;
      flags = instruction;
    } else if (template.storesFlags || template.helps) flags = undefined;
  }
  return flags;
}

/** Backwards: does anybody look at the flags before they are all overwritten? */
function spreadNeeds(order: readonly RegionBlock[], blocks: ReadonlyMap<RegionBlock, BlockFacts>): void {
  const own = new Map<RegionBlock, boolean | undefined>();
  for (const block of order) own.set(block, needsOfItsOwn(block));
  for (let changed = true; changed; ) {
    changed = false;
    for (const block of order.toReversed()) {
      const facts = blocks.get(block);
      if (facts === undefined || facts.needsFlags) continue;
      const needs =
        own.get(block) ??
        (block.jumps ||
          block.successors.some((next) => typeof next === "number" || blocks.get(next)?.needsFlags === true));
      if (needs) {
        facts.needsFlags = true;
        changed = true;
      }
    }
  }
}

/** undefined: the block neither looks at the flags nor writes all of them. */
function needsOfItsOwn(block: RegionBlock): boolean | undefined {
  for (const { template } of block.instructions) {
    if (template.observable || template.readsFlags || template.storesFlags) return true;
    if (template.deferred !== undefined) return template.deferred.fields.size < 4;
  }
  return undefined;
}
