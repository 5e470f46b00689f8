/** mkdir, rmdir, rm, cp, mv, ln, touch: making, copying and removing files. */

import { EEXIST, ENOENT, Errno, EXDEV } from "../../errno.ts";
import { S_IFDIR, S_IFLNK, S_IFMT } from "../../vfs/inode.ts";
import * as Names from "../../vfs/namespace.ts";
import { O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY } from "../../vfs/open-flags.ts";
import { type Builtin, type BuiltinContext, CommandFailure, parseOptions, UsageFailure } from "../builtin.ts";
import { errorText } from "../error-text.ts";
import { readSome, writeAll } from "../output.ts";

const COPY_BUFFER = 65536;

/** Does something for each operand; goes on when one fails, and says so. */
async function forEach(
  context: BuiltinContext,
  operands: readonly string[],
  what: string,
  act: (name: string) => void | Promise<void>,
): Promise<number> {
  if (operands.length === 0) throw new UsageFailure("missing operand");
  let status = 0;
  for (const name of operands) {
    try {
      await act(name);
    } catch (error) {
      const text = error instanceof CommandFailure ? error.message : errorText(error);
      if (text === undefined) throw error;
      await context.stderr.write(`${context.name}: ${what} '${name}': ${text}\n`);
      status = 1;
    }
  }
  return status;
}

/** The type and permissions of a file; undefined when there is none. */
function modeOf({ kernel, thread }: BuiltinContext, path: string, follow: boolean): number | undefined {
  try {
    return kernel.mounts.resolve(thread, path, { follow }).inode.stat().mode;
  } catch (error) {
    if (error instanceof Errno && error.errno === ENOENT) return undefined;
    throw error;
  }
}

function isDirectory(context: BuiltinContext, path: string): boolean {
  return ((modeOf(context, path, true) ?? 0) & S_IFMT) === S_IFDIR;
}

function baseName(path: string): string {
  const trimmed = path.replace(/\/+$/, "");
  return trimmed.slice(trimmed.lastIndexOf("/") + 1);
}

function mkdir(context: BuiltinContext, args: readonly string[]): Promise<number> {
  const { flags, operands } = parseOptions(args, "p");
  return forEach(context, operands, "cannot create directory", (name) => {
    if (!flags.has("p")) {
      Names.makeDirectory(context.thread, name, 0o777, {});
      return;
    }
    const parts = name.split("/").filter((part) => part !== "");
    let path = name.startsWith("/") ? "" : ".";
    for (const part of parts) {
      path += `/${part}`;
      try {
        Names.makeDirectory(context.thread, path, 0o777, {});
      } catch (error) {
        if (!(error instanceof Errno && error.errno === EEXIST && isDirectory(context, path))) throw error;
      }
    }
  });
}

function rmdir(context: BuiltinContext, args: readonly string[]): Promise<number> {
  const { operands } = parseOptions(args, "");
  return forEach(context, operands, "failed to remove", (name) =>
    Names.removeDirectory(context.thread, name, {}),
  );
}

async function rm(context: BuiltinContext, args: readonly string[]): Promise<number> {
  const { flags, operands } = parseOptions(args, "rRf");
  const force = flags.has("f");
  if (force && operands.length === 0) return 0;
  const recursive = flags.has("r") || flags.has("R");
  return forEach(context, operands, "cannot remove", (name) => {
    if (/^(?:.*\/)?\.{0,2}\/*$/.test(name)) throw new CommandFailure("refusing to remove '.', '..' or '/'");
    const mode = modeOf(context, name, false);
    if (mode === undefined) {
      if (force) return;
      throw new Errno(ENOENT);
    }
    remove(context, name, mode, recursive);
  });
}

function remove(context: BuiltinContext, name: string, mode: number, recursive: boolean): void {
  if ((mode & S_IFMT) !== S_IFDIR || !recursive) {
    Names.removeName(context.thread, name, {});
    return;
  }
  for (const child of context.shell.listDirectory(name)) {
    const path = `${name}/${child}`;
    remove(context, path, modeOf(context, path, false) ?? 0, true);
  }
  Names.removeDirectory(context.thread, name, {});
}

/** Runs `act(source, target)` for `SOURCE TARGET` and for `SOURCE… DIRECTORY`. */
function intoTarget(
  context: BuiltinContext,
  operands: readonly string[],
  what: string,
  act: (source: string, target: string) => void | Promise<void>,
): Promise<number> {
  const target = operands[operands.length - 1];
  if (target === undefined) throw new UsageFailure("missing file operand");
  if (operands.length === 1) throw new UsageFailure(`missing destination file operand after '${target}'`);
  const into = isDirectory(context, target);
  if (operands.length > 2 && !into) throw new CommandFailure(`target '${target}' is not a directory`);
  return forEach(context, operands.slice(0, -1), what, (source) =>
    act(source, into ? `${target.replace(/\/$/, "")}/${baseName(source)}` : target),
  );
}

function cp(context: BuiltinContext, args: readonly string[]): Promise<number> {
  const { flags, operands } = parseOptions(args, "rRap");
  const recursive = flags.has("r") || flags.has("R") || flags.has("a");
  return intoTarget(context, operands, "cannot copy", (source, target) =>
    copy(context, source, target, recursive, true),
  );
}

async function copy(
  context: BuiltinContext,
  source: string,
  target: string,
  recursive: boolean,
  follow: boolean,
): Promise<void> {
  const { kernel, thread } = context;
  const from = kernel.mounts.resolve(thread, source, { follow: follow && !recursive });
  const { mode } = from.inode.stat();
  if ((mode & S_IFMT) === S_IFLNK) {
    Names.makeSymlink(thread, from.inode.readlink(thread), target, {});
    return;
  }
  if ((mode & S_IFMT) === S_IFDIR) {
    if (!recursive) throw new CommandFailure("is a directory (use -r)");
    await copyDirectory(context, source, target, mode);
    return;
  }
  if (modeOf(context, target, true) !== undefined) {
    const to = kernel.mounts.resolve(thread, target);
    if (to.inode === from.inode) throw new CommandFailure(`and '${target}' are the same file`);
  }
  const input = await kernel.mounts.openPath(thread, from, O_RDONLY);
  input.retain();
  try {
    const output = await kernel.mounts.open(thread, target, O_WRONLY | O_CREAT | O_TRUNC, mode & 0o777);
    output.retain();
    try {
      const buffer = new Uint8Array(COPY_BUFFER);
      for (;;) {
        const n = await readSome(thread, input, buffer);
        if (n === 0) break;
        await writeAll(thread, output, buffer.subarray(0, n));
      }
    } finally {
      output.release();
    }
  } finally {
    input.release();
  }
}

async function copyDirectory(
  context: BuiltinContext,
  source: string,
  target: string,
  mode: number,
): Promise<void> {
  const { kernel, thread } = context;
  const children = context.shell.listDirectory(source);
  if (!isDirectory(context, target)) Names.makeDirectory(thread, target, mode & 0o777, {});
  const from = kernel.mounts.resolve(thread, source);
  if (kernel.mounts.resolve(thread, target).isBelow(from))
    throw new CommandFailure(`into itself, '${target}'`);
  for (const child of children) await copy(context, `${source}/${child}`, `${target}/${child}`, true, false);
}

function mv(context: BuiltinContext, args: readonly string[]): Promise<number> {
  const { operands } = parseOptions(args, "f");
  return intoTarget(context, operands, "cannot move", async (source, target) => {
    try {
      Names.rename(context.thread, source, target, 0, {}, {});
    } catch (error) {
      if (!(error instanceof Errno) || error.errno !== EXDEV) throw error;
      await copy(context, source, target, true, false);
      remove(context, source, modeOf(context, source, false) ?? 0, true);
    }
  });
}

function ln(context: BuiltinContext, args: readonly string[]): Promise<number> {
  const { flags, operands } = parseOptions(args, "sf");
  const { kernel, thread } = context;
  return intoTarget(context, operands, "cannot link", (source, target) => {
    if (flags.has("f") && modeOf(context, target, false) !== undefined) Names.removeName(thread, target, {});
    if (flags.has("s")) Names.makeSymlink(thread, source, target, {});
    else Names.makeLink(thread, kernel.mounts.resolve(thread, source, { follow: false }), target, {});
  });
}

function touch(context: BuiltinContext, args: readonly string[]): Promise<number> {
  const { flags, operands } = parseOptions(args, "c");
  const { kernel, thread } = context;
  return forEach(context, operands, "cannot touch", async (name) => {
    if (modeOf(context, name, true) === undefined) {
      if (flags.has("c")) return;
      const file = await kernel.mounts.open(thread, name, O_WRONLY | O_CREAT, 0o666);
      file.retain();
      file.release();
    }
    const now = kernel.host.clock.realtime();
    kernel.mounts.resolve(thread, name).inode.setAttributes({ atime: now, mtime: now });
  });
}

export const FILE_COMMANDS: readonly Builtin[] = [
  {
    name: "mkdir",
    usage: "[-p] DIR…",
    summary: "make directories",
    run: mkdir,
    details: "  -p  also those above; no error when it is there",
  },
  { name: "rmdir", usage: "DIR…", summary: "remove empty directories", run: rmdir },
  {
    name: "rm",
    usage: "[-rf] FILE…",
    summary: "remove files",
    run: rm,
    details: "  -r  directories with all that is in them\n  -f  no error when there is nothing to remove",
  },
  {
    name: "cp",
    usage: "[-r] SOURCE… TARGET",
    summary: "copy files",
    run: cp,
    details: "  -r  directories, too",
  },
  { name: "mv", usage: "SOURCE… TARGET", summary: "move and rename files", run: mv },
  {
    name: "ln",
    usage: "[-sf] SOURCE… TARGET",
    summary: "link files",
    run: ln,
    details: "  -s  symbolic links\n  -f  in place of what is there",
  },
  {
    name: "touch",
    usage: "[-c] FILE…",
    summary: "set file times to now, make files",
    run: touch,
    details: "  -c  make none",
  },
];
