/** What is not a workload: the way into the kernel and back, starting up, and whether anything leaks. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { DIST } from "../../scripts/repository.ts";
import { formatFailures } from "../case-table.ts";
import { type Case, type CaseResult, compare, medianOf } from "../comparison.ts";
import type { Criterion } from "../criteria.ts";
import type { Bench, GroupReport } from "../group.ts";
import { measure } from "../measurement.ts";
import type { Runner } from "../runners.ts";
import { median } from "../statistics.ts";
import { formatTable } from "../table.ts";

/** What the criterion is about: the shortest call that no libc answers by itself. */
const SHORTEST_CALL = "getppid";
const MOST_CALL_NS = 400;
const MOST_START_MS = 250;
const MOST_HELLO_MIB = 150;
/** Four times as many threads may take so much more memory, and that is no leak but the collector's freedom. */
const MOST_GROWTH_MIB = 20;

const FEW_THREADS = 10_000;
const MANY_THREADS = 40_000;

const guest = (name: string) => join(DIST, "guests", name);

/** Nanoseconds by system call, by runner. */
type CallTimes = Record<string, Record<string, number>>;

function measureCalls(bench: Bench): { times: CallTimes; failures: string[] } {
  const calls = bench.isQuick ? 20_000 : 200_000;
  const samples = new Map<string, Record<string, number>[]>();
  const failures: string[] = [];
  bench.say("system calls ");
  for (let round = 0; round < bench.rounds; round++) {
    for (const runner of bench.runners) {
      const job = { program: guest("syscall-latency"), parameters: [String(calls)] };
      const { stdout, stderr, status } = measure(runner.command(job));
      const lines = [...stdout.toString().matchAll(/^(.*\S) +([\d.]+) ns$/gm)];
      if (status === 0 && lines.length > 0) {
        const times = Object.fromEntries(lines.map(([, name, ns]) => [name, Number(ns)]));
        samples.set(runner.name, [...(samples.get(runner.name) ?? []), times]);
      } else {
        failures.push(
          `syscall-latency, ${runner.name}: exit status ${status}: ${stderr.trim().split("\n")[0]}`,
        );
      }
    }
    bench.say(".");
  }
  bench.say(" ");
  const times = Array.from(samples, ([runner, runs]) => {
    const names = Object.keys(runs[0] ?? {});
    return [runner, Object.fromEntries(names.map((name) => [name, median(runs.map((run) => run[name]))]))];
  });
  return { times: Object.fromEntries(times), failures };
}

function formatCalls(times: CallTimes): string {
  const runners = Object.keys(times);
  const rows = Object.keys(times[runners[0] ?? ""] ?? {}).map((call) => [
    call,
    ...runners.map((runner) => times[runner]?.[call]?.toFixed(1) ?? "-"),
  ]);
  return formatTable([["system call", ...runners.map((runner) => `${runner} ns`)], ...rows]);
}

/** `node -e 0`: what the start of osv-vm cannot be less than. */
function measureNode(rounds: number): number {
  return median(
    Array.from({ length: rounds }, () => measure({ words: [process.execPath, "-e", "0"] }).milliseconds),
  );
}

function formatProcesses(results: readonly CaseResult[], runners: readonly Runner[]): string {
  const cell = (result: CaseResult, runner: string, quantity: "milliseconds" | "peakMiB") =>
    medianOf(result, runner, quantity)?.toFixed(0) ?? "-";
  const rows = results.map((result) => [
    result.name,
    ...runners.flatMap(({ name }) => [cell(result, name, "milliseconds"), cell(result, name, "peakMiB")]),
  ]);
  return formatTable([["process", ...runners.flatMap(({ name }) => [`${name} ms`, "MiB"])], ...rows]);
}

function judgeSystem(
  times: CallTimes,
  [hello, few, many]: readonly CaseResult[],
  engines: readonly Runner[],
): Criterion[] {
  return engines.flatMap(({ name }) => {
    const criterion = (what: string, value: number | undefined, most: number, unit: string): Criterion => ({
      issue: 2,
      what: `system: ${what}, ${name}`,
      value,
      limit: { most },
      unit,
    });
    const fewPeak = medianOf(few, name, "peakMiB");
    const manyPeak = medianOf(many, name, "peakMiB");
    const growth = fewPeak === undefined || manyPeak === undefined ? undefined : manyPeak - fewPeak;
    return [
      criterion(
        `system call (${SHORTEST_CALL})`,
        times[name]?.[SHORTEST_CALL] ?? Number.NaN,
        MOST_CALL_NS,
        "ns",
      ),
      criterion("run hello, start to exit", medianOf(hello, name, "milliseconds"), MOST_START_MS, "ms"),
      criterion("run hello, peak memory", medianOf(hello, name, "peakMiB"), MOST_HELLO_MIB, "MiB"),
      criterion(`growth from ${FEW_THREADS} to ${MANY_THREADS} threads`, growth, MOST_GROWTH_MIB, "MiB"),
    ];
  });
}

export function system(bench: Bench): GroupReport {
  if (!existsSync(guest("hello"))) {
    throw new Error("the image has no programs (there was no C compiler when it was built)");
  }
  const calls = measureCalls(bench);
  const node = measureNode(bench.rounds);
  const engines = bench.runners.filter((runner) => runner.isOsvVm);
  const threads = (count: number): Case => ({
    name: `thread-churn ${count}`,
    program: guest("thread-churn"),
    parameters: [String(count)],
  });
  const cases = [{ name: "hello", program: "hello" }, threads(FEW_THREADS), threads(MANY_THREADS)];
  const results = cases.map((job) => compare(job, engines, bench.rounds, bench.say));
  return {
    text: [
      `${formatCalls(calls.times)}\n`,
      `${formatProcesses(results, engines)}`,
      `node -e 0: ${node.toFixed(0)} ms`,
      ...calls.failures,
      ...formatFailures(results),
    ].join("\n"),
    results: { calls: calls.times, nodeMilliseconds: node, processes: results },
    criteria: judgeSystem(calls.times, results, engines),
  };
}
