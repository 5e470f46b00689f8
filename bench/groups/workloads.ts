/** The nine C workloads of ../shared/bench (or $OSV_BENCH_SRC): processor-bound, half a second natively. */

import { existsSync, readdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { REPOSITORY } from "../../scripts/repository.ts";
import { BENCH_CACHE } from "../cache.ts";
import { formatCases, meanRatio } from "../case-table.ts";
import { type CaseResult, compare, ratioOf } from "../comparison.ts";
import { compileIfOlder, MUSL, WORKLOAD_FLAGS } from "../compiler.ts";
import type { Criterion } from "../criteria.ts";
import type { Bench, GroupReport } from "../group.ts";

/** Percent of the full work. */
const QUICK_SCALE = 5;
const FULL_SCALE = 100;

/** Scalar floating point, and SSE. */
const VECTOR_WORKLOADS = ["d_nbody", "e_simd"];

/** @throws Error if they are not there */
export function findSources(): string {
  const folder = process.env.OSV_BENCH_SRC ?? resolve(REPOSITORY, "../shared/bench");
  const sources = existsSync(join(folder, "src")) ? join(folder, "src") : folder;
  if (existsSync(join(sources, "common.h"))) return sources;
  throw new Error(`no workloads in ${folder}; say where they are: OSV_BENCH_SRC=…/shared/bench`);
}

/** Their names, of which there are nine. */
export function workloadNames(sources: string): string[] {
  return readdirSync(sources)
    .filter((file) => file.endsWith(".c"))
    .map((file) => basename(file, ".c"))
    .sort();
}

/** @returns the program */
export function buildWorkload(sources: string, name: string, isQuick: boolean): string {
  const scale = isQuick ? QUICK_SCALE : FULL_SCALE;
  return compileIfOlder(
    MUSL,
    scale === FULL_SCALE ? WORKLOAD_FLAGS : [...WORKLOAD_FLAGS, `-DSCALE=${scale}`],
    [join(sources, `${name}.c`)],
    join(BENCH_CACHE, `programs-${scale}`, name),
  );
}

/** They print what they measured themselves; what counts here is the whole process. */
const withoutTime = (output: string) => output.replace(/ms=[\d.]+/, "");

export function workloads(bench: Bench): GroupReport {
  const sources = findSources();
  const names = workloadNames(sources);
  const results = names
    .filter((name) => bench.wants(name))
    .map((name) => {
      const program = buildWorkload(sources, name, bench.isQuick);
      return compare({ name, program, comparable: withoutTime }, bench.runners, bench.rounds, bench.say);
    });
  return {
    text: formatCases("workload", results, bench),
    results,
    criteria: judgeWorkloads(results, results.length === names.length),
  };
}

/** A ratio that is not there (NaN) is the worst of all. */
function worstOf(results: readonly CaseResult[], runner: string, base: string) {
  const ratios = results.map((result) => ({ name: result.name, value: ratioOf(result, runner, base) }));
  const order = ({ value }: (typeof ratios)[number]) =>
    value === undefined || Number.isNaN(value) ? Number.POSITIVE_INFINITY : value;
  return ratios.toSorted((a, b) => order(b) - order(a))[0];
}

/** @param isComplete all of them were measured: a mean over fewer is not what is demanded */
function judgeWorkloads(results: readonly CaseResult[], isComplete: boolean): Criterion[] {
  const mean = (runner: string) => (isComplete ? meanRatio(results, runner, "qemu") : undefined);
  const worst = isComplete ? worstOf(results, "jit", "qemu") : undefined;
  const single = (name: string) => results.find((result) => result.name === name);
  const criterion = (issue: number, what: string, value: number | undefined, most: number): Criterion => ({
    issue,
    what: `workloads: ${what}`,
    value,
    limit: { most },
    unit: "×",
  });
  return [
    criterion(3, "geometric mean, jit/qemu", mean("jit"), 1),
    criterion(3, `the worst (${worst?.name ?? "?"}), jit/qemu`, worst?.value, 2),
    ...VECTOR_WORKLOADS.map((name) => {
      const result = single(name);
      return criterion(3, `${name}, jit/qemu`, result && ratioOf(result, "jit", "qemu"), 0.5);
    }),
    criterion(2, "geometric mean, interp/qemu", mean("interp"), 6),
  ];
}
