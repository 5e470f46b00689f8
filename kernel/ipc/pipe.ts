/**
 * Pipes and FIFOs (pipe(7), fifo(7)).
 *
 * The buffer is a ring of page-sized slots, as in Linux' fs/pipe.c, not of bytes: how much fits depends on how it was
 * written, and programs that fill a pipe see the same numbers. A write of at most PIPE_BUF (4,096) bytes fits one slot,
 * which makes it atomic.
 */

import { EAGAIN, EBADF, EBUSY, EINVAL, ENXIO, EPERM, EPIPE, ERESTARTSYS, Errno } from "../errno.ts";
import type { Clock } from "../host.ts";
import { SIGPIPE, SiCode } from "../sched/signal-numbers.ts";
import type { Thread } from "../sched/thread.ts";
import { WaitQueue } from "../sched/wait-queue.ts";
import { FIONREAD } from "../tty/ioctls.ts";
import { AnonymousInode } from "../vfs/anonymous-inode.ts";
import { type Inode, S_IFIFO } from "../vfs/inode.ts";
import { OpenFile, Poll, type Result } from "../vfs/open-file.ts";
import { O_ACCMODE, O_DIRECT, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } from "../vfs/open-flags.ts";
import type { Path } from "../vfs/path.ts";

const PAGE = 4096;
const READ_EVENTS = Poll.IN | Poll.RDNORM;
const WRITE_EVENTS = Poll.OUT | Poll.WRNORM;
/** PIPE_DEF_BUFFERS */
const DEFAULT_SLOTS = 16;
/** /proc/sys/fs/pipe-max-size */
const MAXIMUM_CAPACITY = 1048576;

interface Slot {
  readonly page: Uint8Array;
  start: number;
  end: number;
  /** Written with O_DIRECT: a read returns it alone, and what does not fit is lost. */
  readonly packet: boolean;
  /** Spliced: later writes get a page of their own. */
  readonly sealed?: boolean;
}

export class Pipe {
  readonly readersQueue = new WaitQueue();
  readonly writersQueue = new WaitQueue();
  /** Open ends, and how many there ever were (opening a FIFO waits for a partner that may be gone again). */
  readers = 0;
  writers = 0;
  readerOpens = 0;
  writerOpens = 0;
  private readonly files: PipeFile[] = [];
  private slots: Slot[] = [];
  private maximum = DEFAULT_SLOTS;
  /** A page to use again. */
  private spare: Uint8Array | undefined;

  get empty(): boolean {
    return this.slots.length === 0;
  }

  get full(): boolean {
    return this.slots.length >= this.maximum;
  }

  /** How many more pages fit. */
  get room(): number {
    return Math.max(0, this.maximum - this.slots.length);
  }

  /** FIONREAD */
  get readable(): number {
    let sum = 0;
    for (const slot of this.slots) sum += slot.end - slot.start;
    return sum;
  }

  /** Bytes: F_GETPIPE_SZ */
  get capacity(): number {
    return this.maximum * PAGE;
  }

  /** F_SETPIPE_SZ: a power of two pages. Returns the new capacity. */
  resize(bytes: number): number {
    if (!(bytes >= 0 && bytes <= 0x80000000)) return -EINVAL;
    // As without CAP_SYS_RESOURCE: what is in pipes is the host's memory.
    if (bytes > MAXIMUM_CAPACITY && bytes > this.capacity) return -EPERM;
    let slots = 1;
    while (slots * PAGE < bytes) slots *= 2;
    if (slots < this.slots.length) return -EBUSY;
    this.maximum = slots;
    this.writersQueue.wake();
    this.changed();
    return this.capacity;
  }

  attach(file: PipeFile): void {
    this.files.push(file);
    if (file.readable) {
      this.readers++;
      this.readerOpens++;
      if (this.readers === 1) this.writersQueue.wake();
    }
    if (file.writable) {
      this.writers++;
      this.writerOpens++;
      if (this.writers === 1) this.readersQueue.wake();
    }
  }

  detach(file: PipeFile): void {
    const index = this.files.indexOf(file);
    if (index < 0) return;
    this.files.splice(index, 1);
    if (file.readable) this.readers--;
    if (file.writable) this.writers--;
    this.readersQueue.wake();
    this.writersQueue.wake();
    this.changed();
    if (this.files.length === 0) this.slots = [];
  }

  /** Tells pollers what came up. */
  changed(events = -1): void {
    for (const file of this.files) {
      const concerned = (file.readable ? READ_EVENTS : 0) | (file.writable ? WRITE_EVENTS : 0);
      if ((events & concerned) !== 0) file.pollQueue.wake(undefined, events);
    }
  }

  /** Takes what fits; returns how many bytes. */
  push(data: Uint8Array, packet: boolean): number {
    let written = 0;
    const tail = data.length & (PAGE - 1);
    const last = this.slots[this.slots.length - 1];
    // Small writes share a page, which also leaves the rest of a long one in whole pages.
    if (
      tail !== 0 &&
      last !== undefined &&
      !last.packet &&
      !last.sealed &&
      !packet &&
      last.end + tail <= PAGE
    ) {
      last.page.set(tail === data.length ? data : data.subarray(0, tail), last.end);
      last.end += tail;
      written = tail;
    }
    while (written < data.length && !this.full) {
      const page = this.spare ?? new Uint8Array(PAGE);
      this.spare = undefined;
      const n = Math.min(PAGE, data.length - written);
      page.set(n === data.length ? data : data.subarray(written, written + n));
      this.slots.push({ page, start: 0, end: n, packet });
      written += n;
    }
    return written;
  }

  /** Takes at most a page, which stays a page of its own. There must be {@link room}. */
  pushPage(data: Uint8Array): void {
    const page = new Uint8Array(PAGE);
    page.set(data);
    this.slots.push({ page, start: 0, end: data.length, packet: false, sealed: true });
  }

  /** What page number `index` holds, up to `limit` bytes; undefined behind the last. It stays there. */
  pageAt(index: number, limit: number): Uint8Array | undefined {
    const slot = this.slots[index];
    return slot?.page.subarray(slot.start, Math.min(slot.end, slot.start + limit));
  }

  /** Puts back what was pulled last and not used. */
  unpull(data: Uint8Array): void {
    const slots: Slot[] = [];
    for (let at = 0; at < data.length; at += PAGE) {
      const page = new Uint8Array(PAGE);
      const part = data.subarray(at, at + PAGE);
      page.set(part);
      slots.push({ page, start: 0, end: part.length, packet: false, sealed: true });
    }
    this.slots.unshift(...slots);
  }

  /** Takes what is there, up to the buffer's length, or one packet. */
  pull(buffer: Uint8Array): number {
    let copied = 0;
    while (copied < buffer.length && this.slots.length > 0) {
      const [slot] = this.slots;
      const n = Math.min(slot.end - slot.start, buffer.length - copied);
      buffer.set(slot.page.subarray(slot.start, slot.start + n), copied);
      slot.start += n;
      copied += n;
      if (slot.start === slot.end || slot.packet) {
        this.slots.shift();
        this.spare = slot.page;
      }
      if (slot.packet) break;
    }
    return copied;
  }
}

export class PipeFile extends OpenFile {
  /** Writers that had opened the FIFO before us: no hang-up is reported until one of ours came and went. */
  private readonly writersBefore: number;

  constructor(
    readonly pipe: Pipe,
    flags: number,
    override readonly inode: Inode,
    private readonly name: string,
    /** Opened by name: a reader waits for its first writer instead of seeing the end of file. */
    fifo: boolean,
  ) {
    super(flags);
    this.writersBefore = fifo && pipe.writers === 0 ? pipe.writerOpens : -1;
    pipe.attach(this);
  }

  override describe(): string {
    return this.name;
  }

  override read(thread: Thread, buffer: Uint8Array): Result {
    if (!this.readable) return -EBADF;
    if (buffer.length === 0) return 0;
    if (!this.pipe.empty) return this.pull(buffer);
    if (this.pipe.writers === 0) return 0;
    return this.nonBlocking ? -EAGAIN : this.readBlocking(thread, buffer);
  }

  private async readBlocking(thread: Thread, buffer: Uint8Array): Promise<number> {
    const { pipe } = this;
    while (pipe.empty) {
      if (pipe.writers === 0) return 0;
      if ((await thread.wait(pipe.readersQueue)) === "interrupted") return -ERESTARTSYS;
    }
    return this.pull(buffer);
  }

  /** Takes data out without waiting, and wakes who waits for room. */
  pull(buffer: Uint8Array): number {
    const { pipe } = this;
    const wasFull = pipe.full;
    const n = pipe.pull(buffer);
    if (wasFull && !pipe.full) {
      pipe.writersQueue.wake();
      pipe.changed(WRITE_EVENTS);
    }
    // The wake that told us was for one reader; there may be something left for the next.
    if (!pipe.empty && pipe.readersQueue.length > 0) pipe.readersQueue.wake(1);
    return n;
  }

  override write(thread: Thread, data: Uint8Array): Result {
    if (!this.writable) return -EBADF;
    if (data.length === 0) return 0;
    const { pipe } = this;
    if (pipe.readers === 0) return this.broken(thread, 0);
    const written = this.push(data);
    if (written === data.length) return written;
    if (this.nonBlocking) return written > 0 ? written : -EAGAIN;
    return this.writeBlocking(thread, data, written);
  }

  private async writeBlocking(thread: Thread, data: Uint8Array, start: number): Promise<number> {
    const { pipe } = this;
    let written = start;
    while (written < data.length) {
      if ((await thread.wait(pipe.writersQueue)) === "interrupted")
        return written > 0 ? written : -ERESTARTSYS;
      if (pipe.readers === 0) return this.broken(thread, written);
      written += this.push(data.subarray(written));
    }
    return written;
  }

  private push(data: Uint8Array): number {
    const n = this.pipe.push(data, (this.flags & O_DIRECT) !== 0);
    if (n > 0) this.filled();
    return n;
  }

  /** There is something to read. */
  filled(): void {
    this.pipe.readersQueue.wake(1);
    this.pipe.changed(READ_EVENTS);
  }

  /** Nobody will ever read: SIGPIPE, and EPIPE unless something was written before. */
  broken(thread: Thread, written: number): number {
    thread.kernel.signals.sendToThread(thread, SIGPIPE, { code: SiCode.USER, pid: thread.application.pid });
    return written > 0 ? written : -EPIPE;
  }

  override poll(): number {
    const { pipe } = this;
    let events = 0;
    if (this.readable) {
      if (!pipe.empty) events |= Poll.IN | Poll.RDNORM;
      if (pipe.writers === 0 && pipe.writerOpens !== this.writersBefore) events |= Poll.HUP;
    }
    if (this.writable) {
      if (!pipe.full) events |= Poll.OUT | Poll.WRNORM;
      if (pipe.readers === 0) events |= Poll.ERR;
    }
    return events;
  }

  override ioctl(thread: Thread, request: number, argument: number): Result {
    if (request !== FIONREAD) return super.ioctl(thread, request, argument);
    thread.memory.writeU32(argument, this.pipe.readable);
    return 0;
  }

  /** F_GETPIPE_SZ and F_SETPIPE_SZ */
  override get capacity(): number {
    return this.pipe.capacity;
  }

  override resize(bytes: number): number {
    return this.pipe.resize(bytes);
  }

  override close(): void {
    this.pipe.detach(this);
  }
}

/** pipe2(2): the reading and the writing end. `flags`: O_NONBLOCK, O_DIRECT. */
export function createPipe(clock: Clock, flags = 0): [PipeFile, PipeFile] {
  const pipe = new Pipe();
  const inode = new AnonymousInode(S_IFIFO | 0o600, clock);
  // Opening /proc/self/fd/N gives another end of the same pipe.
  fifos.set(inode, pipe);
  const name = `pipe:[${inode.ino}]`;
  return [
    new PipeFile(pipe, O_RDONLY | (flags & O_NONBLOCK), inode, name, false),
    new PipeFile(pipe, O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT)), inode, name, false),
  ];
}

/** The pipe of a FIFO lives as long as somebody has it open. */
const fifos = new WeakMap<Inode, Pipe>();

/** open(2) of a FIFO: waits for the other end, unless opened for both or with O_NONBLOCK (fifo(7)). */
export function openFifo(
  thread: Thread | undefined,
  inode: Inode,
  flags: number,
  path: Path,
): OpenFile | Promise<OpenFile> {
  let pipe = fifos.get(inode);
  if (pipe === undefined) {
    pipe = new Pipe();
    fifos.set(inode, pipe);
  }
  const access = flags & O_ACCMODE;
  const nonBlocking = (flags & O_NONBLOCK) !== 0;
  if (access === O_WRONLY && nonBlocking && pipe.readers === 0) throw new Errno(ENXIO);
  const { readerOpens, writerOpens } = pipe;
  const file = new PipeFile(pipe, flags, inode, path.toString(), true);
  if (access === O_RDWR || nonBlocking || thread === undefined) return file;
  if (access === O_RDONLY && pipe.writers === 0)
    return waitForPartner(thread, file, () => file.pipe.writerOpens !== writerOpens);
  if (access === O_WRONLY && pipe.readers === 0)
    return waitForPartner(thread, file, () => file.pipe.readerOpens !== readerOpens);
  return file;
}

async function waitForPartner(thread: Thread, file: PipeFile, came: () => boolean): Promise<OpenFile> {
  const queue = file.writable ? file.pipe.writersQueue : file.pipe.readersQueue;
  while (!came()) {
    if ((await thread.wait(queue)) === "interrupted") {
      file.pipe.detach(file);
      throw new Errno(ERESTARTSYS);
    }
  }
  return file;
}
