/**
 * The memory that fuzzed code sees, the same on the host CPU and on our engines: a few regions at fixed addresses with
 * unmapped pages between them, so that accesses can fault, cross pages, and meet a read-only page.
 *
 * Every case starts from the same baseline contents plus its own patches (the code is one of them), and ends in a list
 * of the 8-byte words that have changed. `silicon.c` gets the regions and the baseline as its first message.
 */

import { Random } from "./random.ts";

export interface Region {
  readonly name: string;
  readonly address: number;
  readonly size: number;
  readonly writable: boolean;
  readonly executable: boolean;
}

const PAGE = 4096;

/** Directly below {@link DATA}: an access can begin in read-only and end in writable memory. Below it is nothing. */
export const READ_ONLY: Region = {
  name: "read-only",
  address: 0x0fff_f000,
  size: PAGE,
  writable: false,
  executable: false,
};

/** What memory operands usually mean. Behind its end is an unmapped page. */
export const DATA: Region = {
  name: "data",
  address: 0x1000_0000,
  size: 4 * PAGE,
  writable: true,
  executable: false,
};

export const STACK: Region = {
  name: "stack",
  address: 0x1800_0000,
  size: 2 * PAGE,
  writable: true,
  executable: false,
};

/** Filled with INT3, so that every way out of the code ends the case. Writable: guests patch their own code. */
export const CODE: Region = {
  name: "code",
  address: 0x2000_0000,
  size: 2 * PAGE,
  writable: true,
  executable: true,
};

/** In this order their contents form one snapshot. */
export const REGIONS: readonly Region[] = [READ_ONLY, DATA, STACK, CODE];

/** The bases of FS and GS, the same in every case: one near the data, one far above it (and above 2^32). */
export const FS_BASE = 0x0fff_e018n;
export const GS_BASE = 0x1234_0000_1008n;

export const SNAPSHOT_SIZE = REGIONS.reduce((sum, region) => sum + region.size, 0);

const INT3 = 0xcc;

/** Where an address is in a snapshot, or -1. */
export function snapshotOffset(address: number): number {
  let start = 0;
  for (const region of REGIONS) {
    if (address >= region.address && address < region.address + region.size)
      return start + address - region.address;
    start += region.size;
  }
  return -1;
}

/** Contents of all regions before the patches of a case. */
export function baseline(): Uint8Array {
  const snapshot = new Uint8Array(SNAPSHOT_SIZE);
  const random = new Random(0x6f73_7600, 0);
  let start = 0;
  for (const region of REGIONS) {
    const bytes = snapshot.subarray(start, start + region.size);
    if (region === CODE) bytes.fill(INT3);
    else for (let index = 0; index < bytes.length; index++) bytes[index] = random.below(256);
    start += region.size;
  }
  return snapshot;
}
