/**
 * A page-table walk as a person reads it: every entry on the way, in all paging modes, without setting accessed and dirty
 * flags. (What the processor does is in mmu/page-table-walker.ts; Intel SDM vol. 3, chapter 4.)
 */

import type { PagingState } from "../mmu/page-table-walker.ts";

/** One paging-structure entry. */
export interface WalkStep {
  /** "PML4E", "PDPTE", "PDE", "PTE" */
  readonly name: string;
  /** Physical address of the entry. */
  readonly at: number;
  readonly entry: bigint;
}

export interface Walk {
  readonly steps: readonly WalkStep[];
  /** Where the address is; undefined if it is not mapped. */
  readonly physical: number | undefined;
  /** Bytes of the page. */
  readonly pageSize: number;
  readonly writable: boolean;
  readonly user: boolean;
  readonly executable: boolean;
}

const PRESENT = 1n;
const WRITABLE = 2n;
const USER = 4n;
const LARGE = 0x80n;
const NO_EXECUTE = 1n << 63n;
const ADDRESS = 0x000ffffffffff000n;
/** Level names, and the address bits that a page mapped there leaves to the offset. */
const WIDE_LEVELS = [
  { name: "PTE", shift: 12 },
  { name: "PDE", shift: 21 },
  { name: "PDPTE", shift: 30 },
  { name: "PML4E", shift: 39 },
] as const;

const UNMAPPED = { physical: undefined, pageSize: 0, writable: false, user: false, executable: false };

/** @param ram guest RAM from physical address 0 */
export function walkPages(ram: Uint8Array, state: PagingState, address: number): Walk {
  const view = new DataView(ram.buffer, ram.byteOffset, ram.length);
  switch (state.mode) {
    case "none":
      return {
        steps: [],
        physical: address >>> 0,
        pageSize: 4096,
        writable: true,
        user: true,
        executable: true,
      };
    case "32-bit":
      return walkNarrow(view, state, address >>> 0);
    case "pae": {
      const index = (address >>> 30) & 3;
      const low = BigInt(state.pdpteLow[index] >>> 0);
      const entry = (BigInt(state.pdpteHigh[index] >>> 0) << 32n) | low;
      const step: WalkStep = { name: "PDPTE", at: state.root + index * 8, entry };
      if ((entry & PRESENT) === 0n) return { steps: [step], ...UNMAPPED };
      return walkWide(view, BigInt(address >>> 0), Number(entry & ADDRESS), 1, [step]);
    }
    case "4-level":
      return walkWide(view, BigInt.asUintN(64, BigInt(address)), state.root, 3, []);
  }
}

function walkWide(view: DataView, address: bigint, root: number, top: number, before: WalkStep[]): Walk {
  const steps = [...before];
  let table = root;
  let rights = WRITABLE | USER;
  let noExecute = 0n;
  for (let level = top; level >= 0; level--) {
    const { name, shift } = WIDE_LEVELS[level];
    const at = table + Number((address >> BigInt(shift)) & 511n) * 8;
    if (at + 8 > view.byteLength) return { steps, ...UNMAPPED };
    const entry = view.getBigUint64(at, true);
    steps.push({ name, at, entry });
    if ((entry & PRESENT) === 0n) return { steps, ...UNMAPPED };
    rights &= entry;
    noExecute |= entry & NO_EXECUTE;
    if (level > 0 && ((entry & LARGE) === 0n || level === 3)) {
      table = Number(entry & ADDRESS);
      continue;
    }
    const offset = (1n << BigInt(shift)) - 1n;
    return {
      steps,
      physical: Number((entry & ADDRESS & ~offset) | (address & offset)),
      pageSize: 2 ** shift,
      writable: (rights & WRITABLE) !== 0n,
      user: (rights & USER) !== 0n,
      executable: noExecute === 0n,
    };
  }
  return { steps, ...UNMAPPED };
}

function walkNarrow(view: DataView, state: PagingState, address: number): Walk {
  const directoryAt = state.root + (address >>> 22) * 4;
  if (directoryAt + 4 > view.byteLength) return { steps: [], ...UNMAPPED };
  const directory = view.getUint32(directoryAt, true);
  const steps: WalkStep[] = [{ name: "PDE", at: directoryAt, entry: BigInt(directory) }];
  if ((directory & 1) === 0) return { steps, ...UNMAPPED };
  const large = state.pageSizeExtension && (directory & 0x80) !== 0;
  if (large) {
    // Bits 39…32 of the address stand in bits 20…13 (PSE-36).
    const high = ((directory >>> 13) & 0xff) * 2 ** 32;
    return {
      steps,
      physical: high + ((directory & 0xffc00000) >>> 0) + (address & 0x3fffff),
      pageSize: 2 ** 22,
      writable: (directory & 2) !== 0,
      user: (directory & 4) !== 0,
      executable: true,
    };
  }
  const at = ((directory & 0xfffff000) >>> 0) + ((address >>> 12) & 0x3ff) * 4;
  if (at + 4 > view.byteLength) return { steps, ...UNMAPPED };
  const entry = view.getUint32(at, true);
  steps.push({ name: "PTE", at, entry: BigInt(entry) });
  if ((entry & 1) === 0) return { steps, ...UNMAPPED };
  const rights = directory & entry;
  return {
    steps,
    physical: ((entry & 0xfffff000) >>> 0) + (address & 0xfff),
    pageSize: 4096,
    writable: (rights & 2) !== 0,
    user: (rights & 4) !== 0,
    executable: true,
  };
}

/** Flags of an entry: "P RW US A D G NX". */
export function describeEntry(entry: bigint): string {
  const names = ["P", "RW", "US", "PWT", "PCD", "A", "D", "PS", "G"];
  const flags = names.filter((_, bit) => ((entry >> BigInt(bit)) & 1n) !== 0n);
  if ((entry & NO_EXECUTE) !== 0n) flags.push("NX");
  return flags.join(" ");
}

/** Runs of mapped pages with equal rights, from the whole address space; at most `limit` of them. */
export function* mappedRanges(
  ram: Uint8Array,
  state: PagingState,
): Generator<{ start: number; end: number; walk: Walk }> {
  if (state.mode === "none") return;
  const isWide = state.mode === "4-level";
  const limit = isWide ? 2 ** 47 : 2 ** 32;
  let open: { start: number; end: number; walk: Walk } | undefined;
  for (const base of isWide ? [0, -limit] : [0]) {
    for (let at = base; at < base + limit; ) {
      const walk = walkPages(ram, state, at);
      const size = walk.physical === undefined ? unmappedSize(walk, state) : walk.pageSize;
      const next = Math.floor(at / size) * size + size;
      if (open !== undefined && (walk.physical === undefined || !alike(open.walk, walk) || open.end !== at)) {
        yield open;
        open = undefined;
      }
      if (walk.physical !== undefined) {
        if (open === undefined) open = { start: at, end: next, walk };
        else open.end = next;
      }
      at = next;
    }
    if (open !== undefined) yield open;
    open = undefined;
  }
}

function alike(one: Walk, other: Walk): boolean {
  return one.writable === other.writable && one.user === other.user && one.executable === other.executable;
}

/** How much of the address space the missing entry stands for. */
function unmappedSize(walk: Walk, state: PagingState): number {
  const depth = walk.steps.length;
  if (state.mode === "4-level") return 2 ** [39, 39, 30, 21, 12][depth];
  if (state.mode === "pae") return 2 ** [30, 30, 21, 12][depth];
  return 2 ** [22, 22, 12][depth];
}
