/**
 * The interpreter is several WebAssembly modules that share one function table. The first has what nearly every program
 * executes; the others are compiled when the guest comes to their instructions. Loading all 14,000 handlers at once took
 * a fifth of the start of a small program.
 */

/** In the order of their handlers in the function table. */
export const Part = {
  /** What small programs execute (frequent-handlers.ts). */
  Frequent: 0,
  /** The other integer instructions, and a few others that compilers emit everywhere. */
  Common: 1,
  /** x87, MMX, SSE and what came with it, and rare forms. */
  Other: 2,
  /** Two instructions in one record (pairs.ts): for programs that run long enough to gain by them. */
  Pairs: 3,
} as const;
export const PART_COUNT = 4;

/** The same of 16- and 32-bit code; its first part has all but what the others name. */
export const LegacyPart = {
  Frequent: 0,
  /** Instructions with a VEX prefix: boot loaders and 32-bit kernels have none. */
  Vex: 1,
  Pairs: 2,
} as const;
export const LEGACY_PART_COUNT = 3;

/** The compiled modules, each made when it is asked for the first time. */
export class InterpreterCode {
  private readonly modules: (WebAssembly.Module | undefined)[] = [];

  /** @param bytesOf reads a part (build.ts makes them) */
  constructor(private readonly bytesOf: (part: number) => Uint8Array<ArrayBuffer>) {}

  module(part: number): WebAssembly.Module {
    this.modules[part] ??= new WebAssembly.Module(this.bytesOf(part));
    return this.modules[part];
  }
}
