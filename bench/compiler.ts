/** Compiles C into .cache/bench/, once. */

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** As in the Makefile of ../shared/bench. */
export const WORKLOAD_FLAGS = [
  "-O2",
  "-std=gnu11",
  "-fno-strict-aliasing",
  "-ffp-contract=off",
  "-static",
  "-no-pie",
] as const;

/** A static program without glibc's start-up work, so that what is measured is the program. */
export const MUSL = "musl-gcc";

export function hasCompiler(name: string): boolean {
  return spawnSync(name, ["--version"], { stdio: "ignore" }).status === 0;
}

/**
 * Makes a file that is not there yet or older than what it is made of.
 * @param command makes the file of the name that it gets
 * @returns the file
 * @throws Error if the command fails
 */
export function makeIfOlder(
  target: string,
  sources: readonly string[],
  command: (target: string) => readonly string[],
): string {
  const changed = Math.max(...sources.map((source) => statSync(source).mtimeMs));
  if (existsSync(target) && statSync(target).mtimeMs >= changed) return target;
  mkdirSync(dirname(target), { recursive: true });
  // Another benchmark may want it at the same time: each finds a whole one.
  const scratch = `${target}.${process.pid}`;
  const [program = "", ...parameters] = command(scratch);
  execFileSync(program, parameters, { stdio: "inherit" });
  renameSync(scratch, target);
  return target;
}

/** Compiles and links, or with the flag `-c` only compiles. */
export function compileIfOlder(
  compiler: string,
  flags: readonly string[],
  sources: readonly string[],
  target: string,
): string {
  return makeIfOlder(target, sources, (scratch) => [compiler, ...flags, "-o", scratch, ...sources, "-lm"]);
}
