/** Starting the commands of a pipeline: redirections, builtins, programs. */

import { ENOENT } from "../errno.ts";
import { createPipe } from "../ipc/pipe.ts";
import { ElfError } from "../loader/elf.ts";
import type { Application } from "../sched/application.ts";
import { SIGINT, SIGPIPE, SIGTSTP } from "../sched/signal-numbers.ts";
import { DEFAULT_ACTION, SIG_IGN } from "../sched/signals.ts";
import type { Thread } from "../sched/thread.ts";
import { FileTable } from "../vfs/file-table.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import { O_APPEND, O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY } from "../vfs/open-flags.ts";
import { type Builtin, CommandFailure, UsageFailure } from "./builtin.ts";
import { BUILTINS } from "./builtins/index.ts";
import { errorText } from "./error-text.ts";
import { expandToString, expandWord } from "./expand.ts";
import type { Job } from "./jobs.ts";
import { BrokenPipe, Interrupted, Output } from "./output.ts";
import type { Command, Pipeline } from "./parse.ts";
import { findProgram, NOT_EXECUTABLE, NOT_FOUND } from "./program-path.ts";
import type { Shell } from "./shell.ts";

/** Standard files of one command. */
export interface Streams {
  stdin: OpenFile;
  stdout: OpenFile;
  stderr: OpenFile;
}

/** What is known of a job while its commands are started. */
interface Start {
  readonly background: boolean;
  readonly silent: boolean;
  /** The process group, once there is a first command. */
  group?: number;
  readonly alone: boolean;
}

const OPEN_FLAGS = {
  "<": O_RDONLY,
  ">": O_WRONLY | O_CREAT | O_TRUNC,
  ">>": O_WRONLY | O_CREAT | O_APPEND,
} as const;
const STREAM_NAMES = ["stdin", "stdout", "stderr"] as const;

export class Launcher {
  constructor(private readonly shell: Shell) {}

  /**
   * Starts the commands of a pipeline. Undefined when there was nothing to start (assignments only, or an error, which
   * has been told); the shell's status says which.
   */
  async start(pipeline: Pipeline, how: { background: boolean; silent: boolean }): Promise<Job | undefined> {
    const { shell } = this;
    const start: Start = { ...how, alone: pipeline.commands.length === 1 };
    const members: Application[] = [];
    let input = shell.streams.stdin;
    input.retain();
    for (const [i, command] of pipeline.commands.entries()) {
      const last = i === pipeline.commands.length - 1;
      const [nextInput, output] = last
        ? [undefined, shell.streams.stdout]
        : createPipe(shell.kernel.host.clock);
      nextInput?.retain();
      const streams = { stdin: input, stdout: output, stderr: shell.streams.stderr };
      streams.stdout.retain();
      streams.stderr.retain();
      const member = await this.startCommand(command, streams, start);
      if (member !== undefined) members.push(member);
      if (nextInput !== undefined) input = nextInput;
    }
    if (members.length === 0) return undefined;
    return {
      number: 0,
      group: members[0].processGroup,
      text: pipeline.text,
      members,
      stopped: false,
      silent: how.silent,
    };
  }

  /** The files are released here, whatever happens; a command that keeps them has references of its own. */
  private async startCommand(
    command: Command,
    streams: Streams,
    start: Start,
  ): Promise<Application | undefined> {
    const { shell } = this;
    try {
      const words = command.words.flatMap((word) => expandWord(word, shell));
      const assigned = command.assignments.map(
        ({ name, value }) => [name, expandToString(value, shell)] as const,
      );
      await this.redirect(command, streams);
      const [name, ...args] = words;
      if (name === undefined) {
        for (const [variable, value] of assigned) shell.assign(variable, value);
        shell.status = 0;
        return start.alone ? undefined : this.finished(0, start);
      }
      const builtin = BUILTINS.get(name);
      // `run` starts a program even if there is a builtin of that name.
      if (builtin !== undefined && (name !== "run" || args.length === 0))
        return this.startBuiltin(builtin, args, streams, start);
      const argv = name === "run" ? args : words;
      return await this.startProgram(argv, new Map([...shell.environment, ...assigned]), streams, start);
    } catch (error) {
      shell.status = await this.fail(error, streams.stderr);
      return start.alone ? undefined : this.finished(shell.status, start);
    } finally {
      for (const file of [streams.stdin, streams.stdout, streams.stderr]) file.release();
    }
  }

  /** Opens what `<` and `>` name, in place of the standard files. */
  private async redirect(command: Command, streams: Streams): Promise<void> {
    for (const { fd, operator, target } of command.redirections) {
      const name = expandToString(target, this.shell);
      const file = operator === "&" ? streams[streamName(name)] : await this.open(name, OPEN_FLAGS[operator]);
      file.retain();
      const which = streamName(String(fd));
      streams[which].release();
      streams[which] = file;
    }
  }

  private async open(name: string, flags: number): Promise<OpenFile> {
    try {
      return await this.shell.kernel.mounts.open(this.shell.thread, name, flags, 0o666);
    } catch (error) {
      throw new CommandFailure(`${name}: ${errorText(error) ?? "cannot be opened"}`);
    }
  }

  /** Says what went wrong; returns the status. Throws what is no user's fault. */
  private async fail(error: unknown, stderr: OpenFile): Promise<number> {
    const known = error instanceof ElfError || error instanceof CommandFailure;
    const text = known ? error.message : errorText(error);
    if (text === undefined) throw error;
    await this.shell.complain(text, stderr);
    if (error instanceof ElfError) return error.errno === ENOENT ? NOT_FOUND : NOT_EXECUTABLE;
    return error instanceof CommandFailure ? error.status : 1;
  }

  /** The first command of a pipeline founds its process group, which gets the terminal when the shell waits for it. */
  private enterGroup(application: Application, start: Start): void {
    start.group ??= application.pid;
    application.processGroup = start.group;
    const { terminal } = this.shell;
    if (terminal !== undefined && !start.background) terminal.foreground = start.group;
  }

  /** An application that is over already: stands for a command of a pipeline that could not be started. */
  private finished(status: number, start: Start): Application {
    const application = this.createApplication("shell");
    this.enterGroup(application, start);
    this.shell.kernel.lifecycle.exitApplication(application, status << 8);
    return application;
  }

  private createApplication(name: string): Application {
    const { kernel, application: parent } = this.shell;
    const application = kernel.lifecycle.createApplication(parent, new FileTable(), parent.cwd, parent.root);
    application.name = name;
    return application;
  }

  // ---- programs ---------------------------------------------------------------------------------------------------

  private async startProgram(
    argv: readonly string[],
    environment: ReadonlyMap<string, string>,
    streams: Streams,
    start: Start,
  ): Promise<Application> {
    const { kernel, application: parent } = this.shell;
    const path = findProgram(this.shell, argv[0]);
    const application = await kernel.spawn(
      path,
      argv,
      [...environment].map(([key, value]) => `${key}=${value}`),
      {
        cwd: parent.cwd,
        files: [streams.stdin, streams.stdout, streams.stderr],
        parent,
      },
    );
    this.enterGroup(application, start);
    return application;
  }

  // ---- builtins ---------------------------------------------------------------------------------------------------

  /** Builtins run as applications, too: they stand in pipelines, show up in ps and can be interrupted. */
  private startBuiltin(
    builtin: Builtin,
    args: readonly string[],
    streams: Streams,
    start: Start,
  ): Application {
    const { kernel } = this.shell;
    const application = this.createApplication(builtin.name);
    application.argv = [builtin.name, ...args];
    // Nothing could be stopped in the middle of its work here.
    application.actions[SIGTSTP] = { ...DEFAULT_ACTION, handler: SIG_IGN };
    const thread = this.shell.createThread(application);
    const { stdin, stdout, stderr } = streams;
    for (const file of [stdin, stdout, stderr]) application.files.install(file);
    this.enterGroup(application, start);
    void this.runBuiltin(builtin, args, thread, { stdin, stdout, stderr }).then((status) =>
      kernel.lifecycle.exitApplication(application, status),
    );
    return application;
  }

  /** Returns a status as wait4(2) has it. */
  private async runBuiltin(
    builtin: Builtin,
    args: readonly string[],
    thread: Thread,
    streams: Streams,
  ): Promise<number> {
    const { shell } = this;
    const { name } = builtin;
    const stdout = new Output(thread, streams.stdout);
    const stderr = new Output(thread, streams.stderr);
    const context = { shell, kernel: shell.kernel, thread, name, stdin: streams.stdin, stdout, stderr };
    try {
      const status = await builtin.run(context, args);
      await stdout.flush();
      await stderr.flush();
      return (status & 0xff) << 8;
    } catch (error) {
      if (error instanceof Interrupted) return SIGINT;
      if (error instanceof BrokenPipe) return SIGPIPE;
      let message = error instanceof CommandFailure ? error.message : errorText(error);
      if (message === undefined) {
        shell.kernel.log(
          `shell: ${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        );
        message = "internal error (see dmesg)";
      }
      const usage = error instanceof UsageFailure ? `\nusage: ${name} ${builtin.usage}` : "";
      await stdout.flush().catch(() => {});
      await shell.complain(`${name}: ${message}${usage}`, streams.stderr);
      return (error instanceof CommandFailure ? error.status : 1) << 8;
    }
  }
}

function streamName(fd: string): (typeof STREAM_NAMES)[number] {
  const name = STREAM_NAMES[Number(fd)];
  if (name === undefined) throw new CommandFailure(`${fd}: bad file descriptor`);
  return name;
}
