/**
 * A whole Linux: Debian's cloud kernel from the start to /init, the workloads of ../shared/bench inside it, and how much
 * of a processor it takes while it sleeps; beside QEMU's system mode.
 */

import { formatCases, formatFailures, meanRatio } from "../case-table.ts";
import { type CaseResult, compare, medianOf, ratioOf } from "../comparison.ts";
import type { Criterion } from "../criteria.ts";
import type { Bench, GroupReport } from "../group.ts";
import { type BootRunner, findBootRunners, GREETING, type Guest } from "../linux-guest.ts";
import { type Measurement, measure } from "../measurement.ts";
import { splitStatistics } from "../osv-vm-statistics.ts";
import { formatTable } from "../table.ts";
import { buildWorkload, findSources, workloadNames } from "./workloads.ts";

const IDLE_SECONDS = 20;
const QUICK_IDLE_SECONDS = 3;

/** The guest switches itself off behind the first line of /init. */
const BOOT: Guest = { name: "boot", script: [] };

/** What is the guest's own: kernel messages have times in them. */
const guestLines = (output: string): string =>
  output
    .split(/\r?\n/)
    .filter((line) => line === GREETING)
    .join("\n");

/** One guest under every runner in turn, timed from outside. */
function compareGuest(guest: Guest, runners: readonly BootRunner[], bench: Bench): CaseResult {
  const asRunners = runners.map((runner) => ({ ...runner, command: () => runner.command(guest) }));
  const job = { name: guest.name, program: guest.name, comparable: guestLines };
  return compare(job, asRunners, bench.rounds, bench.say);
}

// ---- workloads ----

/** A line of a workload: its name, what it has computed, and how long it took by the guest's clock. */
const RESULT = /^(\w+) checksum=([0-9a-f]{16}) ms=([\d.]+)\r?$/gm;

/** All workloads in one guest, one after the other: each one's time is that which it has measured itself. */
function compareWorkloads(runners: readonly BootRunner[], bench: Bench): CaseResult[] {
  const sources = findSources();
  const names = workloadNames(sources).filter((name) => bench.wants(name));
  if (names.length === 0) return [];
  const programs = names.map((name) => buildWorkload(sources, name, bench.isQuick));
  const guest: Guest = { name: "workloads", script: names, programs };
  const results = names.map((name): CaseResult => ({ name, samples: {}, failures: {}, statistics: {} }));
  const checksums = new Map<string, string>();
  bench.say("workloads ");
  for (let round = 0; round < bench.rounds; round++) {
    for (const runner of runners) {
      const measured = measure(runner.command(guest));
      const lines = new Map(
        [...measured.stdout.toString().matchAll(RESULT)].map((match) => [match[1], match]),
      );
      for (const result of results) noteResult(result, runner, measured, lines.get(result.name), checksums);
    }
    bench.say(".");
  }
  bench.say(" ");
  return results;
}

function noteResult(
  result: CaseResult,
  runner: BootRunner,
  { peakMiB, stderr }: Measurement,
  line: RegExpMatchArray | undefined,
  checksums: Map<string, string>,
): void {
  const expected = checksums.get(result.name) ?? line?.[2];
  if (line === undefined || expected === undefined) {
    result.failures[runner.name] = "did not print its result";
    return;
  }
  checksums.set(result.name, expected);
  if (line[2] !== expected) {
    result.failures[runner.name] = "WRONG output";
    return;
  }
  const milliseconds = Number(line[3]);
  const samples = result.samples[runner.name] ?? [];
  result.samples[runner.name] = [...samples, { milliseconds, cpuMilliseconds: milliseconds, peakMiB }];
  if (runner.isOsvVm) result.statistics[runner.name] = splitStatistics(stderr).statistics;
}

// ---- idleness ----

/** Share of a processor, in percent, that a sleeping guest takes. */
function idleShare(boot: CaseResult, idle: CaseResult, runner: string, seconds: number): number | undefined {
  const all = medianOf(idle, runner, "cpuMilliseconds");
  const start = medianOf(boot, runner, "cpuMilliseconds");
  return all === undefined || start === undefined ? undefined : (all - start) / (10 * seconds);
}

// ---- the report ----

/** What --stats told of a boot, one column an engine. */
function formatStatistics({ statistics }: CaseResult): string {
  const engines = Object.keys(statistics);
  const names = [...new Set(engines.flatMap((engine) => Object.keys(statistics[engine])))];
  return formatTable([
    ["the last boot", ...engines],
    ...names.map((name) => [name, ...engines.map((engine) => statistics[engine][name] ?? "-")]),
  ]);
}

export function boot(bench: Bench): GroupReport {
  const runners = findBootRunners(bench.runners.map(({ name }) => name));
  // The tables' columns come from runners; how they are called is nothing to them.
  const table = {
    quantity: bench.quantity,
    runners: runners.map((runner) => ({ ...runner, command: unused })),
  };
  const seconds = bench.isQuick ? QUICK_IDLE_SECONDS : IDLE_SECONDS;
  const started = compareGuest(BOOT, runners, bench);
  const idle = compareGuest({ name: "idle", script: [`sleep ${seconds}`] }, runners, { ...bench, rounds: 1 });
  const results = compareWorkloads(runners, bench);
  const isComplete = results.length === workloadNames(findSources()).length;
  const shares = runners.map(({ name }) => [name, idleShare(started, idle, name, seconds)] as const);
  return {
    text: [
      formatCases("to /init", [started], table),
      ...formatFailures([idle]),
      shares
        .map(([name, share]) => `idle guest, ${name}: ${share?.toFixed(1) ?? "-"} % of a processor`)
        .join("\n"),
      formatStatistics(started),
      ...(results.length > 0 ? [formatCases("inside Linux", results, table)] : []),
    ].join("\n\n"),
    results: { started, idle, results },
    criteria: judgeBoot(started, results, isComplete, Object.fromEntries(shares)),
  };
}

function unused(): never {
  throw new Error("guests are booted, not run");
}

function judgeBoot(
  started: CaseResult,
  results: readonly CaseResult[],
  isComplete: boolean,
  shares: Readonly<Record<string, number | undefined>>,
): Criterion[] {
  const criterion = (what: string, value: number | undefined, most: number, unit: string): Criterion => ({
    issue: 4,
    what: `boot: ${what}`,
    value,
    limit: { most },
    unit,
  });
  return [
    criterion("to /init, jit/qemu", ratioOf(started, "jit", "qemu"), 2, "×"),
    criterion(
      "workloads inside Linux, geometric mean, jit/qemu",
      isComplete ? meanRatio(results, "jit", "qemu") : undefined,
      1,
      "×",
    ),
    criterion("an idle guest, jit", shares.jit, 3, "%"),
  ];
}
