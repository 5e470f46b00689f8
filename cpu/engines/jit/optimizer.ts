/**
 * Which regions deserve better code than they have, as samples of where control is show it, and the queue of those that
 * get it, on another thread.
 */

import { type InstalledRegion, Quality } from "./installed-region.ts";

/** Where control is is looked at after so many instructions. */
export const SAMPLE_INTERVAL = 2 ** 17;
/**
 * Instructions from an entry of a region to its end that make it worth to have all registers in locals, which are loaded at
 * the entry and stored at the end: two dozen each.
 */
const LONG_STAY = 256;
/**
 * A region is worth optimizing when about as much time has gone into it as that takes: a sample for so many of its
 * instructions. (Optimizing takes 0.1 to 0.2 ms an instruction; quick code is half as fast; a sample stands for 0.3 ms or
 * so.)
 */
const INSTRUCTIONS_PER_SAMPLE = 64;
/**
 * Samples of a region that control keeps leaving until it is made wider: that is worth it where a program spends a tenth of
 * a second and more. (With 13 the sort of 5 MB takes a tenth longer: the compiler is busy on the other processor.)
 */
const WIDE_SAMPLES = 256;
/** What has been sampled so often is looked at only every so many samples: the answer is the same as a rule. */
const OFTEN = 32;
const SELDOM = 16;
/** When so many instructions have been optimized, twice the samples are asked for, then three times as many, and so on. */
const OPTIMIZED_SCALE = 1000;
/** Instructions that are optimized at a time: the first are ready before the last have been started. */
const MOST_AT_ONCE = 2000;

export interface BetterCode {
  readonly owner: InstalledRegion;
  readonly quality: Quality;
  readonly code: CallableFunction;
}

export interface OptimizerHost {
  hasRoom(): boolean;
  /** Compiles regions of one mode once more, for the quality that they have been given, those that gain by it. */
  optimize(owners: readonly InstalledRegion[]): Promise<readonly BetterCode[]>;
  /** Puts it into use, unless the region has been dropped in the meantime. */
  install(better: BetterCode): void;
  failed(error: unknown): void;
  /** How often control has come into the region, as far as that is counted. */
  entriesOf(owner: InstalledRegion): number;
}

export class RegionOptimizer {
  private samples = 0;
  private samplesInRegions = 0;
  private optimizedInstructions = 0;
  private readonly queue = new Set<InstalledRegion>();
  private isAtWork = false;
  /** How often everything has been forgotten. */
  private generation = 0;

  /** @param loopSamples samples of a region for a judgement on how long control stays in it */
  constructor(
    private readonly host: OptimizerHost,
    private readonly loopSamples: number,
  ) {}

  /** How much of what is executed is compiled, as samples show it: 0…1. */
  get compiledShare(): number {
    return this.samplesInRegions / Math.max(1, this.samples);
  }

  /** Control is in these regions: in none, as a rule in one. */
  sample(owners: readonly InstalledRegion[]): void {
    this.samples++;
    if (owners.length > 0) this.samplesInRegions++;
    for (const owner of owners) if (owner.quality !== Quality.ForLoops) this.reconsider(owner);
  }

  /** The region is not in use any more. */
  forget(owner: InstalledRegion): void {
    this.queue.delete(owner);
  }

  forgetAll(): void {
    this.generation++;
    this.queue.clear();
  }

  /** A sample was in a region: is it worth better code? */
  private reconsider(owner: InstalledRegion): void {
    owner.samples++;
    if (owner.samples > OFTEN && owner.samples % SELDOM !== 0) return;
    const worth =
      (owner.samples * INSTRUCTIONS_PER_SAMPLE) / (1 + this.optimizedInstructions / OPTIMIZED_SCALE);
    if (worth < owner.region.instructionCount) return;
    let better: Quality = Quality.Optimized;
    let isToWiden = false;
    if (owner.samples >= this.loopSamples) {
      if (this.staysLong(owner)) better = Quality.ForLoops;
      else isToWiden = !owner.isWide && owner.samples >= WIDE_SAMPLES;
    }
    if (better <= owner.quality && !isToWiden) return;
    owner.quality = better;
    if (isToWiden) owner.isWide = true;
    this.optimizedInstructions += owner.region.instructionCount;
    this.queue.add(owner);
    void this.work();
  }

  private staysLong(owner: InstalledRegion): boolean {
    return owner.samples * SAMPLE_INTERVAL >= LONG_STAY * this.host.entriesOf(owner);
  }

  /** Optimizes what is in the queue, some at a time; those that come in the meantime are the next. */
  private async work(): Promise<void> {
    if (this.isAtWork) return;
    this.isAtWork = true;
    try {
      while (this.queue.size > 0 && this.host.hasRoom()) {
        const owners = this.take();
        const { generation } = this;
        const compiled = await this.host.optimize(owners);
        if (generation !== this.generation) continue;
        for (const better of compiled) this.host.install(better);
      }
    } catch (error) {
      this.host.failed(error);
    } finally {
      this.isAtWork = false;
    }
  }

  /** The next regions, of one mode. */
  private take(): InstalledRegion[] {
    const owners: InstalledRegion[] = [];
    let instructions = 0;
    for (const owner of this.queue) {
      if (instructions > 0 && owner.regions !== owners[0].regions) continue;
      if (instructions > 0 && instructions + owner.region.instructionCount > MOST_AT_ONCE) break;
      this.queue.delete(owner);
      owners.push(owner);
      instructions += owner.region.instructionCount;
    }
    return owners;
  }
}
