/**
 * Frames that no program has used yet, handed out lowest first: that keeps the resident size of the whole machine at what
 * programs really touch.
 *
 * The first touch of host memory is a page fault of the host's: 0.1 to 0.25 us on hardware, but 13 to 26 in some virtual
 * machines, a tenth of the time of a program that uses much memory. So frames are touched ahead of their use, on another
 * thread, where the host offers that.
 */

import { PAGE_SIZE } from "../../mmu/translator.ts";
import type { Host } from "../host.ts";

export type PrepareMemory = NonNullable<Host["prepareMemory"]>;

/** Programs that use less than this are over before it pays. */
const USED_BEFORE_FIRST = 1024;
/** Frames are kept ready for this part of what has been used: the larger a program, the faster it grows. */
const READY_PART = 4;
const MOST_READY = 8192;
/** Frames that are prepared at a time: a hundredth of a second, where it takes long. */
const AT_ONCE = 512;

export class FreshFrames {
  /** Touched already, the next one last. */
  private readonly ready: number[] = [];
  private isPreparing = false;
  /** Nobody has touched the frames from here on: they are zero. */
  private untouched = 0;
  /** Frames behind this are not prepared: when memory runs short none should be under way. */
  private readonly lastPrepared: number;

  constructor(
    private readonly ram: Uint8Array,
    private readonly total: number,
    private prepare: PrepareMemory | undefined,
  ) {
    this.lastPrepared = total >>> 1;
  }

  /** How many can be had now: not those that are being prepared. */
  get count(): number {
    return this.total - this.untouched + this.ready.length;
  }

  /**
   * The next frame, or -1.
   * @param zeroed false when the caller overwrites all of it anyway
   */
  take(zeroed: boolean): number {
    if (this.prepare !== undefined && !this.isPreparing && this.wantsMore)
      void this.prepareNext(this.prepare);
    const frame = this.ready.pop();
    if (frame === undefined) return this.untouched < this.total ? this.untouched++ : -1;
    if (zeroed) this.ram.fill(0, frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE);
    return frame;
  }

  private get wantsMore(): boolean {
    const { untouched, ready } = this;
    return (
      untouched >= USED_BEFORE_FIRST &&
      ready.length < Math.min(untouched / READY_PART, MOST_READY) &&
      untouched + AT_ONCE <= this.lastPrepared
    );
  }

  private async prepareNext(prepare: PrepareMemory): Promise<void> {
    const start = this.untouched;
    this.untouched += AT_ONCE;
    this.isPreparing = true;
    try {
      await prepare(this.ram.subarray(start * PAGE_SIZE, this.untouched * PAGE_SIZE));
    } catch {
      // The host cannot, after all: these frames are as good as any, and it is not asked again.
      this.prepare = undefined;
    }
    this.isPreparing = false;
    for (let frame = start + AT_ONCE - 1; frame >= start; frame--) this.ready.push(frame);
  }
}
