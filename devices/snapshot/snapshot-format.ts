/**
 * The file of a saved machine: a {@link SavedState} and its areas (RAM, for one), of which only pages that are not zero are
 * kept.
 *
 *   header    "OSVSTATE", u32 format version, u32 zero
 *   section   u32 compressed length, u32 length, gzip of
 *             the contents: u32 number of areas, for each its size (f64) and number of stored pages (u32), then the state
 *   section…  the pages: u32 area, u32 count, count page numbers (u32), count pages of 4 KiB
 *
 * All little-endian. Pages stand in the order of their areas and numbers; the last one of an area is filled up with zeros.
 * The file ends with the last page that the contents promise. What is in a section is covered by gzip's check sum.
 */

import { StateError } from "../saved-state.ts";

const MAGIC = "OSVSTATE";
/** Counts the formats that there have been. */
const FORMAT_VERSION = 1;
export const HEADER_BYTES = 16;
export const SECTION_HEADER_BYTES = 8;

export const PAGE_BYTES = 4096;
/** A section has up to so many pages: enough for gzip to do well, and to let two processors work side by side. */
export const CHUNK_PAGES = 256;
export const CHUNK_HEADER_BYTES = 8;
export const CHUNK_BYTES = CHUNK_HEADER_BYTES + CHUNK_PAGES * (4 + PAGE_BYTES);

/** More than any machine's registers need; more is not decompressed. */
export const MOST_CONTENTS_BYTES = 16 << 20;
export const MOST_AREAS = 64;
/** Of all areas together. Their zero pages cost nothing until something is written there. */
export const MOST_AREA_BYTES = 8 * 2 ** 30;
export const AREA_ENTRY_BYTES = 12;

/** What is kept of one area. */
export interface AreaOutline {
  readonly size: number;
  readonly storedPages: number;
}

export const pagesOf = (size: number): number => Math.ceil(size / PAGE_BYTES);

export function snapshotHeader(): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  new TextEncoder().encodeInto(MAGIC, bytes);
  new DataView(bytes.buffer).setUint32(8, FORMAT_VERSION, true);
  return bytes;
}

/** @throws StateError if this is not the header of a file that can be read here */
export function checkSnapshotHeader(bytes: Uint8Array): void {
  if (bytes.length === 0) throw new StateError("it is empty");
  const known = new TextEncoder().encode(MAGIC).subarray(0, bytes.length);
  if (!known.every((byte, index) => bytes[index] === byte))
    throw new StateError("it is not a saved machine of osv-vm");
  if (bytes.length < HEADER_BYTES) throw new StateError("it is cut off");
  const version = new DataView(bytes.buffer, bytes.byteOffset).getUint32(8, true);
  if (version !== FORMAT_VERSION) {
    throw new StateError(
      `it has format ${version} of saved machines, this version of osv-vm reads ${FORMAT_VERSION}`,
    );
  }
}
