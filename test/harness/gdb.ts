/** Debian's gdb: run over a script, or driven command by command. */

import { GuestConsole } from "./guest-console.ts";
import { runProcess } from "./process.ts";

const QUIET = ["-nx", "-q", "-iex", "set debuginfod enabled off"];
const SETTINGS = ["set pagination off", "set confirm off", "set width 0", "set style enabled off"];
export const GDB_PROMPT = "(gdb) ";

/** Executes commands one after the other. @returns all that gdb prints */
export async function runGdb(commands: readonly string[], file?: string, timeout = 120_000): Promise<string> {
  const words = [...SETTINGS, ...commands].flatMap((command) => ["-ex", command]);
  const program = file === undefined ? [] : [file];
  const outcome = await runProcess(["gdb", ...QUIET, "-batch", ...words, ...program], { timeout });
  return outcome.stdout.toString() + outcome.stderr.toString();
}

export class Gdb extends GuestConsole {
  constructor(file?: string) {
    // What `monitor` commands print goes to stderr.
    super([
      ...["sh", "-c", 'exec gdb "$@" 2>&1', "gdb"],
      ...QUIET,
      ...SETTINGS.flatMap((text) => ["-ex", text]),
      ...(file === undefined ? [] : [file]),
    ]);
  }

  /** @returns what a command prints */
  async command(text: string, milliseconds = 60_000): Promise<string> {
    this.type(`${text}\n`);
    const printed = await this.waitFor(GDB_PROMPT, milliseconds);
    return printed.slice(0, -GDB_PROMPT.length);
  }
}

/** The port that osv-vm waits on, from what it prints. */
export async function gdbPort(guest: GuestConsole, milliseconds = 60_000): Promise<number> {
  const line = await guest.waitForError(/target remote :(\d+)/, milliseconds);
  return Number(/:(\d+)$/.exec(line)?.[1]);
}
