/** cat, head, tail, wc, hexdump: what is in files. */

import type { OpenFile } from "../../vfs/open-file.ts";
import { O_RDONLY } from "../../vfs/open-flags.ts";
import { type Builtin, type BuiltinContext, parseCount, parseOptions } from "../builtin.ts";
import { errorText } from "../error-text.ts";
import { readSome } from "../output.ts";

const BUFFER_SIZE = 65536;
const NEWLINE = 10;

/** Calls back with pieces of a file until it returns false or the file ends. */
async function readFile(
  context: BuiltinContext,
  file: OpenFile,
  use: (bytes: Uint8Array) => Promise<boolean | undefined | void>,
): Promise<void> {
  const buffer = new Uint8Array(BUFFER_SIZE);
  for (;;) {
    const n = await readSome(context.thread, file, buffer);
    if (n === 0 || (await use(buffer.slice(0, n))) === false) return;
  }
}

/** Does something with each file named, "-" being standard input; complains about those that cannot be read. */
async function forEachFile(
  context: BuiltinContext,
  names: readonly string[],
  use: (file: OpenFile, name: string, index: number) => Promise<void>,
): Promise<number> {
  let status = 0;
  for (const [index, name] of (names.length === 0 ? ["-"] : names).entries()) {
    try {
      const file =
        name === "-" ? context.stdin : await context.kernel.mounts.open(context.thread, name, O_RDONLY);
      file.retain();
      try {
        await use(file, name, index);
      } finally {
        file.release();
      }
    } catch (error) {
      const text = errorText(error);
      if (text === undefined) throw error;
      await context.stdout.flush();
      await context.stderr.write(`${context.name}: ${name}: ${text}\n`);
      await context.stderr.flush();
      status = 1;
    }
  }
  return status;
}

function cat(context: BuiltinContext, args: readonly string[]): Promise<number> {
  const { operands } = parseOptions(args, "");
  return forEachFile(context, operands, (file) =>
    readFile(context, file, async (bytes) => {
      await context.stdout.write(bytes);
      await context.stdout.flush();
    }),
  );
}

/** `==> name <==` between several files. */
async function title(
  context: BuiltinContext,
  names: readonly string[],
  name: string,
  index: number,
): Promise<void> {
  if (names.length < 2) return;
  await context.stdout.write(`${index > 0 ? "\n" : ""}==> ${name === "-" ? "standard input" : name} <==\n`);
}

function head(context: BuiltinContext, args: readonly string[]): Promise<number> {
  const { operands, values } = parseOptions(oldStyle(args), "n:");
  const wanted = parseCount(values.get("n") ?? "10", "number of lines");
  return forEachFile(context, operands, async (file, name, index) => {
    await title(context, operands, name, index);
    let left = wanted;
    if (left === 0) return;
    await readFile(context, file, async (bytes) => {
      let end = 0;
      while (end < bytes.length && left > 0) if (bytes[end++] === NEWLINE) left--;
      await context.stdout.write(bytes.slice(0, end));
      return left > 0;
    });
  });
}

function tail(context: BuiltinContext, args: readonly string[]): Promise<number> {
  const { operands, values } = parseOptions(oldStyle(args), "n:");
  const wanted = parseCount(values.get("n") ?? "10", "number of lines");
  return forEachFile(context, operands, async (file, name, index) => {
    await title(context, operands, name, index);
    let kept: Uint8Array = new Uint8Array(0);
    await readFile(context, file, async (bytes) => {
      const joined = new Uint8Array(kept.length + bytes.length);
      joined.set(kept);
      joined.set(bytes, kept.length);
      kept = joined.slice(startOfLast(joined, wanted));
    });
    await context.stdout.write(kept);
  });
}

/** Where the last `count` lines begin. */
function startOfLast(bytes: Uint8Array, count: number): number {
  if (count === 0) return bytes.length;
  let lines = 0;
  for (let at = bytes.length - 2; at >= 0; at--) {
    if (bytes[at] === NEWLINE && ++lines === count) return at + 1;
  }
  return 0;
}

/** `-5` for `-n 5` */
function oldStyle(args: readonly string[]): string[] {
  return args.flatMap((argument, i) =>
    i === 0 && /^-\d+$/.test(argument) ? ["-n", argument.slice(1)] : [argument],
  );
}

interface Counts {
  lines: number;
  words: number;
  bytes: number;
}

async function wc(context: BuiltinContext, args: readonly string[]): Promise<number> {
  const { flags, operands } = parseOptions(args, "lwc");
  const total: Counts = { lines: 0, words: 0, bytes: 0 };
  const rows: [Counts, string][] = [];
  const status = await forEachFile(context, operands, async (file, name) => {
    const counts: Counts = { lines: 0, words: 0, bytes: 0 };
    let inWord = false;
    await readFile(context, file, async (bytes) => {
      counts.bytes += bytes.length;
      for (const c of bytes) {
        if (c === NEWLINE) counts.lines++;
        const blank = c === 32 || (c >= 9 && c <= 13);
        if (!blank && !inWord) counts.words++;
        inWord = !blank;
      }
    });
    total.lines += counts.lines;
    total.words += counts.words;
    total.bytes += counts.bytes;
    rows.push([counts, operands.length === 0 ? "" : name]);
  });
  if (operands.length > 1) rows.push([total, "total"]);
  const shown = (["lines", "words", "bytes"] as const).filter(
    (_, i) => flags.size === 0 || flags.has("lwc"[i]),
  );
  const width =
    shown.length === 1 && rows.length === 1
      ? 1
      : Math.max(String(total.bytes).length, operands.length === 0 ? 7 : 1);
  for (const [counts, name] of rows) {
    const cells = shown.map((which) => String(counts[which]).padStart(width)).join(" ");
    await context.stdout.write(`${cells}${name === "" ? "" : ` ${name}`}\n`);
  }
  return status;
}

/** The format of `hexdump -C`. */
function hexdump(context: BuiltinContext, args: readonly string[]): Promise<number> {
  const { operands } = parseOptions(args, "C");
  return forEachFile(context, operands, async (file) => {
    let offset = 0;
    let rest: Uint8Array = new Uint8Array(0);
    let last = "";
    let repeated = false;
    const row = async (bytes: Uint8Array): Promise<void> => {
      const hex = Array.from({ length: 16 }, (_, i) =>
        i < bytes.length ? bytes[i].toString(16).padStart(2, "0") : "  ",
      );
      const text = Array.from(bytes, (c) => (c >= 32 && c < 127 ? String.fromCharCode(c) : ".")).join("");
      const line = `  ${hex.slice(0, 8).join(" ")}  ${hex.slice(8).join(" ")}  |${text}|\n`;
      if (line === last && bytes.length === 16) {
        if (!repeated) await context.stdout.write("*\n");
        repeated = true;
      } else {
        await context.stdout.write(address(offset) + line);
        repeated = false;
      }
      last = line;
      offset += bytes.length;
    };
    await readFile(context, file, async (bytes) => {
      const joined = new Uint8Array(rest.length + bytes.length);
      joined.set(rest);
      joined.set(bytes, rest.length);
      let at = 0;
      for (; at + 16 <= joined.length; at += 16) await row(joined.subarray(at, at + 16));
      rest = joined.slice(at);
    });
    if (rest.length > 0) await row(rest);
    if (offset > 0) await context.stdout.write(`${address(offset)}\n`);
  });
}

function address(offset: number): string {
  return offset.toString(16).padStart(8, "0");
}

export const CONTENT_COMMANDS: readonly Builtin[] = [
  { name: "cat", usage: "[FILE…]", summary: "print files", run: cat },
  { name: "head", usage: "[-n LINES] [FILE…]", summary: "print how files begin", run: head },
  { name: "tail", usage: "[-n LINES] [FILE…]", summary: "print how files end", run: tail },
  { name: "wc", usage: "[-lwc] [FILE…]", summary: "count lines, words and bytes", run: wc },
  {
    name: "hexdump",
    usage: "[-C] [FILE…]",
    summary: "print files as hexadecimal numbers and text",
    run: hexdump,
  },
];
