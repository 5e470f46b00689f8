/** Resident memory of a long cold run with default options: what the engine keeps beside the guest's own memory. */

import { formatFailures } from "../case-table.ts";
import { type CaseResult, compare, medianOf } from "../comparison.ts";
import type { Bench, GroupReport } from "../group.ts";
import { programRoot } from "../program-root.ts";
import type { Runner } from "../runners.ts";
import { formatTable } from "../table.ts";
import { esbuildCase } from "./programs.ts";

const MOST_MIB = 600;
/** What the programs read is no matter here. */
const SMALL_INPUT = 2 * 2 ** 20;

function format(results: readonly CaseResult[], runners: readonly Runner[]): string {
  const rows = results.map((result) => [
    result.name,
    ...runners.map(({ name }) => medianOf(result, name, "peakMiB")?.toFixed(0) ?? "-"),
  ]);
  const table = formatTable([["peak resident memory", ...runners.map(({ name }) => `${name} MiB`)], ...rows]);
  return [table, ...formatFailures(results)].join("\n");
}

export function memory(bench: Bench): GroupReport {
  const root = programRoot(SMALL_INPUT);
  const cases = [
    esbuildCase(root, "iced-x86", "iced-x86/iced_x86.js"),
    esbuildCase(root, "typescript", "typescript/lib/typescript.js"),
  ].filter((job) => bench.wants(job.name));
  // It hardly varies: no need for more.
  const rounds = Math.min(bench.rounds, 3);
  const results = cases.map((job) => compare(job, bench.runners, rounds, bench.say));
  return {
    text: format(results, bench.runners),
    results,
    criteria: results.map((result) => ({
      issue: 3,
      what: `memory: ${result.name}, default options, jit`,
      value: medianOf(result, "jit", "peakMiB"),
      limit: { most: MOST_MIB },
      unit: "MiB",
    })),
  };
}
