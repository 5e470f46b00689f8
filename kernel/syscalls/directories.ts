/** Directories and names: listing, making, removing, renaming; the working directory and the root. */

import { EFAULT, EINVAL, ENOENT, ENOTDIR, EPERM, ERANGE } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import { S_IFDIR } from "../vfs/inode.ts";
import { encodeName, nameLength } from "../vfs/names.ts";
import {
  makeDirectory,
  makeLink,
  makeNode,
  makeSymlink,
  removeDirectory,
  removeName,
  rename as renamePath,
} from "../vfs/namespace.ts";
import type { DirectoryEntry, OpenFile } from "../vfs/open-file.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_FOLLOW } from "../vfs/open-flags.ts";
import { anyFileOf, baseFor, fileOf, nameAt, pathAt } from "./arguments.ts";
import type { SyscallDefinition } from "./definition.ts";

const RENAME = { RENAME_NOREPLACE: 1, RENAME_EXCHANGE: 2, RENAME_WHITEOUT: 4 } as const;

/** Bytes of struct linux_dirent64 and struct linux_dirent before the name (linux/dirent.h, fs/readdir.c). */
const DIRENT64_NAME = 19;
const DIRENT_NAME = 18;
/** A getdents buffer is filled at most this far at once: more entries are another call away. */
const LISTING_MAX = 64 << 10;

const listing = new Uint8Array(LISTING_MAX);
const listingView = new DataView(listing.buffer);

function put64(offset: number, value: number): void {
  listingView.setUint32(offset, value >>> 0, true);
  listingView.setUint32(offset + 4, Math.floor(value / 2 ** 32) >>> 0, true);
}

/** getdents(2) and getdents64(2): as many entries as fit. */
function list(thread: Thread, file: OpenFile, address: number, count: number, wide: boolean): number {
  const room = Math.min(count >>> 0, LISTING_MAX);
  let used = 0;
  for (;;) {
    const entries = file.readdir(thread);
    if (typeof entries === "number") return entries;
    if (file.path?.deleted === true) return -ENOENT;
    let position = file.offset;
    let full = false;
    for (const entry of entries) {
      const length = entryLength(entry, wide);
      if (used + length > room) {
        full = true;
        break;
      }
      putEntry(used, length, entry, wide);
      used += length;
      position = entry.next;
    }
    if (used === 0 && full) return -EINVAL;
    if (full || entries.length === 0) {
      if (used > 0) thread.memory.write(address, listing.subarray(0, used));
      file.offset = position;
      return used;
    }
    // Not before the entries are in program memory; should that fail below, they are given again.
    if (!thread.memory.check(address, used, true)) return -EFAULT;
    file.offset = position;
  }
}

function entryLength(entry: DirectoryEntry, wide: boolean): number {
  const bytes = nameLength(entry.name);
  // The name, its NUL and (in the old form) the type at the very end, rounded up to 8.
  return wide ? (DIRENT64_NAME + bytes + 1 + 7) & ~7 : (DIRENT_NAME + bytes + 2 + 7) & ~7;
}

function putEntry(at: number, length: number, entry: DirectoryEntry, wide: boolean): void {
  listing.fill(0, at, at + length);
  listingView.setBigUint64(at, entry.ino, true);
  put64(at + 8, entry.next);
  listingView.setUint16(at + 16, length, true);
  if (wide) listing[at + 18] = entry.type;
  else listing[at + length - 1] = entry.type;
  listing.set(encodeName(entry.name), at + (wide ? DIRENT64_NAME : DIRENT_NAME));
}

function getdents(thread: Thread, fd: number, address: number, count: number): number {
  return list(thread, fileOf(thread, fd), address, count, false);
}

function getdents64(thread: Thread, fd: number, address: number, count: number): number {
  return list(thread, fileOf(thread, fd), address, count, true);
}

function getcwd(thread: Thread, address: number, size: number): number {
  const { cwd, root } = thread.application;
  if (cwd.deleted) return -ENOENT;
  const bytes = encodeName(cwd.toString(root));
  if (bytes.length + 1 > size && size >= 0) return -ERANGE;
  const text = new Uint8Array(bytes.length + 1);
  text.set(bytes);
  thread.memory.write(address, text);
  return text.length;
}

function chdir(thread: Thread, pathname: number): number {
  const { application } = thread;
  application.cwd = thread.kernel.mounts.resolve(thread, nameAt(thread, pathname), { directory: true });
  return 0;
}

function fchdir(thread: Thread, fd: number): number {
  const { path } = anyFileOf(thread, fd);
  if (path === undefined || path.inode.type !== S_IFDIR) return -ENOTDIR;
  thread.application.cwd = path;
  return 0;
}

function chroot(thread: Thread, pathname: number): number {
  const { application } = thread;
  application.root = thread.kernel.mounts.resolve(thread, nameAt(thread, pathname), { directory: true });
  return 0;
}

function mkdir(thread: Thread, pathname: number, mode: number): number {
  return mkdirat(thread, AT_FDCWD, pathname, mode);
}

function mkdirat(thread: Thread, dirfd: number, pathname: number, mode: number): number {
  const name = nameAt(thread, pathname);
  makeDirectory(thread, name, mode, { base: baseFor(thread, dirfd, name) });
  return 0;
}

function rmdir(thread: Thread, pathname: number): number {
  return unlinkat(thread, AT_FDCWD, pathname, AT_REMOVEDIR);
}

function unlink(thread: Thread, pathname: number): number {
  return unlinkat(thread, AT_FDCWD, pathname, 0);
}

function unlinkat(thread: Thread, dirfd: number, pathname: number, flags: number): number {
  if ((flags & ~AT_REMOVEDIR) !== 0) return -EINVAL;
  const name = nameAt(thread, pathname);
  const options = { base: baseFor(thread, dirfd, name) };
  if ((flags & AT_REMOVEDIR) !== 0) removeDirectory(thread, name, options);
  else removeName(thread, name, options);
  return 0;
}

function rename(thread: Thread, from: number, to: number): number {
  return renameat2(thread, AT_FDCWD, from, AT_FDCWD, to, 0);
}

function renameat(thread: Thread, fromDir: number, from: number, toDir: number, to: number): number {
  return renameat2(thread, fromDir, from, toDir, to, 0);
}

function renameat2(
  thread: Thread,
  fromDir: number,
  from: number,
  toDir: number,
  to: number,
  flags: number,
): number {
  const oldName = nameAt(thread, from);
  const newName = nameAt(thread, to);
  const oldOptions = { base: baseFor(thread, fromDir, oldName) };
  const newOptions = { base: baseFor(thread, toDir, newName) };
  renamePath(thread, oldName, newName, flags | 0, oldOptions, newOptions);
  return 0;
}

function link(thread: Thread, from: number, to: number): number {
  return linkat(thread, AT_FDCWD, from, AT_FDCWD, to, 0);
}

function linkat(
  thread: Thread,
  fromDir: number,
  from: number,
  toDir: number,
  to: number,
  flags: number,
): number {
  if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const source = pathAt(thread, fromDir, nameAt(thread, from), (flags & AT_SYMLINK_FOLLOW) !== 0, flags);
  const name = nameAt(thread, to);
  makeLink(thread, source, name, { base: baseFor(thread, toDir, name) });
  return 0;
}

function symlink(thread: Thread, target: number, pathname: number): number {
  return symlinkat(thread, target, AT_FDCWD, pathname);
}

function symlinkat(thread: Thread, target: number, dirfd: number, pathname: number): number {
  const text = nameAt(thread, target);
  if (text === "") return -ENOENT;
  const name = nameAt(thread, pathname);
  makeSymlink(thread, text, name, { base: baseFor(thread, dirfd, name) });
  return 0;
}

function mknod(thread: Thread, pathname: number, mode: number, device: number): number {
  return mknodat(thread, AT_FDCWD, pathname, mode, device);
}

function mknodat(thread: Thread, dirfd: number, pathname: number, mode: number, device: number): number {
  // may_mknod() comes before the name is looked at.
  const type = mode & 0o170000;
  if (type === S_IFDIR) return -EPERM;
  const name = nameAt(thread, pathname);
  makeNode(thread, name, mode & 0o177777, device >>> 0, { base: baseFor(thread, dirfd, name) });
  return 0;
}

export const DIRECTORY_SYSCALLS: readonly SyscallDefinition[] = [
  {
    number: 78,
    name: "getdents",
    arguments: [
      ["fd", "fd"],
      ["dirp", "pointer"],
      ["count", "uint"],
    ],
    state: "done",
    call: getdents,
  },
  {
    number: 79,
    name: "getcwd",
    arguments: [
      ["buf", "pointer"],
      ["size", "size"],
    ],
    state: "done",
    call: getcwd,
  },
  { number: 80, name: "chdir", arguments: [["path", "path"]], state: "done", call: chdir },
  { number: 81, name: "fchdir", arguments: [["fd", "fd"]], state: "done", call: fchdir },
  {
    number: 82,
    name: "rename",
    arguments: [
      ["oldpath", "path"],
      ["newpath", "path"],
    ],
    state: "done",
    call: rename,
  },
  {
    number: 83,
    name: "mkdir",
    arguments: [
      ["pathname", "path"],
      ["mode", "mode"],
    ],
    state: "done",
    call: mkdir,
  },
  { number: 84, name: "rmdir", arguments: [["pathname", "path"]], state: "done", call: rmdir },
  {
    number: 86,
    name: "link",
    arguments: [
      ["oldpath", "path"],
      ["newpath", "path"],
    ],
    state: "done",
    call: link,
  },
  { number: 87, name: "unlink", arguments: [["pathname", "path"]], state: "done", call: unlink },
  {
    number: 88,
    name: "symlink",
    arguments: [
      ["target", "string"],
      ["linkpath", "path"],
    ],
    state: "done",
    call: symlink,
  },
  {
    number: 133,
    name: "mknod",
    arguments: [
      ["pathname", "path"],
      ["mode", "mode"],
      ["dev", "hex"],
    ],
    state: "done",
    call: mknod,
  },
  { number: 161, name: "chroot", arguments: [["path", "path"]], state: "done", call: chroot },
  {
    number: 217,
    name: "getdents64",
    arguments: [
      ["fd", "fd"],
      ["dirp", "pointer"],
      ["count", "uint"],
    ],
    state: "done",
    call: getdents64,
  },
  {
    number: 258,
    name: "mkdirat",
    arguments: [
      ["dirfd", "dirfd"],
      ["pathname", "path"],
      ["mode", "mode"],
    ],
    state: "done",
    call: mkdirat,
  },
  {
    number: 259,
    name: "mknodat",
    arguments: [
      ["dirfd", "dirfd"],
      ["pathname", "path"],
      ["mode", "mode"],
      ["dev", "hex"],
    ],
    state: "done",
    call: mknodat,
  },
  {
    number: 263,
    name: "unlinkat",
    arguments: [
      ["dirfd", "dirfd"],
      ["pathname", "path"],
      ["flags", { flags: { AT_REMOVEDIR } }],
    ],
    state: "done",
    call: unlinkat,
  },
  {
    number: 264,
    name: "renameat",
    arguments: [
      ["olddirfd", "dirfd"],
      ["oldpath", "path"],
      ["newdirfd", "dirfd"],
      ["newpath", "path"],
    ],
    state: "done",
    call: renameat,
  },
  {
    number: 265,
    name: "linkat",
    arguments: [
      ["olddirfd", "dirfd"],
      ["oldpath", "path"],
      ["newdirfd", "dirfd"],
      ["newpath", "path"],
      ["flags", { flags: { AT_SYMLINK_FOLLOW, AT_EMPTY_PATH } }],
    ],
    state: "done",
    call: linkat,
  },
  {
    number: 266,
    name: "symlinkat",
    arguments: [
      ["target", "string"],
      ["newdirfd", "dirfd"],
      ["linkpath", "path"],
    ],
    state: "done",
    call: symlinkat,
  },
  {
    number: 316,
    name: "renameat2",
    arguments: [
      ["olddirfd", "dirfd"],
      ["oldpath", "path"],
      ["newdirfd", "dirfd"],
      ["newpath", "path"],
      ["flags", { flags: RENAME }],
    ],
    state: "partial",
    note: "no RENAME_WHITEOUT; RENAME_EXCHANGE not on a host directory",
    call: renameat2,
  },
];
