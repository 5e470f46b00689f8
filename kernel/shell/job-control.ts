/** Waiting for jobs, handing them the terminal, and saying what became of them. */

import { SIGCONT, SIGTSTP, SiCode } from "../sched/signal-numbers.ts";
import { deathNotice, isRunning, isStopped, type Job, JobTable, jobLine, statusOf } from "./jobs.ts";
import type { Shell } from "./shell.ts";

export class JobControl {
  readonly table = new JobTable();
  /** $!: the last command of the last pipeline that went to the background. */
  lastBackground: number | undefined;

  constructor(private readonly shell: Shell) {}

  /** Waits until a job has ended or stopped, while it has the terminal. Returns its status. */
  async waitForeground(job: Job): Promise<number> {
    const { terminal, application } = this.shell;
    const settings = terminal?.termios.clone();
    if (terminal !== undefined) terminal.foreground = job.group;
    await this.wait(job);
    if (terminal !== undefined && settings !== undefined) {
      terminal.foreground = application.processGroup;
      // A program that was killed or stopped had no chance to restore what it changed.
      if (isStopped(job) || deathNotice(job) !== undefined) terminal.setAttributes(settings);
    }
    if (isStopped(job)) {
      this.table.add(job);
      job.stopped = true;
      await this.shell.print(`\n${jobLine(job, true)}`);
      return 128 + SIGTSTP;
    }
    this.table.remove(job);
    this.reap(job);
    const notice = deathNotice(job);
    if (notice !== undefined && (terminal !== undefined || notice !== "")) await this.shell.complain(notice);
    return statusOf(job);
  }

  private async wait(job: Job): Promise<void> {
    const { thread, application } = this.shell;
    while (isRunning(job) && !isStopped(job)) {
      if ((await thread.wait(application.childQueue)) === "interrupted") return;
    }
  }

  async addBackground(job: Job): Promise<void> {
    this.table.add(job);
    this.lastBackground = job.members[job.members.length - 1]?.pid;
    if (this.shell.terminal !== undefined && !job.silent) {
      await this.shell.print(`[${job.number}] ${this.lastBackground}\n`);
    }
  }

  /** Lets a stopped job go on. */
  continue(job: Job): void {
    const { kernel, application } = this.shell;
    job.stopped = false;
    kernel.signals.sendToGroup(job.group, SIGCONT, { code: SiCode.USER, pid: application.pid });
  }

  /** Says which jobs have ended or stopped since the last time, and forgets those that have ended. */
  async report(): Promise<void> {
    let text = "";
    for (const job of this.table.list()) {
      const stopped = isStopped(job) && !job.stopped;
      if ((stopped || !isRunning(job)) && !job.silent) text += jobLine(job, job === this.table.current);
      job.stopped = isStopped(job);
      if (isRunning(job)) continue;
      this.table.remove(job);
      this.reap(job);
    }
    if (text !== "" && this.shell.terminal !== undefined) await this.shell.print(text);
  }

  private reap(job: Job): void {
    for (const member of job.members) this.shell.kernel.lifecycle.reap(member);
  }
}
