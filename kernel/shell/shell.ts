/**
 * OSv's shell: reads commands from a terminal (with line editing) or a script and runs them, its own builtins and
 * Linux programs alike. It is part of the kernel, an application whose only thread never executes an instruction.
 */

import { EACCES, EISDIR, ENOENT, ENOTDIR, Errno } from "../errno.ts";
import { createPipe } from "../ipc/pipe.ts";
import { ElfError } from "../loader/elf.ts";
import type { OsvKernel } from "../osv-kernel.ts";
import type { Application } from "../sched/application.ts";
import { SIGCONT, SIGINT, SiCode, SIGPIPE, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU } from "../sched/signal-numbers.ts";
import { DEFAULT_ACTION, SIG_IGN } from "../sched/signals.ts";
import type { Thread } from "../sched/thread.ts";
import type { Terminal } from "../tty/terminal.ts";
import { TtyFile } from "../tty/tty-file.ts";
import type { TtyLayer } from "../tty/tty-layer.ts";
import { FileTable } from "../vfs/file-table.ts";
import { S_IFDIR, S_IFREG } from "../vfs/inode.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import { O_APPEND, O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY } from "../vfs/open-flags.ts";
import { type Builtin, CommandFailure, UsageFailure } from "./builtin.ts";
import { BUILTINS } from "./builtins/index.ts";
import { complete } from "./completion.ts";
import { errorText } from "./error-text.ts";
import { type Expansion, expandToString, expandWord } from "./expand.ts";
import { History } from "./history.ts";
import { deathNotice, describeEnd, isRunning, isStopped, type Job, JobTable, jobLine, shellStatus, statusOf } from "./jobs.ts";
import { BrokenPipe, Interrupted, Output, writeAll } from "./output.ts";
import { type AndOrList, type Command, type ParseResult, type Pipeline, parse } from "./parse.ts";
import { ScriptInput, TerminalInput } from "./shell-input.ts";

export interface ShellOptions {
  readonly kernel: OsvKernel;
  readonly terminals: TtyLayer;
  /** Standard input, output and error. */
  readonly files: readonly [OpenFile, OpenFile, OpenFile];
  /** "NAME=value" */
  readonly environment?: readonly string[];
  readonly cwd?: string;
}

/** Where programs are looked for when PATH says nothing. */
export const DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;
const INTERRUPTED_STATUS = 128 + SIGINT;

/** Set by `exit`. */
class Exit extends Error {
  constructor(readonly status: number) {
    super("exit");
  }
}

/** Standard files of one command. */
interface Streams {
  stdin: OpenFile;
  stdout: OpenFile;
  stderr: OpenFile;
}

export class Shell {
  readonly kernel: OsvKernel;
  readonly application: Application;
  readonly thread: Thread;
  readonly history = new History();
  readonly jobs = new JobTable();
  /** Exported variables. */
  readonly environment = new Map<string, string>();
  /** Variables of the shell alone. */
  readonly variables = new Map<string, string>();
  /** $? */
  status = 0;
  /** The controlling terminal, if standard input is one. */
  readonly terminal: Terminal | undefined;
  private readonly streams: Streams;
  private lastBackground: number | undefined;

  constructor(options: ShellOptions) {
    const { kernel, terminals, files } = options;
    this.kernel = kernel;
    const cwd = kernel.mounts.resolve(undefined, options.cwd ?? "/", { directory: true });
    this.application = this.createApplication(undefined, cwd, "shell");
    this.application.session = this.application.processGroup = this.application.pid;
    for (const signal of [SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU]) {
      this.application.actions[signal] = { ...DEFAULT_ACTION, handler: SIG_IGN };
    }
    this.thread = this.createThread(this.application);
    for (const file of files) this.application.files.install(file);
    const [stdin, stdout, stderr] = files;
    this.streams = { stdin, stdout, stderr };
    if (stdin instanceof TtyFile) {
      this.terminal = stdin.terminal;
      terminals.control(stdin.terminal, this.application.session, this.application.processGroup);
    }
    this.environment.set("PATH", DEFAULT_PATH);
    this.environment.set("HOME", "/root");
    this.environment.set("TERM", "xterm-256color");
    for (const entry of options.environment ?? []) {
      const equals = entry.indexOf("=");
      if (equals > 0) this.environment.set(entry.slice(0, equals), entry.slice(equals + 1));
    }
    this.environment.set("PWD", this.cwd);
  }

  private createApplication(parent: Application | undefined, cwd: Application["cwd"], name: string): Application {
    const { lifecycle, mounts } = this.kernel;
    const application = lifecycle.createApplication(parent, new FileTable(), cwd, mounts.root);
    application.name = name;
    return application;
  }

  /** A thread for the kernel's own work: it is always in a wait, as far as signals are concerned. */
  private createThread(application: Application): Thread {
    const thread = this.kernel.lifecycle.createThread(application);
    thread.state = "blocked";
    return thread;
  }

  // ---- reading commands -------------------------------------------------------------------------------------------

  /** Reads and runs commands until the input ends or `exit`. Returns the exit status. */
  async run(): Promise<number> {
    const input =
      this.terminal === undefined
        ? new ScriptInput(this.thread, this.streams.stdin)
        : new TerminalInput(this, this.terminal, this.streams);
    try {
      for (;;) {
        await this.reportJobs();
        const text = await this.readCommand(input);
        if (text === undefined) break;
        await this.execute(text);
      }
    } catch (error) {
      if (!(error instanceof Exit)) throw error;
      this.status = error.status;
    }
    this.kernel.lifecycle.exitApplication(this.application, (this.status & 0xff) << 8);
    return this.status;
  }

  /** One complete command, which may take several lines; undefined at the end of the input. */
  private async readCommand(input: ScriptInput | TerminalInput): Promise<string | undefined> {
    let text = "";
    for (;;) {
      const line = await input.readLine(text === "" ? this.prompt : "> ");
      if (line === "interrupted") {
        this.status = INTERRUPTED_STATUS;
        text = "";
        continue;
      }
      if (line === undefined) return text === "" ? undefined : text;
      text += `${line}\n`;
      if (parse(text).kind !== "incomplete") return text;
    }
  }

  get cwd(): string {
    return this.application.cwd.toString(this.application.root);
  }

  get prompt(): string {
    return `${this.cwd}# `;
  }

  // ---- running commands -------------------------------------------------------------------------------------------

  /** Runs a piece of script; returns its status. Throws only what `exit` throws. */
  async execute(text: string): Promise<number> {
    const parsed: ParseResult = parse(text);
    if (parsed.kind !== "commands") {
      const message = parsed.kind === "error" ? parsed.message : "unexpected end of input";
      await this.complain(message);
      this.status = 2;
      return 2;
    }
    for (const list of parsed.lists) {
      if (list.mode === "wait") this.status = await this.runList(list);
      else await this.runInBackground(list);
      // Ctrl-C ends the whole line.
      if (this.status === INTERRUPTED_STATUS && this.terminal !== undefined) break;
    }
    return this.status;
  }

  private async runList(list: AndOrList): Promise<number> {
    let status = await this.runPipeline(list.first);
    for (const { operator, pipeline } of list.rest) {
      this.status = status;
      if ((operator === "&&") === (status === 0)) status = await this.runPipeline(pipeline);
    }
    return status;
  }

  /** A list with && or || has no process of its own to go to the background in: only its first pipeline is started. */
  private async runInBackground(list: AndOrList): Promise<void> {
    const silent = list.mode === "detached";
    if (list.rest.length > 0) {
      await this.complain("&& and || cannot run in the background");
      this.status = 2;
      return;
    }
    const job = await this.startPipeline(list.first, true, silent);
    this.status = 0;
    if (job === undefined) return;
    this.lastBackground = job.members[job.members.length - 1].pid;
    this.jobs.add(job);
    if (this.terminal !== undefined && !silent) await this.say(`[${job.number}] ${this.lastBackground}\n`);
  }

  private async runPipeline(pipeline: Pipeline): Promise<number> {
    const job = await this.startPipeline(pipeline, false, false);
    const status = job === undefined ? this.status : await this.waitForeground(job);
    return pipeline.inverted ? Number(status === 0) : status;
  }

  /**
   * Starts the commands of a pipeline. Undefined when there was nothing to start (assignments only, or an error, told
   * and in {@link status}).
   */
  private async startPipeline(pipeline: Pipeline, background: boolean, silent: boolean): Promise<Job | undefined> {
    const members: Application[] = [];
    let input = this.streams.stdin;
    input.retain();
    for (const [i, command] of pipeline.commands.entries()) {
      const last = i === pipeline.commands.length - 1;
      const [nextInput, output] = last ? [undefined, this.streams.stdout] : createPipe(this.kernel.host.clock);
      output.retain();
      nextInput?.retain();
      const { stderr } = this.streams;
      stderr.retain();
      const alone = pipeline.commands.length === 1;
      const group = members[0]?.processGroup;
      const member = await this.startCommand(command, { stdin: input, stdout: output, stderr }, { alone, group, background });
      if (member !== undefined) members.push(member);
      input = nextInput ?? input;
    }
    if (members.length === 0) return undefined;
    return { number: 0, group: members[0].processGroup, text: pipeline.text, members, stopped: false, silent };
  }

  /** Starts one command with files that it may keep: they are released in any case. */
  private async startCommand(
    command: Command,
    streams: Streams,
    how: { alone: boolean; group: number | undefined; background: boolean },
  ): Promise<Application | undefined> {
    try {
      const words = command.words.flatMap((word) => expandWord(word, this.expansion));
      const assigned = command.assignments.map(({ name, value }) => [name, expandToString(value, this.expansion)] as const);
      await this.redirect(command, streams);
      const [name, ...args] = words;
      if (name === undefined) {
        for (const [variable, value] of assigned) this.assign(variable, value);
        this.status = 0;
        return undefined;
      }
      const builtin = BUILTINS.get(name);
      if (builtin !== undefined) return this.startBuiltin(builtin, args, streams, how);
      return await this.startProgram(name, words, new Map([...this.environment, ...assigned]), streams, how);
    } catch (error) {
      if (error instanceof Exit) throw error;
      await this.fail(error, streams.stderr);
      return how.alone ? undefined : this.finished(this.status, how);
    } finally {
      for (const file of [streams.stdin, streams.stdout, streams.stderr]) file.release();
    }
  }

  /** Opens what `<` and `>` name, in place of the standard files. */
  private async redirect(command: Command, streams: Streams): Promise<void> {
    for (const { fd, operator, target } of command.redirections) {
      const which = (["stdin", "stdout", "stderr"] as const)[fd];
      const name = expandToString(target, this.expansion);
      if (which === undefined) throw new CommandFailure(`${fd}: only descriptors 0, 1 and 2 can be redirected`);
      let file: OpenFile;
      if (operator === "&") {
        const source = (["stdin", "stdout", "stderr"] as const)[Number(name)];
        if (source === undefined) throw new CommandFailure(`${name}: bad file descriptor`);
        file = streams[source];
      } else {
        file = await this.openFor(operator, name);
      }
      file.retain();
      streams[which].release();
      streams[which] = file;
    }
  }

  private async openFor(operator: "<" | ">" | ">>", name: string): Promise<OpenFile> {
    const flags = { "<": O_RDONLY, ">": O_WRONLY | O_CREAT | O_TRUNC, ">>": O_WRONLY | O_CREAT | O_APPEND }[operator];
    try {
      return await this.kernel.mounts.open(this.thread, name, flags, 0o666);
    } catch (error) {
      throw new CommandFailure(`${name}: ${errorText(error) ?? "cannot be opened"}`);
    }
  }

  /** Says what went wrong and sets the status. */
  private async fail(error: unknown, stderr: OpenFile): Promise<void> {
    if (error instanceof CommandFailure) this.status = error.status;
    else if (error instanceof ElfError) this.status = error.errno === ENOENT ? NOT_FOUND : NOT_EXECUTABLE;
    else this.status = 1;
    const text = error instanceof ElfError ? error.message : error instanceof CommandFailure ? error.message : errorText(error);
    if (text === undefined) throw error;
    await this.complain(text, stderr);
  }

  // ---- programs ---------------------------------------------------------------------------------------------------

  private async startProgram(
    name: string,
    argv: readonly string[],
    environment: ReadonlyMap<string, string>,
    streams: Streams,
    how: { group: number | undefined; background: boolean },
  ): Promise<Application> {
    const path = this.findProgram(name);
    const application = await this.kernel.spawn(path, argv, [...environment].map(([key, value]) => `${key}=${value}`), {
      cwd: this.application.cwd,
      files: [streams.stdin, streams.stdout, streams.stderr],
      parent: this.application,
    });
    this.enterGroup(application, how);
    return application;
  }

  /** Where a program is: a path as it is given, a name in PATH. Throws {@link CommandFailure}. */
  findProgram(name: string): string {
    if (name.includes("/")) return name;
    const directories = (this.environment.get("PATH") ?? DEFAULT_PATH).split(":");
    let found: string | undefined;
    for (const directory of directories) {
      const path = `${directory === "" ? "." : directory}/${name}`;
      const mode = this.modeOf(path);
      if (mode === undefined || (mode & S_IFREG) !== S_IFREG) continue;
      if ((mode & 0o111) !== 0) return path;
      found ??= path;
    }
    if (found !== undefined) throw new CommandFailure(`${found}: Permission denied`, NOT_EXECUTABLE);
    throw new CommandFailure(`${name}: command not found`, NOT_FOUND);
  }

  private modeOf(path: string): number | undefined {
    try {
      return this.kernel.mounts.resolve(this.thread, path).inode.stat().mode;
    } catch {
      return undefined;
    }
  }

  /** The first command of a pipeline founds its process group, which gets the terminal when the shell waits for it. */
  private enterGroup(application: Application, how: { group: number | undefined; background: boolean }): void {
    application.processGroup = how.group ?? application.pid;
    if (this.terminal !== undefined && !how.background) this.terminal.foreground = application.processGroup;
  }

  // ---- builtins ---------------------------------------------------------------------------------------------------

  /** Builtins run as applications, too: they are in pipelines, show up in ps and can be interrupted. */
  private startBuiltin(
    builtin: Builtin,
    args: readonly string[],
    streams: Streams,
    how: { group: number | undefined; background: boolean },
  ): Application {
    const application = this.createApplication(this.application, this.application.cwd, builtin.name);
    application.argv = [builtin.name, ...args];
    application.actions[SIGTSTP] = { ...DEFAULT_ACTION, handler: SIG_IGN };
    const thread = this.createThread(application);
    for (const file of [streams.stdin, streams.stdout, streams.stderr]) application.files.install(file);
    this.enterGroup(application, how);
    void this.runBuiltin(builtin, args, thread, { ...streams }).then((status) => {
      this.kernel.lifecycle.exitApplication(application, status);
    });
    return application;
  }

  /** Set by `exit` in a command that the shell waits for. */
  private exitRequested: Exit | undefined;

  /** Returns a status as of wait4(2). */
  private async runBuiltin(builtin: Builtin, args: readonly string[], thread: Thread, streams: Streams): Promise<number> {
    const stdout = new Output(thread, streams.stdout);
    const stderr = new Output(thread, streams.stderr);
    try {
      const context = { shell: this, kernel: this.kernel, thread, name: builtin.name, stdin: streams.stdin, stdout, stderr };
      const status = await builtin.run(context, args);
      await stdout.flush();
      await stderr.flush();
      return (status & 0xff) << 8;
    } catch (error) {
      if (error instanceof Exit) {
        this.exitRequested = error;
        return (error.status & 0xff) << 8;
      }
      if (error instanceof Interrupted) return SIGINT;
      if (error instanceof BrokenPipe) return SIGPIPE;
      const text = error instanceof CommandFailure ? error.message : errorText(error);
      if (text === undefined) {
        this.kernel.log(`shell: ${builtin.name} failed: ${error instanceof Error ? error.stack : String(error)}`);
      }
      const usage = error instanceof UsageFailure ? `usage: ${builtin.name} ${builtin.usage}\n` : "";
      await this.complain(`${builtin.name}: ${text ?? "internal error, see dmesg"}\n${usage}`.trimEnd(), streams.stderr);
      return (error instanceof CommandFailure ? error.status : 1) << 8;
    }
  }

  /** An application that is over already: stands for a command that could not be started. */
  private finished(status: number, how: { group: number | undefined; background: boolean }): Application {
    const application = this.createApplication(this.application, this.application.cwd, "shell");
    this.enterGroup(application, how);
    this.kernel.lifecycle.exitApplication(application, status << 8);
    return application;
  }

  /** For the `exit` builtin. */
  exit(status: number): never {
    throw new Exit(status);
  }

  // ---- jobs -------------------------------------------------------------------------------------------------------

  /** Waits until a job has ended or stopped, while it has the terminal. Returns its status. */
  async waitForeground(job: Job): Promise<number> {
    const { terminal, application } = this;
    const settings = terminal?.termios.clone();
    if (terminal !== undefined) terminal.foreground = job.group;
    while (isRunning(job) && !isStopped(job)) await this.thread.wait(application.childQueue);
    if (terminal !== undefined) {
      terminal.foreground = application.processGroup;
      // A program that was killed or stopped had no chance to restore what it changed.
      if (settings !== undefined && (isStopped(job) || statusOf(job) > 128)) terminal.setAttributes(settings);
    }
    if (isStopped(job)) {
      this.jobs.add(job);
      job.stopped = true;
      await this.say(`\n${jobLine(job, "Stopped", true)}`);
      return 128 + SIGTSTP;
    }
    this.jobs.remove(job);
    this.reap(job);
    const notice = deathNotice(job);
    if (notice !== undefined && (this.terminal !== undefined || notice !== "")) await this.say(`${notice}\n`);
    const { exitRequested } = this;
    this.exitRequested = undefined;
    if (exitRequested !== undefined && job.members.length === 1) throw exitRequested;
    return statusOf(job);
  }

  /** Lets a stopped job go on. */
  continueJob(job: Job): void {
    job.stopped = false;
    this.kernel.signals.sendToGroup(job.group, SIGCONT, { code: SiCode.USER, pid: this.application.pid });
  }

  private reap(job: Job): void {
    for (const member of job.members) this.kernel.lifecycle.reap(member);
  }

  /** Says which jobs in the background have ended or stopped since the last time. */
  private async reportJobs(): Promise<void> {
    const jobs = this.jobs.list();
    const lines: string[] = [];
    for (const job of jobs) {
      const current = job === jobs[jobs.length - 1];
      if (isStopped(job) && !job.stopped) {
        job.stopped = true;
        lines.push(jobLine(job, "Stopped", current));
      } else if (!isRunning(job) && !job.silent) {
        lines.push(jobLine(job, describeEnd(job), current));
      }
    }
    for (const job of this.jobs.takeEnded()) this.reap(job);
    if (this.terminal !== undefined && lines.length > 0) await this.say(lines.join(""));
  }

  // ---- variables --------------------------------------------------------------------------------------------------

  get expansion(): Expansion {
    return { variable: (name) => this.variable(name), list: (path) => this.listDirectory(path) };
  }

  variable(name: string): string | undefined {
    switch (name) {
      case "?":
        return String(this.status);
      case "$":
        return String(this.application.pid);
      case "!":
        return this.lastBackground === undefined ? "" : String(this.lastBackground);
      case "0":
        return "osv";
      case "#":
        return "0";
      default:
        return this.environment.get(name) ?? this.variables.get(name);
    }
  }

  /** Sets a variable, in the environment if it is there already. */
  assign(name: string, value: string): void {
    (this.environment.has(name) ? this.environment : this.variables).set(name, value);
  }

  /** Names in a directory; none when it cannot be read. */
  listDirectory(path: string): readonly string[] {
    try {
      const directory = this.kernel.mounts.resolve(this.thread, path === "" ? "." : path, { directory: true });
      return directory.inode.readdir().map(({ name }) => name);
    } catch {
      return [];
    }
  }

  isDirectory(path: string): boolean {
    return ((this.modeOf(path) ?? 0) & S_IFDIR) === S_IFDIR;
  }

  /** cd: throws Errno. */
  changeDirectory(path: string): void {
    this.application.cwd = this.kernel.mounts.resolve(this.thread, path, { directory: true });
    this.environment.set("OLDPWD", this.environment.get("PWD") ?? "/");
    this.environment.set("PWD", this.cwd);
  }

  complete(line: string, cursor: number) {
    return complete(this, line, cursor);
  }

  // ---- talking ----------------------------------------------------------------------------------------------------

  private async say(text: string): Promise<void> {
    await this.complain(text.trimEnd() === "" ? "" : text.replace(/\n$/, ""), this.streams.stderr, "");
  }

  private async complain(text: string, file: OpenFile = this.streams.stderr, prefix = ""): Promise<void> {
    try {
      await writeAll(this.thread, file, new TextEncoder().encode(`${prefix}${text}\n`));
    } catch (error) {
      if (errorText(error) === undefined && !(error instanceof BrokenPipe || error instanceof Interrupted)) throw error;
    }
  }
}

export { shellStatus };
