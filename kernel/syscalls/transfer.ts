/**
 * Moving data between open files and program memory, in pieces of bounded size through reusable buffers, with the counts
 * that Linux gives when part of the memory is missing: what could be moved, EFAULT only if nothing could.
 */

import { EAGAIN, EBADF, EFAULT, EINVAL, Errno } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import { type OpenFile, Poll, type Result } from "../vfs/open-file.ts";

/** Bytes moved at once at most. */
export const PIECE = 128 << 10;
/** Most calls move less than this: they get a buffer that stays in the processor's cache. */
const SMALL_PIECE = 4096;
/** A read or write moves this much at most (MAX_RW_COUNT, linux/fs.h). */
export const MAX_RW_COUNT = 0x7ffff000;
/** A copy between files lets others have their turn after so much time, ns. */
const COPY_TURN = 4e6;
/** IOV_MAX (UIO_MAXIOV, linux/uio.h) */
export const IOV_MAX = 1024;
/** End of program addresses (TASK_SIZE_MAX): beyond it the check needs no page. */
const TASK_SIZE = 2 ** 47 - 4096;
const PAGE = 4096;

const smallBuffers: Uint8Array[] = [];
const largeBuffers: Uint8Array[] = [];

/** A buffer of at least `size` (at most {@link PIECE}) bytes, until {@link giveBuffer}. */
function takeBuffer(size: number): Uint8Array {
  return size <= SMALL_PIECE
    ? (smallBuffers.pop() ?? new Uint8Array(SMALL_PIECE))
    : (largeBuffers.pop() ?? new Uint8Array(PIECE));
}

function giveBuffer(buffer: Uint8Array): void {
  if (buffer.length === PIECE) {
    if (largeBuffers.length < 4) largeBuffers.push(buffer);
  } else if (smallBuffers.length < 16) smallBuffers.push(buffer);
}

/** The memory of one call: [address, length] pairs, flat. */
export type Segments = readonly number[];

/** Could these addresses belong to a program at all (access_ok)? */
export function isUserRange(address: number, length: number): boolean {
  return address >= 0 && length >= 0 && address + length <= TASK_SIZE;
}

/** read(2), pread64(2): `position` undefined means the file's own. */
export function readToUser(
  thread: Thread,
  file: OpenFile,
  address: number,
  length: number,
  position?: number,
): Result {
  if (!file.readable) return -EBADF;
  if (!isUserRange(address, length)) return -EFAULT;
  if (length > PIECE) return readSegments(thread, file, [address, Math.min(length, MAX_RW_COUNT)], position);
  if (!thread.memory.check(address, length, true))
    return readSegments(thread, file, [address, length], position);
  const buffer = takeBuffer(length);
  const target = buffer.length === length ? buffer : buffer.subarray(0, length);
  const result = file.read(thread, target, position);
  if (typeof result !== "number") return finishRead(thread, file, result, buffer, [address, length]);
  if (result > 0) thread.memory.write(address, result === length ? target : buffer.subarray(0, result));
  giveBuffer(buffer);
  return result;
}

async function finishRead(
  thread: Thread,
  file: OpenFile,
  pending: Promise<number>,
  buffer: Uint8Array,
  segments: Segments,
): Promise<number> {
  file.retain();
  try {
    const result = await pending;
    if (result > 0) scatter(thread, segments, 0, buffer, result);
    return result;
  } finally {
    file.release();
    giveBuffer(buffer);
  }
}

/** write(2), pwrite64(2) */
export function writeFromUser(
  thread: Thread,
  file: OpenFile,
  address: number,
  length: number,
  position?: number,
): Result {
  if (!file.writable) return -EBADF;
  if (!isUserRange(address, length)) return -EFAULT;
  if (length > PIECE) return writeSegments(thread, file, [address, Math.min(length, MAX_RW_COUNT)], position);
  if (!thread.memory.check(address, length, false))
    return writeSegments(thread, file, [address, length], position);
  const buffer = takeBuffer(length);
  const data = buffer.length === length ? buffer : buffer.subarray(0, length);
  thread.memory.readInto(address, data);
  const result = file.write(thread, data, position);
  if (typeof result !== "number") return finishWrite(file, result, buffer);
  giveBuffer(buffer);
  return result;
}

async function finishWrite(file: OpenFile, pending: Promise<number>, buffer: Uint8Array): Promise<number> {
  file.retain();
  try {
    return await pending;
  } finally {
    file.release();
    giveBuffer(buffer);
  }
}

/** The segments of readv(2) and friends, checked as import_iovec() does: EINVAL, EFAULT. */
export function readIovec(thread: Thread, address: number, count: number): Segments {
  if (count < 0 || count > IOV_MAX) throw new Errno(EINVAL);
  const segments: number[] = [];
  let room = MAX_RW_COUNT;
  for (let i = 0; i < count; i++) {
    const base = thread.memory.readI64(address + 16 * i);
    const length = thread.memory.readI64(address + 16 * i + 8);
    if (length < 0) throw new Errno(EINVAL);
    if (!isUserRange(base, length)) throw new Errno(EFAULT);
    const part = Math.min(length, room);
    room -= part;
    if (part > 0) segments.push(base, part);
  }
  return segments;
}

function totalLength(segments: Segments): number {
  let total = 0;
  for (let i = 1; i < segments.length; i += 2) total += segments[i];
  return total;
}

/** How much of the segments, from the start and up to `limit`, can be read or written. */
function accessible(thread: Thread, segments: Segments, skip: number, limit: number, write: boolean): number {
  let done = 0;
  let passed = 0;
  for (let i = 0; i < segments.length && done < limit; i += 2) {
    const length = segments[i + 1];
    const from = Math.max(0, skip - passed);
    passed += length;
    if (from >= length) continue;
    const address = segments[i] + from;
    const wanted = Math.min(length - from, limit - done);
    if (thread.memory.check(address, wanted, write)) {
      done += wanted;
      continue;
    }
    for (let some = 0; some < wanted; ) {
      const step = Math.min(PAGE - ((address + some) % PAGE), wanted - some);
      if (!thread.memory.check(address + some, step, write)) return done;
      some += step;
      done += step;
    }
  }
  return done;
}

/** Copies the front of `buffer` out to the segments, from the `skip`th byte of them on. */
function scatter(thread: Thread, segments: Segments, skip: number, buffer: Uint8Array, count: number): void {
  let done = 0;
  let passed = 0;
  for (let i = 0; i < segments.length && done < count; i += 2) {
    const length = segments[i + 1];
    const from = Math.max(0, skip - passed);
    passed += length;
    if (from >= length) continue;
    const some = Math.min(length - from, count - done);
    thread.memory.write(segments[i] + from, buffer.subarray(done, done + some));
    done += some;
  }
}

/** Fills `target` from the segments, from the `skip`th byte of them on. */
function gather(thread: Thread, segments: Segments, skip: number, target: Uint8Array): void {
  let done = 0;
  let passed = 0;
  for (let i = 0; i < segments.length && done < target.length; i += 2) {
    const length = segments[i + 1];
    const from = Math.max(0, skip - passed);
    passed += length;
    if (from >= length) continue;
    const some = Math.min(length - from, target.length - done);
    thread.memory.readInto(segments[i] + from, target.subarray(done, done + some));
    done += some;
  }
}

/** readv(2), and everything that does not fit the straight path of {@link readToUser}. */
export function readSegments(thread: Thread, file: OpenFile, segments: Segments, position?: number): Result {
  if (!file.readable) return -EBADF;
  const total = totalLength(segments);
  let done = 0;
  do {
    const wanted = Math.min(PIECE, total - done);
    const length = accessible(thread, segments, done, wanted, true);
    if (length === 0 && wanted > 0) return done > 0 ? done : readNowhere(thread, file, position);
    // Pipes, sockets and their like give what they have, and then find that the memory is not there.
    const size = file.seekable ? length : wanted;
    const buffer = takeBuffer(size);
    const result = file.read(
      thread,
      buffer.subarray(0, size),
      position === undefined ? undefined : position + done,
    );
    if (typeof result !== "number") return finishRead(thread, file, result, buffer, segments);
    if (result > length) {
      giveBuffer(buffer);
      return -EFAULT;
    }
    if (result > 0) scatter(thread, segments, done, buffer, result);
    giveBuffer(buffer);
    if (result < 0) return done > 0 ? done : result;
    done += result;
    // Only files with positions have all their data at hand: from others a second read might block.
    if (result < wanted || !file.seekable) return done;
  } while (done < total);
  return done;
}

/** A read into memory that is not there: at the end of a file it gives 0, otherwise EFAULT, and nothing is lost. */
function readNowhere(thread: Thread, file: OpenFile, position: number | undefined): Result {
  if (!file.seekable) return file.nonBlocking && (file.poll(thread) & Poll.IN) === 0 ? -EAGAIN : -EFAULT;
  const result = file.read(thread, new Uint8Array(1), position ?? file.offset);
  return typeof result === "number" && result <= 0 ? result : -EFAULT;
}

/** writev(2), and everything that does not fit the straight path of {@link writeFromUser}. */
export function writeSegments(thread: Thread, file: OpenFile, segments: Segments, position?: number): Result {
  if (!file.writable) return -EBADF;
  return writeFrom(thread, file, segments, position, 0);
}

function writeFrom(
  thread: Thread,
  file: OpenFile,
  segments: Segments,
  position: number | undefined,
  start: number,
): Result {
  const total = totalLength(segments);
  let done = start;
  do {
    const wanted = Math.min(PIECE, total - done);
    let length = accessible(thread, segments, done, wanted, false);
    // Pipes and their like take whole pages or nothing (fs/pipe.c: pipe_write).
    if (length < wanted && !file.seekable) length -= length % PAGE;
    if (length === 0 && wanted > 0) return done > 0 ? done : -EFAULT;
    const buffer = takeBuffer(length);
    const data = buffer.subarray(0, length);
    gather(thread, segments, done, data);
    const result = file.write(thread, data, position === undefined ? undefined : position + done);
    if (typeof result !== "number")
      return writeOn(thread, file, segments, position, done, length, result, buffer);
    giveBuffer(buffer);
    if (result < 0) return done > 0 ? done : result;
    done += result;
    if (result < wanted) return done;
  } while (done < total);
  return done;
}

/** The rest of a write that has to wait. */
async function writeOn(
  thread: Thread,
  file: OpenFile,
  segments: Segments,
  position: number | undefined,
  before: number,
  piece: number,
  pending: Promise<number>,
  buffer: Uint8Array,
): Promise<number> {
  file.retain();
  try {
    const result = await pending;
    if (result < 0) return before > 0 ? before : result;
    const done = before + result;
    if (result < piece || done >= totalLength(segments)) return done;
    return await writeFrom(thread, file, segments, position, done);
  } finally {
    file.release();
    giveBuffer(buffer);
  }
}

/**
 * Copies from one file to another through a buffer: sendfile(2), copy_file_range(2). Positions undefined: the files' own.
 * Others go on in the meantime, and a signal ends it with what has been copied.
 */
export async function copyBetween(
  thread: Thread,
  input: OpenFile,
  output: OpenFile,
  length: number,
  inputAt?: number,
  outputAt?: number,
): Promise<number> {
  const buffer = takeBuffer(PIECE);
  const { clock } = thread.kernel.host;
  input.retain();
  output.retain();
  let done = 0;
  let turn = clock.monotonic();
  try {
    while (done < length) {
      const wanted = Math.min(PIECE, length - done);
      const from = inputAt === undefined ? undefined : inputAt + done;
      const count = await input.read(thread, buffer.subarray(0, wanted), from);
      if (count <= 0) return done > 0 ? done : count;
      const to = outputAt === undefined ? undefined : outputAt + done;
      const written = await output.write(thread, buffer.subarray(0, count), to);
      if (written < count) {
        // What was read but not written is not lost: the position goes back.
        if (inputAt === undefined && input.seekable) input.offset -= count - Math.max(0, written);
        if (written < 0) return done > 0 ? done : written;
        return done + written;
      }
      done += count;
      if (!input.seekable) break;
      if (clock.monotonic() - turn < COPY_TURN) continue;
      await clock.yield();
      turn = clock.monotonic();
      if (thread.kernel.signals.deliverable(thread)) break;
    }
    return done;
  } finally {
    input.release();
    output.release();
    giveBuffer(buffer);
  }
}
