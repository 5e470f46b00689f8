/** Opening, closing and duplicating descriptors. */

import { E2BIG, EAGAIN, EBADF, EINVAL, EMFILE, ENAMETOOLONG, Errno } from "../errno.ts";
import { RamFs } from "../fs/ramfs.ts";
import type { Thread } from "../sched/thread.ts";
import { Dentry } from "../vfs/dentry.ts";
import type { ResolveOptions } from "../vfs/mount-table.ts";
import type { OpenFile, Result } from "../vfs/open-file.ts";
import * as Open from "../vfs/open-flags.ts";
import {
  AT_FDCWD,
  O_CLOEXEC,
  O_CREAT,
  O_LARGEFILE,
  O_PATH,
  O_TMPFILE_BIT,
  O_TRUNC,
  O_WRONLY,
  VALID_OPEN_FLAGS,
} from "../vfs/open-flags.ts";
import { Path } from "../vfs/path.ts";
import { RESOLVE_BENEATH, RESOLVE_CACHED, RESOLVE_IN_ROOT } from "../vfs/path-walk.ts";
import { baseFor, nameAt } from "./arguments.ts";
import type { SyscallDefinition } from "./definition.ts";

const OPEN_FLAGS = {
  O_WRONLY: Open.O_WRONLY,
  O_RDWR: Open.O_RDWR,
  O_CREAT: Open.O_CREAT,
  O_EXCL: Open.O_EXCL,
  O_NOCTTY: Open.O_NOCTTY,
  O_TRUNC: Open.O_TRUNC,
  O_APPEND: Open.O_APPEND,
  O_NONBLOCK: Open.O_NONBLOCK,
  O_SYNC: Open.O_SYNC,
  O_DSYNC: Open.O_DSYNC,
  O_ASYNC: Open.FASYNC,
  O_DIRECT: Open.O_DIRECT,
  O_LARGEFILE: Open.O_LARGEFILE,
  O_TMPFILE: Open.O_TMPFILE,
  O_DIRECTORY: Open.O_DIRECTORY,
  O_NOFOLLOW: Open.O_NOFOLLOW,
  O_NOATIME: Open.O_NOATIME,
  O_CLOEXEC: Open.O_CLOEXEC,
  O_PATH: Open.O_PATH,
} as const;

const CLOSE_RANGE_UNSHARE = 2;
const CLOSE_RANGE_CLOEXEC = 4;

/** memfd_create(2) (linux/memfd.h) */
const MFD = {
  MFD_CLOEXEC: 1,
  MFD_ALLOW_SEALING: 2,
  MFD_HUGETLB: 4,
  MFD_NOEXEC_SEAL: 8,
  MFD_EXEC: 16,
} as const;
const F_SEAL_SEAL = 1;

/** Everything of open(2) from the name in memory to the descriptor. */
function openInto(
  thread: Thread,
  name: string,
  flags: number,
  mode: number,
  options: ResolveOptions,
): Result {
  const opened = thread.kernel.mounts.tryOpen(thread, name, flags | 0, mode, options);
  if (typeof opened === "number") return opened;
  if (opened instanceof Promise) return opened.then((file) => install(thread, file, flags));
  return install(thread, opened, flags);
}

function install(thread: Thread, file: OpenFile, flags: number): number {
  const fd = thread.application.files.install(file, (flags & O_CLOEXEC) !== 0);
  if (fd < 0) {
    file.retain();
    file.release();
  }
  return fd;
}

function open(thread: Thread, pathname: number, flags: number, mode: number): Result {
  return openat(thread, AT_FDCWD, pathname, flags, mode);
}

function openat(thread: Thread, dirfd: number, pathname: number, flags: number, mode: number): Result {
  const name = nameAt(thread, pathname);
  if (thread.application.files.free() < 0) return -EMFILE;
  // force_o_largefile(): every file of a 64-bit program is.
  return openInto(thread, name, flags | O_LARGEFILE, mode, { base: baseFor(thread, dirfd, name) });
}

function creat(thread: Thread, pathname: number, mode: number): Result {
  return openat(thread, AT_FDCWD, pathname, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/** openat2(2): struct open_how { u64 flags, mode, resolve } (linux/openat2.h). */
function openat2(thread: Thread, dirfd: number, pathname: number, how: number, size: number): Result {
  const { memory } = thread;
  if (size < 24) return -EINVAL;
  if (size > 4096) return -E2BIG;
  for (let i = 24; i < size; i++) if (memory.readU8(how + i) !== 0) return -E2BIG;
  const flags = memory.readI64(how);
  const mode = memory.readI64(how + 8);
  const resolve = memory.readI64(how + 16);
  if (flags < 0 || flags > 0xffffffff || (flags & ~VALID_OPEN_FLAGS) !== 0) return -EINVAL;
  if (resolve < 0 || resolve > 0x3f) return -EINVAL;
  const scoped = resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT);
  if (scoped === (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) return -EINVAL;
  if ((flags & (O_CREAT | O_TMPFILE_BIT)) !== 0 ? mode < 0 || mode > 0o7777 : mode !== 0) return -EINVAL;
  if ((flags & O_PATH) !== 0 && (flags & ~(O_PATH | Open.O_DIRECTORY | Open.O_NOFOLLOW | O_CLOEXEC)) !== 0)
    return -EINVAL;
  // Nothing is known without asking the file system.
  if ((resolve & RESOLVE_CACHED) !== 0) return -EAGAIN;
  const name = nameAt(thread, pathname);
  if (thread.application.files.free() < 0) return -EMFILE;
  if (scoped === 0)
    return openInto(thread, name, flags, mode, { base: baseFor(thread, dirfd, name), restrict: resolve });
  const base = baseFor(thread, dirfd, `./${name}`) ?? thread.application.cwd;
  return openInto(thread, name, flags, mode, { base, root: base, restrict: resolve });
}

function close(thread: Thread, fd: number): number {
  return thread.application.files.remove(fd | 0);
}

function closeRange(thread: Thread, first: number, last: number, flags: number): number {
  const from = first >>> 0;
  const to = last >>> 0;
  if ((flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) !== 0 || from > to) return -EINVAL;
  const { files } = thread.application;
  if ((flags & CLOSE_RANGE_UNSHARE) !== 0 && files.isShared) return -EINVAL;
  for (let fd = Math.min(to, files.size - 1); fd >= from; fd--) {
    if (files.get(fd) === undefined) continue;
    if ((flags & CLOSE_RANGE_CLOEXEC) !== 0) files.setCloseOnExec(fd, true);
    else files.remove(fd);
  }
  return 0;
}

function dup(thread: Thread, fd: number): number {
  const { files } = thread.application;
  const file = files.get(fd | 0);
  return file === undefined ? -EBADF : files.install(file);
}

function dup2(thread: Thread, oldfd: number, newfd: number): number {
  const { files } = thread.application;
  const file = files.get(oldfd | 0);
  if (file === undefined) return -EBADF;
  if ((oldfd | 0) === (newfd | 0)) return newfd | 0;
  return files.installAt(newfd | 0, file, false);
}

function dup3(thread: Thread, oldfd: number, newfd: number, flags: number): number {
  const { files } = thread.application;
  if ((flags & ~O_CLOEXEC) !== 0 || (oldfd | 0) === (newfd | 0)) return -EINVAL;
  if (newfd >>> 0 >= files.limit) return -EBADF;
  const file = files.get(oldfd | 0);
  if (file === undefined) return -EBADF;
  return files.installAt(newfd | 0, file, (flags & O_CLOEXEC) !== 0);
}

/** The file system of memfds: never mounted. One for each name space. */
const memfdFileSystems = new WeakMap<object, RamFs>();

function memfdCreate(thread: Thread, nameAddress: number, flags: number): number {
  if ((flags & ~(MFD.MFD_CLOEXEC | MFD.MFD_ALLOW_SEALING | MFD.MFD_NOEXEC_SEAL | MFD.MFD_EXEC)) !== 0)
    return -EINVAL;
  if ((flags & MFD.MFD_EXEC) !== 0 && (flags & MFD.MFD_NOEXEC_SEAL) !== 0) return -EINVAL;
  let name: string;
  try {
    // MFD_NAME_MAX_LEN (NAME_MAX without "memfd:") and the NUL.
    name = thread.memory.readString(nameAddress, 250);
  } catch (error) {
    if (error instanceof Errno && error.errno === ENAMETOOLONG) return -EINVAL;
    throw error;
  }
  const { mounts } = thread.kernel;
  let fileSystem = memfdFileSystems.get(mounts);
  if (fileSystem === undefined) {
    fileSystem = new RamFs(mounts.clock, { type: "tmpfs", memory: mounts.fileMemory });
    memfdFileSystems.set(mounts, fileSystem);
  }
  const inode = fileSystem.newFile((flags & MFD.MFD_NOEXEC_SEAL) !== 0 ? 0o666 : 0o777, 0, 0);
  inode.nlink = 0;
  inode.seals = (flags & (MFD.MFD_ALLOW_SEALING | MFD.MFD_NOEXEC_SEAL)) !== 0 ? 0 : F_SEAL_SEAL;
  const dentry = new Dentry(inode, `/memfd:${name} (deleted)`, undefined);
  const file = inode.open(thread, Open.O_RDWR | Open.O_LARGEFILE);
  file.path = new Path(mounts.root.mount, dentry);
  dentry.pin();
  return install(thread, file, (flags & MFD.MFD_CLOEXEC) !== 0 ? O_CLOEXEC : 0);
}

export const FILE_SYSCALLS: readonly SyscallDefinition[] = [
  {
    number: 2,
    name: "open",
    arguments: [
      ["pathname", "path"],
      ["flags", { flags: OPEN_FLAGS }],
      ["mode", "mode"],
    ],
    state: "done",
    call: open,
  },
  { number: 3, name: "close", arguments: [["fd", "fd"]], state: "done", call: close },
  { number: 32, name: "dup", arguments: [["oldfd", "fd"]], state: "done", call: dup },
  {
    number: 33,
    name: "dup2",
    arguments: [
      ["oldfd", "fd"],
      ["newfd", "fd"],
    ],
    state: "done",
    call: dup2,
  },
  {
    number: 85,
    name: "creat",
    arguments: [
      ["pathname", "path"],
      ["mode", "mode"],
    ],
    state: "done",
    call: creat,
  },
  {
    number: 257,
    name: "openat",
    arguments: [
      ["dirfd", "dirfd"],
      ["pathname", "path"],
      ["flags", { flags: OPEN_FLAGS }],
      ["mode", "mode"],
    ],
    state: "done",
    call: openat,
  },
  {
    number: 292,
    name: "dup3",
    arguments: [
      ["oldfd", "fd"],
      ["newfd", "fd"],
      ["flags", { flags: OPEN_FLAGS }],
    ],
    state: "done",
    call: dup3,
  },
  {
    number: 319,
    name: "memfd_create",
    arguments: [
      ["name", "string"],
      ["flags", { flags: MFD }],
    ],
    state: "partial",
    note: "no MFD_HUGETLB",
    call: memfdCreate,
  },
  {
    number: 436,
    name: "close_range",
    arguments: [
      ["first", "uint"],
      ["last", "uint"],
      ["flags", "hex"],
    ],
    state: "partial",
    note: "CLOSE_RANGE_UNSHARE only where the table is not shared",
    call: closeRange,
  },
  {
    number: 437,
    name: "openat2",
    arguments: [
      ["dirfd", "dirfd"],
      ["pathname", "path"],
      ["how", "pointer"],
      ["size", "size"],
    ],
    state: "done",
    call: openat2,
  },
];
