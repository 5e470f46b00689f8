/** Loads the generated interpreter. */

import { readFileSync } from "node:fs";
import { InterpreterCode } from "../cpu/engines/interp/parts.ts";
import { builtFile } from "./built-file.ts";

/** @throws CommandError if it has not been built */
export function loadInterpreter(): InterpreterCode {
  return new InterpreterCode((part) => readFileSync(builtFile(`interp-${part}.wasm`)));
}

/** The one for 16- and 32-bit code: only whole PCs need it, and some of those do not. */
export function loadLegacyInterpreter(): InterpreterCode {
  return new InterpreterCode((part) => readFileSync(builtFile(`interp-legacy-${part}.wasm`)));
}
