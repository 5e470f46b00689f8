/**
 * OSv's shell: reads commands from a terminal (with line editing) or a script and runs them, its own builtins and
 * Linux programs alike. It is part of the kernel: an application whose only thread never executes an instruction.
 */

import type { OsvKernel } from "../osv-kernel.ts";
import type { Application } from "../sched/application.ts";
import { SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU } from "../sched/signal-numbers.ts";
import { DEFAULT_ACTION, SIG_IGN } from "../sched/signals.ts";
import type { Thread } from "../sched/thread.ts";
import type { Terminal } from "../tty/terminal.ts";
import { TtyFile } from "../tty/tty-file.ts";
import type { TtyLayer } from "../tty/tty-layer.ts";
import { FileTable } from "../vfs/file-table.ts";
import { S_IFDIR, S_IFMT, S_IFREG } from "../vfs/inode.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import { BUILTINS } from "./builtins/index.ts";
import { type CompletionSource, complete } from "./completion.ts";
import { errorText } from "./error-text.ts";
import type { Expansion } from "./expand.ts";
import { History } from "./history.ts";
import { JobControl } from "./job-control.ts";
import type { Job } from "./jobs.ts";
import { Launcher, type Streams } from "./launcher.ts";
import { BrokenPipe, Interrupted, writeAll } from "./output.ts";
import { type AndOrList, type Pipeline, parse } from "./parse.ts";
import { DEFAULT_PATH } from "./program-path.ts";
import { ScriptInput, type ShellInput, TerminalInput } from "./shell-input.ts";

export interface ShellOptions {
  readonly kernel: OsvKernel;
  readonly terminals: TtyLayer;
  /** Standard input, output and error. */
  readonly files: readonly [OpenFile, OpenFile, OpenFile];
  /** "NAME=value" */
  readonly environment?: readonly string[];
  readonly cwd?: string;
}

const INTERRUPTED_STATUS = 128 + SIGINT;
/** Ctrl-C, Ctrl-Z and the like are for the jobs. */
const IGNORED_SIGNALS = [SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU];

export class Shell implements CompletionSource, Expansion {
  readonly kernel: OsvKernel;
  readonly application: Application;
  readonly thread: Thread;
  readonly streams: Streams;
  /** The controlling terminal, if standard input is one. */
  readonly terminal: Terminal | undefined;
  readonly history = new History();
  readonly jobs: JobControl;
  readonly builtins = BUILTINS;
  /** Exported variables. */
  readonly environment = new Map<string, string>();
  /** Variables of the shell alone. */
  readonly variables = new Map<string, string>();
  /** $? */
  status = 0;
  private readonly launcher: Launcher;
  private exitStatus: number | undefined;
  /** The job that `fg` brings back, once the command itself is over. */
  private nextForeground: Job | undefined;

  constructor(options: ShellOptions) {
    const { kernel, terminals, files } = options;
    this.kernel = kernel;
    this.application = this.createApplication(undefined, options.cwd ?? "/");
    this.thread = this.createThread(this.application);
    for (const file of files) this.application.files.install(file);
    const [stdin, stdout, stderr] = files;
    this.streams = { stdin, stdout, stderr };
    if (stdin instanceof TtyFile) {
      this.terminal = stdin.terminal;
      terminals.control(stdin.terminal, this.application.session, this.application.processGroup);
    }
    this.jobs = new JobControl(this);
    this.launcher = new Launcher(this);
    for (const entry of [
      `PATH=${DEFAULT_PATH}`,
      "HOME=/root",
      "TERM=xterm-256color",
      ...(options.environment ?? []),
    ]) {
      const equals = entry.indexOf("=");
      if (equals > 0) this.environment.set(entry.slice(0, equals), entry.slice(equals + 1));
    }
    this.environment.set("PWD", this.cwd);
  }

  private createApplication(parent: Application | undefined, cwd: string): Application {
    const { lifecycle, mounts } = this.kernel;
    const path = mounts.resolve(undefined, cwd, { directory: true });
    const application = lifecycle.createApplication(parent, new FileTable(), path, mounts.root);
    application.name = "shell";
    application.session = application.processGroup = application.pid;
    for (const signal of IGNORED_SIGNALS)
      application.actions[signal] = { ...DEFAULT_ACTION, handler: SIG_IGN };
    return application;
  }

  /** A thread for the kernel's own work: as far as signals are concerned it is always in a wait. */
  createThread(application: Application): Thread {
    const thread = this.kernel.lifecycle.createThread(application);
    thread.state = "blocked";
    return thread;
  }

  // ---- reading commands -------------------------------------------------------------------------------------------

  /** Reads and runs commands until the input ends or `exit`. Returns the exit status. */
  async run(): Promise<number> {
    const input = this.openInput();
    while (this.exitStatus === undefined) {
      await this.jobs.report();
      const text = await this.readCommand(input);
      if (text === undefined) break;
      await this.execute(text);
    }
    this.status = this.exitStatus ?? this.status;
    this.kernel.lifecycle.exitApplication(this.application, this.status << 8);
    return this.status;
  }

  private openInput(): ShellInput {
    const { thread, terminal, streams, history } = this;
    if (terminal === undefined) return new ScriptInput(thread, streams.stdin);
    return new TerminalInput({
      thread,
      terminal,
      history,
      stdin: streams.stdin,
      stdout: streams.stdout,
      complete: (line, cursor) => complete(this, line, cursor),
    });
  }

  /** One complete command, which may take several lines; undefined at the end of the input. */
  private async readCommand(input: ShellInput): Promise<string | undefined> {
    let text = "";
    for (;;) {
      const line = await input.readLine(text === "" ? this.prompt : "> ");
      if (line.kind === "end") return text === "" ? undefined : text;
      if (line.kind === "interrupt") {
        this.status = INTERRUPTED_STATUS;
        text = "";
        continue;
      }
      text += `${line.text}\n`;
      if (parse(text).kind !== "incomplete") return text;
    }
  }

  get prompt(): string {
    return `${this.cwd}# `;
  }

  /** For the `exit` builtin: the shell ends after the command that is running. */
  exit(status: number): void {
    this.exitStatus = status & 0xff;
  }

  /** For the `fg` builtin. */
  bringToFront(job: Job): void {
    this.nextForeground = job;
  }

  // ---- running commands -------------------------------------------------------------------------------------------

  /** Runs a piece of script; returns its status. */
  async execute(text: string): Promise<number> {
    const parsed = parse(text);
    if (parsed.kind !== "commands") {
      await this.complain(parsed.kind === "error" ? parsed.message : "syntax error: unexpected end of file");
      this.status = 2;
      return this.status;
    }
    for (const list of parsed.lists) {
      if (list.mode === "wait") this.status = await this.runList(list);
      else this.status = await this.runInBackground(list);
      if (this.exitStatus !== undefined) break;
      // Ctrl-C ends the whole line.
      if (this.status === INTERRUPTED_STATUS && this.terminal !== undefined) break;
    }
    return this.status;
  }

  private async runList(list: AndOrList): Promise<number> {
    this.status = await this.runPipeline(list.first);
    for (const { operator, pipeline } of list.rest) {
      if (this.exitStatus !== undefined) break;
      if ((operator === "&&") === (this.status === 0)) this.status = await this.runPipeline(pipeline);
    }
    return this.status;
  }

  private async runPipeline(pipeline: Pipeline): Promise<number> {
    const { clock } = this.kernel.host;
    const start = clock.monotonic();
    const job = await this.launcher.start(pipeline, { background: false, silent: false });
    let status = job === undefined ? this.status : await this.jobs.waitForeground(job);
    const { nextForeground } = this;
    if (nextForeground !== undefined) {
      this.nextForeground = undefined;
      this.jobs.continue(nextForeground);
      status = await this.jobs.waitForeground(nextForeground);
    }
    if (pipeline.timed) await this.print(describeTimes(clock.monotonic() - start, job));
    return pipeline.inverted ? Number(status === 0) : status;
  }

  private async runInBackground(list: AndOrList): Promise<number> {
    if (list.rest.length > 0) {
      // There is no process for the list itself to go on in.
      await this.complain("a list with && or || cannot run in the background");
      return 2;
    }
    const silent = list.mode === "detached";
    const job = await this.launcher.start(list.first, { background: true, silent });
    if (job !== undefined) await this.jobs.addBackground(job);
    return 0;
  }

  // ---- variables and files ----------------------------------------------------------------------------------------

  variable(name: string): string | undefined {
    switch (name) {
      case "?":
        return String(this.status);
      case "$":
        return String(this.application.pid);
      case "!":
        return String(this.jobs.lastBackground ?? "");
      case "0":
        return "osv";
      case "#":
        return "0";
      default:
        return this.environment.get(name) ?? this.variables.get(name);
    }
  }

  *variableNames(): Iterable<string> {
    yield* this.environment.keys();
    yield* this.variables.keys();
  }

  /** Sets a variable, in the environment if it is there already. */
  assign(name: string, value: string): void {
    (this.environment.has(name) ? this.environment : this.variables).set(name, value);
  }

  get cwd(): string {
    return this.application.cwd.toString(this.application.root);
  }

  /** Throws Errno. */
  changeDirectory(path: string): void {
    this.application.cwd = this.kernel.mounts.resolve(this.thread, path, { directory: true });
    this.environment.set("OLDPWD", this.environment.get("PWD") ?? "/");
    this.environment.set("PWD", this.cwd);
  }

  listDirectory(path: string): readonly string[] {
    try {
      const directory = this.kernel.mounts.resolve(this.thread, path === "" ? "." : path, {
        directory: true,
      });
      return directory.inode.readdir().map(({ name }) => name);
    } catch {
      return [];
    }
  }

  private modeOf(path: string): number | undefined {
    try {
      return this.kernel.mounts.resolve(this.thread, path).inode.stat().mode;
    } catch {
      return undefined;
    }
  }

  exists(path: string): boolean {
    return this.modeOf(path) !== undefined;
  }

  isDirectory(path: string): boolean {
    return ((this.modeOf(path) ?? 0) & S_IFMT) === S_IFDIR;
  }

  isRegularFile(path: string): boolean {
    return ((this.modeOf(path) ?? 0) & S_IFMT) === S_IFREG;
  }

  /** A regular file with an x bit. */
  isProgram(path: string): boolean {
    return this.isRegularFile(path) && ((this.modeOf(path) ?? 0) & 0o111) !== 0;
  }

  // ---- talking ----------------------------------------------------------------------------------------------------

  complain(message: string, file: OpenFile = this.streams.stderr): Promise<void> {
    return this.print(`${message}\n`, file);
  }

  /** Writes to standard error, or to whom it is left to. */
  async print(text: string, file: OpenFile = this.streams.stderr): Promise<void> {
    try {
      await writeAll(this.thread, file, new TextEncoder().encode(text));
    } catch (error) {
      if (errorText(error) === undefined && !(error instanceof BrokenPipe || error instanceof Interrupted))
        throw error;
    }
  }
}

/** What `time` says. The processor time of a program is not told apart into its own and the kernel's. */
function describeTimes(elapsed: number, job: Job | undefined): string {
  const used =
    job?.members.reduce(
      (sum, { deadThreadsTime, childrenTime }) => sum + deadThreadsTime + childrenTime,
      0,
    ) ?? 0;
  const format = (ns: number): string => `${Math.floor(ns / 60e9)}m${((ns % 60e9) / 1e9).toFixed(3)}s`;
  return `\nreal\t${format(elapsed)}\nuser\t${format(used)}\n`;
}
