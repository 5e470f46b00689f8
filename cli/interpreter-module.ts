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
  return new WebAssembly.Module(readFileSync(builtFile("interp.wasm")));
}
