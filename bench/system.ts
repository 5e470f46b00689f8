/** What is not a workload: the way into the kernel and back, starting up, and whether anything leaks. */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DIST } from "../scripts/repository.ts";
import { OSV_VM, type Runner } from "./runners.ts";
import { median } from "./statistics.ts";

export interface SystemResults {
  /** Nanoseconds by system call, by runner. */
  syscalls: Record<string, Record<string, number>>;
  /** `node osv-vm run hello`, from process start to exit. */
  startMilliseconds?: number;
  /** `node -e 0`, of which the above cannot be less. */
  nodeMilliseconds?: number;
  helloPeakMiB?: number;
  /** Peak memory after 10,000 threads and after 40,000: it must not go on growing. */
  threadsPeakMiB?: { few: number; many: number };
  failures: string[];
}

function timeProcess(command: readonly string[]): number {
  const [file = "", ...parameters] = command;
  const started = performance.now();
  const { status } = spawnSync(file, parameters, { stdio: "ignore" });
  return status === 0 ? performance.now() - started : Number.NaN;
}

const guest = (name: string) => join(DIST, "guests", name);

function measureSyscalls(runner: Runner, calls: number): Record<string, number> | string {
  const [file = "", ...parameters] = [...runner.prefix, guest("syscall-latency"), String(calls)];
  const { stdout, stderr, status } = spawnSync(file, parameters, { encoding: "utf8", timeout: 120_000 });
  const lines = [...stdout.matchAll(/^(.*\S) +([\d.]+) ns$/gm)];
  if (status !== 0 || lines.length === 0)
    return `exit status ${status}: ${stderr.trim().split("\n")[0] ?? ""}`;
  return Object.fromEntries(lines.map(([, name, ns]) => [name, Number(ns)]));
}

/** Peak resident memory of osv-vm, as --stats tells it (getrusage). */
function peakMiB(...parameters: string[]): number | string {
  const command = [...OSV_VM.slice(1), "run", "--stats", ...parameters];
  const { stderr, status } = spawnSync(OSV_VM[0], command, { encoding: "utf8", timeout: 300_000 });
  const match = /^peak memory +(\d+) MiB$/m.exec(stderr);
  if (match === null || status !== 0) return `exit status ${status}: ${stderr.trim().split("\n")[0] ?? ""}`;
  return Number(match[1]);
}

export function measureSystem(runners: readonly Runner[], rounds: number): SystemResults {
  const results: SystemResults = { syscalls: {}, failures: [] };
  if (!existsSync(guest("hello"))) {
    results.failures.push("the image has no programs (no C compiler when it was built)");
    return results;
  }
  const keep = <T>(what: string, value: T | string): T | undefined => {
    if (typeof value !== "string") return value;
    results.failures.push(`${what}: ${value}`);
    return undefined;
  };
  for (const runner of runners) {
    const syscalls = keep(`syscall-latency, ${runner.name}`, measureSyscalls(runner, 200_000));
    if (syscalls !== undefined) results.syscalls[runner.name] = syscalls;
  }
  const times = (command: readonly string[]) =>
    median(Array.from({ length: Math.max(5, rounds) }, () => timeProcess(command)));
  results.nodeMilliseconds = times([process.execPath, "-e", "0"]);
  const start = times([...OSV_VM, "run", "hello"]);
  if (!Number.isNaN(start)) results.startMilliseconds = start;
  const hello = keep("run hello", peakMiB("hello"));
  if (hello !== undefined) results.helloPeakMiB = hello;
  const few = keep("thread-churn 10000", peakMiB("thread-churn", "10000"));
  const many = keep("thread-churn 40000", peakMiB("thread-churn", "40000"));
  if (few !== undefined && many !== undefined) results.threadsPeakMiB = { few, many };
  return results;
}
