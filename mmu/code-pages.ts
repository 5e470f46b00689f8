/**
 * Which bytes of guest RAM have been translated, in chunks finer than a page: guest JITs patch code next to data all day.
 */

import { PAGE_SHIFT, PAGE_SIZE } from "./translator.ts";

/** Bytes per chunk: 32 chunks fill a page's word. */
const CHUNK_SHIFT = PAGE_SHIFT - 5;

export class CodePages {
  private readonly chunks: Uint32Array;
  /** Pages that have been marked: those to look at when all is cleared. */
  private readonly marked = new Set<number>();

  constructor(ramSize: number) {
    this.chunks = new Uint32Array(ramSize >>> PAGE_SHIFT);
  }

  /** Marks `[start, start + length)` (physical, within one page). Returns true if the page had no code before. */
  mark(start: number, length: number): boolean {
    const page = start >>> PAGE_SHIFT;
    const before = this.chunks[page];
    this.chunks[page] = before | chunkMask(start & (PAGE_SIZE - 1), length);
    if (before !== 0) return false;
    this.marked.add(page);
    return true;
  }

  /** Is there code anywhere in the page of this physical address? */
  hasCode(physical: number): boolean {
    return this.chunks[physical >>> PAGE_SHIFT] !== 0;
  }

  /** Does `[start, start + length)` (within one page) touch a chunk with code? */
  touches(start: number, length: number): boolean {
    return (this.chunks[start >>> PAGE_SHIFT] & chunkMask(start & (PAGE_SIZE - 1), length)) !== 0;
  }

  /** The page's code is gone; the caller marks what is left. */
  clearPage(physical: number): void {
    this.chunks[physical >>> PAGE_SHIFT] = 0;
  }

  clear(): void {
    for (const page of this.marked) this.chunks[page] = 0;
    this.marked.clear();
  }
}

function chunkMask(offset: number, length: number): number {
  const first = offset >>> CHUNK_SHIFT;
  const last = Math.min(31, (offset + length - 1) >>> CHUNK_SHIFT);
  return (0xffffffff >>> (31 - last)) & (0xffffffff << first);
}
