/**
 * The workloads of ../shared/bench inside a whole Linux, each in a machine of its own that does nothing else. They are
 * those of the group `workloads`, with all their work, so that the figures of both can be compared.
 *
 * A workload is timed twice: by the guest's clock, which it reads itself, and by the host's, as lines of output come from
 * the guest: a guest whose clock is wrong cannot lie. The host's time counts; it has the start of the program in it.
 */

import { formatCases } from "../case-table.ts";
import type { CaseResult } from "../comparison.ts";
import type { Bench } from "../group.ts";
import type { BootRunner } from "../linux-guest.ts";
import { measureLines, type StampedLine } from "../measurement.ts";
import { splitStatistics } from "../osv-vm-statistics.ts";
import { buildWorkload, findSources, workloadNames } from "./workloads.ts";

/** The line of a workload: its name, what it has computed, and how long it took by the guest's clock. */
const RESULT = /^(\w+) checksum=([0-9a-f]{16}) ms=([\d.]+)$/;
const BEGIN = "begin";

/** Clocks agree if they do not differ by more: the start of a program, and a part of what is measured. */
const MOST_DIFFERENCE_MS = 150;
const MOST_DIFFERENCE = 0.05;

/** One workload by both clocks. */
export interface GuestWorkload {
  readonly byHost: CaseResult;
  readonly byGuest: CaseResult;
}

interface Times {
  readonly host: number;
  /** Processor time. */
  readonly cpu: number;
  readonly guest: number;
  readonly checksum: string;
}

/** @returns what went wrong instead, as a text */
function timesOf(name: string, lines: readonly StampedLine[]): Times | string {
  const begin = lines.find(({ text }) => text === `${BEGIN} ${name}`);
  const end = lines.find(({ text }) => RESULT.exec(text)?.[1] === name);
  const match = end && RESULT.exec(end.text);
  if (begin === undefined || end === undefined || !match) return "did not print its result";
  const host = end.milliseconds - begin.milliseconds;
  const guest = Number(match[3]);
  if (Math.abs(host - guest) > MOST_DIFFERENCE_MS + MOST_DIFFERENCE * host)
    return `took ${host.toFixed(0)} ms, and ${guest.toFixed(0)} ms by the guest's clock`;
  return { host, guest, cpu: end.cpuMilliseconds - begin.cpuMilliseconds, checksum: match[2] };
}

export function compareGuestWorkloads(runners: readonly BootRunner[], bench: Bench): GuestWorkload[] {
  const sources = findSources();
  const names = workloadNames(sources).filter((name) => bench.wants(name));
  return names.map((name) => {
    const program = buildWorkload(sources, name, bench.isQuick);
    return compareOne(name, program, runners, bench);
  });
}

function compareOne(
  name: string,
  program: string,
  runners: readonly BootRunner[],
  { rounds, say }: Bench,
): GuestWorkload {
  const create = (): CaseResult => ({ name, samples: {}, failures: {}, statistics: {} });
  const result: GuestWorkload = { byHost: create(), byGuest: create() };
  const guest = { name, script: [`echo ${BEGIN} ${name}`, name], programs: [program] };
  let expected: string | undefined;
  say(`${name} `);
  for (let round = 0; round < rounds; round++) {
    for (const runner of runners) {
      const { lines, stderr, peakMiB } = measureLines(runner.command(guest));
      const times = timesOf(name, lines);
      if (typeof times === "string") {
        fail(result, runner, times);
        continue;
      }
      expected ??= times.checksum;
      if (times.checksum !== expected) {
        fail(result, runner, "WRONG output");
        continue;
      }
      note(result.byHost, runner, { milliseconds: times.host, cpuMilliseconds: times.cpu, peakMiB });
      note(result.byGuest, runner, { milliseconds: times.guest, cpuMilliseconds: times.cpu, peakMiB });
      if (runner.isOsvVm) result.byHost.statistics[runner.name] = splitStatistics(stderr).statistics;
    }
    say(".");
  }
  say(" ");
  return result;
}

function fail({ byHost, byGuest }: GuestWorkload, runner: BootRunner, reason: string): void {
  for (const { failures } of [byHost, byGuest]) failures[runner.name] = reason;
}

function note(result: CaseResult, { name }: BootRunner, sample: CaseResult["samples"][string][number]): void {
  if (result.failures[name] === undefined) result.samples[name] = [...(result.samples[name] ?? []), sample];
}

/** What `--stats` told of the last run, boot and all, that says where time went. */
const STATISTICS = [
  "instructions",
  "executed",
  "TLB misses",
  "interrupts",
  "system calls",
  "exceptions",
  "exits",
];

/** @param table how the tables' columns are called */
export function formatGuestWorkloads(
  workloads: readonly GuestWorkload[],
  table: Parameters<typeof formatCases>[2],
): string {
  const engines = table.runners.filter((runner) => runner.isOsvVm);
  const details = workloads.flatMap(({ byHost: { name, statistics } }) =>
    engines.flatMap((engine) =>
      STATISTICS.flatMap((quantity) => {
        const value = statistics[engine.name]?.[quantity];
        return value === undefined ? [] : `${name}, ${engine.name}: ${quantity}: ${value}`;
      }),
    ),
  );
  return [
    formatCases(
      "inside Linux",
      workloads.map(({ byHost }) => byHost),
      table,
    ),
    formatCases(
      "by the guest's clock",
      workloads.map(({ byGuest }) => byGuest),
      table,
    ),
    ["machines, from start to end:", ...details].join("\n"),
  ].join("\n\n");
}
