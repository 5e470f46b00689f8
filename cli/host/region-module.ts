/**
 * Compiles the JIT's modules with the compiler of V8 that suits them. By itself V8 would compile each function when it is
 * first called, and optimize whatever runs for a moment: for thousands of regions that takes more than it gives (measured
 * with esbuild on two processors: 9 s of 19 s). The engine knows which regions are hot.
 *
 * V8 takes code caches (scripts/build.ts) only under the flags that they were made with: so flags are set for the time of a
 * compilation only.
 */

import { setFlagsFromString } from "node:v8";
import type { ModuleCompiler } from "../../cpu/engines/jit/compiler.ts";

/** Regions say which branches are hardly ever taken: V8 then keeps slow paths, and what they spill, out of the way. */
const BRANCH_HINTS = "experimental-wasm-branch-hinting";
/** Modules that are worth it say in a section of their own that they want the optimizing compiler. */
const COMPILATION_HINTS = "experimental-wasm-compilation-hints";

export function createModuleCompiler(): ModuleCompiler {
  /** Modules that are being optimized, on other threads. */
  let optimizing = 0;
  const setHints = (on: boolean) => {
    for (const flag of [BRANCH_HINTS, COMPILATION_HINTS])
      setFlagsFromString(on ? `--${flag}` : `--no-${flag}`);
  };
  return {
    compile(bytes) {
      if (optimizing === 0) setHints(true);
      for (const flag of ["lazy-compilation", "dynamic-tiering", "tier-up"])
        setFlagsFromString(`--no-wasm-${flag}`);
      try {
        return new WebAssembly.Module(bytes);
      } finally {
        for (const flag of ["lazy-compilation", "dynamic-tiering", "tier-up"])
          setFlagsFromString(`--wasm-${flag}`);
        if (optimizing === 0) setHints(false);
      }
    },
    async optimize(bytes) {
      if (optimizing++ === 0) setHints(true);
      try {
        return await WebAssembly.compile(bytes);
      } finally {
        if (--optimizing === 0) setHints(false);
      }
    },
  };
}
