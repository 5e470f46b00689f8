/**
 * Turns a region's control flow graph into structured control: WebAssembly has no goto.
 *
 * After Norman Ramsey, "Beyond Relooper" (ICFP 2022): a block that several forward edges lead to is placed behind a
 * `block` that encloses its dominator's code, a loop header becomes a `loop`. A region with several entries gets a
 * dispatcher in front, a `loop` around a `br_table`; where the graph is irreducible, the edge that would enter a loop
 * sideways goes through the dispatcher too.
 */

import { createBlock, type Region, type RegionBlock } from "./region.ts";

export type Shape =
  | { readonly kind: "code"; readonly block: RegionBlock }
  /** A branch to `target` goes behind the end. */
  | { readonly kind: "block"; readonly target: RegionBlock; readonly body: readonly Shape[] }
  /** A branch to `target` goes to the start. */
  | { readonly kind: "loop"; readonly target: RegionBlock; readonly body: readonly Shape[] }
  /** On the condition of the code before. */
  | { readonly kind: "if"; readonly yes: readonly Shape[]; readonly no: readonly Shape[] }
  | { readonly kind: "goto"; readonly target: RegionBlock }
  /** By the index of the dispatcher's target. */
  | { readonly kind: "table" }
  /** To the dispatcher, for its target of that index. */
  | { readonly kind: "dispatch"; readonly index: number; readonly target: RegionBlock }
  /** Out of the region, to an address. */
  | { readonly kind: "exit"; readonly rip: number; readonly from: RegionBlock };

export interface Structure {
  readonly shapes: readonly Shape[];
  /** Blocks that the dispatcher leads to, the region's entries first; empty if there is none. */
  readonly targets: readonly RegionBlock[];
  /** Blocks in reverse postorder. */
  readonly order: readonly RegionBlock[];
}

export function structure(region: Region): Structure {
  const targets = [...region.entries];
  for (;;) {
    const structurer = new Structurer(targets);
    const missing = structurer.sidewaysTargets();
    if (missing.length === 0) {
      return {
        shapes: structurer.shapes(),
        targets: structurer.hasDispatcher ? targets : [],
        order: structurer.order,
      };
    }
    targets.push(...missing);
  }
}

class Structurer {
  readonly order: readonly RegionBlock[];
  readonly hasDispatcher: boolean;
  /** The only entry, or the dispatcher as a block without code. */
  private readonly root: RegionBlock;
  private readonly position = new Map<RegionBlock, number>();
  private readonly dominator = new Map<RegionBlock, RegionBlock>();
  private readonly children = new Map<RegionBlock, RegionBlock[]>();
  private readonly headers = new Set<RegionBlock>();
  private readonly merges = new Set<RegionBlock>();

  constructor(private readonly targets: readonly RegionBlock[]) {
    this.hasDispatcher = targets.length > 1;
    this.root = this.hasDispatcher ? { ...createBlock(-1), successors: [...targets] } : targets[0];
    const sequence = reversePostorder(this.root);
    this.order = sequence.filter((block) => block.rip !== -1);
    sequence.forEach((block, index) => {
      this.position.set(block, index);
    });
    this.findDominators(sequence);
    const forward = new Map<RegionBlock, number>();
    for (const block of sequence) {
      for (const successor of block.successors) {
        if (typeof successor === "number") continue;
        if (this.isBackward(block, successor)) {
          if (this.dominates(successor, block)) this.headers.add(successor);
        } else forward.set(successor, (forward.get(successor) ?? 0) + 1);
      }
    }
    for (const [block, count] of forward) if (count > 1) this.merges.add(block);
    if (this.hasDispatcher) for (const target of targets) this.merges.add(target);
    for (const block of sequence) {
      const parent = this.dominator.get(block);
      if (parent === undefined) continue;
      const siblings = this.children.get(parent);
      if (siblings === undefined) this.children.set(parent, [block]);
      else siblings.push(block);
    }
  }

  /** Blocks that an edge enters sideways and that the dispatcher does not lead to yet. */
  sidewaysTargets(): RegionBlock[] {
    const missing = new Set<RegionBlock>();
    for (const block of this.order) {
      for (const successor of block.successors) {
        if (typeof successor === "number" || !this.isBackward(block, successor)) continue;
        if (!this.dominates(successor, block) && !this.isTarget(successor)) missing.add(successor);
      }
    }
    // With a single entry there is no dispatcher that could lead back to it.
    return [...missing];
  }

  private isTarget(block: RegionBlock): boolean {
    return this.hasDispatcher && this.targets.includes(block);
  }

  shapes(): Shape[] {
    if (!this.hasDispatcher) return this.tree(this.root);
    const merges = this.mergeChildren(this.root);
    return [{ kind: "loop", target: this.root, body: this.within(this.root, merges) }];
  }

  /** Cooper, Harvey, Kennedy: "A simple, fast dominance algorithm". */
  private findDominators(sequence: readonly RegionBlock[]): void {
    const count = sequence.length;
    const predecessors: number[][] = sequence.map(() => []);
    sequence.forEach((block, index) => {
      for (const successor of block.successors) {
        if (typeof successor !== "number") predecessors[this.position.get(successor) ?? 0].push(index);
      }
    });
    const known = new Int32Array(count).fill(-1);
    known[0] = 0;
    for (let changed = true; changed; ) {
      changed = false;
      for (let index = 1; index < count; index++) {
        let dominator = -1;
        for (const predecessor of predecessors[index]) {
          if (known[predecessor] < 0) continue;
          dominator = dominator < 0 ? predecessor : meet(known, predecessor, dominator);
        }
        if (known[index] !== dominator) {
          known[index] = dominator;
          changed = true;
        }
      }
    }
    for (let index = 1; index < count; index++) this.dominator.set(sequence[index], sequence[known[index]]);
  }

  private isBackward(from: RegionBlock, to: RegionBlock): boolean {
    return (this.position.get(to) ?? 0) <= (this.position.get(from) ?? 0);
  }

  private dominates(one: RegionBlock, other: RegionBlock): boolean {
    for (let at: RegionBlock | undefined = other; at !== undefined; at = this.dominator.get(at)) {
      if (at === one) return true;
    }
    return false;
  }

  private mergeChildren(block: RegionBlock): RegionBlock[] {
    const merges = (this.children.get(block) ?? []).filter((child) => this.merges.has(child));
    // The one that comes last in the order stands outermost.
    return merges.sort((a, b) => (this.position.get(b) ?? 0) - (this.position.get(a) ?? 0));
  }

  /** The code of a block and of all that it dominates. */
  private tree(block: RegionBlock): Shape[] {
    const body = this.within(block, this.mergeChildren(block));
    return this.headers.has(block) ? [{ kind: "loop", target: block, body }] : body;
  }

  private within(block: RegionBlock, merges: readonly RegionBlock[]): Shape[] {
    if (merges.length === 0) {
      if (block === this.root && this.hasDispatcher) return [{ kind: "table" }];
      return [{ kind: "code", block }, ...this.leave(block)];
    }
    const [outermost, ...inner] = merges;
    return [{ kind: "block", target: outermost, body: this.within(block, inner) }, ...this.tree(outermost)];
  }

  private leave(block: RegionBlock): Shape[] {
    const [first, second] = block.successors;
    if (first === undefined) return [];
    if (second === undefined) return this.edge(block, first);
    return [{ kind: "if", yes: this.edge(block, first), no: this.edge(block, second) }];
  }

  private edge(from: RegionBlock, to: RegionBlock | number): Shape[] {
    if (typeof to === "number") return [{ kind: "exit", rip: to, from }];
    if (this.isBackward(from, to) && !this.dominates(to, from)) {
      return [{ kind: "dispatch", index: this.targets.indexOf(to), target: to }];
    }
    return this.isBackward(from, to) || this.merges.has(to) ? [{ kind: "goto", target: to }] : this.tree(to);
  }
}

/** The common dominator of two blocks, by position. */
function meet(dominators: Int32Array, one: number, other: number): number {
  let a = one;
  let b = other;
  while (a !== b) {
    while (a > b) a = dominators[a];
    while (b > a) b = dominators[b];
  }
  return a;
}

function reversePostorder(entry: RegionBlock): RegionBlock[] {
  const seen = new Set<RegionBlock>();
  const postorder: RegionBlock[] = [];
  const visit = (block: RegionBlock): void => {
    seen.add(block);
    for (const successor of block.successors) {
      if (typeof successor !== "number" && !seen.has(successor)) visit(successor);
    }
    postorder.push(block);
  };
  visit(entry);
  return postorder.reverse();
}
