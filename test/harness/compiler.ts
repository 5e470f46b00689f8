/** Small C programs, compiled for the tests into .cache/programs/, statically with glibc or musl. */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { basename, join } from "node:path";
import { CACHE } from "../../scripts/repository.ts";
import { type Missing, missingTool } from "./requirements.ts";

export type Libc = "glibc" | "musl";

const COMPILERS: Record<Libc, string> = { glibc: "gcc", musl: "musl-gcc" };

/** Why C programs cannot be compiled here. */
export function missingCompiler(libc: Libc): Missing {
  return libc === "musl" ? missingTool("musl-gcc", "musl-tools") : missingTool("gcc", "gcc libc6-dev");
}

/**
 * Compiles a C file to a static program.
 * @param flags after the usual ones
 * @returns the program's path
 */
export function compile(source: string, libc: Libc, flags: readonly string[] = []): string {
  const command = ["-static", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", ...flags];
  const digest = createHash("sha256").update(readFileSync(source)).update(command.join("\0")).digest("hex");
  const program = join(CACHE, "programs", `${basename(source, ".c")}-${libc}-${digest.slice(0, 12)}`);
  if (existsSync(program)) return program;
  mkdirSync(join(CACHE, "programs"), { recursive: true });
  const scratch = `${program}.${process.pid}`;
  execFileSync(COMPILERS[libc], [...command, "-o", scratch, source, "-lm", "-lpthread"], { stdio: "pipe" });
  renameSync(scratch, program);
  return program;
}
