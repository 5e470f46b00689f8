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

/** musl-gcc knows no -static-pie: what it has to be told instead. */
const MUSL_STATIC_PIE = {
  before: ["-static", "-fPIE", "-nostartfiles", "-Wl,-pie,--no-dynamic-linker"],
  start: ["rcrt1.o", "crti.o"].map((name) => `/usr/lib/x86_64-linux-musl/${name}`),
  end: ["/usr/lib/x86_64-linux-musl/crtn.o"],
};

/** The compiler's arguments for one source, without the name of the output. */
function commandLine(source: string, libc: Libc, flags: readonly string[]): string[] {
  const common = ["-O2", "-std=gnu11", ...flags.filter((flag) => flag !== "-static-pie")];
  const libraries = ["-lm", "-lpthread"];
  if (!flags.includes("-static-pie")) return ["-static", ...common, source, ...libraries];
  if (libc === "glibc") return ["-static-pie", "-fPIE", ...common, source, ...libraries];
  const { before, start, end } = MUSL_STATIC_PIE;
  return [...before, ...common, ...start, source, ...libraries, ...end];
}

/**
 * Compiles a C file to a static program.
 * @param flags after the usual ones; "-static-pie" makes it position-independent
 * @returns the program's path
 */
export function compile(source: string, libc: Libc, flags: readonly string[] = []): string {
  const command = commandLine(source, libc, flags);
  const identity = command.map((word) => (word === source ? "" : word)).join("\0");
  const digest = createHash("sha256").update(readFileSync(source)).update(identity).digest("hex");
  const program = join(CACHE, "programs", `${basename(source, ".c")}-${libc}-${digest.slice(0, 12)}`);
  if (existsSync(program)) return program;
  mkdirSync(join(CACHE, "programs"), { recursive: true });
  const scratch = `${program}.${process.pid}`;
  execFileSync(COMPILERS[libc], [...command, "-o", scratch], { stdio: "pipe" });
  renameSync(scratch, program);
  return program;
}
