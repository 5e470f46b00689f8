/** Reads a saved machine: see snapshot-format.ts. The file is not trusted. */

import { type SavedState, StateError } from "../saved-state.ts";
import { decodeState } from "../saved-state-codec.ts";
import { OrderedWork } from "./ordered-work.ts";
import {
  AREA_ENTRY_BYTES,
  type AreaOutline,
  CHUNK_BYTES,
  CHUNK_HEADER_BYTES,
  CHUNK_PAGES,
  checkSnapshotHeader,
  HEADER_BYTES,
  MOST_AREA_BYTES,
  MOST_AREAS,
  MOST_CONTENTS_BYTES,
  PAGE_BYTES,
  pagesOf,
  SECTION_HEADER_BYTES,
} from "./snapshot-format.ts";
import type { Compression, Progress, SnapshotSource } from "./snapshot-host.ts";

/** gzip makes nothing longer than this: its header, and five bytes for every 32 KiB that it stores as they are. */
const compressedLimit = (length: number): number => length + (length >>> 12) + 64;
const cutOff = (): StateError => new StateError("it is cut off");
const damaged = (what: string): StateError => new StateError(`it is damaged: ${what}`);

export class Snapshot {
  private position = HEADER_BYTES;
  private record = new Uint8Array(0);
  private outlines: readonly AreaOutline[] = [];
  private placeholders: readonly Uint8Array[] = [];

  private constructor(
    private readonly source: SnapshotSource,
    private readonly compression: Compression,
  ) {}

  /** @throws StateError */
  static async open(source: SnapshotSource, compression: Compression): Promise<Snapshot> {
    checkSnapshotHeader(await source.read(0, HEADER_BYTES));
    const snapshot = new Snapshot(source, compression);
    await snapshot.readContents();
    return snapshot;
  }

  /** The state with every area empty: what there is to know before memory for them is there. @throws StateError */
  get outline(): SavedState {
    return decodeState(this.record, this.placeholders);
  }

  /** Bytes of an area of {@link outline}; undefined for bytes that are not an area. */
  sizeOf(area: Uint8Array): number | undefined {
    return this.outlines[this.placeholders.indexOf(area)]?.size;
  }

  /**
   * Reads the areas.
   * @param places where areas of {@link outline} go, zero-filled and of their size; the others get memory of their own
   * @returns the whole state
   * @throws StateError
   */
  async load(places: ReadonlyMap<Uint8Array, Uint8Array>, progress?: Progress): Promise<SavedState> {
    const areas = this.outlines.map(
      ({ size }, index) => places.get(this.placeholders[index]) ?? allocate(size),
    );
    for (const [index, { size }] of this.outlines.entries()) {
      if (areas[index].length !== size) throw damaged("a part of its memory has another size than it should");
    }
    const total = this.outlines.reduce((sum, { storedPages }) => sum + storedPages, 0);
    const pages = new PageReceiver(this.outlines, areas);
    const work = new OrderedWork<Uint8Array>((chunk) => {
      pages.receive(chunk);
      progress?.(pages.received * PAGE_BYTES, total * PAGE_BYTES);
    });
    // What is not read yet may have a chunk of one page each: that is the most that there can be.
    for (let chunks = 0; this.position < this.source.size; chunks++) {
      if (chunks > total) throw damaged("it has more memory than it promises");
      await work.add((await this.readSection(CHUNK_BYTES)).content);
    }
    await work.finish();
    if (pages.received !== total) throw cutOff();
    return decodeState(this.record, areas);
  }

  private async readContents(): Promise<void> {
    const bytes = await (await this.readSection(MOST_CONTENTS_BYTES)).content;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const count = bytes.length < 4 ? 0 : view.getUint32(0, true);
    const table = 4 + count * AREA_ENTRY_BYTES;
    if (count > MOST_AREAS || table > bytes.length) throw damaged("its table of contents");
    this.outlines = Array.from({ length: count }, (_, index) => ({
      size: view.getFloat64(4 + index * AREA_ENTRY_BYTES, true),
      storedPages: view.getUint32(4 + index * AREA_ENTRY_BYTES + 8, true),
    }));
    let sum = 0;
    for (const { size, storedPages } of this.outlines) {
      const isSize = Number.isInteger(size) && size >= 0 && size <= MOST_AREA_BYTES;
      if (!isSize || storedPages > pagesOf(size)) throw damaged("its table of contents");
      sum += size;
    }
    if (sum > MOST_AREA_BYTES) throw damaged("its table of contents");
    this.placeholders = this.outlines.map(() => new Uint8Array(0));
    this.record = bytes.slice(table);
  }

  /** Reads a section; its content is there when it is decompressed. */
  private async readSection(limit: number): Promise<{ readonly content: Promise<Uint8Array> }> {
    const header = await this.source.read(this.position, SECTION_HEADER_BYTES);
    if (header.length < SECTION_HEADER_BYTES) throw cutOff();
    const view = new DataView(header.buffer, header.byteOffset, header.length);
    const compressed = view.getUint32(0, true);
    const length = view.getUint32(4, true);
    if (length > limit || compressed > compressedLimit(length)) throw damaged("a section is too long");
    const start = this.position + SECTION_HEADER_BYTES;
    const bytes = await this.source.read(start, compressed);
    if (bytes.length < compressed) throw cutOff();
    this.position = start + compressed;
    const content = this.compression.decompress(bytes, length).catch(() => {
      throw damaged("a check sum is wrong");
    });
    return { content };
  }
}

function allocate(size: number): Uint8Array {
  try {
    return new Uint8Array(size);
  } catch {
    throw new StateError(
      `it needs ${Math.ceil(size / 2 ** 20)} MiB of memory in one piece, which are not to be had`,
    );
  }
}

/** Puts pages where they belong, which must come in order. */
class PageReceiver {
  received = 0;
  private area = 0;
  private inArea = 0;
  /** The lowest number that the next page may have. */
  private next = 0;

  constructor(
    private readonly outlines: readonly AreaOutline[],
    private readonly areas: readonly Uint8Array[],
  ) {}

  receive(chunk: Uint8Array): void {
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length);
    const count = chunk.length < CHUNK_HEADER_BYTES ? 0 : view.getUint32(4, true);
    const data = CHUNK_HEADER_BYTES + count * 4;
    if (count === 0 || count > CHUNK_PAGES || chunk.length !== data + count * PAGE_BYTES)
      throw damaged("a piece of its memory");
    const area = view.getUint32(0, true);
    while (this.area < area && this.inArea === this.outlines[this.area]?.storedPages) {
      this.area++;
      this.inArea = 0;
      this.next = 0;
    }
    const target = this.areas[area];
    if (area !== this.area || target === undefined || this.inArea + count > this.outlines[area].storedPages)
      throw damaged("a piece of its memory");
    for (let index = 0; index < count; index++) {
      const page = view.getUint32(CHUNK_HEADER_BYTES + index * 4, true);
      if (page < this.next || page >= pagesOf(target.length)) throw damaged("a piece of its memory");
      this.next = page + 1;
      const start = page * PAGE_BYTES;
      const bytes = chunk.subarray(data + index * PAGE_BYTES, data + (index + 1) * PAGE_BYTES);
      target.set(bytes.subarray(0, Math.min(PAGE_BYTES, target.length - start)), start);
    }
    this.inArea += count;
    this.received += count;
  }
}
