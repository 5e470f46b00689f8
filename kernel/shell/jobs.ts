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
  /** That it has stopped has been said. */
  stopped: boolean;
  /** Nothing is said about its end (`&!`). */
  readonly silent: boolean;
}

export function isRunning(job: Job): boolean {
  return job.members.some(({ exitStatus }) => exitStatus === undefined);
}

/** All that have not ended are stopped. */
export function isStopped(job: Job): boolean {
  return (
    isRunning(job) && job.members.every(({ exitStatus, stopped }) => exitStatus !== undefined || stopped)
  );
}

function lastStatus(job: Job): number {
  return job.members[job.members.length - 1]?.exitStatus ?? 0;
}

/** $? of a job that has ended: its last command's status, 128 + n when signal n killed it. */
export function statusOf(job: Job): number {
  const status = lastStatus(job);
  return (status & 0x7f) === 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f);
}

function describeSignal(signal: number): string {
  return SIGNAL_DESCRIPTIONS[signal] ?? `Signal ${signal}`;
}

/** "Running", "Stopped", "Done", "Exit 2", "Segmentation fault". */
export function describeState(job: Job): string {
  if (isRunning(job)) return isStopped(job) ? "Stopped" : "Running";
  const status = lastStatus(job);
  if ((status & 0x7f) !== 0) return describeSignal(status & 0x7f);
  return status === 0 ? "Done" : `Exit ${(status >> 8) & 0xff}`;
}

/**
 * What is said when a job in the foreground was killed: what the signal is called, for Ctrl-C just a new line, about
 * broken pipes nothing.
 */
export function deathNotice(job: Job): string | undefined {
  const signal = lastStatus(job) & 0x7f;
  if (signal === 0 || signal === SIGPIPE) return undefined;
  return signal === SIGINT ? "" : describeSignal(signal);
}

/** "[1]+  Stopped                 sleep 100" */
export function jobLine(job: Job, current: boolean): string {
  return `[${job.number}]${current ? "+" : " "}  ${describeState(job).padEnd(24)}${job.text}\n`;
}

/** The jobs that are not in the foreground. */
export class JobTable {
  private readonly jobs: Job[] = [];

  /** Gives a job the next number, if it has none. */
  add(job: Job): void {
    if (this.jobs.includes(job)) return;
    job.number = 1 + this.jobs.reduce((highest, { number }) => Math.max(highest, number), 0);
    this.jobs.push(job);
  }

  remove(job: Job): void {
    const index = this.jobs.indexOf(job);
    if (index >= 0) this.jobs.splice(index, 1);
  }

  /** The one that fg means when nothing is said. */
  get current(): Job | undefined {
    return this.jobs[this.jobs.length - 1];
  }

  /** `%1`, `1`, `%%`; the current one when nothing is given. */
  find(name: string | undefined): Job | undefined {
    if (name === undefined || ["%", "%%", "%+"].includes(name)) return this.current;
    const number = Number(name.replace(/^%/, ""));
    return this.jobs.find((job) => job.number === number);
  }

  list(): readonly Job[] {
    return [...this.jobs];
  }
}
