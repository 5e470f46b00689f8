/**
 * Compiles the JIT's modules with the compiler of V8 that suits them. By itself V8 would compile each function when it is
 * first called, and optimize whatever runs for a moment: for thousands of regions that takes more than it gives (measured
 * with esbuild on two processors: 9 s of 19 s). The engine knows which regions are hot.
 */

import { setFlagsFromString } from "node:v8";
import type { ModuleCompiler } from "../../cpu/engines/jit/compiler.ts";

/** Flags while a module is compiled quickly, and those that undo them. */
const QUICK_FLAGS = [
  ["--no-wasm-lazy-compilation", "--wasm-lazy-compilation"],
  ["--no-wasm-dynamic-tiering", "--wasm-dynamic-tiering"],
  ["--no-wasm-tier-up", "--wasm-tier-up"],
] as const;

export function createModuleCompiler(): ModuleCompiler {
  // Modules that are worth it say in a section of their own that they want the optimizing compiler.
  setFlagsFromString("--experimental-wasm-compilation-hints");
  return {
    compile(bytes) {
      for (const [set] of QUICK_FLAGS) setFlagsFromString(set);
      try {
        return new WebAssembly.Module(bytes);
      } finally {
        for (const [, reset] of QUICK_FLAGS) setFlagsFromString(reset);
      }
    },
    optimize: (bytes) => WebAssembly.compile(bytes),
  };
}
