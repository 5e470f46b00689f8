/** Asking about files: the stat family, statfs, access, readlink. */

import { EACCES, EFAULT, EINVAL, ENOENT, EROFS } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import { major, minor } from "../vfs/character-device.ts";
import {
  type FileSystem,
  type Inode,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFREG,
  S_IFSOCK,
  type Stat,
  type Timestamp,
} from "../vfs/inode.ts";
import {
  type Mount,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RELATIME,
} from "../vfs/mount.ts";
import { encodeName } from "../vfs/names.ts";
import {
  AT_EACCESS,
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_NO_AUTOMOUNT,
  AT_STATX_SYNC_TYPE,
  AT_SYMLINK_NOFOLLOW,
} from "../vfs/open-flags.ts";
import { anyFileOf, findAt, nameAt } from "./arguments.ts";
import type { SyscallDefinition } from "./definition.ts";

const STAT_FLAGS = { AT_SYMLINK_NOFOLLOW, AT_NO_AUTOMOUNT, AT_EMPTY_PATH } as const;
const ACCESS_FLAGS = { AT_SYMLINK_NOFOLLOW, AT_EACCESS, AT_EMPTY_PATH } as const;
const ACCESS_MODE = { R_OK: 4, W_OK: 2, X_OK: 1 } as const;

/** struct stat (asm/stat.h), struct statfs (asm-generic/statfs.h), struct statx (linux/stat.h). */
const STAT_SIZE = 144;
const STATFS_SIZE = 120;
const STATX_SIZE = 256;

/** Masks of statx(2). */
const STATX_BASIC_STATS = 0x7ff;
const STATX_BTIME = 0x800;
const STATX_MNT_ID = 0x1000;
const STATX__RESERVED = 0x80000000;
const STATX_ATTR_MOUNT_ROOT = 0x2000;

/** f_flags of statfs (linux/statfs.h). */
const ST_RDONLY = 0x0001;
const ST_VALID = 0x0020;
const ST_FLAGS: readonly (readonly [mount: number, flag: number])[] = [
  [MS_NOSUID, 0x0002],
  [MS_NODEV, 0x0004],
  [MS_NOEXEC, 0x0008],
  [MS_NOATIME, 0x0400],
  [MS_NODIRATIME, 0x0800],
  [MS_RELATIME, 0x1000],
];

const record = new Uint8Array(STATX_SIZE);
const view = new DataView(record.buffer);
const statRecord = record.subarray(0, STAT_SIZE);
const statfsRecord = record.subarray(0, STATFS_SIZE);

function put64(offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, Math.floor(value / 2 ** 32) >>> 0, true);
}

function putStat(thread: Thread, address: number, stat: Stat): number {
  put64(0, stat.dev);
  view.setBigUint64(8, stat.ino, true);
  put64(16, stat.nlink);
  view.setUint32(24, stat.mode, true);
  view.setUint32(28, stat.uid, true);
  view.setUint32(32, stat.gid, true);
  view.setUint32(36, 0, true);
  put64(40, stat.rdev);
  put64(48, stat.size);
  put64(56, stat.blksize);
  put64(64, stat.blocks);
  put64(72, stat.atime.seconds);
  put64(80, stat.atime.nanoseconds);
  put64(88, stat.mtime.seconds);
  put64(96, stat.mtime.nanoseconds);
  put64(104, stat.ctime.seconds);
  put64(112, stat.ctime.nanoseconds);
  record.fill(0, 120, STAT_SIZE);
  thread.memory.write(address, statRecord);
  return 0;
}

/** The file a (dirfd, name, flags) triple means, which needs no name with AT_EMPTY_PATH; since Linux 6.11 NULL is "" there. */
function targetAt(thread: Thread, dirfd: number, pathname: number, flags: number): Target | number {
  const canBeEmpty = (flags & AT_EMPTY_PATH) !== 0;
  const name = pathname === 0 && canBeEmpty ? "" : nameAt(thread, pathname);
  if (name === "" && canBeEmpty && (dirfd | 0) !== AT_FDCWD) {
    const { inode, path } = anyFileOf(thread, dirfd);
    return { inode, mount: path?.mount };
  }
  return findAt(thread, dirfd, name, (flags & AT_SYMLINK_NOFOLLOW) === 0, flags);
}

/** A file, and the mount it was reached by, if it has a name. A Path is one. */
interface Target {
  readonly inode: Inode;
  readonly mount: Mount | undefined;
}

function stat(thread: Thread, pathname: number, address: number): number {
  const path = findAt(thread, AT_FDCWD, nameAt(thread, pathname), true);
  return typeof path === "number" ? path : putStat(thread, address, path.inode.stat());
}

function lstat(thread: Thread, pathname: number, address: number): number {
  const path = findAt(thread, AT_FDCWD, nameAt(thread, pathname), false);
  return typeof path === "number" ? path : putStat(thread, address, path.inode.stat());
}

function fstat(thread: Thread, fd: number, address: number): number {
  return putStat(thread, address, anyFileOf(thread, fd).inode.stat());
}

function newfstatat(thread: Thread, dirfd: number, pathname: number, address: number, flags: number): number {
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE)) !== 0)
    return -EINVAL;
  const target = targetAt(thread, dirfd, pathname, flags);
  return typeof target === "number" ? target : putStat(thread, address, target.inode.stat());
}

function putTimestamp(offset: number, time: Timestamp): void {
  put64(offset, time.seconds);
  view.setUint32(offset + 8, time.nanoseconds, true);
}

function statx(
  thread: Thread,
  dirfd: number,
  pathname: number,
  flags: number,
  mask: number,
  address: number,
): number {
  if (mask >>> 0 >= STATX__RESERVED) return -EINVAL;
  if ((flags & AT_STATX_SYNC_TYPE) === AT_STATX_SYNC_TYPE) return -EINVAL;
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE)) !== 0)
    return -EINVAL;
  const found = targetAt(thread, dirfd, pathname, flags);
  if (typeof found === "number") return found;
  const { mount } = found;
  const attributes = found.inode.stat();
  record.fill(0);
  const isMountRoot = mount !== undefined && mount.root.inode === found.inode;
  const known =
    STATX_BASIC_STATS |
    (attributes.btime === undefined ? 0 : STATX_BTIME) |
    (mount === undefined ? 0 : STATX_MNT_ID);
  view.setUint32(0, known, true);
  view.setUint32(4, attributes.blksize, true);
  put64(8, isMountRoot ? STATX_ATTR_MOUNT_ROOT : 0);
  view.setUint32(16, attributes.nlink, true);
  view.setUint32(20, attributes.uid, true);
  view.setUint32(24, attributes.gid, true);
  view.setUint16(28, attributes.mode, true);
  view.setBigUint64(32, attributes.ino, true);
  put64(40, attributes.size);
  put64(48, attributes.blocks);
  put64(56, STATX_ATTR_MOUNT_ROOT);
  putTimestamp(64, attributes.atime);
  if (attributes.btime !== undefined) putTimestamp(80, attributes.btime);
  putTimestamp(96, attributes.ctime);
  putTimestamp(112, attributes.mtime);
  view.setUint32(128, major(attributes.rdev), true);
  view.setUint32(132, minor(attributes.rdev), true);
  view.setUint32(136, major(attributes.dev), true);
  view.setUint32(140, minor(attributes.dev), true);
  put64(144, mount?.id ?? 0);
  thread.memory.write(address, record);
  return 0;
}

function putStatfs(
  thread: Thread,
  address: number,
  fileSystem: FileSystem,
  dev: number,
  mount: Mount | undefined,
): number {
  const space = fileSystem.statfs();
  record.fill(0, 0, STATFS_SIZE);
  put64(0, space.type);
  put64(8, space.blockSize);
  put64(16, space.blocks);
  put64(24, space.freeBlocks);
  put64(32, space.freeBlocks);
  put64(40, space.files);
  put64(48, space.freeFiles);
  view.setUint32(56, dev, true);
  put64(64, space.nameLength);
  put64(72, space.blockSize);
  let flags = ST_VALID | (mount?.readOnly === true ? ST_RDONLY : 0);
  for (const [bit, flag] of ST_FLAGS) if (((mount?.flags ?? 0) & bit) !== 0) flags |= flag;
  put64(80, flags);
  thread.memory.write(address, statfsRecord);
  return 0;
}

function statfs(thread: Thread, pathname: number, address: number): number {
  const path = findAt(thread, AT_FDCWD, nameAt(thread, pathname), true);
  if (typeof path === "number") return path;
  const { inode, mount } = path;
  return putStatfs(thread, address, inode.fileSystem, inode.stat().dev, mount);
}

function fstatfs(thread: Thread, fd: number, address: number): number {
  const { inode, path } = anyFileOf(thread, fd);
  return putStatfs(thread, address, inode.fileSystem, inode.stat().dev, path?.mount);
}

/** The answer for the one user there is, who has CAP_DAC_OVERRIDE: reading and writing are always allowed. */
function checkAccess(inode: Inode, mount: Mount | undefined, mode: number): number {
  const { type } = inode;
  if ((mode & ACCESS_MODE.X_OK) !== 0 && type !== S_IFDIR) {
    if (type === S_IFREG && ((mount?.flags ?? 0) & MS_NOEXEC) !== 0) return -EACCES;
    if ((inode.stat().mode & 0o111) === 0) return -EACCES;
  }
  const special = type === S_IFCHR || type === S_IFBLK || type === S_IFIFO || type === S_IFSOCK;
  if ((mode & ACCESS_MODE.W_OK) !== 0 && !special && mount?.readOnly === true) return -EROFS;
  return 0;
}

function access(thread: Thread, pathname: number, mode: number): number {
  return faccessat2(thread, AT_FDCWD, pathname, mode, 0);
}

function faccessat(thread: Thread, dirfd: number, pathname: number, mode: number): number {
  return faccessat2(thread, dirfd, pathname, mode, 0);
}

function faccessat2(thread: Thread, dirfd: number, pathname: number, mode: number, flags: number): number {
  if ((mode & ~7) !== 0) return -EINVAL;
  if ((flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const target = targetAt(thread, dirfd, pathname, flags);
  return typeof target === "number" ? target : checkAccess(target.inode, target.mount, mode);
}

function readlink(thread: Thread, pathname: number, address: number, size: number): number {
  return readlinkat(thread, AT_FDCWD, pathname, address, size);
}

function readlinkat(thread: Thread, dirfd: number, pathname: number, address: number, size: number): number {
  const limit = size | 0;
  if (limit <= 0) return -EINVAL;
  const name = nameAt(thread, pathname);
  // "" means a link opened with O_PATH | O_NOFOLLOW.
  if (name === "" && (dirfd | 0) === AT_FDCWD) return -ENOENT;
  const path = findAt(thread, dirfd, name, false, AT_EMPTY_PATH);
  if (typeof path === "number") return path;
  const { inode } = path;
  if (inode.type !== S_IFLNK) return name === "" ? -ENOENT : -EINVAL;
  const target = encodeName(inode.readlink(thread));
  const length = Math.min(target.length, limit);
  if (!thread.memory.check(address, length, true)) return -EFAULT;
  thread.memory.write(address, target.subarray(0, length));
  return length;
}

export const STAT_SYSCALLS: readonly SyscallDefinition[] = [
  {
    number: 4,
    name: "stat",
    arguments: [
      ["pathname", "path"],
      ["statbuf", "pointer"],
    ],
    state: "done",
    call: stat,
  },
  {
    number: 5,
    name: "fstat",
    arguments: [
      ["fd", "fd"],
      ["statbuf", "pointer"],
    ],
    state: "done",
    call: fstat,
  },
  {
    number: 6,
    name: "lstat",
    arguments: [
      ["pathname", "path"],
      ["statbuf", "pointer"],
    ],
    state: "done",
    call: lstat,
  },
  {
    number: 21,
    name: "access",
    arguments: [
      ["pathname", "path"],
      ["mode", { flags: ACCESS_MODE }],
    ],
    state: "done",
    call: access,
  },
  {
    number: 89,
    name: "readlink",
    arguments: [
      ["pathname", "path"],
      ["buf", "outbuffer"],
      ["bufsiz", "size"],
    ],
    state: "done",
    call: readlink,
  },
  {
    number: 137,
    name: "statfs",
    arguments: [
      ["path", "path"],
      ["buf", "pointer"],
    ],
    state: "done",
    call: statfs,
  },
  {
    number: 138,
    name: "fstatfs",
    arguments: [
      ["fd", "fd"],
      ["buf", "pointer"],
    ],
    state: "done",
    call: fstatfs,
  },
  {
    number: 262,
    name: "newfstatat",
    arguments: [
      ["dirfd", "dirfd"],
      ["pathname", "path"],
      ["statbuf", "pointer"],
      ["flags", { flags: STAT_FLAGS }],
    ],
    state: "done",
    call: newfstatat,
  },
  {
    number: 267,
    name: "readlinkat",
    arguments: [
      ["dirfd", "dirfd"],
      ["pathname", "path"],
      ["buf", "outbuffer"],
      ["bufsiz", "size"],
    ],
    state: "done",
    call: readlinkat,
  },
  {
    number: 269,
    name: "faccessat",
    arguments: [
      ["dirfd", "dirfd"],
      ["pathname", "path"],
      ["mode", { flags: ACCESS_MODE }],
    ],
    state: "done",
    call: faccessat,
  },
  {
    number: 332,
    name: "statx",
    arguments: [
      ["dirfd", "dirfd"],
      ["pathname", "path"],
      ["flags", { flags: STAT_FLAGS }],
      ["mask", "hex"],
      ["statxbuf", "pointer"],
    ],
    state: "done",
    call: statx,
  },
  {
    number: 439,
    name: "faccessat2",
    arguments: [
      ["dirfd", "dirfd"],
      ["pathname", "path"],
      ["mode", { flags: ACCESS_MODE }],
      ["flags", { flags: ACCESS_FLAGS }],
    ],
    state: "done",
    call: faccessat2,
  },
];
