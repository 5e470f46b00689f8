/** When the JIT compiles code, and how much of it. */

export interface JitThresholds {
  /** Entries of a trace until it waits for compilation, and how many more until it does not wait any longer. */
  readonly warm: number;
  readonly hot: number;
  /** Regions that are compiled together: so many have to wait, unless one is hot. */
  readonly batch: number;
  /**
   * The more of a program has been compiled already, the less the rest is worth: when so many of its instructions have been
   * compiled, twice the entries are asked for, then three times as many, and so on.
   */
  readonly scale: number;
  /** So many instructions are compiled whenever they are hot, and one more for each `pace` that have been executed. */
  readonly free: number;
  readonly pace: number;
  /**
   * How often the end of a run finds itself in a region until that is compiled again, for loops that run for long (see
   * LoweringOptions.writeThrough); with 0 all regions are from the beginning.
   */
  readonly samples: number;
  /** Instructions of a region at the most, if not as many as is good: what is wrong in a long one is easier found so. */
  readonly instructions?: number;
  /** Each time its code has changed, a region waits for so many times as many entries; 1 forgives everything. */
  readonly growth?: number;
  /** When more bytes of WebAssembly than this are in use, all is forgotten and made anew. */
  readonly memory: number;
  /** What is different for code of operating systems. */
  readonly supervisor?: Partial<JitThresholds>;
}

export const THRESHOLDS: JitThresholds = {
  // Compiling takes 20 to 30 us an instruction while our own code is cold, and gains 2 to 4 ns each time it is executed.
  // (With 1000, 2000 and 2000 esbuild took a tenth longer, and short runs more; sort and awk a few hundredths less.)
  ...{ warm: 8000, hot: 16_000, batch: 32, scale: 8000 },
  // An instruction is compiled in the time that some thousand take to be executed: a tenth of all time or so goes into that.
  ...{ free: 1000, pace: 40_000 },
  ...{ samples: 5, memory: 64 << 20 },
};
/**
 * For whole systems: an operating system that starts executes much code some thousand times and then never again, which is
 * not worth compiling. (Debian's kernel to /init, processor time in comparison with that at 60,000, by `warm`: 2,000 +18 %,
 * 6,000 +13 %, 20,000 +6 %; 300 forks behind it +25 %, +17 %, +11 %.) Its programs are as any others.
 */
export const SYSTEM_THRESHOLDS: Partial<JitThresholds> = {
  supervisor: { warm: 60_000, hot: 60_000, scale: 30_000 },
};
