/** Loads the generated interpreter. */

import { readFileSync } from "node:fs";
import { InterpreterCode } from "../cpu/engines/interp/parts.ts";
import { builtFile } from "./built-file.ts";

/** @throws CommandError if it has not been built */
export function loadInterpreter(): InterpreterCode {
  return new InterpreterCode((part) => readFileSync(builtFile(`interp-${part}.wasm`)));
}
