/** Changing attributes of files: mode, owner, times; umask. */

import { EFAULT, EINVAL, EROFS, Errno } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import { type AttributeChanges, type Inode, S_IFDIR, type Timestamp } from "../vfs/inode.ts";
import type { Mount } from "../vfs/mount.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "../vfs/open-flags.ts";
import { anyFileOf, fileOf, nameAt, pathAt } from "./arguments.ts";
import type { SyscallDefinition } from "./definition.ts";

const FLAGS = { AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH } as const;

/** tv_nsec of utimensat(2). */
const UTIME_NOW = 0x3fffffff;
const UTIME_OMIT = 0x3ffffffe;

function change(inode: Inode, mount: Mount | undefined, changes: AttributeChanges): number {
  if (mount?.readOnly === true) throw new Errno(EROFS);
  inode.setAttributes(changes);
  return 0;
}

function chmod(thread: Thread, pathname: number, mode: number): number {
  return fchmodat2(thread, AT_FDCWD, pathname, mode, 0);
}

function fchmod(thread: Thread, fd: number, mode: number): number {
  const { inode, path } = fileOf(thread, fd);
  return change(inode, path?.mount, { mode: mode & 0o7777 });
}

function fchmodat(thread: Thread, dirfd: number, pathname: number, mode: number): number {
  return fchmodat2(thread, dirfd, pathname, mode, 0);
}

function fchmodat2(thread: Thread, dirfd: number, pathname: number, mode: number, flags: number): number {
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const path = pathAt(thread, dirfd, nameAt(thread, pathname), (flags & AT_SYMLINK_NOFOLLOW) === 0, flags);
  return change(path.inode, path.mount, { mode: mode & 0o7777 });
}

/** -1 leaves an id as it is. Set-id bits of files that can be executed go (chown(2)). */
function ownerChanges(inode: Inode, uid: number, gid: number): AttributeChanges {
  const changes: AttributeChanges = {};
  if ((uid | 0) !== -1) changes.uid = uid >>> 0;
  if ((gid | 0) !== -1) changes.gid = gid >>> 0;
  if (inode.type !== S_IFDIR) {
    const { mode } = inode.stat();
    const cleared = mode & ~0o4000 & ((mode & 0o010) !== 0 ? ~0o2000 : ~0);
    if (cleared !== mode) changes.mode = cleared & 0o7777;
  }
  return changes;
}

function chown(thread: Thread, pathname: number, uid: number, gid: number): number {
  return fchownat(thread, AT_FDCWD, pathname, uid, gid, 0);
}

function lchown(thread: Thread, pathname: number, uid: number, gid: number): number {
  return fchownat(thread, AT_FDCWD, pathname, uid, gid, AT_SYMLINK_NOFOLLOW);
}

function fchown(thread: Thread, fd: number, uid: number, gid: number): number {
  const { inode, path } = fileOf(thread, fd);
  return change(inode, path?.mount, ownerChanges(inode, uid, gid));
}

function fchownat(
  thread: Thread,
  dirfd: number,
  pathname: number,
  uid: number,
  gid: number,
  flags: number,
): number {
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const name = nameAt(thread, pathname);
  if (name === "" && (flags & AT_EMPTY_PATH) !== 0 && (dirfd | 0) !== AT_FDCWD) {
    const { inode, path } = anyFileOf(thread, dirfd);
    return change(inode, path?.mount, ownerChanges(inode, uid, gid));
  }
  const path = pathAt(thread, dirfd, name, (flags & AT_SYMLINK_NOFOLLOW) === 0, flags);
  return change(path.inode, path.mount, ownerChanges(path.inode, uid, gid));
}

function umask(thread: Thread, mask: number): number {
  const previous = thread.application.umask;
  thread.application.umask = mask & 0o777;
  return previous;
}

/** One of the two times: undefined leaves it, otherwise what it becomes. */
type NewTime = Timestamp | undefined;

function timesChange(atime: NewTime, mtime: NewTime): AttributeChanges {
  const changes: AttributeChanges = {};
  if (atime !== undefined) changes.atime = atime;
  if (mtime !== undefined) changes.mtime = mtime;
  return changes;
}

/** Where the times of a call go: by name, or to a descriptor when the name is NULL (do_utimes). */
function setTimes(
  thread: Thread,
  dirfd: number,
  pathname: number,
  flags: number,
  atime: NewTime,
  mtime: NewTime,
): number {
  const changes = timesChange(atime, mtime);
  if (pathname === 0 && (dirfd | 0) !== AT_FDCWD) {
    if ((flags | 0) !== 0) return -EINVAL;
    const { inode, path } = fileOf(thread, dirfd);
    return change(inode, path?.mount, changes);
  }
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const path = pathAt(thread, dirfd, nameAt(thread, pathname), (flags & AT_SYMLINK_NOFOLLOW) === 0, flags);
  return change(path.inode, path.mount, changes);
}

function utimensat(thread: Thread, dirfd: number, pathname: number, times: number, flags: number): number {
  const now = thread.kernel.host.clock.realtime();
  if (times === 0) return setTimes(thread, dirfd, pathname, flags, now, now);
  const [atime, mtime] = [readTimespec(thread, times, now), readTimespec(thread, times + 16, now)];
  // Nothing to do: not even the name is looked at.
  if (atime === undefined && mtime === undefined) return 0;
  return setTimes(thread, dirfd, pathname, flags, atime, mtime);
}

function readTimespec(thread: Thread, address: number, now: Timestamp): NewTime {
  const seconds = thread.memory.readI64(address);
  const nanoseconds = thread.memory.readI64(address + 8);
  if (nanoseconds === UTIME_NOW) return now;
  if (nanoseconds === UTIME_OMIT) return undefined;
  if (nanoseconds < 0 || nanoseconds > 999_999_999) throw new Errno(EINVAL);
  return { seconds, nanoseconds };
}

function futimesat(thread: Thread, dirfd: number, pathname: number, times: number): number {
  const now = thread.kernel.host.clock.realtime();
  if (times === 0) return setTimes(thread, dirfd, pathname, 0, now, now);
  const [atime, mtime] = [readTimeval(thread, times), readTimeval(thread, times + 16)];
  return setTimes(thread, dirfd, pathname, 0, atime, mtime);
}

function readTimeval(thread: Thread, address: number): Timestamp {
  const seconds = thread.memory.readI64(address);
  const microseconds = thread.memory.readI64(address + 8);
  if (microseconds < 0 || microseconds > 999_999) throw new Errno(EINVAL);
  return { seconds, nanoseconds: microseconds * 1000 };
}

function utimes(thread: Thread, pathname: number, times: number): number {
  if (pathname === 0) return -EFAULT;
  return futimesat(thread, AT_FDCWD, pathname, times);
}

function utime(thread: Thread, pathname: number, times: number): number {
  if (pathname === 0) return -EFAULT;
  const now = thread.kernel.host.clock.realtime();
  if (times === 0) return setTimes(thread, AT_FDCWD, pathname, 0, now, now);
  const atime = { seconds: thread.memory.readI64(times), nanoseconds: 0 };
  const mtime = { seconds: thread.memory.readI64(times + 8), nanoseconds: 0 };
  return setTimes(thread, AT_FDCWD, pathname, 0, atime, mtime);
}

export const ATTRIBUTE_SYSCALLS: readonly SyscallDefinition[] = [
  {
    number: 90,
    name: "chmod",
    arguments: [
      ["pathname", "path"],
      ["mode", "mode"],
    ],
    state: "done",
    call: chmod,
  },
  {
    number: 91,
    name: "fchmod",
    arguments: [
      ["fd", "fd"],
      ["mode", "mode"],
    ],
    state: "done",
    call: fchmod,
  },
  {
    number: 92,
    name: "chown",
    arguments: [
      ["pathname", "path"],
      ["owner", "int"],
      ["group", "int"],
    ],
    state: "done",
    call: chown,
  },
  {
    number: 93,
    name: "fchown",
    arguments: [
      ["fd", "fd"],
      ["owner", "int"],
      ["group", "int"],
    ],
    state: "done",
    call: fchown,
  },
  {
    number: 94,
    name: "lchown",
    arguments: [
      ["pathname", "path"],
      ["owner", "int"],
      ["group", "int"],
    ],
    state: "done",
    call: lchown,
  },
  { number: 95, name: "umask", arguments: [["mask", "mode"]], state: "done", call: umask },
  {
    number: 132,
    name: "utime",
    arguments: [
      ["filename", "path"],
      ["times", "pointer"],
    ],
    state: "done",
    call: utime,
  },
  {
    number: 235,
    name: "utimes",
    arguments: [
      ["filename", "path"],
      ["times", "pointer"],
    ],
    state: "done",
    call: utimes,
  },
  {
    number: 260,
    name: "fchownat",
    arguments: [
      ["dirfd", "dirfd"],
      ["pathname", "path"],
      ["owner", "int"],
      ["group", "int"],
      ["flags", { flags: FLAGS }],
    ],
    state: "done",
    call: fchownat,
  },
  {
    number: 261,
    name: "futimesat",
    arguments: [
      ["dirfd", "dirfd"],
      ["pathname", "path"],
      ["times", "pointer"],
    ],
    state: "done",
    call: futimesat,
  },
  {
    number: 268,
    name: "fchmodat",
    arguments: [
      ["dirfd", "dirfd"],
      ["pathname", "path"],
      ["mode", "mode"],
    ],
    state: "done",
    call: fchmodat,
  },
  {
    number: 280,
    name: "utimensat",
    arguments: [
      ["dirfd", "dirfd"],
      ["pathname", "path"],
      ["times", "pointer"],
      ["flags", { flags: FLAGS }],
    ],
    state: "done",
    call: utimensat,
  },
  {
    number: 452,
    name: "fchmodat2",
    arguments: [
      ["dirfd", "dirfd"],
      ["pathname", "path"],
      ["mode", "mode"],
      ["flags", { flags: FLAGS }],
    ],
    state: "done",
    call: fchmodat2,
  },
];
