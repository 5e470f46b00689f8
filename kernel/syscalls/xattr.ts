/** Extended attributes (xattr(7)). */

import {
  E2BIG,
  EEXIST,
  EINVAL,
  ENAMETOOLONG,
  ENODATA,
  EOPNOTSUPP,
  EPERM,
  ERANGE,
  EROFS,
  Errno,
} from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import { type Inode, S_IFDIR, S_IFREG } from "../vfs/inode.ts";
import type { Mount } from "../vfs/mount.ts";
import { encodeName } from "../vfs/names.ts";
import { AT_FDCWD } from "../vfs/open-flags.ts";
import { fileOf, nameAt, pathAt } from "./arguments.ts";
import type { SyscallDefinition } from "./definition.ts";

/** linux/limits.h */
const XATTR_NAME_MAX = 255;
const XATTR_SIZE_MAX = 65536;
const XATTR_LIST_MAX = 65536;

const SET_FLAGS = { XATTR_CREATE: 1, XATTR_REPLACE: 2 } as const;

/** Which file a call is about. */
type Target = { readonly inode: Inode; readonly mount: Mount | undefined };

function byPath(thread: Thread, pathname: number, follow: boolean): Target {
  return pathAt(thread, AT_FDCWD, nameAt(thread, pathname), follow);
}

function byDescriptor(thread: Thread, fd: number): Target {
  const { inode, path } = fileOf(thread, fd);
  return { inode, mount: path?.mount };
}

function attributeName(thread: Thread, address: number): string {
  let name = "";
  try {
    name = thread.memory.readString(address, XATTR_NAME_MAX + 1);
  } catch (error) {
    if (error instanceof Errno && error.errno === ENAMETOOLONG) throw new Errno(ERANGE);
    throw error;
  }
  if (name === "") throw new Errno(ERANGE);
  return name;
}

/** Namespaces that a file system here has; "user." only on files and directories (xattr_permission). */
function checkNamespace(inode: Inode, name: string, writing: boolean): void {
  if (inode.xattrs === undefined) throw new Errno(EOPNOTSUPP);
  if (name.startsWith("user.") && name.length > 5) {
    if (inode.type !== S_IFREG && inode.type !== S_IFDIR) throw new Errno(writing ? EPERM : ENODATA);
    return;
  }
  if (name.startsWith("trusted.") && name.length > 8) return;
  if (name.startsWith("security.") && name.length > 9) return;
  throw new Errno(name === "user." || name === "trusted." || name === "security." ? EINVAL : EOPNOTSUPP);
}

function set(
  thread: Thread,
  target: () => Target,
  nameAddress: number,
  value: number,
  size: number,
  flags: number,
): number {
  if ((flags & ~3) !== 0) return -EINVAL;
  const name = attributeName(thread, nameAddress);
  if (size < 0 || size > XATTR_SIZE_MAX) return -E2BIG;
  const bytes = size === 0 ? new Uint8Array(0) : thread.memory.read(value, size);
  const { inode, mount } = target();
  if (mount?.readOnly === true) return -EROFS;
  checkNamespace(inode, name, true);
  const { xattrs } = inode;
  if (xattrs === undefined) return -EOPNOTSUPP;
  if ((flags & SET_FLAGS.XATTR_CREATE) !== 0 && xattrs.has(name)) return -EEXIST;
  if ((flags & SET_FLAGS.XATTR_REPLACE) !== 0 && !xattrs.has(name)) return -ENODATA;
  inode.setAttributes({});
  xattrs.set(name, bytes);
  return 0;
}

function get(thread: Thread, target: Target, nameAddress: number, value: number, size: number): number {
  const name = attributeName(thread, nameAddress);
  const { inode } = target;
  checkNamespace(inode, name, false);
  const bytes = inode.xattrs?.get(name);
  if (bytes === undefined) return -ENODATA;
  if (size === 0) return bytes.length;
  if (size > 0 && size < bytes.length) return -ERANGE;
  thread.memory.write(value, bytes);
  return bytes.length;
}

function list(thread: Thread, { inode }: Target, address: number, size: number): number {
  const names = [...(inode.xattrs?.keys() ?? [])].map((name) => encodeName(`${name}\0`));
  const total = names.reduce((sum, name) => sum + name.length, 0);
  if (total > XATTR_LIST_MAX) return -E2BIG;
  if (size === 0) return total;
  if (size > 0 && size < total) return -ERANGE;
  let at = address;
  for (const name of names) {
    thread.memory.write(at, name);
    at += name.length;
  }
  return total;
}

function remove(thread: Thread, { inode, mount }: Target, nameAddress: number): number {
  const name = attributeName(thread, nameAddress);
  if (mount?.readOnly === true) return -EROFS;
  checkNamespace(inode, name, true);
  if (inode.xattrs?.delete(name) !== true) return -ENODATA;
  inode.setAttributes({});
  return 0;
}

const SET_REST = [
  ["name", "string"],
  ["value", "buffer"],
  ["size", "size"],
  ["flags", { flags: SET_FLAGS }],
] as const;
const GET_REST = [
  ["name", "string"],
  ["value", "outbuffer"],
  ["size", "size"],
] as const;
const LIST_REST = [
  ["list", "outbuffer"],
  ["size", "size"],
] as const;
const NOTE = "in memory only; none on a host directory";

export const XATTR_SYSCALLS: readonly SyscallDefinition[] = [
  {
    number: 188,
    name: "setxattr",
    arguments: [["path", "path"], ...SET_REST],
    state: "partial",
    note: NOTE,
    call: (thread, path, name, value, size, flags) =>
      set(thread, () => byPath(thread, path, true), name, value, size, flags),
  },
  {
    number: 189,
    name: "lsetxattr",
    arguments: [["path", "path"], ...SET_REST],
    state: "partial",
    note: NOTE,
    call: (thread, path, name, value, size, flags) =>
      set(thread, () => byPath(thread, path, false), name, value, size, flags),
  },
  {
    number: 190,
    name: "fsetxattr",
    arguments: [["fd", "fd"], ...SET_REST],
    state: "partial",
    note: NOTE,
    call: (thread, fd, name, value, size, flags) =>
      set(thread, () => byDescriptor(thread, fd), name, value, size, flags),
  },
  {
    number: 191,
    name: "getxattr",
    arguments: [["path", "path"], ...GET_REST],
    state: "partial",
    note: NOTE,
    call: (thread, path, name, value, size) => get(thread, byPath(thread, path, true), name, value, size),
  },
  {
    number: 192,
    name: "lgetxattr",
    arguments: [["path", "path"], ...GET_REST],
    state: "partial",
    note: NOTE,
    call: (thread, path, name, value, size) => get(thread, byPath(thread, path, false), name, value, size),
  },
  {
    number: 193,
    name: "fgetxattr",
    arguments: [["fd", "fd"], ...GET_REST],
    state: "partial",
    note: NOTE,
    call: (thread, fd, name, value, size) => get(thread, byDescriptor(thread, fd), name, value, size),
  },
  {
    number: 194,
    name: "listxattr",
    arguments: [["path", "path"], ...LIST_REST],
    state: "partial",
    note: NOTE,
    call: (thread, path, address, size) => list(thread, byPath(thread, path, true), address, size),
  },
  {
    number: 195,
    name: "llistxattr",
    arguments: [["path", "path"], ...LIST_REST],
    state: "partial",
    note: NOTE,
    call: (thread, path, address, size) => list(thread, byPath(thread, path, false), address, size),
  },
  {
    number: 196,
    name: "flistxattr",
    arguments: [["fd", "fd"], ...LIST_REST],
    state: "partial",
    note: NOTE,
    call: (thread, fd, address, size) => list(thread, byDescriptor(thread, fd), address, size),
  },
  {
    number: 197,
    name: "removexattr",
    arguments: [
      ["path", "path"],
      ["name", "string"],
    ],
    state: "partial",
    note: NOTE,
    call: (thread, path, name) => remove(thread, byPath(thread, path, true), name),
  },
  {
    number: 198,
    name: "lremovexattr",
    arguments: [
      ["path", "path"],
      ["name", "string"],
    ],
    state: "partial",
    note: NOTE,
    call: (thread, path, name) => remove(thread, byPath(thread, path, false), name),
  },
  {
    number: 199,
    name: "fremovexattr",
    arguments: [
      ["fd", "fd"],
      ["name", "string"],
    ],
    state: "partial",
    note: NOTE,
    call: (thread, fd, name) => remove(thread, byDescriptor(thread, fd), name),
  },
];
