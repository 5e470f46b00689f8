/** fcntl(2), flock(2) and ioctl(2). */

import { EBADF, EBUSY, EFAULT, EINVAL, ENOTTY, EOPNOTSUPP, EOVERFLOW, EPERM, Errno } from "../errno.ts";
import {
  F_SEAL_EXEC,
  F_SEAL_FUTURE_WRITE,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
} from "../fs/ramfs-file.ts";
import type { Thread } from "../sched/thread.ts";
import { FileLocks, type LockType, type RecordLock } from "../vfs/file-locks.ts";
import { S_IFDIR, S_IFREG } from "../vfs/inode.ts";
import type { OpenFile, Result } from "../vfs/open-file.ts";
import {
  FASYNC,
  O_APPEND,
  O_DIRECT,
  O_NOATIME,
  O_NONBLOCK,
  O_PATH,
  SEEK_CUR,
  SEEK_END,
  SEEK_SET,
} from "../vfs/open-flags.ts";
import { anyFileOf, fileOf } from "./arguments.ts";
import type { SyscallDefinition } from "./definition.ts";

/** asm-generic/fcntl.h, linux/fcntl.h */
const F_DUPFD = 0;
const F_GETFD = 1;
const F_SETFD = 2;
const F_GETFL = 3;
const F_SETFL = 4;
const F_GETLK = 5;
const F_SETLK = 6;
const F_SETLKW = 7;
const F_SETOWN = 8;
const F_GETOWN = 9;
const F_SETSIG = 10;
const F_GETSIG = 11;
const F_SETOWN_EX = 15;
const F_GETOWN_EX = 16;
const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const F_OFD_SETLKW = 38;
const F_SETLEASE = 1024;
const F_GETLEASE = 1025;
const F_NOTIFY = 1026;
const F_DUPFD_QUERY = 1027;
const F_DUPFD_CLOEXEC = 1030;
const F_SETPIPE_SZ = 1031;
const F_GETPIPE_SZ = 1032;
const F_ADD_SEALS = 1033;
const F_GET_SEALS = 1034;

const COMMANDS = {
  F_DUPFD,
  F_GETFD,
  F_SETFD,
  F_GETFL,
  F_SETFL,
  F_GETLK,
  F_SETLK,
  F_SETLKW,
  F_SETOWN,
  F_GETOWN,
  F_SETSIG,
  F_GETSIG,
  F_SETOWN_EX,
  F_GETOWN_EX,
  F_OFD_GETLK,
  F_OFD_SETLK,
  F_OFD_SETLKW,
  F_SETLEASE,
  F_GETLEASE,
  F_NOTIFY,
  F_DUPFD_QUERY,
  F_DUPFD_CLOEXEC,
  F_SETPIPE_SZ,
  F_GETPIPE_SZ,
  F_ADD_SEALS,
  F_GET_SEALS,
} as const;

const FD_CLOEXEC = 1;
/** What F_SETFL can change (SETFL_MASK). */
const SETFL_MASK = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | FASYNC;

const F_RDLCK = 0;
const F_WRLCK = 1;
const F_UNLCK = 2;

const ALL_SEALS =
  F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_EXEC;

/** Commands that O_PATH descriptors take (check_fcntl_cmd). */
function worksOnPath(command: number): boolean {
  switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
    case F_DUPFD_QUERY:
    case F_GETFD:
    case F_SETFD:
    case F_GETFL:
      return true;
    default:
      return false;
  }
}

function fcntl(thread: Thread, fd: number, command: number, argument: number): Result {
  const file = anyFileOf(thread, fd);
  if ((file.flags & O_PATH) !== 0 && !worksOnPath(command | 0)) return -EBADF;
  const { files } = thread.application;
  switch (command | 0) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC: {
      const minimum = argument >>> 0;
      if (minimum >= files.limit) return -EINVAL;
      return files.install(file, (command | 0) === F_DUPFD_CLOEXEC, minimum);
    }
    case F_DUPFD_QUERY:
      return files.get(argument | 0) === undefined ? -EBADF : Number(files.get(argument | 0) === file);
    case F_GETFD:
      return files.isCloseOnExec(fd | 0) ? FD_CLOEXEC : 0;
    case F_SETFD:
      files.setCloseOnExec(fd | 0, (argument & FD_CLOEXEC) !== 0);
      return 0;
    case F_GETFL:
      return file.flags;
    case F_SETFL:
      return file.setStatusFlags((file.flags & ~SETFL_MASK) | (argument & SETFL_MASK));
    case F_GETLK:
    case F_OFD_GETLK:
      return getLock(thread, file, (command | 0) === F_OFD_GETLK, argument);
    case F_SETLK:
    case F_SETLKW:
      return setLock(thread, file, false, (command | 0) === F_SETLKW, argument);
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
      return setLock(thread, file, true, (command | 0) === F_OFD_SETLKW, argument);
    case F_SETOWN:
      file.owner = argument | 0;
      return 0;
    case F_GETOWN:
      return file.owner;
    case F_GETSIG:
      return 0;
    case F_SETLEASE:
      return file.inode.type === S_IFREG ? -EOPNOTSUPP : -EINVAL;
    case F_GETLEASE:
      return F_UNLCK;
    case F_SETPIPE_SZ:
      return file.resize(argument >>> 0);
    case F_GETPIPE_SZ:
      return file.capacity;
    case F_ADD_SEALS:
      return addSeals(file, argument);
    case F_GET_SEALS:
      return file.inode.seals ?? -EINVAL;
    default:
      return -EINVAL;
  }
}

function addSeals(file: OpenFile, seals: number): number {
  const { inode } = file;
  if (!file.writable) return -EPERM;
  if ((seals & ~ALL_SEALS) !== 0 || inode.seals === undefined) return -EINVAL;
  if ((inode.seals & F_SEAL_SEAL) !== 0) return -EPERM;
  const write = (seals & F_SEAL_WRITE) !== 0 && (inode.seals & F_SEAL_WRITE) === 0;
  if (write && (inode.mappings?.writable ?? false)) return -EBUSY;
  inode.seals |= seals;
  return 0;
}

/** struct flock: l_type s16, l_whence s16, l_start s64 at 8, l_len s64 at 16, l_pid s32 at 24 (asm-generic/fcntl.h). */
interface Flock {
  readonly type: number;
  readonly lock: RecordLock;
}

function readFlock(thread: Thread, file: OpenFile, ofd: boolean, address: number): Flock {
  const { memory } = thread;
  if (!memory.check(address, 32, false)) throw new Errno(EFAULT);
  const type = memory.readU16(address);
  const whence = memory.readU16(address + 2);
  const length = memory.readI64(address + 16);
  let start = memory.readI64(address + 8);
  if (ofd && memory.readI32(address + 24) !== 0) throw new Errno(EINVAL);
  if (whence === SEEK_CUR) start += file.offset;
  else if (whence === SEEK_END) start += file.inode.stat().size;
  else if (whence !== SEEK_SET) throw new Errno(EINVAL);
  if (start < 0) throw new Errno(EINVAL);
  let end = Number.POSITIVE_INFINITY;
  if (length > 0) {
    end = start + length;
    if (end > 2 ** 63) throw new Errno(EOVERFLOW);
  } else if (length < 0) {
    end = start;
    start += length;
    if (start < 0) throw new Errno(EINVAL);
  }
  if (type !== F_RDLCK && type !== F_WRLCK && type !== F_UNLCK) throw new Errno(EINVAL);
  const lockType: LockType = type === F_WRLCK ? "write" : "read";
  const owner = ofd ? file : thread.application.files;
  return { type, lock: { owner, type: lockType, start, end, pid: ofd ? -1 : thread.application.pid } };
}

function locksOf(file: OpenFile): FileLocks {
  const { inode } = file;
  if (inode.locks === undefined) inode.locks = new FileLocks();
  return inode.locks;
}

function getLock(thread: Thread, file: OpenFile, ofd: boolean, address: number): number {
  const { type, lock } = readFlock(thread, file, ofd, address);
  if (type === F_UNLCK && !ofd) return -EINVAL;
  const { memory } = thread;
  const held = locksOf(file).conflict(lock);
  if (held === undefined) {
    memory.writeU16(address, F_UNLCK);
    return 0;
  }
  memory.writeU16(address, held.type === "write" ? F_WRLCK : F_RDLCK);
  memory.writeU16(address + 2, SEEK_SET);
  memory.writeI64(address + 8, held.start);
  memory.writeI64(address + 16, held.end === Number.POSITIVE_INFINITY ? 0 : held.end - held.start);
  memory.writeU32(address + 24, held.pid >>> 0);
  return 0;
}

function setLock(thread: Thread, file: OpenFile, ofd: boolean, wait: boolean, address: number): Result {
  const { type, lock } = readFlock(thread, file, ofd, address);
  const locks = locksOf(file);
  if (type === F_UNLCK) {
    locks.unlockRecord(lock);
    return 0;
  }
  if (type === F_RDLCK ? !file.readable : !file.writable) return -EBADF;
  const result = locks.lockRecord(lock);
  if (result === 0 || !wait) return result;
  file.retain();
  return locks.waitForRecord(thread, lock, !ofd).finally(() => file.release());
}

const LOCK = { LOCK_SH: 1, LOCK_EX: 2, LOCK_NB: 4, LOCK_UN: 8 } as const;

function flock(thread: Thread, fd: number, operation: number): Result {
  const kind = operation & ~LOCK.LOCK_NB;
  if (kind !== LOCK.LOCK_SH && kind !== LOCK.LOCK_EX && kind !== LOCK.LOCK_UN) return -EINVAL;
  const file = fileOf(thread, fd);
  if (kind !== LOCK.LOCK_UN && !file.readable && !file.writable) return -EBADF;
  const type = kind === LOCK.LOCK_UN ? undefined : kind === LOCK.LOCK_EX ? "write" : "read";
  const result = locksOf(file).flock(thread, file, type, (operation & LOCK.LOCK_NB) === 0);
  if (typeof result === "number") return result;
  file.retain();
  return result.finally(() => file.release());
}

/** asm-generic/ioctls.h: those that every file takes (fs/ioctl.c: do_vfs_ioctl). */
const FIONREAD = 0x541b;
const FIONBIO = 0x5421;
const FIONCLEX = 0x5450;
const FIOCLEX = 0x5451;
const FIOASYNC = 0x5452;
const FIOQSIZE = 0x5460;

function ioctl(thread: Thread, fd: number, request: number, argument: number): Result {
  const file = fileOf(thread, fd);
  const { memory, application } = thread;
  switch (request >>> 0) {
    case FIOCLEX:
      application.files.setCloseOnExec(fd | 0, true);
      return 0;
    case FIONCLEX:
      application.files.setCloseOnExec(fd | 0, false);
      return 0;
    case FIONBIO: {
      const on = memory.readI32(argument) !== 0;
      return file.setStatusFlags(on ? file.flags | O_NONBLOCK : file.flags & ~O_NONBLOCK);
    }
    case FIOASYNC: {
      const on = memory.readI32(argument) !== 0;
      return on === ((file.flags & FASYNC) !== 0) ? 0 : -ENOTTY;
    }
    case FIOQSIZE:
      if (file.inode.type !== S_IFREG && file.inode.type !== S_IFDIR) return -ENOTTY;
      memory.writeI64(argument, file.inode.stat().size);
      return 0;
    case FIONREAD:
      if (file.inode.type === S_IFREG) {
        memory.writeU32(argument, (file.inode.stat().size - file.offset) >>> 0);
        return 0;
      }
      break;
  }
  const result = file.ioctl(thread, request >>> 0, argument);
  if (typeof result === "number") return result;
  file.retain();
  return result.finally(() => file.release());
}

export const DESCRIPTOR_SYSCALLS: readonly SyscallDefinition[] = [
  {
    number: 16,
    name: "ioctl",
    arguments: [
      ["fd", "fd"],
      ["request", "hex"],
      ["argp", "pointer"],
    ],
    state: "done",
    call: ioctl,
  },
  {
    number: 72,
    name: "fcntl",
    arguments: [
      ["fd", "fd"],
      ["cmd", { oneOf: COMMANDS }],
      ["arg", "hex"],
    ],
    state: "partial",
    note: "no leases, no signal-driven I/O (F_SETSIG, F_SETOWN_EX, F_NOTIFY)",
    call: fcntl,
  },
  {
    number: 73,
    name: "flock",
    arguments: [
      ["fd", "fd"],
      ["operation", { flags: LOCK }],
    ],
    state: "done",
    call: flock,
  },
];
