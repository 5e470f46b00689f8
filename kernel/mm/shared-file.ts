/**
 * The pages of one file that are mapped MAP_SHARED: one frame per page of the file, seen by all mappers. A frame stays as
 * long as somebody maps it. What was written goes back to the file on msync, when the file is read, and at the end.
 */

import { PAGE_SIZE } from "../../mmu/translator.ts";
import { Errno } from "../errno.ts";
import type { Inode, SharedMappings } from "../vfs/inode.ts";
import { type FrameAllocator, NO_FRAME } from "./frames.ts";

/** {@link SharedFile.acquire}: the page is behind the end of the file (SIGBUS). */
export const PAST_END = -2;

export class SharedFile implements SharedMappings {
  /** Frames by page index; the file itself holds one reference to each. */
  private readonly frameOf = new Map<number, number>();
  /** Pages that some mapper may write to, and so may differ from the file at any time. */
  private readonly dirty = new Set<number>();

  /** @param zap takes the file's pages from a position on out of all mappings */
  constructor(
    private readonly inode: Inode,
    private readonly ram: Uint8Array,
    private readonly frames: FrameAllocator,
    private readonly zap: (inode: Inode, from: number) => void,
  ) {}

  get isEmpty(): boolean {
    return this.frameOf.size === 0;
  }

  /** The frame of a page of the file, with one more reference; {@link NO_FRAME} or {@link PAST_END}. */
  acquire(position: number): number {
    const index = position / PAGE_SIZE;
    let frame = this.frameOf.get(index);
    if (frame === undefined) {
      frame = this.frames.allocate(false);
      if (frame === NO_FRAME) return NO_FRAME;
      let inFile = 0;
      try {
        inFile = this.inode.readPage?.(position, this.page(frame)) ?? 0;
      } finally {
        if (inFile === 0) this.frames.release(frame);
      }
      if (inFile === 0) return PAST_END;
      this.frameOf.set(index, frame);
    }
    this.frames.share(frame);
    return frame;
  }

  /** One mapping of the page is gone. */
  release(position: number, frame: number): void {
    this.frames.release(frame);
    const index = position / PAGE_SIZE;
    if (this.frames.referencesOf(frame) > 1 || this.frameOf.get(index) !== frame) return;
    this.save(index, frame);
    this.forget(index, frame);
  }

  private forget(index: number, frame: number): void {
    this.dirty.delete(index);
    this.frameOf.delete(index);
    this.frames.release(frame);
  }

  /** A mapper was given the right to write to the page. */
  markDirty(position: number): void {
    this.dirty.add(position / PAGE_SIZE);
  }

  private save(index: number, frame: number): void {
    if (!this.dirty.has(index)) return;
    const position = index * PAGE_SIZE;
    try {
      const length = Math.min(PAGE_SIZE, this.inode.stat().size - position);
      if (length > 0) this.inode.writePage?.(position, this.page(frame), length);
    } catch (error) {
      // The file system is full or gone: as on Linux, a mapping has nobody to tell.
      if (!(error instanceof Errno)) throw error;
    }
  }

  writeBack(position: number, length: number): void {
    if (this.dirty.size === 0) return;
    for (const index of this.dirty) {
      const start = index * PAGE_SIZE;
      if (start >= position + length || start + PAGE_SIZE <= position) continue;
      const frame = this.frameOf.get(index);
      if (frame !== undefined) this.save(index, frame);
    }
  }

  update(position: number, data: Uint8Array): void {
    for (let done = 0; done < data.length; ) {
      const within = (position + done) % PAGE_SIZE;
      const length = Math.min(PAGE_SIZE - within, data.length - done);
      const frame = this.frameOf.get(Math.floor((position + done) / PAGE_SIZE));
      if (frame !== undefined) {
        const physical = frame * PAGE_SIZE + within;
        this.ram.set(data.subarray(done, done + length), physical);
        this.frames.written(physical, length);
      }
      done += length;
    }
  }

  zero(position: number, length: number): void {
    const end = position + length;
    for (const [index, frame] of this.frameOf) {
      const start = index * PAGE_SIZE;
      if (start >= end || start + PAGE_SIZE <= position) continue;
      const from = frame * PAGE_SIZE + Math.max(0, position - start);
      const to = frame * PAGE_SIZE + Math.min(PAGE_SIZE, end - start);
      this.ram.fill(0, from, to);
      this.frames.written(from, to - from);
    }
  }

  truncate(size: number): void {
    const last = Math.floor(size / PAGE_SIZE);
    const gone = Math.ceil(size / PAGE_SIZE);
    // What was written behind the new end must not come back.
    for (const index of [...this.dirty]) if (index >= gone) this.dirty.delete(index);
    this.zap(this.inode, gone * PAGE_SIZE);
    const frame = this.frameOf.get(last);
    if (frame === undefined || size % PAGE_SIZE === 0) return;
    const physical = frame * PAGE_SIZE + (size % PAGE_SIZE);
    const length = PAGE_SIZE - (size % PAGE_SIZE);
    this.ram.fill(0, physical, physical + length);
    this.frames.written(physical, length);
  }

  private page(frame: number): Uint8Array {
    return this.ram.subarray(frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE);
  }
}
