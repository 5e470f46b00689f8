/**
 * Compiles the programs of guests/ to static x86-64 executables with whatever C compiler this machine has. Without
 * one, osv-vm still works: the image then has no programs, and says so in /etc/motd.
 */

import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { DIST, REPOSITORY } from "./repository.ts";

export interface Guests {
  /** Absolute paths of the executables. */
  programs: string[];
  /** Why there are no programs, as a sentence. */
  missing?: string;
}

/** Smallest first: a program linked with musl is a tenth of one linked with glibc. */
const COMPILERS = ["musl-gcc", "x86_64-linux-musl-gcc", "x86_64-linux-gnu-gcc", "gcc", "cc"];
const FLAGS = ["-static", "-O2", "-s", "-std=gnu11", "-Wall", "-Wextra"];
const LIBRARIES = ["-lm", "-lpthread"];

/** Sees whether a compiler makes static x86-64 programs: it may be missing, for another machine, or without libc.a. */
function makesStaticPrograms(compiler: string): boolean {
  const probe = spawnSync(compiler, ["-x", "c", "-", "-static", "-o", "/dev/null"], {
    input: '#ifndef __x86_64__\n#error\n#endif\n#include <stdio.h>\nint main(void) { return puts(""); }\n',
    stdio: ["pipe", "ignore", "ignore"],
  });
  return probe.status === 0;
}

/** The conformance programs are for the tests only (test/system/conformance.test.ts). */
const isProgram = (name: string) => name.endsWith(".c") && !name.startsWith("conformance");

/** Compiles every guests/*.c to dist/guests/. A program that does not compile is an error of ours and throws. */
export async function buildGuests(): Promise<Guests> {
  const compiler = COMPILERS.find(makesStaticPrograms);
  if (compiler === undefined) {
    const missing = "no C compiler for static x86-64 programs was found when this image was built";
    console.log(`build: the image has no programs: ${missing} (Debian: apt-get install gcc musl-tools)`);
    return { programs: [], missing };
  }
  const folder = join(DIST, "guests");
  mkdirSync(folder, { recursive: true });
  const sources = readdirSync(join(REPOSITORY, "guests")).filter(isProgram);
  const programs = sources.map((source) => {
    const program = join(folder, basename(source, ".c"));
    execFileSync(compiler, [...FLAGS, "-o", program, join(REPOSITORY, "guests", source), ...LIBRARIES], {
      stdio: "inherit",
    });
    return program;
  });
  return { programs };
}
