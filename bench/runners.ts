/** What executes a program: the host itself, QEMU user mode, and each engine of osv-vm. */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ENGINES } from "../cli/engines.ts";
import { REPOSITORY } from "../scripts/repository.ts";
import type { Command } from "./measurement.ts";
import { UsageError } from "./options.ts";

/** A program to run, however it is run. */
export interface Job {
  /** With a root: a path in it, "/bin/busybox"; without: a file of the host. */
  program: string;
  parameters?: readonly string[];
  /** A directory of the host. QEMU and the host see it where it is, so parameters must not name files from the top. */
  root?: string;
  /** In the root. */
  cwd?: string;
  env?: Readonly<Record<string, string>>;
  /** For osv-vm, if its default is not enough. */
  memory?: string;
}

export interface Runner {
  /** As it heads a column. */
  readonly name: string;
  /** An engine of osv-vm, or something to compare with. */
  readonly isOsvVm: boolean;
  command(job: Job): Command;
}

export const OSV_VM = [process.execPath, join(REPOSITORY, "osv-vm.js")] as const;

/** The same for every runner: what a program does may depend on it. */
const ENVIRONMENT = { HOME: "/", TZ: "UTC", LC_ALL: "C" };

/** @param prefix what stands before the program on the command line */
function hostRunner(name: string, prefix: readonly string[]): Runner {
  return {
    name,
    isOsvVm: false,
    command: ({ program, parameters = [], root, cwd = "/", env }) => ({
      words: [...prefix, root === undefined ? program : join(root, program), ...parameters],
      env: { ...ENVIRONMENT, ...env },
      ...(root !== undefined && { cwd: join(root, cwd) }),
    }),
  };
}

export function osvVmRunner(engine: string): Runner {
  return {
    name: engine,
    isOsvVm: true,
    command: ({ program, parameters = [], root, cwd, env, memory }) => ({
      words: [
        ...OSV_VM,
        "run",
        ...["--engine", engine, "--stats"],
        ...(root === undefined ? [] : ["--root", root]),
        ...(cwd === undefined ? [] : ["--cwd", cwd]),
        ...Object.entries({ ...ENVIRONMENT, ...env }).flatMap((pair) => ["--env", pair.join("=")]),
        ...(memory === undefined ? [] : ["--memory", memory]),
        program,
        ...parameters,
      ],
    }),
  };
}

/** QEMU 7.2 is Debian's; a statically linked one is the same program. */
function findQemu(): Runner[] {
  for (const program of ["qemu-x86_64-static", "qemu-x86_64"]) {
    if (spawnSync(program, ["--version"]).status === 0) return [hostRunner("qemu", [program])];
  }
  console.log("no QEMU column: qemu-x86_64 is not installed (Debian: apt-get install qemu-user-static)");
  return [];
}

/**
 * The runners in the order of their turns.
 * @param only names to keep; all if empty
 * @throws UsageError for a name that is none
 */
export function findRunners(only: readonly string[]): Runner[] {
  const engines = [...ENGINES].sort((a, b) => Number(b === "jit") - Number(a === "jit"));
  const all = [hostRunner("native", []), ...findQemu(), ...engines.map(osvVmRunner)];
  const unknown = only.find((name) => !all.some((runner) => runner.name === name));
  if (unknown !== undefined) {
    throw new UsageError(
      `no such runner: ${unknown}; there are: ${all.map((runner) => runner.name).join(", ")}`,
    );
  }
  return only.length === 0 ? all : all.filter((runner) => only.includes(runner.name));
}
