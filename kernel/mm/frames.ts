/**
 * The physical memory of the machine as 4 KiB frames: who has how many references to which.
 *
 * Frames that were never used are handed out lowest first and are known to be zero (the host's memory starts so), which
 * keeps the resident size of the whole machine at what the programs really touched. Freed frames are used again first,
 * last freed first, while they are warm in the host's caches.
 */

import { PAGE_SIZE } from "../../mmu/translator.ts";

/** Returned by {@link FrameAllocator.allocate} when RAM is exhausted. */
export const NO_FRAME = -1;

export class FrameAllocator {
  /** Frames of RAM in all. */
  readonly total: number;
  private readonly references: Uint32Array;
  /** 1 where code may have been translated from the frame: its bytes cannot change without telling the engine. */
  private readonly executable: Uint8Array;
  private readonly freed: Int32Array;
  private freedCount = 0;
  private nextFresh: number;
  /** Told of what the kernel writes to memory of programs: a debugger's watchpoints. */
  onWritten: ((start: number, length: number) => void) | undefined;

  /**
   * @param ram all of guest RAM
   * @param forgetCode tells the engine that the code in a physical range is gone
   * @param reserved frames at the bottom of RAM that are not for programs
   */
  constructor(
    private readonly ram: Uint8Array,
    private readonly forgetCode: (start: number, length: number) => void,
    reserved = 0,
  ) {
    this.total = Math.floor(ram.length / PAGE_SIZE);
    this.references = new Uint32Array(this.total);
    this.executable = new Uint8Array(this.total);
    this.freed = new Int32Array(this.total);
    this.nextFresh = reserved;
  }

  /** How many frames are not in use. */
  get free(): number {
    return this.freedCount + (this.total - this.nextFresh);
  }

  /**
   * A frame with one reference, or {@link NO_FRAME}.
   * @param zeroed false when the caller overwrites all of it anyway
   */
  allocate(zeroed: boolean): number {
    let frame: number;
    if (this.freedCount > 0) {
      frame = this.freed[--this.freedCount];
      if (zeroed) this.ram.fill(0, frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE);
    } else if (this.nextFresh < this.total) {
      frame = this.nextFresh++;
    } else {
      return NO_FRAME;
    }
    this.references[frame] = 1;
    return frame;
  }

  referencesOf(frame: number): number {
    return this.references[frame];
  }

  share(frame: number): void {
    this.references[frame]++;
  }

  /** Drops one reference; the frame is free when none is left. */
  release(frame: number): void {
    if (--this.references[frame] !== 0) return;
    if (this.executable[frame] !== 0) {
      this.executable[frame] = 0;
      this.forgetCode(frame * PAGE_SIZE, PAGE_SIZE);
    }
    this.freed[this.freedCount++] = frame;
  }

  /** From now on the engine may hold translated code of this frame. */
  markExecutable(frame: number): void {
    this.executable[frame] = 1;
  }

  /** The kernel wrote to these physical bytes (within one frame) behind the engine's back. */
  written(start: number, length: number): void {
    this.onWritten?.(start, length);
    if (this.executable[Math.floor(start / PAGE_SIZE)] !== 0) this.forgetCode(start, length);
  }
}
