/** Jobs: the pipelines that the shell has started, each a process group (credentials(7)). */

import type { Application } from "../sched/application.ts";
import { SIGINT, SIGNAL_DESCRIPTIONS, SIGPIPE } from "../sched/signal-numbers.ts";

export interface Job {
  /** As `jobs` numbers it; 0 while it is in the foreground. */
  number: number;
  /** Its process group. */
  readonly group: number;
  /** As it was typed. */
  readonly text: string;
  /** Its commands, first to last. */
  readonly members: readonly Application[];
  /** Has been reported as stopped. */
  stopped: boolean;
  /** Nothing is said about its end (`&!`). */
  readonly silent: boolean;
}

export function isRunning(job: Job): boolean {
  return job.members.some(({ exitStatus }) => exitStatus === undefined);
}

/** All that still run are stopped. */
export function isStopped(job: Job): boolean {
  return isRunning(job) && job.members.every(({ exitStatus, stopped }) => exitStatus !== undefined || stopped);
}

/** The exit status of a job that has ended: its last command's, 128 + n when a signal killed it. */
export function statusOf(job: Job): number {
  return shellStatus(job.members[job.members.length - 1].exitStatus ?? 0);
}

/** A status of wait4(2) as $? shows it. */
export function shellStatus(waitStatus: number): number {
  const signal = waitStatus & 0x7f;
  return signal === 0 ? (waitStatus >> 8) & 0xff : 128 + signal;
}

/** "Done", "Exit 2", "Segmentation fault". */
export function describeEnd(job: Job): string {
  const status = job.members[job.members.length - 1].exitStatus ?? 0;
  const signal = status & 0x7f;
  if (signal !== 0) return SIGNAL_DESCRIPTIONS[signal] ?? `Signal ${signal}`;
  return status === 0 ? "Done" : `Exit ${(status >> 8) & 0xff}`;
}

/** What is said when a job in the foreground was killed: nothing for Ctrl-C but a new line, nothing for a broken pipe. */
export function deathNotice(job: Job): string | undefined {
  const signals = job.members.map(({ exitStatus }) => (exitStatus ?? 0) & 0x7f).filter((signal) => signal !== 0);
  const signal = signals.pop();
  if (signal === undefined || signal === SIGPIPE) return undefined;
  return signal === SIGINT ? "" : (SIGNAL_DESCRIPTIONS[signal] ?? `Signal ${signal}`);
}

export class JobTable {
  private readonly jobs: Job[] = [];

  /** Gives a job the next number. */
  add(job: Job): void {
    if (this.jobs.includes(job)) return;
    job.number = 1 + this.jobs.reduce((highest, { number }) => Math.max(highest, number), 0);
    this.jobs.push(job);
  }

  remove(job: Job): void {
    const index = this.jobs.indexOf(job);
    if (index >= 0) this.jobs.splice(index, 1);
  }

  /** `%1`, `1`, `%%`; the last one when nothing is given. */
  find(name: string | undefined): Job | undefined {
    if (name === undefined || name === "%" || name === "%%" || name === "%+") return this.jobs[this.jobs.length - 1];
    const number = Number(name.replace(/^%/, ""));
    return this.jobs.find((job) => job.number === number);
  }

  list(): readonly Job[] {
    return this.jobs;
  }

  /** Takes out the jobs that have ended. */
  takeEnded(): Job[] {
    const ended = this.jobs.filter((job) => !isRunning(job));
    for (const job of ended) this.remove(job);
    return ended;
  }
}

/** "[1]+  Stopped                 sleep 100" */
export function jobLine(job: Job, state: string, current: boolean): string {
  return `[${job.number}]${current ? "+" : " "}  ${state.padEnd(24)}${job.text}\n`;
}
