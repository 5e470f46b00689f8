/** What executes a workload: the host itself, QEMU user mode, and each engine of osv-vm. */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ENGINES } from "../cli/engines.ts";
import { REPOSITORY } from "../scripts/repository.ts";

export interface Runner {
  /** As it heads a column. */
  name: string;
  /** What stands before the program on the command line. */
  prefix: readonly string[];
}

export const OSV_VM = [process.execPath, join(REPOSITORY, "osv-vm.js")] as const;

/** QEMU 7.2 is Debian's; a statically linked one is the same program. */
function findQemu(): Runner[] {
  for (const program of ["qemu-x86_64-static", "qemu-x86_64"]) {
    if (spawnSync(program, ["--version"]).status === 0) return [{ name: "qemu", prefix: [program] }];
  }
  console.log("no QEMU column: qemu-x86_64 is not installed (Debian: apt-get install qemu-user-static)");
  return [];
}

/** @param only names to keep; all if empty */
export function findRunners(only: readonly string[]): Runner[] {
  const engines = ENGINES.map((engine) => ({
    name: engine,
    prefix: [...OSV_VM, "run", "--engine", engine],
  }));
  const all = [{ name: "native", prefix: [] }, ...findQemu(), ...engines];
  return only.length === 0 ? all : all.filter((runner) => only.includes(runner.name));
}
