/** Runs a program of the host and collects what it did, as bytes. */

import { spawn } from "node:child_process";

export interface Outcome {
  stdout: Buffer;
  stderr: Buffer;
  /** The exit status; 128 + n if signal n ended it, as a shell says. */
  status: number;
  milliseconds: number;
}

export interface ProcessOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** Standard input: these bytes, through what Node makes for a pipe; by default /dev/null. */
  input?: string | Uint8Array;
  /** After this many milliseconds the process group is killed and the promise rejected. Default: 60,000. */
  timeout?: number;
}

const SIGNAL_NUMBERS: Partial<Record<NodeJS.Signals, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
};

export function runProcess(command: readonly string[], options: ProcessOptions = {}): Promise<Outcome> {
  const [file = "", ...parameters] = command;
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(file, parameters, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      detached: true, // its own process group, so that all of it can be killed
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    const limit = options.timeout ?? 60_000;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    }, limit);
    child.stdout?.on("data", (data: Buffer) => stdout.push(data));
    child.stderr?.on("data", (data: Buffer) => stderr.push(data));
    child.stdin?.on("error", () => undefined); // it ended without reading its input
    child.stdin?.end(options.input);
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const outcome = {
        stdout: Buffer.concat(stdout),
        stderr: Buffer.concat(stderr),
        status: code ?? 128 + ((signal && SIGNAL_NUMBERS[signal]) ?? 0),
        milliseconds: performance.now() - started,
      };
      if (late) {
        const said = `${outcome.stdout.subarray(-2000)}${outcome.stderr.subarray(-2000)}`;
        reject(new Error(`no end after ${limit} ms: ${command.join(" ")}\n${said}`));
      } else {
        resolve(outcome);
      }
    });
  });
}
