/** timerfd_create(2): a timer that is read. */

import { EAGAIN, EINVAL, ERESTARTSYS } from "../errno.ts";
import type { Clock } from "../host.ts";
import type { Thread } from "../sched/thread.ts";
import { WaitQueue } from "../sched/wait-queue.ts";
import { AnonymousInode } from "../vfs/anonymous-inode.ts";
import { OpenFile, Poll, type Result } from "../vfs/open-file.ts";
import { O_NONBLOCK, O_RDWR } from "../vfs/open-flags.ts";

const COUNTER_SIZE = 8;

export class TimerFile extends OpenFile {
  override readonly inode: AnonymousInode;
  private readonly changes = new WaitQueue();
  private cancel: (() => void) | undefined;
  /** Monotonic ns of the next expiration; undefined when disarmed. */
  private next: number | undefined;
  private interval = 0;
  /** The host timer has fired; of a periodic one, the expirations since are counted when somebody looks. */
  private expired = false;
  /** Expirations that have been counted and not read. */
  private ticks = 0;

  constructor(
    private readonly clock: Clock,
    /** CLOCK_REALTIME or another; what {@link set} gets is monotonic time already. */
    readonly clockId: number,
    flags: number,
  ) {
    super(O_RDWR | (flags & O_NONBLOCK));
    this.inode = new AnonymousInode(0o600, clock);
  }

  override describe(): string {
    return "anon_inode:[timerfd]";
  }

  /** Expires at `at` (monotonic ns; undefined: never) and then every `interval` ns. What was not read is forgotten. */
  set(at: number | undefined, interval: number): void {
    this.cancel?.();
    this.cancel = undefined;
    this.expired = false;
    this.ticks = 0;
    this.next = at;
    this.interval = interval;
    this.schedule();
  }

  private schedule(): void {
    if (this.next === undefined) return;
    this.cancel = this.clock.after(Math.max(0, this.next - this.clock.monotonic()), () => {
      this.cancel = undefined;
      this.expired = true;
      this.changes.wake();
      this.pollQueue.wake(undefined, Poll.IN | Poll.RDNORM);
    });
  }

  /** Counts expirations up to now and, if the timer is periodic, starts it for the next. */
  private settle(): void {
    if (!this.expired || this.next === undefined) return;
    this.expired = false;
    if (this.interval === 0) {
      this.ticks++;
      this.next = undefined;
      return;
    }
    const count = 1 + Math.max(0, Math.floor((this.clock.monotonic() - this.next) / this.interval));
    this.ticks += count;
    this.next += count * this.interval;
    this.schedule();
  }

  /** Time until the next expiration (0 when disarmed) and the interval, ns. */
  get(): { remaining: number; interval: number } {
    this.settle();
    const remaining = this.next === undefined ? 0 : Math.max(1, this.next - this.clock.monotonic());
    return { remaining, interval: this.interval };
  }

  /** As on Linux (noop_llseek): the position is 0 and stays so. */
  override seek(): number {
    return 0;
  }

  override read(thread: Thread, buffer: Uint8Array): Result {
    if (buffer.length < COUNTER_SIZE) return -EINVAL;
    if (this.expired || this.ticks > 0) return this.take(buffer);
    return this.nonBlocking ? -EAGAIN : this.readBlocking(thread, buffer);
  }

  private take(buffer: Uint8Array): number {
    this.settle();
    new DataView(buffer.buffer, buffer.byteOffset).setBigUint64(0, BigInt(this.ticks), true);
    this.ticks = 0;
    return COUNTER_SIZE;
  }

  private async readBlocking(thread: Thread, buffer: Uint8Array): Promise<number> {
    while (!this.expired && this.ticks === 0) {
      if ((await thread.wait(this.changes)) === "interrupted") return -ERESTARTSYS;
    }
    return this.take(buffer);
  }

  override poll(): number {
    return this.expired || this.ticks > 0 ? Poll.IN | Poll.RDNORM : 0;
  }

  override close(): void {
    this.cancel?.();
  }
}
