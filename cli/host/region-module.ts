/**
 * Compiles the JIT's modules with the compiler of V8 that suits them. By itself V8 would compile each function when it is
 * first called, and optimize whatever runs for a moment, on as many threads as it likes: for thousands of regions that
 * takes more than it gives, and the process does not end before they are done (measured with esbuild on two processors:
 * 9 s of 19 s). The engine knows which regions are hot.
 */

import { setFlagsFromString } from "node:v8";
import type { RegionTier } from "../../cpu/engines/jit/compiler.ts";

type Flag = readonly [set: string, reset: string];

/** The JIT says which branches are hardly ever taken: V8 then keeps slow paths, and what they spill, out of the way. */
const BRANCH_HINTS: Flag = ["--experimental-wasm-branch-hinting", "--no-experimental-wasm-branch-hinting"];

/** Flags while a module of the tier is compiled, and those that undo them. */
const FLAGS: Readonly<Record<RegionTier, readonly Flag[]>> = {
  quick: [
    BRANCH_HINTS,
    ["--no-wasm-lazy-compilation", "--wasm-lazy-compilation"],
    ["--no-wasm-dynamic-tiering", "--wasm-dynamic-tiering"],
    ["--no-wasm-tier-up", "--wasm-tier-up"],
  ],
  optimized: [
    BRANCH_HINTS,
    ["--no-wasm-lazy-compilation", "--wasm-lazy-compilation"],
    ["--no-wasm-dynamic-tiering", "--wasm-dynamic-tiering"],
    ["--no-liftoff", "--liftoff"],
  ],
};

export function compileRegionModule(bytes: Uint8Array<ArrayBuffer>, tier: RegionTier): WebAssembly.Module {
  for (const [set] of FLAGS[tier]) setFlagsFromString(set);
  try {
    return new WebAssembly.Module(bytes);
  } finally {
    // Backwards: --no-liftoff implies --no-wasm-dynamic-tiering each time that a flag is set.
    for (const [, reset] of FLAGS[tier].toReversed()) setFlagsFromString(reset);
  }
}
