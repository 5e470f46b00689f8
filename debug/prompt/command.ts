/** What a command of the prompt is. */

import { CommandFailure } from "./command-failure.ts";
import type { Debugger } from "./debugger.ts";

export interface Command {
  readonly name: string;
  /** Other names; those of two words are found before those of one. */
  readonly aliases: readonly string[];
  readonly usage: string;
  readonly description: string;
  /** An empty line does it again: with the same words, or going on without. */
  readonly repeats?: "same" | "bare";
  /** Makes no sense when the guest has ended. */
  readonly needsGuest: boolean;
  run(debug: Debugger, words: readonly string[], rest: string): void | Promise<void>;
}

export const MOST_COUNT = 10_000_000;
export const MOST_BYTES = 1 << 20;

/** @throws CommandFailure */
export function misused(command: Command): never {
  throw new CommandFailure(`usage: ${command.usage}`);
}

/** An address expression, and behind it perhaps a length; `usual` if there is none. */
export function splitLength(
  debug: Debugger,
  words: readonly string[],
  usual: number,
): [text: string, length: number] {
  const last = words.at(-1) ?? "";
  if (words.length < 2 || !/^(0x[0-9a-f]+|\d+)$/i.test(last)) return [words.join(" "), usual];
  // `a + 8` is one expression.
  if (/[-+*/%&|^~(<>=!]$/.test(words.at(-2) ?? "")) return [words.join(" "), usual];
  return [words.slice(0, -1).join(" "), debug.count(last, MOST_BYTES)];
}

/** Where a breakpoint on this goes: behind the prologue of functions with line numbers. */
export function breakAddress(debug: Debugger, text: string): number {
  const symbol = debug.files.symbols.named(text);
  return symbol === undefined ? debug.address(text) : debug.files.bodyOf(symbol);
}
