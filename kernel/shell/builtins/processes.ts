/** ps, kill, jobs, fg, bg, sleep, run, which: applications. */

import type { Application } from "../../sched/application.ts";
import { SIGNAL_MAX, SIGTERM, SiCode, signalName } from "../../sched/signal-numbers.ts";
import { WaitQueue } from "../../sched/wait-queue.ts";
import { type Builtin, type BuiltinContext, CommandFailure, UsageFailure } from "../builtin.ts";
import { type Job, jobLine } from "../jobs.ts";
import { Interrupted } from "../output.ts";
import { findProgram } from "../program-path.ts";
import { table } from "../sizes.ts";

const UNITS: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3600, d: 86400 };

async function ps({ kernel, stdout }: BuiltinContext): Promise<number> {
  const rows = [...kernel.applications.values()].map((application) => [
    String(application.pid),
    String(application.parentPid),
    String(application.threads.size),
    stateOf(application),
    describeTime(application),
    commandOf(application),
  ]);
  await stdout.write(
    table([["PID", "PPID", "NLWP", "STAT", "TIME", "COMMAND"], ...rows], new Set([0, 1, 2, 4])),
  );
  return 0;
}

function stateOf(application: Application): string {
  if (application.exitStatus !== undefined) return "Z";
  if (application.stopped) return "T";
  return [...application.threads.values()].some(({ state }) => state === "running" || state === "runnable")
    ? "R"
    : "S";
}

function describeTime(application: Application): string {
  let ns = application.deadThreadsTime;
  for (const { cpuTime } of application.threads.values()) ns += cpuTime;
  const seconds = Math.floor(ns / 1e9);
  const two = (n: number): string => String(n).padStart(2, "0");
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

function commandOf({ argv, name }: Application): string {
  return argv.length === 0 ? `[${name}]` : argv.join(" ");
}

/** "9", "KILL", "SIGKILL" */
function parseSignal(text: string): number {
  if (/^\d+$/.test(text) && Number(text) <= SIGNAL_MAX) return Number(text);
  const name = text.toUpperCase().replace(/^SIG/, "");
  for (let signal = 1; signal <= SIGNAL_MAX; signal++) if (signalName(signal) === `SIG${name}`) return signal;
  throw new CommandFailure(`${text}: no such signal`);
}

async function kill(context: BuiltinContext, args: readonly string[]): Promise<number> {
  const { kernel, shell, stdout } = context;
  if (args[0] === "-l") {
    const names = Array.from({ length: 31 }, (_, i) => `${i + 1}) ${signalName(i + 1)}\n`);
    await stdout.write(names.join(""));
    return 0;
  }
  let signal = SIGTERM;
  let targets = args;
  if (args[0] === "-s" || args[0] === "-n") {
    signal = parseSignal(args[1] ?? "");
    targets = args.slice(2);
  } else if (/^-./.test(args[0] ?? "")) {
    signal = parseSignal(args[0].slice(1));
    targets = args.slice(1);
  }
  if (targets.length === 0) throw new UsageFailure("give a pid or %job");
  const info = { code: SiCode.USER, pid: shell.application.pid };
  for (const target of targets) {
    if (target.startsWith("%")) {
      kernel.signals.sendToGroup(jobFor(context, target).group, signal, info);
      continue;
    }
    const application = /^\d+$/.test(target) ? kernel.applications.get(Number(target)) : undefined;
    if (application === undefined) throw new CommandFailure(`${target}: no such process`);
    if (application === shell.application) throw new CommandFailure("this is the shell; use exit");
    if (signal !== 0) kernel.signals.sendToApplication(application, signal, info);
  }
  return 0;
}

function jobFor({ shell }: BuiltinContext, name: string | undefined): Job {
  const job = shell.jobs.table.find(name);
  if (job === undefined)
    throw new CommandFailure(name === undefined ? "there is no job" : `${name}: no such job`);
  return job;
}

async function jobs({ shell, stdout }: BuiltinContext): Promise<number> {
  const { table: known } = shell.jobs;
  await stdout.write(
    known
      .list()
      .map((job) => jobLine(job, job === known.current))
      .join(""),
  );
  return 0;
}

/** Brings a job to the front; the command ends with it. */
async function fg(context: BuiltinContext, args: readonly string[]): Promise<number> {
  const { shell, stdout } = context;
  const job = jobFor(context, args[0]);
  await stdout.write(`${job.text}\n`);
  await stdout.flush();
  shell.bringToFront(job);
  return 0;
}

async function bg(context: BuiltinContext, args: readonly string[]): Promise<number> {
  const job = jobFor(context, args[0]);
  context.shell.jobs.continue(job);
  await context.stdout.write(`[${job.number}]+ ${job.text} &\n`);
  return 0;
}

async function sleep({ thread, kernel }: BuiltinContext, args: readonly string[]): Promise<number> {
  if (args.length === 0) throw new UsageFailure("missing operand");
  let seconds = 0;
  for (const argument of args) {
    const match = /^(\d*\.?\d+|\d+\.)([smhd]?)$/.exec(argument);
    if (match === null) throw new CommandFailure(`invalid time interval '${argument}'`);
    seconds += Number(match[1]) * UNITS[match[2]];
  }
  const deadline = kernel.host.clock.monotonic() + seconds * 1e9;
  const how = await thread.wait(new WaitQueue(), deadline);
  if (how === "interrupted") throw new Interrupted();
  return 0;
}

async function which({ shell, stdout }: BuiltinContext, args: readonly string[]): Promise<number> {
  let status = 0;
  for (const name of args) {
    try {
      await stdout.write(
        shell.builtins.has(name) ? `${name}: shell builtin\n` : `${findProgram(shell, name)}\n`,
      );
    } catch {
      status = 1;
    }
  }
  return status;
}

function run(): never {
  throw new UsageFailure("give a program");
}

export const PROCESS_COMMANDS: readonly Builtin[] = [
  { name: "ps", usage: "", summary: "list the applications", run: ps },
  {
    name: "kill",
    usage: "[-SIGNAL] PID|%JOB…",
    summary: "send signals",
    run: kill,
    details: "  SIGNAL is a number or a name (TERM by default)\n  -l  list them",
  },
  { name: "jobs", usage: "", summary: "list the jobs in the background", run: jobs },
  { name: "fg", usage: "[%JOB]", summary: "bring a job to the foreground", run: fg },
  { name: "bg", usage: "[%JOB]", summary: "let a stopped job go on in the background", run: bg },
  { name: "sleep", usage: "TIME[smhd]…", summary: "wait", run: sleep },
  { name: "which", usage: "NAME…", summary: "tell what a name would run", run: which },
  {
    name: "run",
    usage: "PROGRAM [ARGUMENT…]",
    summary: "run a program, even if a builtin has its name",
    run,
  },
];
