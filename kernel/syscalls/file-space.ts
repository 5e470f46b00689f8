/** The size and the storage of files: truncate, fallocate, fsync and their kin. */

import { EBADF, EFBIG, EINVAL, EISDIR, ENODEV, EOPNOTSUPP, EPERM, EROFS, ESPIPE } from "../errno.ts";
import {
  FALLOC_FL_COLLAPSE_RANGE,
  FALLOC_FL_INSERT_RANGE,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_UNSHARE_RANGE,
  FALLOC_FL_ZERO_RANGE,
} from "../fs/ramfs-file.ts";
import type { Thread } from "../sched/thread.ts";
import { type Inode, S_IFDIR, S_IFIFO, S_IFREG } from "../vfs/inode.ts";
import type { Result } from "../vfs/open-file.ts";
import { AT_FDCWD, O_APPEND } from "../vfs/open-flags.ts";
import { MAX_FILE_SIZE } from "../vfs/regular-file.ts";
import { anyFileOf, fileOf, nameAt, pathAt } from "./arguments.ts";
import type { SyscallDefinition } from "./definition.ts";

const FALLOC = {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_COLLAPSE_RANGE,
  FALLOC_FL_ZERO_RANGE,
  FALLOC_FL_INSERT_RANGE,
  FALLOC_FL_UNSHARE_RANGE,
} as const;
const FALLOC_KNOWN = Object.values(FALLOC).reduce((all, flag) => all | flag, 0);

const ADVICE = {
  POSIX_FADV_NORMAL: 0,
  POSIX_FADV_RANDOM: 1,
  POSIX_FADV_SEQUENTIAL: 2,
  POSIX_FADV_WILLNEED: 3,
  POSIX_FADV_DONTNEED: 4,
  POSIX_FADV_NOREUSE: 5,
} as const;

function resize(inode: Inode, size: number): number {
  if (size > MAX_FILE_SIZE) return -EFBIG;
  inode.setAttributes({ size });
  return 0;
}

function truncate(thread: Thread, pathname: number, length: number): number {
  if (length < 0) return -EINVAL;
  const { inode, mount } = pathAt(thread, AT_FDCWD, nameAt(thread, pathname), true);
  if (inode.type === S_IFDIR) return -EISDIR;
  if (inode.type !== S_IFREG) return -EINVAL;
  if (mount.readOnly) return -EROFS;
  return resize(inode, length);
}

function ftruncate(thread: Thread, fd: number, length: number): number {
  if (length < 0) return -EINVAL;
  const file = fileOf(thread, fd);
  if (file.inode.type !== S_IFREG || !file.writable) return -EINVAL;
  return resize(file.inode, length);
}

function fallocate(thread: Thread, fd: number, mode: number, offset: number, length: number): number {
  const file = fileOf(thread, fd);
  if (offset < 0 || length <= 0) return -EINVAL;
  if ((mode & ~FALLOC_KNOWN) !== 0) return -EOPNOTSUPP;
  const punch = (mode & FALLOC_FL_PUNCH_HOLE) !== 0;
  if (punch && (mode & FALLOC_FL_ZERO_RANGE) !== 0) return -EOPNOTSUPP;
  if (punch && (mode & FALLOC_FL_KEEP_SIZE) === 0) return -EOPNOTSUPP;
  if ((mode & FALLOC_FL_COLLAPSE_RANGE) !== 0 && (mode & ~FALLOC_FL_COLLAPSE_RANGE) !== 0) return -EINVAL;
  if ((mode & FALLOC_FL_INSERT_RANGE) !== 0 && (mode & ~FALLOC_FL_INSERT_RANGE) !== 0) return -EINVAL;
  if (
    (mode & FALLOC_FL_UNSHARE_RANGE) !== 0 &&
    (mode & ~(FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_KEEP_SIZE)) !== 0
  )
    return -EINVAL;
  if (!file.writable) return -EBADF;
  if ((mode & ~FALLOC_FL_KEEP_SIZE) !== 0 && (file.flags & O_APPEND) !== 0) return -EPERM;
  const { inode } = file;
  if (inode.type === S_IFIFO) return -ESPIPE;
  if (inode.type === S_IFDIR) return -EISDIR;
  if (inode.type !== S_IFREG) return -ENODEV;
  if (offset + length > MAX_FILE_SIZE) return -EFBIG;
  if (inode.allocate === undefined) return -EOPNOTSUPP;
  inode.allocate(mode, offset, length);
  return 0;
}

function fsync(thread: Thread, fd: number): Result {
  return fileOf(thread, fd).sync();
}

function sync(thread: Thread): number {
  for (const { fileSystem } of thread.kernel.mounts.mounts) fileSystem.sync();
  return 0;
}

function syncfs(thread: Thread, fd: number): number {
  fileOf(thread, fd).inode.fileSystem.sync();
  return 0;
}

function syncFileRange(thread: Thread, fd: number, offset: number, length: number, flags: number): Result {
  const file = fileOf(thread, fd);
  if ((flags & ~7) !== 0 || offset < 0 || length < 0) return -EINVAL;
  if (file.inode.type !== S_IFREG && file.inode.type !== S_IFDIR) return -ESPIPE;
  return file.sync();
}

/** Advice is checked, and then not needed. */
function fadvise64(thread: Thread, fd: number, _offset: number, length: number, advice: number): number {
  const file = fileOf(thread, fd);
  if (file.inode.type === S_IFIFO) return -ESPIPE;
  if (length < 0) return -EINVAL;
  return advice >>> 0 > ADVICE.POSIX_FADV_NOREUSE ? -EINVAL : 0;
}

function readahead(thread: Thread, fd: number): number {
  const file = anyFileOf(thread, fd);
  if (!file.readable) return -EBADF;
  return file.inode.type === S_IFREG ? 0 : -EINVAL;
}

export const FILE_SPACE_SYSCALLS: readonly SyscallDefinition[] = [
  { number: 74, name: "fsync", arguments: [["fd", "fd"]], state: "done", call: fsync },
  { number: 75, name: "fdatasync", arguments: [["fd", "fd"]], state: "done", call: fsync },
  {
    number: 76,
    name: "truncate",
    arguments: [
      ["path", "path"],
      ["length", "offset"],
    ],
    state: "done",
    call: truncate,
  },
  {
    number: 77,
    name: "ftruncate",
    arguments: [
      ["fd", "fd"],
      ["length", "offset"],
    ],
    state: "done",
    call: ftruncate,
  },
  { number: 162, name: "sync", arguments: [], state: "done", call: sync },
  {
    number: 187,
    name: "readahead",
    arguments: [
      ["fd", "fd"],
      ["offset", "offset"],
      ["count", "size"],
    ],
    state: "done",
    call: readahead,
  },
  {
    number: 221,
    name: "fadvise64",
    arguments: [
      ["fd", "fd"],
      ["offset", "offset"],
      ["len", "offset"],
      ["advice", { oneOf: ADVICE }],
    ],
    state: "done",
    call: fadvise64,
  },
  {
    number: 277,
    name: "sync_file_range",
    arguments: [
      ["fd", "fd"],
      ["offset", "offset"],
      ["nbytes", "offset"],
      ["flags", "hex"],
    ],
    state: "done",
    call: syncFileRange,
  },
  {
    number: 285,
    name: "fallocate",
    arguments: [
      ["fd", "fd"],
      ["mode", { flags: FALLOC }],
      ["offset", "offset"],
      ["len", "offset"],
    ],
    state: "partial",
    note: "no COLLAPSE_RANGE, INSERT_RANGE; on a host directory only growing",
    call: fallocate,
  },
  { number: 306, name: "syncfs", arguments: [["fd", "fd"]], state: "done", call: syncfs },
];
