/** ls. */

import { TtyFile } from "../../tty/tty-file.ts";
import { major, minor } from "../../vfs/character-device.ts";
import {
  type Inode,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFSOCK,
  S_ISGID,
  S_ISUID,
  S_ISVTX,
  type Stat,
} from "../../vfs/inode.ts";
import { type Builtin, type BuiltinContext, parseOptions } from "../builtin.ts";
import { dateParts, MONTHS } from "../calendar.ts";
import { errorText } from "../error-text.ts";
import { columnate } from "../line-editor.ts";
import { humanSize, table } from "../sizes.ts";

interface Entry {
  readonly name: string;
  readonly inode: Inode;
  readonly stat: Stat;
}

const HALF_A_YEAR = 15778476;

async function ls(context: BuiltinContext, args: readonly string[]): Promise<number> {
  const { flags, operands } = parseOptions(args, "alhd1trSRFA");
  const files: Entry[] = [];
  const directories: string[] = [];
  let status = 0;
  for (const name of operands.length === 0 ? ["."] : operands) {
    try {
      const entry = entryOf(context, name, name, flags.has("l") || flags.has("d"));
      if ((entry.stat.mode & S_IFMT) === S_IFDIR && !flags.has("d")) directories.push(name);
      else files.push(entry);
    } catch (error) {
      status = 2;
      await complain(context, `cannot access '${name}'`, error);
    }
  }
  await show(context, sorted(files, flags), flags, false);
  let first = files.length === 0;
  const several = operands.length > 1 || flags.has("R");
  for (let next = directories.shift(); next !== undefined; next = directories.shift()) {
    if (several) await context.stdout.write(`${first ? "" : "\n"}${next}:\n`);
    first = false;
    try {
      const entries = readDirectory(context, next, flags);
      await show(context, entries, flags, true);
      if (flags.has("R")) directories.unshift(...subdirectories(next, entries));
    } catch (error) {
      status = 2;
      await complain(context, `cannot open directory '${next}'`, error);
    }
  }
  return status;
}

async function complain(context: BuiltinContext, what: string, error: unknown): Promise<void> {
  const text = errorText(error);
  if (text === undefined) throw error;
  await context.stdout.flush();
  await context.stderr.write(`ls: ${what}: ${text}\n`);
  await context.stderr.flush();
}

function entryOf({ kernel, thread }: BuiltinContext, path: string, name: string, noFollow: boolean): Entry {
  const { inode } = kernel.mounts.resolve(thread, path, { follow: !noFollow });
  return { name, inode, stat: inode.stat() };
}

function readDirectory(context: BuiltinContext, path: string, flags: ReadonlySet<string>): Entry[] {
  const { kernel, thread } = context;
  const directory = kernel.mounts.resolve(thread, path, { directory: true });
  const hidden = flags.has("a") || flags.has("A");
  const names = directory.inode.readdir().map(({ name }) => name);
  if (flags.has("a")) names.push(".", "..");
  const entries = names
    .filter((name) => hidden || !name.startsWith("."))
    .flatMap((name) => {
      try {
        return [entryOf(context, `${path}/${name}`, name, true)];
      } catch {
        return []; // it has gone since
      }
    });
  return sorted(entries, flags);
}

function subdirectories(path: string, entries: readonly Entry[]): string[] {
  return entries
    .filter(({ name, stat }) => (stat.mode & S_IFMT) === S_IFDIR && name !== "." && name !== "..")
    .map(({ name }) => (path.endsWith("/") ? path + name : `${path}/${name}`));
}

function sorted(entries: Entry[], flags: ReadonlySet<string>): Entry[] {
  entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  if (flags.has("S")) entries.sort((a, b) => b.stat.size - a.stat.size);
  if (flags.has("t")) {
    entries.sort(
      (a, b) =>
        b.stat.mtime.seconds - a.stat.mtime.seconds || b.stat.mtime.nanoseconds - a.stat.mtime.nanoseconds,
    );
  }
  return flags.has("r") ? entries.reverse() : entries;
}

async function show(
  context: BuiltinContext,
  entries: readonly Entry[],
  flags: ReadonlySet<string>,
  directory: boolean,
): Promise<void> {
  const { stdout } = context;
  const screen = stdout.file instanceof TtyFile ? stdout.file.terminal : undefined;
  const shown = (entry: Entry): string => entry.name + (flags.has("F") ? suffix(entry.stat.mode) : "");
  if (flags.has("l")) {
    if (directory)
      await stdout.write(`total ${Math.ceil(entries.reduce((sum, { stat }) => sum + stat.blocks, 0) / 2)}\n`);
    const now = context.kernel.host.clock.realtime().seconds;
    const rows = entries.map((entry) => longRow(context, entry, shown(entry), flags, now));
    await stdout.write(table(rows, new Set([1, 4])));
  } else if (flags.has("1") || screen === undefined) {
    await stdout.write(entries.map((entry) => `${shown(entry)}\n`).join(""));
  } else {
    const text = columnate(entries.map(shown), screen.windowSize.columns || 80);
    await stdout.write(text);
  }
}

const SUFFIXES: Readonly<Record<number, string>> = {
  [S_IFDIR]: "/",
  [S_IFLNK]: "@",
  [S_IFIFO]: "|",
  [S_IFSOCK]: "=",
};

function suffix(mode: number): string {
  return SUFFIXES[mode & S_IFMT] ?? ((mode & 0o111) !== 0 ? "*" : "");
}

function longRow(
  { thread }: BuiltinContext,
  { inode, stat }: Entry,
  name: string,
  flags: ReadonlySet<string>,
  now: number,
): string[] {
  const type = stat.mode & S_IFMT;
  const isDevice = type === S_IFCHR || type === S_IFBLK;
  const size = isDevice
    ? `${major(stat.rdev)}, ${minor(stat.rdev)}`
    : flags.has("h")
      ? humanSize(stat.size)
      : String(stat.size);
  let target = "";
  if (type === S_IFLNK) {
    try {
      target = ` -> ${inode.readlink(thread)}`;
    } catch {
      target = " -> ?";
    }
  }
  return [
    describeMode(stat.mode),
    String(stat.nlink),
    owner(stat.uid),
    owner(stat.gid),
    size,
    describeTime(stat.mtime.seconds, now),
    name + target,
  ];
}

function owner(id: number): string {
  return id === 0 ? "root" : String(id);
}

const TYPE_LETTERS: Readonly<Record<number, string>> = {
  [S_IFDIR]: "d",
  [S_IFLNK]: "l",
  [S_IFCHR]: "c",
  [S_IFBLK]: "b",
  [S_IFIFO]: "p",
  [S_IFSOCK]: "s",
};

/** "drwxr-xr-x" */
export function describeMode(mode: number): string {
  const bits = [..."rwxrwxrwx"].map((letter, i) => ((mode & (0o400 >> i)) !== 0 ? letter : "-"));
  const special = (at: number, bit: number, letter: string): void => {
    if ((mode & bit) !== 0) bits[at] = bits[at] === "x" ? letter : letter.toUpperCase();
  };
  special(2, S_ISUID, "s");
  special(5, S_ISGID, "s");
  special(8, S_ISVTX, "t");
  return (TYPE_LETTERS[mode & S_IFMT] ?? "-") + bits.join("");
}

/** "Nov 23 16:05", or with the year when it is not within half a year. */
function describeTime(seconds: number, now: number): string {
  const { year, month, day, hour, minute } = dateParts(seconds);
  const recent = seconds <= now && now - seconds < HALF_A_YEAR;
  const last = recent
    ? `${String(hour).padStart(2, "0")}:${String(minute).padStart(2, "0")}`
    : String(year).padStart(5);
  return `${MONTHS[month - 1]} ${String(day).padStart(2)} ${last}`;
}

const OPTIONS = `\
  -a, -A  names that begin with a dot, too (-A: but not . and ..)
  -l      type, permissions, links, owner, size, time; -h: sizes for people
  -1      one name a line
  -d      directories themselves, not what is in them
  -t, -S  newest first, largest first; -r: the other way around
  -R      directories below, too
  -F      mark directories, programs, links
`;

export const LIST_COMMANDS: readonly Builtin[] = [
  { name: "ls", usage: "[-aAlh1dtSrRF] [FILE…]", summary: "list directories", details: OPTIONS, run: ls },
];
