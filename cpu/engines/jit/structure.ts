/**
 * Turns a region's control flow graph into structured control: WebAssembly has no goto.
 *
 * After Norman Ramsey, "Beyond Relooper" (ICFP 2022): a block that several forward edges lead to is placed behind a
 * `block` that encloses its dominator's code, a loop header becomes a `loop`. Where the graph is irreducible, the edge
 * that would enter a loop sideways leaves the region instead.
 */

import type { Region, RegionBlock } from "./region.ts";

export type Shape =
  | { readonly kind: "code"; readonly block: RegionBlock }
  /** A branch to `target` goes behind the end. */
  | { readonly kind: "block"; readonly target: RegionBlock; readonly body: readonly Shape[] }
  /** A branch to `target` goes to the start. */
  | { readonly kind: "loop"; readonly target: RegionBlock; readonly body: readonly Shape[] }
  /** On the condition of the code before. */
  | { readonly kind: "if"; readonly yes: readonly Shape[]; readonly no: readonly Shape[] }
  | { readonly kind: "goto"; readonly target: RegionBlock }
  /** Out of the region, to an address. */
  | { readonly kind: "exit"; readonly rip: number };

export function structure(region: Region): Shape[] {
  return new Structurer(region).tree(region.blocks[0]);
}

class Structurer {
  /** Position in reverse postorder. */
  private readonly order = new Map<RegionBlock, number>();
  private readonly dominator = new Map<RegionBlock, RegionBlock>();
  private readonly children = new Map<RegionBlock, RegionBlock[]>();
  private readonly headers = new Set<RegionBlock>();
  private readonly merges = new Set<RegionBlock>();

  constructor(region: Region) {
    const sequence = this.reversePostorder(region.blocks[0]);
    sequence.forEach((block, index) => {
      this.order.set(block, index);
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
    for (const block of sequence) {
      const parent = this.dominator.get(block);
      if (parent === undefined) continue;
      const siblings = this.children.get(parent);
      if (siblings === undefined) this.children.set(parent, [block]);
      else siblings.push(block);
    }
  }

  private reversePostorder(entry: RegionBlock): RegionBlock[] {
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

  /** Cooper, Harvey, Kennedy: "A simple, fast dominance algorithm". */
  private findDominators(sequence: readonly RegionBlock[]): void {
    const predecessors = new Map<RegionBlock, RegionBlock[]>();
    for (const block of sequence) {
      for (const successor of block.successors) {
        if (typeof successor === "number") continue;
        const list = predecessors.get(successor);
        if (list === undefined) predecessors.set(successor, [block]);
        else list.push(block);
      }
    }
    const position = (block: RegionBlock) => this.order.get(block) ?? 0;
    const known = new Map<RegionBlock, RegionBlock>([[sequence[0], sequence[0]]]);
    const meet = (one: RegionBlock, other: RegionBlock): RegionBlock => {
      let a = one;
      let b = other;
      while (a !== b) {
        while (position(a) > position(b)) a = known.get(a) ?? a;
        while (position(b) > position(a)) b = known.get(b) ?? b;
      }
      return a;
    };
    for (let changed = true; changed; ) {
      changed = false;
      for (const block of sequence.slice(1)) {
        const processed = (predecessors.get(block) ?? []).filter((predecessor) => known.has(predecessor));
        const dominator = processed.reduce((a, b) => meet(a, b));
        if (known.get(block) !== dominator) {
          known.set(block, dominator);
          changed = true;
        }
      }
    }
    for (const [block, dominator] of known) if (block !== dominator) this.dominator.set(block, dominator);
  }

  private isBackward(from: RegionBlock, to: RegionBlock): boolean {
    return (this.order.get(to) ?? 0) <= (this.order.get(from) ?? 0);
  }

  private dominates(one: RegionBlock, other: RegionBlock): boolean {
    for (let at: RegionBlock | undefined = other; at !== undefined; at = this.dominator.get(at)) {
      if (at === one) return true;
    }
    return false;
  }

  /** The code of a block and of all that it dominates. */
  tree(block: RegionBlock): Shape[] {
    const merges = (this.children.get(block) ?? []).filter((child) => this.merges.has(child));
    // The one that comes last in the order stands outermost.
    merges.sort((a, b) => (this.order.get(b) ?? 0) - (this.order.get(a) ?? 0));
    const body = this.within(block, merges);
    return this.headers.has(block) ? [{ kind: "loop", target: block, body }] : body;
  }

  private within(block: RegionBlock, merges: readonly RegionBlock[]): Shape[] {
    if (merges.length === 0) return [{ kind: "code", block }, ...this.leave(block)];
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
    if (typeof to === "number") return [{ kind: "exit", rip: to }];
    if (this.isBackward(from, to)) {
      return this.dominates(to, from) ? [{ kind: "goto", target: to }] : [{ kind: "exit", rip: to.rip }];
    }
    return this.merges.has(to) ? [{ kind: "goto", target: to }] : this.tree(to);
  }
}
