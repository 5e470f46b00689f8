/**
 * `npm run bench -- [--runs N] [--only a,b] [--runners native,qemu,interp] [--small] [--no-system]`
 *
 * Prints the workloads' times and their ratio to native and to QEMU user mode, then system-call latency, start-up and
 * memory; writes everything to .cache/bench/results.json. `npm run bench -- boot` is kept for unmodified systems.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CACHE } from "../scripts/repository.ts";
import { findRunners, type Runner } from "./runners.ts";
import { geometricMean } from "./statistics.ts";
import { measureSystem, type SystemResults } from "./system.ts";
import { formatTable } from "./table.ts";
import { buildWorkloads, findSources, runWorkload, type WorkloadResult } from "./workloads.ts";

const SMALL_PERCENT = 5;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: "string", default: "3" },
    only: { type: "string", default: "" },
    runners: { type: "string", default: "" },
    small: { type: "boolean", default: false },
    "no-system": { type: "boolean", default: false },
  },
});

const list = (text: string) => text.split(",").filter((name) => name !== "");

function ratio(result: WorkloadResult, runner: string, base: string): number | undefined {
  const time = result.milliseconds[runner];
  const baseTime = result.milliseconds[base];
  return time !== undefined && baseTime !== undefined && baseTime > 0 ? time / baseTime : undefined;
}

/** Every runner against every base that comes before it: interp/native, interp/qemu, qemu/native. */
function ratioColumns(runners: readonly Runner[]): (readonly [string, string])[] {
  const names = runners.map((runner) => runner.name);
  const bases = names.filter((name) => name === "native" || name === "qemu");
  return names.flatMap((name, index) =>
    bases.filter((base) => names.indexOf(base) < index).map((base) => [name, base] as const),
  );
}

function reportWorkloads(results: readonly WorkloadResult[], runners: readonly Runner[]): void {
  const columns = ratioColumns(runners);
  const rows = [
    ["workload", ...runners.map(({ name }) => `${name} ms`), ...columns.map(([a, b]) => `${a}/${b}`)],
    ...results.map((result) => [
      result.name,
      ...runners.map(({ name }) => result.milliseconds[name]?.toFixed(1) ?? "failed"),
      ...columns.map(([a, b]) => ratio(result, a, b)?.toFixed(2) ?? "-"),
    ]),
    [
      "geometric mean",
      ...runners.map(() => ""),
      ...columns.map(([a, b]) => {
        const ratios = results.map((result) => ratio(result, a, b));
        // A mean over only those that worked would flatter.
        return ratios.every((value) => value !== undefined) ? geometricMean(ratios).toFixed(2) : "-";
      }),
    ],
  ];
  console.log(`\n${formatTable(rows)}`);
  for (const { name, failures } of results) {
    for (const [runner, reason] of Object.entries(failures)) console.log(`${name}, ${runner}: ${reason}`);
  }
}

function reportSystem(results: SystemResults): void {
  const runners = Object.keys(results.syscalls);
  const calls = Object.keys(results.syscalls[runners[0] ?? ""] ?? {});
  if (calls.length > 0) {
    const rows = calls.map((call) => [
      call,
      ...runners.map((name) => results.syscalls[name]?.[call]?.toFixed(1) ?? "-"),
    ]);
    console.log(`\n${formatTable([["system call", ...runners.map((name) => `${name} ns`)], ...rows])}`);
  }
  console.log();
  const say = (what: string, value: number | undefined, unit: string) => {
    if (value !== undefined) console.log(`${what.padEnd(36)}${value.toFixed(0).padStart(6)} ${unit}`);
  };
  say("run hello, process start to exit", results.startMilliseconds, "ms");
  say("  of which Node itself", results.nodeMilliseconds, "ms");
  say("run hello, peak memory", results.helloPeakMiB, "MiB");
  say("10,000 threads, peak memory", results.threadsPeakMiB?.few, "MiB");
  say("40,000 threads, peak memory", results.threadsPeakMiB?.many, "MiB");
  for (const failure of results.failures) console.log(failure);
}

if (positionals.length > 0) {
  console.error(`bench: ${positionals.join(" ")}: not available in this version`);
  process.exit(125);
}
const rounds = Number(values.runs);
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error(`bench: --runs ${values.runs}: must be a whole number from 1`);
  process.exit(125);
}
const runners = findRunners(list(values.runners));
const scale = values.small ? SMALL_PERCENT : 100;
const programs = buildWorkloads(findSources(), scale, list(values.only));
const workloads: WorkloadResult[] = [];
for (const [name, program] of programs) {
  process.stderr.write(`${name}… `);
  workloads.push(runWorkload(name, program, runners, rounds));
}
process.stderr.write("\n");
reportWorkloads(workloads, runners);
const system = values["no-system"] ? undefined : measureSystem(runners, rounds);
if (system !== undefined) reportSystem(system);

const folder = join(CACHE, "bench");
mkdirSync(folder, { recursive: true });
const machine = {
  processor: cpus()[0]?.model,
  processors: cpus().length,
  memory: totalmem(),
  node: process.version,
};
const report = { date: new Date().toISOString(), machine, rounds, scale, workloads, system };
writeFileSync(join(folder, "results.json"), `${JSON.stringify(report, null, 2)}\n`);
console.log(`\nwritten to ${join(folder, "results.json")}`);
