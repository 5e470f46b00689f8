/**
 * A whole Linux: Debian's cloud kernel from the start to /init, the workloads of ../shared/bench inside it, and how much
 * of a processor it takes while it sleeps; beside QEMU's system mode.
 */

import { formatCases, meanRatio } from "../case-table.ts";
import { type CaseResult, compare, ratioOf } from "../comparison.ts";
import type { Criterion } from "../criteria.ts";
import type { Bench, GroupReport } from "../group.ts";
import { type BootRunner, findBootRunners, GREETING, type Guest } from "../linux-guest.ts";
import { measureLines } from "../measurement.ts";
import { formatTable } from "../table.ts";
import { compareGuestWorkloads, formatGuestWorkloads } from "./guest-workloads.ts";
import { findSources, workloadNames } from "./workloads.ts";

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

// ---- idleness ----

const ASLEEP = "asleep";
const AWAKE = "awake";

/** Share of a processor, in percent, that a sleeping guest takes; NaN if it was not seen to wake up. */
function idleShare(runner: BootRunner, seconds: number): number {
  const script = [`echo ${ASLEEP}`, `sleep ${seconds}`, `echo ${AWAKE}`];
  const { lines } = measureLines(runner.command({ name: "idle", script }));
  const begin = lines.find(({ text }) => text === ASLEEP);
  const end = lines.find(({ text }) => text === AWAKE);
  if (begin === undefined || end === undefined) return Number.NaN;
  return (100 * (end.cpuMilliseconds - begin.cpuMilliseconds)) / (end.milliseconds - begin.milliseconds);
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

/** Of our engines the first one only: the interpreter would take minutes for each of the workloads. */
function workloadRunners(runners: readonly BootRunner[]): BootRunner[] {
  const engine = runners.find(({ isOsvVm }) => isOsvVm);
  return runners.filter((runner) => !runner.isOsvVm || runner === engine);
}

/** The tables' columns come from runners; how they are called is nothing to them. */
function tableOf(runners: readonly BootRunner[], quantity: Bench["quantity"]) {
  return { quantity, runners: runners.map((runner) => ({ ...runner, command: unused })) };
}

/** By runner. */
function measureIdle(runners: readonly BootRunner[], bench: Bench): Record<string, number> {
  const seconds = bench.isQuick ? QUICK_IDLE_SECONDS : IDLE_SECONDS;
  bench.say("idle ");
  const shares = runners.map((runner) => [runner.name, idleShare(runner, seconds)] as const);
  bench.say(". ");
  return Object.fromEntries(shares);
}

export function boot(bench: Bench): GroupReport {
  const runners = findBootRunners(bench.runners.map(({ name }) => name));
  const started = bench.wants("boot") ? compareGuest(BOOT, runners, bench) : undefined;
  const idle = bench.wants("idle") ? measureIdle(runners, bench) : {};
  const results = compareGuestWorkloads(workloadRunners(runners), bench);
  const isComplete = results.length === workloadNames(findSources()).length;
  const byHost = results.map((result) => result.byHost);
  return {
    text: [
      ...(started ? [formatCases("to /init", [started], tableOf(runners, bench.quantity))] : []),
      ...Object.entries(idle).map(
        ([name, share]) => `idle guest, ${name}: ${share.toFixed(1)} % of a processor`,
      ),
      ...(started ? [formatStatistics(started)] : []),
      ...(results.length > 0
        ? [formatGuestWorkloads(results, tableOf(workloadRunners(runners), bench.quantity))]
        : []),
    ].join("\n\n"),
    results: { started, idle, results },
    criteria: judgeBoot(started, byHost, isComplete, idle),
  };
}

function unused(): never {
  throw new Error("guests are booted, not run");
}

function judgeBoot(
  started: CaseResult | undefined,
  results: readonly CaseResult[],
  isComplete: boolean,
  idle: Readonly<Record<string, number>>,
): Criterion[] {
  const criterion = (what: string, value: number | undefined, most: number, unit: string): Criterion => ({
    issue: 4,
    what: `boot: ${what}`,
    value,
    limit: { most },
    unit,
  });
  return [
    criterion("to /init, jit/qemu", started && ratioOf(started, "jit", "qemu"), 2, "×"),
    criterion(
      "workloads inside Linux, geometric mean, jit/qemu",
      isComplete ? meanRatio(results, "jit", "qemu") : undefined,
      1,
      "×",
    ),
    criterion("an idle guest, jit", idle.jit, 3, "%"),
  ];
}
