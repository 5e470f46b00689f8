/** What a command of the shell is and what it works with. */

import type { OsvKernel } from "../osv-kernel.ts";
import type { Thread } from "../sched/thread.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import type { Output } from "./output.ts";
import type { Shell } from "./shell.ts";

export interface BuiltinContext {
  readonly shell: Shell;
  readonly kernel: OsvKernel;
  /** Who makes the calls: Ctrl-C ends its waits. */
  readonly thread: Thread;
  /** The name it was called by, for messages. */
  readonly name: string;
  readonly stdin: OpenFile;
  readonly stdout: Output;
  readonly stderr: Output;
}

export interface Builtin {
  readonly name: string;
  /** Its arguments: "[-l] [FILE…]". */
  readonly usage: string;
  /** One line, for the list of `help`. */
  readonly summary: string;
  /** More, for `help NAME`: options and the like. */
  readonly details?: string;
  /** Returns the exit status. Throws {@link CommandFailure}, and whatever files throw. */
  run(context: BuiltinContext, args: readonly string[]): number | Promise<number>;
}

/** A command cannot do what it was asked to: printed as "NAME: message", exit status 1 unless another is given. */
export class CommandFailure extends Error {
  constructor(
    message: string,
    readonly status = 1,
  ) {
    super(message);
    this.name = "CommandFailure";
  }
}

/** Wrong arguments: "usage: …" follows the message. */
export class UsageFailure extends CommandFailure {
  constructor(message: string) {
    super(message, 2);
    this.name = "UsageFailure";
  }
}

export interface Options {
  /** Letters that were given. */
  readonly flags: ReadonlySet<string>;
  /** Values of letters that take one. */
  readonly values: ReadonlyMap<string, string>;
  readonly operands: readonly string[];
}

/** Options as getopt(3) reads them: "al" are flags, "n:" takes a value; they end at the first operand or "--". */
export function parseOptions(args: readonly string[], known: string): Options {
  const flags = new Set<string>();
  const values = new Map<string, string>();
  let at = 0;
  for (; at < args.length; at++) {
    const argument = args[at];
    if (argument === "--") {
      at++;
      break;
    }
    if (!/^-./.test(argument)) break;
    for (let i = 1; i < argument.length; i++) {
      const letter = argument[i];
      const place = letter === ":" ? -1 : known.indexOf(letter);
      if (place < 0) throw new UsageFailure(`invalid option -- '${letter}'`);
      if (known[place + 1] !== ":") {
        flags.add(letter);
        continue;
      }
      const attached = argument.slice(i + 1);
      const value = attached === "" ? args[++at] : attached;
      if (value === undefined) throw new UsageFailure(`option requires an argument -- '${letter}'`);
      values.set(letter, value);
      break;
    }
  }
  return { flags, values, operands: args.slice(at) };
}

/** A whole number that is not negative, or the complaint about it. */
export function parseCount(text: string, what: string): number {
  if (!/^\d+$/.test(text)) throw new CommandFailure(`invalid ${what}: ${text}`);
  return Number(text);
}
