/**
 * Moving data in and out of pipes: splice(2), tee(2), vmsplice(2). Pages are copied here, where Linux hands them on; how much
 * fits, what waits and what the errors are is as in Linux' fs/splice.c.
 */

import { EAGAIN, EBADF, EINVAL, ERESTARTSYS, ESPIPE } from "../errno.ts";
import { PipeFile } from "../ipc/pipe.ts";
import type { Thread } from "../sched/thread.ts";
import { S_IFBLK, S_IFCHR, S_IFREG, S_IFSOCK } from "../vfs/inode.ts";
import { type OpenFile, Poll, type Result } from "../vfs/open-file.ts";
import { O_APPEND } from "../vfs/open-flags.ts";
import { fileOf } from "./arguments.ts";
import type { SyscallDefinition } from "./definition.ts";
import { MAX_RW_COUNT, readIovec, readSegments } from "./transfer.ts";

/** uapi: linux/splice.h. MOVE and GIFT are hints, and MORE is for sockets. */
const Splice = {
  SPLICE_F_MOVE: 1,
  SPLICE_F_NONBLOCK: 2,
  SPLICE_F_MORE: 4,
  SPLICE_F_GIFT: 8,
} as const;
const ALL_FLAGS =
  Splice.SPLICE_F_MOVE | Splice.SPLICE_F_NONBLOCK | Splice.SPLICE_F_MORE | Splice.SPLICE_F_GIFT;

const PAGE = 4096;
/** Bytes that go from a pipe to a file at once. */
const PIECE = 64 << 10;

/** Files of these types have splice_read and splice_write on Linux; eventfd and its like do not. */
const SPLICEABLE: ReadonlySet<number> = new Set([S_IFREG, S_IFCHR, S_IFBLK, S_IFSOCK]);

interface Transfer {
  readonly thread: Thread;
  readonly length: number;
  readonly nonBlocking: boolean;
}

/** Waits for something to read. @returns 1 if there is, 0 if there will be nothing, or a negative errno */
async function waitForData({ thread, nonBlocking }: Transfer, { pipe }: PipeFile): Promise<number> {
  while (pipe.empty) {
    if (pipe.writers === 0) return 0;
    if (nonBlocking) return -EAGAIN;
    if ((await thread.wait(pipe.readersQueue)) === "interrupted") return -ERESTARTSYS;
  }
  return 1;
}

/** Waits for room. @returns 1 if there is, or a negative errno */
async function waitForRoom({ thread, nonBlocking }: Transfer, output: PipeFile): Promise<number> {
  const { pipe } = output;
  for (;;) {
    if (pipe.readers === 0) return output.broken(thread, 0);
    if (!pipe.full) return 1;
    if (nonBlocking) return -EAGAIN;
    if ((await thread.wait(pipe.writersQueue)) === "interrupted") return -ERESTARTSYS;
  }
}

/** splice(2) between pipes. */
async function pipeToPipe(transfer: Transfer, input: PipeFile, output: PipeFile): Promise<number> {
  for (;;) {
    const data = await waitForData(transfer, input);
    if (data <= 0) return data;
    const room = await waitForRoom(transfer, output);
    if (room < 0) return room;
    let done = 0;
    while (done < transfer.length && !input.pipe.empty && output.pipe.room > 0) {
      const page = input.pipe.pageAt(0, transfer.length - done);
      if (page === undefined) break;
      output.pipe.pushPage(page);
      done += input.pull(new Uint8Array(page.length));
    }
    if (done > 0) {
      output.filled();
      return done;
    }
    // Somebody else was quicker.
  }
}

/** tee(2): the same, and the data stay where they are. */
async function duplicate(transfer: Transfer, input: PipeFile, output: PipeFile): Promise<number> {
  const data = await waitForData(transfer, input);
  if (data <= 0) return data;
  const room = await waitForRoom(transfer, output);
  if (room < 0) return room;
  let done = 0;
  for (let index = 0; done < transfer.length && output.pipe.room > 0; index++) {
    const page = input.pipe.pageAt(index, transfer.length - done);
    if (page === undefined) break;
    output.pipe.pushPage(page);
    done += page.length;
  }
  if (done > 0) output.filled();
  else if (transfer.nonBlocking) return -EAGAIN;
  return done;
}

/** splice(2) to a file: what the pipe has, or gets first. */
async function pipeToFile(
  transfer: Transfer,
  input: PipeFile,
  output: OpenFile,
  position: number | undefined,
): Promise<number> {
  let done = 0;
  while (done < transfer.length) {
    if (input.pipe.empty && done > 0) break;
    const data = await waitForData(transfer, input);
    if (data <= 0) return data;
    const buffer = new Uint8Array(Math.min(PIECE, transfer.length - done));
    const count = input.pull(buffer);
    const at = position === undefined ? undefined : position + done;
    const written = await output.write(transfer.thread, buffer.subarray(0, count), at);
    if (written < count) input.pipe.unpull(buffer.subarray(Math.max(0, written), count));
    if (written <= 0) return done > 0 ? done : written;
    done += written;
    if (written < count) break;
  }
  return done;
}

/** splice(2) from a file: as much as fits into the pipe, page by page of the file. */
async function fileToPipe(
  transfer: Transfer,
  input: OpenFile,
  position: number | undefined,
  output: PipeFile,
): Promise<number> {
  const room = await waitForRoom(transfer, output);
  if (room < 0) return room;
  const { thread, nonBlocking } = transfer;
  const start = input.seekable ? (position ?? input.offset) : 0;
  const limit = Math.min(transfer.length, output.pipe.room * PAGE - (start % PAGE));
  if (!input.seekable && nonBlocking && (input.poll(thread) & Poll.IN) === 0) return -EAGAIN;
  const buffer = new Uint8Array(limit);
  const count = await input.read(thread, buffer, position);
  if (count <= 0) return count;
  for (let at = 0; at < count; ) {
    const end = Math.min(count, at + PAGE - ((start + at) % PAGE));
    output.pipe.pushPage(buffer.subarray(at, end));
    at = end;
  }
  output.filled();
  return count;
}

/** Keeps files open while a call waits. */
async function holding(files: readonly OpenFile[], call: Promise<number>): Promise<number> {
  for (const file of files) file.retain();
  try {
    return await call;
  } finally {
    for (const file of files) file.release();
  }
}

function splice(
  thread: Thread,
  inFd: number,
  inAt: number,
  outFd: number,
  outAt: number,
  length: number,
  flags: number,
): Result {
  if (length === 0) return 0;
  if ((flags & ~ALL_FLAGS) !== 0) return -EINVAL;
  const input = fileOf(thread, inFd);
  const output = fileOf(thread, outFd);
  const fromPipe = input instanceof PipeFile;
  const toPipe = output instanceof PipeFile;
  if ((fromPipe && inAt !== 0) || (toPipe && outAt !== 0)) return -ESPIPE;
  const from = inAt === 0 ? undefined : thread.memory.readI64(inAt);
  const to = outAt === 0 ? undefined : thread.memory.readI64(outAt);
  if (!input.readable || !output.writable) return -EBADF;
  // A length beyond 2^63 is negative here, and as good as endless.
  const wanted = length < 0 ? MAX_RW_COUNT : Math.min(length, MAX_RW_COUNT);
  const nonBlocking = (flags & Splice.SPLICE_F_NONBLOCK) !== 0;
  const transfer = (...files: PipeFile[]): Transfer => ({
    thread,
    length: wanted,
    nonBlocking: nonBlocking || files.some((file) => file.nonBlocking),
  });
  if (fromPipe && toPipe) {
    if (input.pipe === output.pipe) return -EINVAL;
    return holding([input, output], pipeToPipe(transfer(input, output), input, output));
  }
  if (fromPipe) {
    if ((to !== undefined && !output.seekable) || (output.flags & O_APPEND) !== 0) return -EINVAL;
    if ((to !== undefined && to < 0) || !SPLICEABLE.has(output.inode.type)) return -EINVAL;
    const done = holding([input, output], pipeToFile(transfer(input), input, output, to));
    return to === undefined ? done : moveOn(thread, outAt, to, done);
  }
  if (toPipe) {
    if ((from !== undefined && !input.seekable) || !SPLICEABLE.has(input.inode.type)) return -EINVAL;
    if (from !== undefined && from < 0) return -EINVAL;
    const done = holding([input, output], fileToPipe(transfer(output), input, from, output));
    return from === undefined ? done : moveOn(thread, inAt, from, done);
  }
  return -EINVAL;
}

/** Stores the position behind what has been moved: Linux does so also when nothing has. */
async function moveOn(thread: Thread, at: number, position: number, done: Promise<number>): Promise<number> {
  const count = await done;
  thread.memory.writeI64(at, position + Math.max(0, count));
  return count;
}

function tee(thread: Thread, inFd: number, outFd: number, length: number, flags: number): Result {
  if ((flags & ~ALL_FLAGS) !== 0) return -EINVAL;
  if (length === 0) return 0;
  const input = fileOf(thread, inFd);
  const output = fileOf(thread, outFd);
  if (!input.readable || !output.writable) return -EBADF;
  const arePipes = input instanceof PipeFile && output instanceof PipeFile;
  if (!arePipes || input.pipe === output.pipe) return -EINVAL;
  const nonBlocking = (flags & Splice.SPLICE_F_NONBLOCK) !== 0 || input.nonBlocking || output.nonBlocking;
  const transfer = { thread, length: length < 0 ? MAX_RW_COUNT : length, nonBlocking };
  return holding([input, output], duplicate(transfer, input, output));
}

async function memoryToPipe(
  transfer: Transfer,
  segments: readonly number[],
  output: PipeFile,
): Promise<number> {
  const room = await waitForRoom(transfer, output);
  if (room < 0) return room;
  const { memory } = transfer.thread;
  let done = 0;
  for (let index = 0; index < segments.length; index += 2) {
    const end = segments[index] + segments[index + 1];
    for (let at = segments[index]; at < end && output.pipe.room > 0; ) {
      const length = Math.min(end - at, PAGE - (at % PAGE));
      if (done > 0 && !memory.check(at, length, false)) break;
      output.pipe.pushPage(memory.read(at, length));
      at += length;
      done += length;
    }
  }
  if (done > 0) output.filled();
  return done;
}

function vmsplice(thread: Thread, fd: number, vector: number, count: number, flags: number): Result {
  if ((flags & ~ALL_FLAGS) !== 0) return -EINVAL;
  const file = fileOf(thread, fd);
  if (!(file instanceof PipeFile)) return -EBADF;
  const segments = readIovec(thread, vector, count);
  if (segments.length === 0) return 0;
  const nonBlocking = (flags & Splice.SPLICE_F_NONBLOCK) !== 0;
  if (file.writable) return holding([file], memoryToPipe({ thread, length: 0, nonBlocking }, segments, file));
  if (file.pipe.empty && file.pipe.writers > 0 && nonBlocking) return -EAGAIN;
  return readSegments(thread, file, segments);
}

const FLAGS = { flags: Splice } as const;

export const SPLICE_SYSCALLS: readonly SyscallDefinition[] = [
  {
    number: 275,
    name: "splice",
    state: "done",
    arguments: [
      ["fd_in", "fd"],
      ["off_in", "pointer"],
      ["fd_out", "fd"],
      ["off_out", "pointer"],
      ["len", "size"],
      ["flags", FLAGS],
    ],
    call: splice,
  },
  {
    number: 276,
    name: "tee",
    state: "done",
    arguments: [
      ["fd_in", "fd"],
      ["fd_out", "fd"],
      ["len", "size"],
      ["flags", FLAGS],
    ],
    call: tee,
  },
  {
    number: 278,
    name: "vmsplice",
    state: "partial",
    note: "the memory is copied at once: what is written to it later does not show in the pipe",
    arguments: [
      ["fd", "fd"],
      ["iov", "pointer"],
      ["nr_segs", "size"],
      ["flags", FLAGS],
    ],
    call: vmsplice,
  },
];
