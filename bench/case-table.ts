/** Results of {@link compare} as a table: time, ratios and speed. */

import { type CaseResult, medianOf, ratioOf, speedOf, type TimeQuantity } from "./comparison.ts";
import type { Bench } from "./group.ts";
import type { Runner } from "./runners.ts";
import { complete, geometricMean, spread } from "./statistics.ts";
import { formatTable } from "./table.ts";

/** What osv-vm is compared with. */
const BASES = ["native", "qemu"];

/** Every runner against every base that comes before it: qemu/native, jit/native, jit/qemu, interp/native … */
function ratioColumns(runners: readonly Runner[]): (readonly [string, string])[] {
  const names = runners.map((runner) => runner.name);
  return names.flatMap((name, index) =>
    BASES.filter((base) => names.slice(0, index).includes(base)).map((base) => [name, base] as const),
  );
}

/** The geometric mean of a ratio over all cases; undefined if one was not measured, NaN if one failed. */
export function meanRatio(
  results: readonly CaseResult[],
  runner: string,
  base: string,
  quantity?: TimeQuantity,
): number | undefined {
  const ratios = complete(results.map((result) => ratioOf(result, runner, base, quantity)));
  return ratios === undefined || ratios.length === 0 ? undefined : geometricMean(ratios);
}

/** The widest of the runners' spreads: how quiet the machine was. */
function widestSpread(result: CaseResult): number {
  const spreads = Object.values(result.samples).map((samples) =>
    spread(samples.map((sample) => sample.milliseconds)),
  );
  return Math.max(0, ...spreads);
}

const number = (value: number | undefined, digits: number) =>
  value === undefined || Number.isNaN(value) ? "-" : value.toFixed(digits);

/** Milliseconds of wall-clock time and, beside it, of processor time. */
function times(result: CaseResult, runner: string): string[] {
  if (result.failures[runner] !== undefined) return ["failed", "-"];
  const wall = medianOf(result, runner, "milliseconds");
  return [number(wall, 0), number(medianOf(result, runner, "cpuMilliseconds"), 0)];
}

/** @param title heads the first column */
export function formatCases(
  title: string,
  results: readonly CaseResult[],
  { runners, quantity }: Pick<Bench, "runners" | "quantity">,
): string {
  const columns = ratioColumns(runners);
  const engines = runners.filter((runner) => runner.isOsvVm);
  const rows = results.map((result) => [
    result.name,
    ...runners.flatMap(({ name }) => times(result, name)),
    ...columns.map(([runner, base]) => number(ratioOf(result, runner, base, quantity), 2)),
    number(result.instructions === undefined ? undefined : result.instructions / 1e6, 0),
    ...engines.map(({ name }) => number(speedOf(result, name, quantity), 0)),
    `${(widestSpread(result) * 100).toFixed(0)}%`,
  ]);
  const heading = [
    title,
    ...runners.flatMap(({ name }) => [`${name} ms`, "cpu"]),
    ...columns.map(([runner, base]) => `${runner}/${base}`),
    "M instr",
    ...engines.map(({ name }) => `${name} M/s`),
    "spread",
  ];
  const mean = [
    "geometric mean",
    ...runners.flatMap(() => ["", ""]),
    ...columns.map(([runner, base]) => number(meanRatio(results, runner, base, quantity), 2)),
  ];
  const table = formatTable([heading, ...rows, ...(results.length > 1 ? [mean] : [])]);
  return [table, ...formatFailures(results)].join("\n");
}

/** One line for each. */
export function formatFailures(results: readonly CaseResult[]): string[] {
  return results.flatMap(({ name, failures }) =>
    Object.entries(failures).map(([runner, reason]) => `${name}, ${runner}: ${reason}`),
  );
}
