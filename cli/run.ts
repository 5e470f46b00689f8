/** `osv-vm run PROGRAM`: one program on the OSv kernel, its standard files, its signals and its exit status ours. */

import { dirname } from "node:path";
import { EACCES, ENOENT, ENOMEM, Errno } from "../kernel/errno.ts";
import { ElfError } from "../kernel/loader/elf.ts";
import type { Application } from "../kernel/sched/application.ts";
import { SIGHUP, SIGINT, SIGTERM, SiCode } from "../kernel/sched/signal-numbers.ts";
import { openStandardFiles } from "../kernel/tty/standard-files.ts";
import { CommandError, ExitStatus } from "./command-error.ts";
import type { DebugInput } from "./debug-input.ts";
import { isDebugging, openDebuggedHost } from "./debug-session.ts";
import { requireDebuggableEngine } from "./engines.ts";
import type { MachineOptions } from "./machine-options.ts";
import { environmentOf, hostRoot, kernelOptions } from "./program-options.ts";
import { DEFAULT_PATH, findInGuest, findOnHost } from "./program-path.ts";
import { mountAt, openHostDirectory } from "./root.ts";
import { createSystem, type System } from "./system.ts";

/** The signals that are handed on to the program, as `docker run` does. */
const FORWARDED = { SIGHUP, SIGINT, SIGTERM } as const;

/** What wait4(2) reports, as a shell tells it. */
export function exitStatusOf(waitStatus: number): number {
  const signal = waitStatus & 0x7f;
  return signal === 0 ? (waitStatus >> 8) & 0xff : 128 + signal;
}

/** What execve(2) would have failed with, as a shell tells it. */
export function exitStatusOfFailure(error: ElfError): number {
  return error.errno === ENOENT ? ExitStatus.NotFound : ExitStatus.NotExecutable;
}

interface Program {
  path: string;
  cwd: string;
}

/**
 * Without --root a program may be a file of the host: its directory and the working directory are then visible to it, at
 * the same paths as on the host; what it changes there stays in memory.
 */
function showHostDirectories(system: System, program: string, cwd: string): void {
  const directories = new Set([dirname(program), cwd]);
  for (const directory of directories) {
    if (directory === "/") continue;
    const fileSystem = openHostDirectory(
      { directory, keepChangesInMemory: true },
      system.host,
      system.kernel.mounts.fileMemory,
    );
    mountAt(system.kernel.mounts, directory, fileSystem, directory);
  }
}

function locate(
  system: System,
  name: string,
  options: MachineOptions,
  environment: readonly string[],
): Program {
  const { mounts } = system.kernel;
  const cwd = options.cwd ?? "/";
  const searchPath =
    environment.find((text) => text.startsWith("PATH="))?.slice("PATH=".length) ?? DEFAULT_PATH;
  const base = (() => {
    try {
      return mounts.resolve(undefined, cwd, { directory: true });
    } catch (error) {
      // With a host program, --cwd may be a directory of the host.
      if (error instanceof Errno) return undefined;
      throw error;
    }
  })();
  const inGuest = findInGuest(mounts, name, base ?? mounts.root, searchPath);
  if (base !== undefined && inGuest !== undefined) return { path: inGuest, cwd };
  const onHost = options.root === undefined ? findOnHost(name) : undefined;
  if (onHost !== undefined) {
    const hostCwd = options.cwd ?? process.cwd();
    showHostDirectories(system, onHost, hostCwd);
    return { path: onHost, cwd: hostCwd };
  }
  if (base === undefined) throw new CommandError(`--cwd ${cwd}: no such directory in the guest`);
  const where = options.root === undefined ? "in the built-in image or on this host" : `in ${options.root}`;
  throw new CommandError(`${name}: no such file ${where}`, ExitStatus.NotFound);
}

/** Hands our signals on; the returned function stops that. */
function forwardSignals(system: System, application: Application): () => void {
  const handlers = Object.entries(FORWARDED).map(([name, signal]) => {
    const handler = () => system.kernel.signals.sendToApplication(application, signal, { code: SiCode.USER });
    process.on(name, handler);
    return [name, handler] as const;
  });
  return () => {
    for (const [name, handler] of handlers) process.off(name, handler);
  };
}

/** What a person can do about it. */
function adviceFor(error: ElfError, { root }: MachineOptions): string {
  if (error.errno === ENOMEM) return "; give it more with --memory";
  const wantsLoader = error.errno === ENOENT && error.reason.includes("dynamic loader");
  return wantsLoader && root === undefined ? "; --root / --ro shows it this host's" : "";
}

async function start(
  system: System,
  program: Program,
  argv: string[],
  environment: string[],
  options: MachineOptions,
) {
  try {
    return await system.kernel.spawn(program.path, argv, environment, {
      cwd: program.cwd,
      files: openStandardFiles(system.kernel, system.terminals),
    });
  } catch (error) {
    if (error instanceof ElfError) {
      throw new CommandError(`${error.message}${adviceFor(error, options)}`, exitStatusOfFailure(error));
    }
    if (error instanceof Errno) {
      const status = error.errno === EACCES ? ExitStatus.NotExecutable : ExitStatus.Ours;
      throw new CommandError(`${program.path}: ${error.message}`, status);
    }
    throw error;
  }
}

/** Has the program wait for a debugger, if that is asked for. */
async function debugProgram(
  { kernel, processor, host }: System,
  options: MachineOptions,
  input: DebugInput | undefined,
) {
  if (!isDebugging(options)) return undefined;
  requireDebuggableEngine(options.engine);
  const { ProgramTarget } = await import("../debug/program-target.ts");
  const { startDebugger } = await import("./debug-session.ts");
  const target = new ProgramTarget(kernel, processor);
  const start = async (application: Application) => {
    target.attach(application);
    const greeting = "Stopped before the first instruction; Ctrl-C comes back here. `help` helps.";
    const session = await startDebugger(target, options, { host, input, greeting });
    if (input !== undefined) input.onInterrupt = () => session.interrupt();
    return session;
  };
  return { target, start };
}

/** @returns the exit status */
async function run(name: string, parameters: string[], options: MachineOptions): Promise<number> {
  const commandLine = [...kernelOptions(options), name, ...parameters].join(" ");
  const { host: streams, input } = await openDebuggedHost(options);
  const system = await createSystem(options, hostRoot(options), commandLine, streams);
  try {
    const environment = environmentOf(options, system.host.stdout.isTerminal);
    const program = locate(system, name, options, environment);
    const debug = await debugProgram(system, options, input);
    const application = await start(system, program, [name, ...parameters], environment, options);
    const { console } = system.terminals;
    if (console !== undefined)
      system.terminals.control(console, application.session, application.processGroup);
    const stopForwarding = forwardSignals(system, application);
    const session = await debug?.start(application);
    const waitStatus = await application.exited;
    stopForwarding();
    debug?.target.ended(waitStatus);
    await session?.finish();
    const death = system.death();
    const diedOfSignal = (waitStatus & 0x7f) !== 0;
    system.dispose();
    const { host } = system;
    if (diedOfSignal && death !== undefined) host.say(`osv-vm: ${death.replace(/\n?$/, "\n")}`);
    if (options.stats) host.say(system.statistics.describe());
    return exitStatusOf(waitStatus);
  } finally {
    system.dispose();
  }
}

/** Runs a program; then the process ends. */
export async function runToExit(name: string, parameters: string[], options: MachineOptions): Promise<never> {
  // What the program has written is out: nothing is gained by taking this process apart in order, which takes 10 ms.
  process.exit(await run(name, parameters, options));
}
