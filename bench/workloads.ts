/** The nine C workloads of ../shared/bench (or $OSV_BENCH_SRC): built into .cache/bench/, run, and compared. */

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { CACHE, REPOSITORY } from "../scripts/repository.ts";
import type { Runner } from "./runners.ts";
import { median } from "./statistics.ts";

/** As in the Makefile beside the sources. */
const FLAGS = ["-O2", "-std=gnu11", "-fno-strict-aliasing", "-ffp-contract=off", "-static", "-no-pie"];

export interface WorkloadResult {
  name: string;
  /** Median milliseconds by runner, as the workload measured them; a runner that failed is missing. */
  milliseconds: Record<string, number>;
  /** Why a runner has no number, by runner. */
  failures: Record<string, string>;
}

/** Where the workloads' sources are. */
export function findSources(): string {
  const folder = process.env.OSV_BENCH_SRC ?? resolve(REPOSITORY, "../shared/bench");
  const sources = existsSync(join(folder, "src")) ? join(folder, "src") : folder;
  if (!existsSync(join(sources, "common.h"))) {
    throw new Error(`no workloads in ${folder}; say where they are: OSV_BENCH_SRC=…/shared/bench`);
  }
  return sources;
}

/**
 * Compiles what has changed.
 * @param scale percent of the full work
 * @returns the programs' paths by name
 */
export function buildWorkloads(sources: string, scale: number, only: readonly string[]): Map<string, string> {
  const folder = join(CACHE, "bench", `programs-${scale}`);
  mkdirSync(folder, { recursive: true });
  const programs = new Map<string, string>();
  const names = readdirSync(sources)
    .filter((file) => file.endsWith(".c"))
    .map((file) => basename(file, ".c"));
  for (const name of names.sort()) {
    if (only.length > 0 && !only.some((wanted) => name === wanted || name.startsWith(`${wanted}_`))) continue;
    const source = join(sources, `${name}.c`);
    const program = join(folder, name);
    if (!existsSync(program) || statSync(program).mtimeMs < statSync(source).mtimeMs) {
      const define = scale === 100 ? [] : [`-DSCALE=${scale}`];
      execFileSync("musl-gcc", [...FLAGS, ...define, "-o", program, source, "-lm"], { stdio: "inherit" });
    }
    programs.set(name, program);
  }
  return programs;
}

interface Measurement {
  milliseconds: number;
  checksum: string;
}

function measure(runner: Runner, program: string): Measurement | string {
  const [file = "", ...parameters] = [...runner.prefix, program];
  const { stdout, stderr, status, error } = spawnSync(file, parameters, {
    encoding: "utf8",
    timeout: 600_000,
    maxBuffer: 1 << 26,
  });
  const match = /checksum=([0-9a-f]+) ms=([\d.]+)/.exec(stdout ?? "");
  if (match === null || status !== 0) {
    return error?.message ?? `exit status ${status}: ${(stderr || stdout).trim().split("\n")[0] ?? ""}`;
  }
  return { checksum: match[1], milliseconds: Number(match[2]) };
}

/**
 * Runs one workload with every runner in turn, several rounds; each round starts with another runner, so that a
 * machine that gets slower or faster meanwhile is fair to all.
 */
export function runWorkload(
  name: string,
  program: string,
  runners: readonly Runner[],
  rounds: number,
): WorkloadResult {
  const result: WorkloadResult = { name, milliseconds: {}, failures: {} };
  const times = new Map<string, number[]>();
  let checksum: string | undefined;
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < runners.length; turn++) {
      const runner = runners[(turn + round) % runners.length];
      if (result.failures[runner.name] !== undefined) continue;
      const measured = measure(runner, program);
      if (typeof measured === "string") {
        result.failures[runner.name] = measured;
        continue;
      }
      checksum ??= measured.checksum;
      if (measured.checksum !== checksum) {
        result.failures[runner.name] = `WRONG checksum ${measured.checksum}, not ${checksum}`;
        continue;
      }
      times.set(runner.name, [...(times.get(runner.name) ?? []), measured.milliseconds]);
    }
  }
  for (const [runner, values] of times) {
    if (result.failures[runner] === undefined) result.milliseconds[runner] = median(values);
  }
  return result;
}
