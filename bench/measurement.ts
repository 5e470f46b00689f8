/** Runs one process to its end: what it printed, and what it cost in time and memory. */

import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { REPOSITORY } from "../scripts/repository.ts";
import { BENCH_CACHE } from "./cache.ts";
import { compileIfOlder } from "./compiler.ts";

/** What one run took. */
export interface Sample {
  /** From fork to exit. */
  milliseconds: number;
  /** User and system time of all threads: what was compiled in the background is in here. */
  cpuMilliseconds: number;
  /** Peak resident memory. */
  peakMiB: number;
}

/** A line of a program's standard output. */
export interface StampedLine {
  /** From fork until its first byte came. */
  milliseconds: number;
  /** User and system time of all threads until then. */
  cpuMilliseconds: number;
  text: string;
}

export interface Measurement extends Sample {
  stdout: Buffer;
  stderr: string;
  /** The exit status; 128 + n if signal n ended it, as a shell says. */
  status: number;
}

export interface Command {
  /** The program and its arguments. */
  words: readonly string[];
  cwd?: string;
  env?: Readonly<Record<string, string>>;
}

const NS_PER_MS = 1e6;
const US_PER_MS = 1e3;
const KIB_PER_MIB = 1024;

/** Nothing measured here takes so long, unless it hangs. */
const TIME_LIMIT_MS = 900_000;

function exitStatusOf(waitStatus: number): number {
  const signal = waitStatus & 0x7f;
  return signal === 0 ? (waitStatus >> 8) & 0xff : 128 + signal;
}

/** @param line what rusage.c writes */
export function readUsage(line: string): Sample & { status: number } {
  const [wall = Number.NaN, user = Number.NaN, system = Number.NaN, peak = Number.NaN, status = Number.NaN] =
    line.trim().split(" ").map(Number);
  return {
    milliseconds: wall / NS_PER_MS,
    cpuMilliseconds: (user + system) / US_PER_MS,
    peakMiB: peak / KIB_PER_MIB,
    status: exitStatusOf(status),
  };
}

/** @param output what `rusage -t` writes */
export function readStampedLines(output: string): StampedLine[] {
  return [...output.matchAll(/^(\d+) (\d+) (.*)$/gm)].map(([, stamp, cpu, text]) => ({
    milliseconds: Number(stamp) / NS_PER_MS,
    cpuMilliseconds: Number(cpu) / NS_PER_MS,
    text: text.replace(/\r$/, ""),
  }));
}

/** As {@link measure}, with the host's time of every line of output. */
export function measureLines(command: Command): Measurement & { lines: readonly StampedLine[] } {
  const measured = run(command, TIME_LIMIT_MS, ["-t"]);
  return { ...measured, lines: readStampedLines(measured.stdout.toString()) };
}

/**
 * Standard input is empty; output goes to files, so that nobody reads it on the second processor meanwhile.
 * @param limit in milliseconds
 * @throws Error if the program cannot be started or does not end
 */
export function measure(command: Command, limit: number = TIME_LIMIT_MS): Measurement {
  return run(command, limit, []);
}

function run({ words, cwd, env }: Command, limit: number, options: readonly string[]): Measurement {
  const launcher = compileIfOlder(
    "cc",
    ["-O2", "-Wall"],
    [join(REPOSITORY, "bench/rusage.c")],
    join(BENCH_CACHE, "rusage"),
  );
  const folder = mkdtempSync(join(tmpdir(), "osv-vm-bench-"));
  try {
    const file = (name: string) => join(folder, name);
    const outputs = ["stdout", "stderr"].map((name) => openSync(file(name), "w"));
    const { status, error } = spawnSync(launcher, [...options, file("usage"), ...words], {
      stdio: ["ignore", ...outputs],
      timeout: limit,
      ...(cwd !== undefined && { cwd }),
      ...(env !== undefined && { env: { PATH: process.env.PATH, ...env } }),
    });
    for (const output of outputs) closeSync(output);
    if (error !== undefined) {
      const isLate = "code" in error && error.code === "ETIMEDOUT";
      throw isLate ? new Error(`no end after ${(limit / 1e3).toFixed(0)} s`) : error;
    }
    const stderr = readFileSync(file("stderr"), "utf8");
    if (status !== 0) throw new Error(stderr.trim());
    return {
      ...readUsage(readFileSync(file("usage"), "utf8")),
      stdout: readFileSync(file("stdout")),
      stderr,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
