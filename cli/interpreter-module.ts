/** Loads the generated interpreter. */

import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { builtFile } from "./built-file.ts";

/** @throws CommandError if it has not been built */
export function loadInterpreter(): WebAssembly.Module {
  // 3 MB of handlers, of which a program uses a tenth. V8 compiles them when they are first called; what the build has
  // made, and tested, it need not validate before that either (15 ms down to 7).
  setFlagsFromString("--wasm-lazy-validation");
  // The JIT says which branches are hardly ever taken: V8 then keeps slow paths, and what they spill, out of the way.
  setFlagsFromString("--experimental-wasm-branch-hinting");
  // Compiled regions are many, and most are not hot enough for V8's optimizing compiler to pay.
  setFlagsFromString("--wasm-tiering-budget=40000000");
  return new WebAssembly.Module(readFileSync(builtFile("interp.wasm")));
}

/** The one for 16- and 32-bit code: only whole PCs need it, and some of those do not. */
export function loadLegacyInterpreter(): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(builtFile("interp-legacy.wasm")));
}
