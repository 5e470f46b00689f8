/** `node osv-vm …`: starts the command, whose code is loaded only then. */

import { CommandError, ExitStatus } from "./command-error.ts";
import { DEFAULT_OPTIONS } from "./default-options.ts";
import { DISASSEMBLY_THREAD } from "./disassembly-thread.ts";

/** @returns the exit status */
async function execute(parameters: readonly string[]): Promise<number> {
  const [command, program, ...rest] = parameters;
  if (command === "run" && program !== undefined && !program.startsWith("-")) {
    // Without options there is nothing to parse: what follows the program is the program's.
    const { runToExit } = await import("./run.ts");
    return await runToExit(program, rest, DEFAULT_OPTIONS);
  }
  const { runCommandLine } = await import("./command-line.ts");
  return await runCommandLine(parameters);
}

async function reportError(error: unknown): Promise<number> {
  if (error instanceof CommandError) {
    process.stderr.write(`osv-vm: ${error.message}\n`);
    return error.exitStatus;
  }
  const { describeStack } = await import("./stack-trace.ts");
  process.stderr.write(`osv-vm: internal error, please report it: ${describeStack(error)}\n`);
  return ExitStatus.Ours;
}

async function main(parameters: readonly string[]): Promise<void> {
  try {
    process.exitCode = await execute(parameters);
  } catch (error) {
    process.exitCode = await reportError(error);
  }
}

/** A thread of ours runs this file too. */
async function serve(): Promise<void> {
  const { serveDisassembly } = await import("./disassembly-worker.ts");
  await serveDisassembly();
}

void (process.env[DISASSEMBLY_THREAD] === undefined ? main(process.argv.slice(2)) : serve());
