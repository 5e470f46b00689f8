/** `osv-vm debug …`: are these the arguments of `run` or of `boot`? */

import { closeSync, openSync, readSync } from "node:fs";
import { Command } from "commander";
import { isSystemImage } from "../devices/boot/system-image.ts";
import { addBootOptions } from "./boot-options.ts";
import { addMachineOptions } from "./machine-options.ts";

export type DebugKind = "run" | "boot";

/** As much of a file as it takes to tell. */
const HEAD_BYTES = 65536;

function headOf(path: string): Uint8Array {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return new Uint8Array(0); // a program of the guest's
  }
  try {
    const bytes = new Uint8Array(HEAD_BYTES);
    return bytes.subarray(0, readSync(file, bytes, 0, HEAD_BYTES, 0));
  } catch {
    return new Uint8Array(0); // a directory
  } finally {
    closeSync(file);
  }
}

/**
 * `debug run …` and `debug boot …` say it; else options that only one of them has, or the content of the file.
 * @returns the command, and its arguments
 */
export function debugKind(parameters: readonly string[]): { kind: DebugKind; rest: readonly string[] } {
  const [first, ...others] = parameters;
  if (first === "run" || first === "boot") return { kind: first, rest: others };
  const runs = optionsOf(addMachineOptions(new Command()));
  const boots = optionsOf(addBootOptions(new Command()));
  let positional: string | undefined;
  for (let index = 0; index < parameters.length && positional === undefined; index++) {
    const word = parameters[index];
    if (!word.startsWith("-") || word === "--") {
      positional = word === "--" ? parameters[index + 1] : word;
      break;
    }
    const name = word.split("=", 1)[0];
    if (boots.has(name) && !runs.has(name)) return { kind: "boot", rest: parameters };
    if (runs.has(name) && !boots.has(name)) return { kind: "run", rest: parameters };
    if (!word.includes("=") && (runs.get(name) ?? name === "--symbols")) index++;
  }
  const kind = positional !== undefined && isSystemImage(headOf(positional)) ? "boot" : "run";
  return { kind, rest: parameters };
}

/** By name: does a value follow? */
function optionsOf(command: Command): Map<string, boolean> {
  return new Map(command.options.map((option) => [option.long ?? "", option.required]));
}
