/** eventfd(2): a counter that can be waited for. */

import { EAGAIN, EINVAL, ERESTARTSYS } from "../errno.ts";
import type { Clock } from "../host.ts";
import type { Thread } from "../sched/thread.ts";
import { WaitQueue } from "../sched/wait-queue.ts";
import { AnonymousInode } from "../vfs/anonymous-inode.ts";
import { OpenFile, Poll, type Result } from "../vfs/open-file.ts";
import { O_NONBLOCK, O_RDWR } from "../vfs/open-flags.ts";

/** Reads take one at a time. */
export const EFD_SEMAPHORE = 1;

const COUNTER_SIZE = 8;
const MAXIMUM = 0xffff_ffff_ffff_fffen;
const READ_EVENTS = Poll.IN | Poll.RDNORM;
const WRITE_EVENTS = Poll.OUT | Poll.WRNORM;

export class EventFile extends OpenFile {
  override readonly inode: AnonymousInode;
  private readonly changes = new WaitQueue();

  /** `flags`: EFD_SEMAPHORE, O_NONBLOCK. */
  constructor(
    private count: bigint,
    private readonly creationFlags: number,
    clock: Clock,
  ) {
    super(O_RDWR | (creationFlags & O_NONBLOCK));
    this.inode = new AnonymousInode(0o600, clock);
  }

  override describe(): string {
    return "anon_inode:[eventfd]";
  }

  /** As on Linux (noop_llseek): the position is 0 and stays so. */
  override seek(): number {
    return 0;
  }

  override read(thread: Thread, buffer: Uint8Array): Result {
    if (buffer.length < COUNTER_SIZE) return -EINVAL;
    if (this.count > 0n) return this.take(buffer);
    return this.nonBlocking ? -EAGAIN : this.readBlocking(thread, buffer);
  }

  private take(buffer: Uint8Array): number {
    const value = (this.creationFlags & EFD_SEMAPHORE) !== 0 ? 1n : this.count;
    this.count -= value;
    new DataView(buffer.buffer, buffer.byteOffset).setBigUint64(0, value, true);
    this.changed(WRITE_EVENTS);
    return COUNTER_SIZE;
  }

  private async readBlocking(thread: Thread, buffer: Uint8Array): Promise<number> {
    while (this.count === 0n) {
      if ((await thread.wait(this.changes)) === "interrupted") return -ERESTARTSYS;
    }
    return this.take(buffer);
  }

  override write(thread: Thread, data: Uint8Array): Result {
    if (data.length < COUNTER_SIZE) return -EINVAL;
    const value = new DataView(data.buffer, data.byteOffset).getBigUint64(0, true);
    if (value > MAXIMUM) return -EINVAL;
    if (this.count + value <= MAXIMUM) return this.put(value);
    return this.nonBlocking ? -EAGAIN : this.writeBlocking(thread, value);
  }

  private put(value: bigint): number {
    this.count += value;
    this.changed(READ_EVENTS);
    return COUNTER_SIZE;
  }

  private async writeBlocking(thread: Thread, value: bigint): Promise<number> {
    while (this.count + value > MAXIMUM) {
      if ((await thread.wait(this.changes)) === "interrupted") return -ERESTARTSYS;
    }
    return this.put(value);
  }

  private changed(events: number): void {
    this.changes.wake();
    this.pollQueue.wake(undefined, events);
  }

  override poll(): number {
    return (this.count > 0n ? READ_EVENTS : 0) | (this.count < MAXIMUM ? WRITE_EVENTS : 0);
  }
}
