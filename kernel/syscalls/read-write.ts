/** Reading and writing: read(2) and its family, sendfile, copy_file_range, lseek. */

import { EBADF, EFAULT, EINVAL, EISDIR, EOPNOTSUPP, EOVERFLOW, ESPIPE, EXDEV } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import { S_IFDIR, S_IFREG } from "../vfs/inode.ts";
import type { OpenFile, Result } from "../vfs/open-file.ts";
import { O_APPEND, O_PATH } from "../vfs/open-flags.ts";
import { fileOf } from "./arguments.ts";
import type { SyscallDefinition } from "./definition.ts";
import {
  copyBetween,
  MAX_RW_COUNT,
  readIovec,
  readSegments,
  readToUser,
  writeFromUser,
  writeSegments,
} from "./transfer.ts";

/** preadv2(2), pwritev2(2) flags (linux/fs.h). */
const RWF = { RWF_HIPRI: 0x01, RWF_DSYNC: 0x02, RWF_SYNC: 0x04, RWF_NOWAIT: 0x08, RWF_APPEND: 0x10 } as const;
const RWF_SUPPORTED = RWF.RWF_HIPRI | RWF.RWF_DSYNC | RWF.RWF_SYNC | RWF.RWF_NOWAIT | RWF.RWF_APPEND;

const SEEK = { SEEK_SET: 0, SEEK_CUR: 1, SEEK_END: 2, SEEK_DATA: 3, SEEK_HOLE: 4 } as const;

function read(thread: Thread, fd: number, address: number, count: number): Result {
  const file = thread.application.files.get(fd | 0);
  if (file === undefined) return -EBADF;
  return readToUser(thread, file, address, count);
}

function write(thread: Thread, fd: number, address: number, count: number): Result {
  const file = thread.application.files.get(fd | 0);
  if (file === undefined) return -EBADF;
  return writeFromUser(thread, file, address, count);
}

function pread64(thread: Thread, fd: number, address: number, count: number, position: number): Result {
  if (position < 0) return -EINVAL;
  const file = fileOf(thread, fd);
  if (!isPositional(file)) return -ESPIPE;
  return readToUser(thread, file, address, count, position);
}

function pwrite64(thread: Thread, fd: number, address: number, count: number, position: number): Result {
  if (position < 0) return -EINVAL;
  const file = fileOf(thread, fd);
  if (!isPositional(file)) return -ESPIPE;
  return writeFromUser(thread, file, address, count, position);
}

/** Directories are positional too: they refuse with EISDIR, not ESPIPE. */
function isPositional(file: OpenFile): boolean {
  return file.seekable || file.inode.type === S_IFDIR;
}

function readv(thread: Thread, fd: number, vector: number, count: number): Result {
  const file = fileOf(thread, fd);
  if (!file.readable) return -EBADF;
  return readSegments(thread, file, readIovec(thread, vector, count));
}

function writev(thread: Thread, fd: number, vector: number, count: number): Result {
  const file = fileOf(thread, fd);
  if (!file.writable) return -EBADF;
  return writeSegments(thread, file, readIovec(thread, vector, count));
}

function preadv(thread: Thread, fd: number, vector: number, count: number, position: number): Result {
  if (position < 0) return -EINVAL;
  const file = fileOf(thread, fd);
  if (!isPositional(file)) return -ESPIPE;
  if (!file.readable) return -EBADF;
  return readSegments(thread, file, readIovec(thread, vector, count), position);
}

function pwritev(thread: Thread, fd: number, vector: number, count: number, position: number): Result {
  if (position < 0) return -EINVAL;
  const file = fileOf(thread, fd);
  if (!isPositional(file)) return -ESPIPE;
  if (!file.writable) return -EBADF;
  return writeSegments(thread, file, readIovec(thread, vector, count), position);
}

/** The position's upper half (a4) is 0 on 64-bit systems: the C library passes the whole in a3. */
function preadv2(
  thread: Thread,
  fd: number,
  vector: number,
  count: number,
  position: number,
  _high: number,
  flags: number,
): Result {
  if ((flags & ~RWF_SUPPORTED) !== 0) return -EOPNOTSUPP;
  return position === -1 ? readv(thread, fd, vector, count) : preadv(thread, fd, vector, count, position);
}

function pwritev2(
  thread: Thread,
  fd: number,
  vector: number,
  count: number,
  position: number,
  _high: number,
  flags: number,
): Result {
  if ((flags & ~RWF_SUPPORTED) !== 0) return -EOPNOTSUPP;
  const file = fileOf(thread, fd);
  const at = (flags & RWF.RWF_APPEND) !== 0 && file.seekable ? file.inode.stat().size : position;
  const result = at === -1 ? writev(thread, fd, vector, count) : pwritev(thread, fd, vector, count, at);
  if ((flags & (RWF.RWF_DSYNC | RWF.RWF_SYNC)) === 0 || typeof result !== "number" || result <= 0)
    return result;
  const synced = file.sync();
  return typeof synced === "number" && synced < 0 ? synced : result;
}

function lseek(thread: Thread, fd: number, offset: number, whence: number): number {
  const file = thread.application.files.get(fd | 0);
  if (file === undefined || (file.flags & O_PATH) !== 0) return -EBADF;
  return file.seek(offset, whence >>> 0);
}

function sendfile(thread: Thread, outFd: number, inFd: number, offsetAt: number, count: number): Result {
  const input = fileOf(thread, inFd);
  if (!input.readable) return -EBADF;
  const position = offsetAt === 0 ? undefined : thread.memory.readI64(offsetAt);
  if (position !== undefined && !input.seekable) return -ESPIPE;
  const output = fileOf(thread, outFd);
  if (!output.writable) return -EBADF;
  if (input.inode.type === S_IFDIR || !input.seekable || (output.flags & O_APPEND) !== 0) return -EINVAL;
  if (position !== undefined && position < 0) return -EINVAL;
  const length = Math.min(count, MAX_RW_COUNT);
  if (length < 0) return -EINVAL;
  if (position !== undefined && !thread.memory.check(offsetAt, 8, true)) return -EFAULT;
  return copyBetween(thread, input, output, length, position).then((done) => {
    if (position !== undefined && done > 0) thread.memory.writeI64(offsetAt, position + done);
    return done;
  });
}

function copyFileRange(
  thread: Thread,
  inFd: number,
  inAt: number,
  outFd: number,
  outAt: number,
  length: number,
  flags: number,
): Result {
  const input = fileOf(thread, inFd);
  const output = fileOf(thread, outFd);
  const from = inAt === 0 ? input.offset : thread.memory.readI64(inAt);
  const to = outAt === 0 ? output.offset : thread.memory.readI64(outAt);
  if ((flags | 0) !== 0) return -EINVAL;
  if (input.inode.type === S_IFDIR || output.inode.type === S_IFDIR) return -EISDIR;
  if (input.inode.type !== S_IFREG || output.inode.type !== S_IFREG) return -EINVAL;
  if (!input.readable || !output.writable || (output.flags & O_APPEND) !== 0) return -EBADF;
  if (input.inode.fileSystem !== output.inode.fileSystem) return -EXDEV;
  if (from < 0 || to < 0 || length < 0) return from < 0 || to < 0 ? -EINVAL : -EOVERFLOW;
  const count = Math.max(0, Math.min(length, MAX_RW_COUNT, input.inode.stat().size - from));
  if (input.inode === output.inode && to + count > from && to < from + count) return -EINVAL;
  if (count === 0) return 0;
  return copyBetween(thread, input, output, count, from, to).then((done) => {
    if (done <= 0) return done;
    if (inAt === 0) input.offset = from + done;
    else thread.memory.writeI64(inAt, from + done);
    if (outAt === 0) output.offset = to + done;
    else thread.memory.writeI64(outAt, to + done);
    return done;
  });
}

export const READ_WRITE_SYSCALLS: readonly SyscallDefinition[] = [
  {
    number: 0,
    name: "read",
    arguments: [
      ["fd", "fd"],
      ["buf", "outbuffer"],
      ["count", "size"],
    ],
    state: "done",
    call: read,
  },
  {
    number: 1,
    name: "write",
    arguments: [
      ["fd", "fd"],
      ["buf", "buffer"],
      ["count", "size"],
    ],
    state: "done",
    call: write,
  },
  {
    number: 8,
    name: "lseek",
    arguments: [
      ["fd", "fd"],
      ["offset", "offset"],
      ["whence", { oneOf: SEEK }],
    ],
    state: "done",
    call: lseek,
  },
  {
    number: 17,
    name: "pread64",
    arguments: [
      ["fd", "fd"],
      ["buf", "outbuffer"],
      ["count", "size"],
      ["offset", "offset"],
    ],
    state: "done",
    call: pread64,
  },
  {
    number: 18,
    name: "pwrite64",
    arguments: [
      ["fd", "fd"],
      ["buf", "buffer"],
      ["count", "size"],
      ["offset", "offset"],
    ],
    state: "done",
    call: pwrite64,
  },
  {
    number: 19,
    name: "readv",
    arguments: [
      ["fd", "fd"],
      ["iov", "pointer"],
      ["iovcnt", "int"],
    ],
    state: "done",
    call: readv,
  },
  {
    number: 20,
    name: "writev",
    arguments: [
      ["fd", "fd"],
      ["iov", "pointer"],
      ["iovcnt", "int"],
    ],
    state: "done",
    call: writev,
  },
  {
    number: 40,
    name: "sendfile",
    arguments: [
      ["out_fd", "fd"],
      ["in_fd", "fd"],
      ["offset", "pointer"],
      ["count", "size"],
    ],
    state: "done",
    call: sendfile,
  },
  {
    number: 295,
    name: "preadv",
    arguments: [
      ["fd", "fd"],
      ["iov", "pointer"],
      ["iovcnt", "int"],
      ["offset", "offset"],
    ],
    state: "done",
    call: preadv,
  },
  {
    number: 296,
    name: "pwritev",
    arguments: [
      ["fd", "fd"],
      ["iov", "pointer"],
      ["iovcnt", "int"],
      ["offset", "offset"],
    ],
    state: "done",
    call: pwritev,
  },
  {
    number: 326,
    name: "copy_file_range",
    arguments: [
      ["fd_in", "fd"],
      ["off_in", "pointer"],
      ["fd_out", "fd"],
      ["off_out", "pointer"],
      ["len", "size"],
      ["flags", "hex"],
    ],
    state: "done",
    call: copyFileRange,
  },
  {
    number: 327,
    name: "preadv2",
    arguments: [
      ["fd", "fd"],
      ["iov", "pointer"],
      ["iovcnt", "int"],
      ["offset", "offset"],
      ["offset_high", "long"],
      ["flags", { flags: RWF }],
    ],
    state: "partial",
    note: "RWF_NOWAIT does not keep from waiting",
    call: preadv2,
  },
  {
    number: 328,
    name: "pwritev2",
    arguments: [
      ["fd", "fd"],
      ["iov", "pointer"],
      ["iovcnt", "int"],
      ["offset", "offset"],
      ["offset_high", "long"],
      ["flags", { flags: RWF }],
    ],
    state: "partial",
    note: "RWF_NOWAIT does not keep from waiting",
    call: pwritev2,
  },
];
