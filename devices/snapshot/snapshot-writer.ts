/** Writes a saved machine: see snapshot-format.ts. */

import type { SavedState } from "../saved-state.ts";
import { encodeState } from "../saved-state-codec.ts";
import { OrderedWork } from "./ordered-work.ts";
import {
  AREA_ENTRY_BYTES,
  CHUNK_HEADER_BYTES,
  CHUNK_PAGES,
  PAGE_BYTES,
  pagesOf,
  SECTION_HEADER_BYTES,
  snapshotHeader,
} from "./snapshot-format.ts";
import type { Compression, Progress, SnapshotSink } from "./snapshot-host.ts";

/** Numbers of the pages that are not zero. */
function storedPages(area: Uint8Array): Uint32Array {
  const found = new Uint32Array(pagesOf(area.length));
  let count = 0;
  const isAligned = area.byteOffset % 4 === 0;
  const words = isAligned ? new Int32Array(area.buffer, area.byteOffset, area.length >>> 2) : undefined;
  for (let page = 0; page < found.length; page++) {
    const isWhole = (page + 1) * PAGE_BYTES <= area.length;
    const isZero = words !== undefined && isWhole ? isZeroWords(words, page) : isZeroBytes(area, page);
    if (!isZero) found[count++] = page;
  }
  return found.slice(0, count);
}

function isZeroWords(words: Int32Array, page: number): boolean {
  const end = ((page + 1) * PAGE_BYTES) >>> 2;
  for (let at = (page * PAGE_BYTES) >>> 2; at < end; at++) if (words[at] !== 0) return false;
  return true;
}

function isZeroBytes(area: Uint8Array, page: number): boolean {
  const end = Math.min((page + 1) * PAGE_BYTES, area.length);
  for (let at = page * PAGE_BYTES; at < end; at++) if (area[at] !== 0) return false;
  return true;
}

function contentsOf(
  record: Uint8Array,
  areas: readonly Uint8Array[],
  pages: readonly Uint32Array[],
): Uint8Array {
  const table = 4 + areas.length * AREA_ENTRY_BYTES;
  const bytes = new Uint8Array(table + record.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, areas.length, true);
  for (const [index, area] of areas.entries()) {
    view.setFloat64(4 + index * AREA_ENTRY_BYTES, area.length, true);
    view.setUint32(4 + index * AREA_ENTRY_BYTES + 8, pages[index].length, true);
  }
  bytes.set(record, table);
  return bytes;
}

function chunkOf(index: number, area: Uint8Array, pages: Uint32Array): Uint8Array {
  const data = CHUNK_HEADER_BYTES + pages.length * 4;
  const bytes = new Uint8Array(data + pages.length * PAGE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, index, true);
  view.setUint32(4, pages.length, true);
  for (const [at, page] of pages.entries()) {
    view.setUint32(CHUNK_HEADER_BYTES + at * 4, page, true);
    const start = page * PAGE_BYTES;
    bytes.set(area.subarray(start, start + PAGE_BYTES), data + at * PAGE_BYTES);
  }
  return bytes;
}

/**
 * Writes a state. Its byte arrays must not change until the promise resolves: the machine stands still.
 * @throws what the sink or the compression fail with
 */
export async function writeSnapshot(
  state: SavedState,
  sink: SnapshotSink,
  compression: Compression,
  progress?: Progress,
): Promise<void> {
  const { bytes: record, areas } = encodeState(state);
  const pages = areas.map(storedPages);
  const total = pages.reduce((sum, { length }) => sum + length, 0) * PAGE_BYTES;
  let done = 0;
  const work = new OrderedWork<{ length: number; pages: number; compressed: Uint8Array }>(async (section) => {
    const header = new Uint8Array(SECTION_HEADER_BYTES);
    const view = new DataView(header.buffer);
    view.setUint32(0, section.compressed.length, true);
    view.setUint32(4, section.length, true);
    await sink.write(header);
    await sink.write(section.compressed);
    done += section.pages * PAGE_BYTES;
    progress?.(done, total);
  });
  const add = (bytes: Uint8Array, count: number) =>
    work.add(
      compression.compress(bytes).then((compressed) => ({ length: bytes.length, pages: count, compressed })),
    );
  await sink.write(snapshotHeader());
  await add(contentsOf(record, areas, pages), 0);
  for (const [index, area] of areas.entries()) {
    for (let at = 0; at < pages[index].length; at += CHUNK_PAGES) {
      const some = pages[index].subarray(at, at + CHUNK_PAGES);
      await add(chunkOf(index, area, some), some.length);
    }
  }
  await work.finish();
}
