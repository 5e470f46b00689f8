/** Translated blocks by where control enters them, and by what makes them stale. */

import { PAGE_SHIFT, PAGE_SIZE } from "../../../mmu/translator.ts";

/** A translated run of instructions. */
export interface CachedBlock {
  /** Virtual address of the first instruction, and of the first byte behind the last. */
  readonly rip: number;
  readonly end: number;
  /** Physical address of the first byte; of the continuation's page if an instruction crosses into it, else -1. */
  readonly physical: number;
  readonly secondPage: number;
  /** Its code has changed, or its address means something else now. */
  isStale: boolean;
}

export class BlockCache<Block extends CachedBlock> {
  private readonly blocks = new Set<Block>();
  private readonly byPhysicalPage = new Map<number, Set<Block>>();
  private readonly byVirtualPage = new Map<number, Set<Block>>();

  /** @param onRemove told of each block that has become stale */
  constructor(private readonly onRemove: (block: Block) => void) {}

  get size(): number {
    return this.blocks.size;
  }

  add(block: Block): void {
    this.blocks.add(block);
    for (const [start] of physicalRanges(block)) insert(this.byPhysicalPage, start >>> PAGE_SHIFT, block);
    insert(this.byVirtualPage, virtualPage(block.rip), block);
    if (block.secondPage >= 0) insert(this.byVirtualPage, virtualPage(block.end - 1), block);
  }

  remove(block: Block): void {
    block.isStale = true;
    this.blocks.delete(block);
    for (const [start] of physicalRanges(block)) withdraw(this.byPhysicalPage, start >>> PAGE_SHIFT, block);
    withdraw(this.byVirtualPage, virtualPage(block.rip), block);
    if (block.secondPage >= 0) withdraw(this.byVirtualPage, virtualPage(block.end - 1), block);
    this.onRemove(block);
  }

  clear(): void {
    for (const block of [...this.blocks]) this.remove(block);
  }

  /**
   * Removes the blocks that were made of these bytes.
   * @param onPage called for each physical page that lost a block, with the ranges that still hold code there
   */
  removePhysical(
    start: number,
    length: number,
    onPage: (page: number, left: [start: number, length: number][]) => void,
  ): void {
    for (let page = start >>> PAGE_SHIFT; page <= (start + length - 1) >>> PAGE_SHIFT; page++) {
      const touched = [...(this.byPhysicalPage.get(page) ?? [])].filter((block) =>
        physicalRanges(block).some(([from, bytes]) => from < start + length && start < from + bytes),
      );
      if (touched.length === 0) continue;
      for (const block of touched) this.remove(block);
      const left = [...(this.byPhysicalPage.get(page) ?? [])].flatMap((block) =>
        physicalRanges(block).filter(([from]) => from >>> PAGE_SHIFT === page),
      );
      onPage(page, left);
    }
  }

  removeVirtual(start: number, length: number): void {
    const first = virtualPage(start);
    const last = virtualPage(start + length - 1);
    if (last - first < this.byVirtualPage.size) {
      for (let page = first; page <= last; page++) this.removeVirtualPage(page);
    } else {
      for (const page of [...this.byVirtualPage.keys()])
        if (page >= first && page <= last) this.removeVirtualPage(page);
    }
  }

  private removeVirtualPage(page: number): void {
    for (const block of [...(this.byVirtualPage.get(page) ?? [])]) this.remove(block);
  }
}

/** The one or two physical ranges that a block was decoded from. */
export function physicalRanges(block: CachedBlock): [start: number, length: number][] {
  const length = block.end - block.rip;
  if (block.secondPage < 0) return [[block.physical, length]];
  const inFirst = PAGE_SIZE - (block.physical % PAGE_SIZE);
  return [
    [block.physical, inFirst],
    [block.secondPage, length - inFirst],
  ];
}

function virtualPage(address: number): number {
  return Math.floor(address / PAGE_SIZE);
}

function insert<Key, Item>(map: Map<Key, Set<Item>>, key: Key, item: Item): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([item]));
  else set.add(item);
}

function withdraw<Key, Item>(map: Map<Key, Set<Item>>, key: Key, item: Item): void {
  const set = map.get(key);
  set?.delete(item);
  if (set?.size === 0) map.delete(key);
}
