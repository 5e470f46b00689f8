/**
 * The physical memory of the machine as 4 KiB frames: who has how many references to which.
 *
 * Freed frames are used again before fresh ones, last freed first, while they are warm in the host's caches.
 */

import { PAGE_SIZE } from "../../mmu/translator.ts";
import { FreshFrames, type PrepareMemory } from "./fresh-frames.ts";

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
  private readonly fresh: FreshFrames;
  /** Told of what the kernel writes to memory of programs: a debugger's watchpoints. */
  onWritten: ((start: number, length: number) => void) | undefined;

  /**
   * @param ram all of guest RAM
   * @param forgetCode tells the engine that the code in a physical range is gone
   * @param prepare of the host, if it can
   */
  constructor(
    private readonly ram: Uint8Array,
    private readonly forgetCode: (start: number, length: number) => void,
    prepare?: PrepareMemory,
  ) {
    this.total = Math.floor(ram.length / PAGE_SIZE);
    this.references = new Uint32Array(this.total);
    this.executable = new Uint8Array(this.total);
    this.freed = new Int32Array(this.total);
    this.fresh = new FreshFrames(ram, this.total, prepare);
  }

  /** How many frames can be had. */
  get free(): number {
    return this.freedCount + this.fresh.count;
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
    } else {
      frame = this.fresh.take(zeroed);
      if (frame < 0) return NO_FRAME;
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
