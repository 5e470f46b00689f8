/** One program under every runner in turn, several rounds: what it took, and whether all printed the same. */

import { createHash } from "node:crypto";
import { type Measurement, measure, type Sample } from "./measurement.ts";
import { splitStatistics } from "./osv-vm-statistics.ts";
import type { Job, Runner } from "./runners.ts";
import { median } from "./statistics.ts";

export interface Case extends Job {
  name: string;
  /** Takes out of the output what may differ between runs, such as a time; by default nothing may. */
  comparable?: (output: string) => string;
  /** The program's exit status; 0 by default. */
  status?: number;
}

export interface CaseResult {
  name: string;
  /** Every run that counts, by runner; a runner that failed is missing. */
  samples: Record<string, Sample[]>;
  /** Why a runner has no numbers, by runner. */
  failures: Record<string, string>;
  /** How many instructions the program takes, as the interpreter (or else another engine) counts them. */
  instructions?: number;
  /** What `--stats` printed the last time, by engine. */
  statistics: Record<string, Record<string, string>>;
}

/** Wall-clock time, by which we are judged; or processor time, which means something on a busy machine as well. */
export type TimeQuantity = "milliseconds" | "cpuMilliseconds";

/** The median of one quantity; undefined for a runner that did not run, NaN for one that failed. */
export function medianOf(result: CaseResult, runner: string, quantity: keyof Sample): number | undefined {
  if (result.failures[runner] !== undefined) return Number.NaN;
  const samples = result.samples[runner];
  return samples === undefined ? undefined : median(samples.map((sample) => sample[quantity]));
}

/** How many times longer one runner takes than another; undefined and NaN as above. */
export function ratioOf(
  result: CaseResult,
  runner: string,
  base: string,
  quantity: TimeQuantity = "milliseconds",
): number | undefined {
  const time = medianOf(result, runner, quantity);
  const baseTime = medianOf(result, base, quantity);
  return time === undefined || baseTime === undefined ? undefined : time / baseTime;
}

/** M instructions/s, of the whole process; undefined and NaN as above. */
export function speedOf(
  result: CaseResult,
  runner: string,
  quantity: TimeQuantity = "milliseconds",
): number | undefined {
  const time = medianOf(result, runner, quantity);
  return time === undefined || result.instructions === undefined
    ? undefined
    : result.instructions / time / 1e3;
}

/** All that must be equal, as one short text. */
function fingerprint(stdout: Buffer, stderr: string, { comparable }: Case): string {
  const hash = createHash("sha256");
  if (comparable === undefined) return hash.update(stdout).update("\0").update(stderr).digest("hex");
  // Each by itself: which line is the first of the one must not depend on what ends the other.
  return hash
    .update(comparable(`${stdout}`))
    .update("\0")
    .update(comparable(stderr))
    .digest("hex");
}

/** No emulator that works takes longer than this, in comparison with the first runner. */
const timeLimit = (milliseconds: number) => Math.ceil(60_000 + 300 * milliseconds);

function run(job: Case, runner: Runner, limit: number | undefined): Measurement | string {
  try {
    const measured = measure(runner.command(job), limit);
    if (measured.status === (job.status ?? 0)) return measured;
    return `exit status ${measured.status}: ${measured.stderr.trim().split("\n")[0] ?? ""}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * Takes turns: native, qemu, jit, interp, native …, so that a machine that gets slower or faster meanwhile is fair to
 * all. The first output is what the others must print as well.
 * @param say is told about progress
 */
export function compare(
  job: Case,
  runners: readonly Runner[],
  rounds: number,
  say: (text: string) => void,
): CaseResult {
  const result: CaseResult = { name: job.name, samples: {}, failures: {}, statistics: {} };
  const fail = (runner: Runner, reason: string) => {
    result.failures[runner.name] = reason;
    delete result.samples[runner.name];
  };
  let expected: string | undefined;
  let limit: number | undefined;
  say(`${job.name} `);
  for (let round = 0; round < rounds; round++) {
    for (const runner of runners) {
      if (result.failures[runner.name] !== undefined) continue;
      const measured = run(job, runner, limit);
      if (typeof measured === "string") {
        fail(runner, measured);
        continue;
      }
      const { milliseconds, cpuMilliseconds, peakMiB } = measured;
      let { stderr } = measured;
      if (runner.isOsvVm) {
        const output = splitStatistics(stderr);
        stderr = output.stderr;
        result.statistics[runner.name] = output.statistics;
        const isBetter = runner.name === "interp" || result.instructions === undefined;
        if (isBetter && output.instructions !== undefined) result.instructions = output.instructions;
      }
      const actual = fingerprint(measured.stdout, stderr, job);
      expected ??= actual;
      limit ??= timeLimit(cpuMilliseconds);
      if (actual !== expected) {
        fail(runner, "WRONG output");
        continue;
      }
      const samples = result.samples[runner.name] ?? [];
      result.samples[runner.name] = [...samples, { milliseconds, cpuMilliseconds, peakMiB }];
    }
    say(".");
  }
  say(" ");
  return result;
}
