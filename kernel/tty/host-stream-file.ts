/**
 * Standard input, output or error when the host gave us something other than a terminal: a pipe, a socket, a file,
 * /dev/null. isatty(3) says no; fstat(2) tells what it really is.
 *
 * Nothing is read from the host before a program reads: what is left in a pipe belongs to whoever comes after us.
 */

import { EAGAIN, EBADF, EINVAL, EIO, ENOSPC, EPIPE, ERESTARTSYS, ESPIPE } from "../errno.ts";
import { type Clock, HostError, type HostFile, type HostStream } from "../host.ts";
import { SIGPIPE, SiCode } from "../sched/signal-numbers.ts";
import type { Thread } from "../sched/thread.ts";
import { WaitQueue } from "../sched/wait-queue.ts";
import { AnonymousInode } from "../vfs/anonymous-inode.ts";
import { type Inode, S_IFIFO, S_IFREG, type Stat, type Timestamp } from "../vfs/inode.ts";
import { OpenFile, Poll, type Result } from "../vfs/open-file.ts";
import { SEEK_CUR, SEEK_END, SEEK_SET } from "../vfs/open-flags.ts";
import { FIONREAD } from "./ioctls.ts";

/** Bytes that may wait for a program to read before the host is asked to hold more back. */
const INPUT_HIGH_WATER = 65536;

export class HostStreamFile extends OpenFile {
  override readonly inode: Inode;
  private readonly source: HostFile | undefined;
  private readonly chunks: Uint8Array[] = [];
  private buffered = 0;
  private listening = false;
  private paused = false;
  private ended = false;
  /** The host wants us to slow down. */
  private busy = false;
  private readonly changes = new WaitQueue();

  /** `name` is what describe() shows, e.g. "pipe:[stdin]". */
  constructor(
    private readonly stream: HostStream,
    flags: number,
    private readonly name: string,
    clock: Clock,
  ) {
    super(flags);
    this.inode = new HostStreamInode(stream, clock, this);
    this.source = stream.source?.file;
    this.offset = stream.source?.start ?? 0;
  }

  override describe(): string {
    return this.name;
  }

  override get seekable(): boolean {
    return this.source !== undefined;
  }

  // ---- input ------------------------------------------------------------------------------------------------------

  override read(thread: Thread, buffer: Uint8Array, position?: number): Result {
    if (!this.readable) return -EBADF;
    if (this.source !== undefined) return this.readSource(this.source, buffer, position);
    if (this.stream.onData === undefined) return 0;
    if (buffer.length === 0) return 0;
    this.listen();
    if (this.buffered > 0 || this.ended) return this.take(buffer);
    return this.nonBlocking ? -EAGAIN : this.readBlocking(thread, buffer);
  }

  private readSource(source: HostFile, buffer: Uint8Array, position: number | undefined): number {
    try {
      const n = source.read(buffer, position ?? this.offset);
      if (position === undefined) this.offset += n;
      return n;
    } catch (error) {
      return -errnoOf(error);
    }
  }

  private async readBlocking(thread: Thread, buffer: Uint8Array): Promise<number> {
    while (this.buffered === 0 && !this.ended) {
      if ((await thread.wait(this.changes)) === "interrupted") return -ERESTARTSYS;
    }
    return this.take(buffer);
  }

  private listen(): void {
    if (this.listening) return;
    this.listening = true;
    this.stream.onData?.((bytes) => {
      if (bytes.length === 0) {
        this.ended = true;
      } else {
        this.chunks.push(bytes);
        this.buffered += bytes.length;
        if (this.buffered >= INPUT_HIGH_WATER && !this.paused && this.stream.pause !== undefined) {
          this.paused = true;
          this.stream.pause();
        }
      }
      this.changed();
    });
  }

  private take(buffer: Uint8Array): number {
    let copied = 0;
    while (copied < buffer.length && this.chunks.length > 0) {
      const [chunk] = this.chunks;
      const n = Math.min(chunk.length, buffer.length - copied);
      buffer.set(n === chunk.length ? chunk : chunk.subarray(0, n), copied);
      copied += n;
      if (n === chunk.length) this.chunks.shift();
      else this.chunks[0] = chunk.subarray(n);
    }
    this.buffered -= copied;
    if (this.paused && this.buffered < INPUT_HIGH_WATER / 2) {
      this.paused = false;
      this.stream.resume?.();
    }
    return copied;
  }

  // ---- output -----------------------------------------------------------------------------------------------------

  override write(thread: Thread, data: Uint8Array): Result {
    if (!this.writable || this.stream.write === undefined) return -EBADF;
    if (!this.busy) return this.put(thread, data);
    return this.nonBlocking ? -EAGAIN : this.writeBlocking(thread, data);
  }

  private async writeBlocking(thread: Thread, data: Uint8Array): Promise<number> {
    while (this.busy) {
      if ((await thread.wait(this.changes)) === "interrupted") return -ERESTARTSYS;
    }
    return this.put(thread, data);
  }

  /** The host takes everything; when it is slow, it is the next write that waits. */
  private put(thread: Thread, data: Uint8Array): number {
    try {
      const slow = this.stream.write?.(data);
      if (slow !== undefined) {
        this.busy = true;
        const ready = (): void => {
          this.busy = false;
          this.changed();
        };
        slow.then(ready, ready);
      }
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === EPIPE)
        thread.kernel.signals.sendToThread(thread, SIGPIPE, {
          code: SiCode.USER,
          pid: thread.application.pid,
        });
      return -errno;
    }
    return data.length;
  }

  // ---- the rest ---------------------------------------------------------------------------------------------------

  private changed(): void {
    this.changes.wake();
    this.pollQueue.wake();
  }

  override poll(): number {
    let events = 0;
    if (this.readable) {
      if (this.source !== undefined || this.stream.onData === undefined) {
        events |= Poll.IN | Poll.RDNORM;
      } else {
        // Somebody wants to know: from here on we have to listen.
        this.listen();
        if (this.buffered > 0) events |= Poll.IN | Poll.RDNORM;
        if (this.ended) events |= this.inode.type === S_IFIFO ? Poll.HUP : Poll.IN | Poll.RDNORM | Poll.HUP;
      }
    }
    if (this.writable && !this.busy) events |= Poll.OUT | Poll.WRNORM;
    return events;
  }

  override seek(offset: number, whence: number): number {
    if (this.source === undefined) return -ESPIPE;
    let base: number;
    if (whence === SEEK_SET) base = 0;
    else if (whence === SEEK_CUR) base = this.offset;
    else if (whence === SEEK_END) base = this.inode.stat().size;
    else return -EINVAL;
    if (base + offset < 0) return -EINVAL;
    this.offset = base + offset;
    return this.offset;
  }

  override ioctl(thread: Thread, request: number, argument: number): Result {
    if (request !== FIONREAD || !this.readable) return super.ioctl(thread, request, argument);
    const size =
      this.source === undefined ? this.buffered : Math.max(0, this.inode.stat().size - this.offset);
    thread.memory.writeU32(argument, size);
    return 0;
  }

  override sync(): Result {
    return this.inode.type === S_IFREG ? 0 : -EINVAL;
  }
}

/** What fstat(2) shows: the host's own answer. */
class HostStreamInode extends AnonymousInode {
  constructor(
    private readonly stream: HostStream,
    clock: Clock,
    private readonly file: HostStreamFile,
  ) {
    super(hostMode(stream), clock);
  }

  /** Opening /dev/stdout is another use of the same stream. */
  reopen(): OpenFile {
    return this.file;
  }

  override stat(): Stat {
    const mine = super.stat();
    try {
      const host = this.stream.stat?.();
      if (host === undefined) return mine;
      return {
        ...mine,
        size: host.size,
        blocks: host.blocks,
        rdev: host.rdev,
        ino: host.ino,
        mtime: timestamp(host.mtime),
        atime: timestamp(host.atime),
        ctime: timestamp(host.ctime),
      };
    } catch {
      return mine;
    }
  }

  readPage(position: number, page: Uint8Array): number {
    return this.stream.source === undefined ? 0 : this.stream.source.file.read(page, position);
  }
}

function hostMode(stream: HostStream): number {
  try {
    return stream.stat?.().mode ?? S_IFIFO | 0o600;
  } catch {
    return S_IFIFO | 0o600;
  }
}

function timestamp(nanoseconds: bigint): Timestamp {
  return { seconds: Number(nanoseconds / 1_000_000_000n), nanoseconds: Number(nanoseconds % 1_000_000_000n) };
}

/** What the host's refusal is for a program. */
function errnoOf(error: unknown): number {
  if (!(error instanceof HostError)) return EIO;
  if (error.code === "EPIPE") return EPIPE;
  if (error.code === "ENOSPC") return ENOSPC;
  if (error.code === "EBADF") return EBADF;
  return EIO;
}
