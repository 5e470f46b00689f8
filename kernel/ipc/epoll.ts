/**
 * epoll(7). Each watched file has an item that listens to the file's poll queue and enters the ready list when it is
 * woken, so that a wait costs what is ready, not what is watched (Linux: fs/eventpoll.c).
 */

import { EEXIST, EINVAL, ELOOP, ENOENT, EPERM } from "../errno.ts";
import type { Clock } from "../host.ts";
import type { Thread } from "../sched/thread.ts";
import { WaitQueue } from "../sched/wait-queue.ts";
import { AnonymousInode } from "../vfs/anonymous-inode.ts";
import { major, minor } from "../vfs/character-device.ts";
import { S_IFCHR, S_IFDIR, S_IFREG } from "../vfs/inode.ts";
import { OpenFile, Poll } from "../vfs/open-file.ts";
import { O_RDWR } from "../vfs/open-flags.ts";

/** Flags among the event bits (linux/eventpoll.h). */
export const EPOLLEXCLUSIVE = 1 << 28;
export const EPOLLWAKEUP = 1 << 29;
export const EPOLLONESHOT = 1 << 30;
export const EPOLLET = 1 << 31;
const PRIVATE_BITS = EPOLLEXCLUSIVE | EPOLLWAKEUP | EPOLLONESHOT | EPOLLET;
const EXCLUSIVE_OK = Poll.IN | Poll.OUT | Poll.ERR | Poll.HUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;

/** How deep epoll files may watch each other (EP_MAX_NESTS). */
const MAXIMUM_NESTING = 4;

export interface EpollEvent {
  readonly events: number;
  readonly data: bigint;
}

interface Item {
  readonly file: OpenFile;
  readonly fd: number;
  events: number;
  data: bigint;
  /** Takes the item's listeners away. */
  readonly forget: () => void;
}

export class EpollFile extends OpenFile {
  override readonly inode: AnonymousInode;
  /** Items by open file and descriptor: the same file may be watched through several. */
  private readonly items = new Map<OpenFile, Map<number, Item>>();
  private readonly ready = new Set<Item>();
  private readonly waiters = new WaitQueue();
  /** The events that are being collected; what becomes ready meanwhile is not looked at twice. */
  private collecting = false;

  constructor(clock: Clock) {
    super(O_RDWR);
    this.inode = new AnonymousInode(0o600, clock);
  }

  override describe(): string {
    return "anon_inode:[eventpoll]";
  }

  /** As on Linux (noop_llseek): the position is 0 and stays so. */
  override seek(): number {
    return 0;
  }

  /** EPOLL_CTL_ADD */
  add(thread: Thread, fd: number, file: OpenFile, events: number, data: bigint): number {
    const exclusive = (events & EPOLLEXCLUSIVE) !== 0;
    if (!isPollable(file)) return -EPERM;
    if (file === this) return -EINVAL;
    if (exclusive && (file instanceof EpollFile || (events & ~EXCLUSIVE_OK) !== 0)) return -EINVAL;
    if (
      file instanceof EpollFile &&
      (file.reaches(this) || this.depthAbove() + file.depthBelow() > MAXIMUM_NESTING)
    ) {
      return -ELOOP;
    }
    let byFd = this.items.get(file);
    if (byFd?.has(fd) === true) return -EEXIST;
    if (byFd === undefined) {
      byFd = new Map();
      this.items.set(file, byFd);
    }
    const item: Item = { file, fd, events: events | Poll.ERR | Poll.HUP, data, forget: () => {} };
    const watched: Item = Object.assign(item, { forget: this.watch(item) });
    byFd.set(fd, watched);
    this.check(thread, watched);
    return 0;
  }

  /** EPOLL_CTL_MOD */
  modify(thread: Thread, fd: number, file: OpenFile, events: number, data: bigint): number {
    const item = this.items.get(file)?.get(fd);
    if ((events & EPOLLEXCLUSIVE) !== 0) return -EINVAL;
    if (item === undefined) return -ENOENT;
    if ((item.events & EPOLLEXCLUSIVE) !== 0) return -EINVAL;
    item.events = events | Poll.ERR | Poll.HUP;
    item.data = data;
    this.check(thread, item);
    return 0;
  }

  /** EPOLL_CTL_DEL */
  remove(fd: number, file: OpenFile): number {
    const item = this.items.get(file)?.get(fd);
    if (item === undefined) return -ENOENT;
    this.drop(item);
    return 0;
  }

  private drop(item: Item): void {
    item.forget();
    this.ready.delete(item);
    const byFd = this.items.get(item.file);
    byFd?.delete(item.fd);
    if (byFd?.size === 0) this.items.delete(item.file);
  }

  private watch(item: Item): () => void {
    const { file } = item;
    const stop = file.pollQueue.listen((events) => this.wakeItem(item, events));
    const closed = (): void => this.drop(item);
    file.onClosed ??= new Set();
    file.onClosed.add(closed);
    if (file instanceof EpollFile) file.watchers.add(this);
    return () => {
      stop();
      file.onClosed?.delete(closed);
      if (file instanceof EpollFile && !this.watches(file)) file.watchers.delete(this);
    };
  }

  /** The file's queue was woken. */
  private wakeItem(item: Item, events: number): void {
    // Disabled by EPOLLONESHOT until the next EPOLL_CTL_MOD.
    if ((item.events & ~PRIVATE_BITS) === 0) return;
    if (events !== -1 && (events & item.events) === 0) return;
    this.enqueue(item);
  }

  private check(thread: Thread, item: Item): void {
    if ((item.file.poll(thread) & item.events) !== 0) this.enqueue(item);
  }

  private enqueue(item: Item): void {
    this.ready.add(item);
    if (this.collecting) return;
    this.waiters.wake(1);
    this.pollQueue.wake(undefined, Poll.IN | Poll.RDNORM);
  }

  /**
   * Takes up to `maximum` events, waiting for the first one until `deadline` (monotonic ns; undefined: for ever).
   * Resolves with "interrupted" when a signal came first.
   */
  wait(
    thread: Thread,
    maximum: number,
    deadline: number | undefined,
  ): EpollEvent[] | Promise<EpollEvent[] | "interrupted"> {
    const events = this.collect(thread, maximum);
    if (events.length > 0) return events;
    if (deadline !== undefined && deadline <= thread.kernel.host.clock.monotonic()) return events;
    return this.waitBlocking(thread, maximum, deadline);
  }

  private async waitBlocking(
    thread: Thread,
    maximum: number,
    deadline: number | undefined,
  ): Promise<EpollEvent[] | "interrupted"> {
    for (;;) {
      const how = await thread.wait(this.waiters, deadline);
      const events = this.collect(thread, maximum);
      if (events.length > 0 || how === "timeout") return events;
      if (how === "interrupted") return how;
    }
  }

  /** ep_send_events: looks at ready items again, as they may no longer be. */
  private collect(thread: Thread, maximum: number): EpollEvent[] {
    if (this.ready.size === 0) return [];
    const events: EpollEvent[] = [];
    const again: Item[] = [];
    this.collecting = true;
    for (const item of this.ready) {
      if (events.length >= maximum) break;
      this.ready.delete(item);
      const found = item.file.poll(thread) & item.events;
      if (found === 0) continue;
      events.push({ events: found, data: item.data });
      if ((item.events & EPOLLONESHOT) !== 0) item.events &= PRIVATE_BITS;
      else if ((item.events & EPOLLET) === 0) again.push(item);
    }
    this.collecting = false;
    // Level-triggered items stay, behind those that had to wait.
    for (const item of again) this.ready.add(item);
    if (this.ready.size > 0) this.waiters.wake(1);
    return events;
  }

  /** Readable when somebody watched is ready. */
  override poll(thread: Thread): number {
    this.collecting = true;
    let found = false;
    for (const item of this.ready) {
      found = (item.file.poll(thread) & item.events) !== 0;
      if (found) break;
      this.ready.delete(item);
    }
    this.collecting = false;
    return found ? Poll.IN | Poll.RDNORM : 0;
  }

  // ---- epoll files that watch epoll files -------------------------------------------------------------------------

  /** Those that watch this one. */
  private readonly watchers = new Set<EpollFile>();

  private watches(file: OpenFile): boolean {
    return this.items.has(file);
  }

  private *nested(): Iterable<EpollFile> {
    for (const file of this.items.keys()) if (file instanceof EpollFile) yield file;
  }

  private reaches(target: EpollFile): boolean {
    if (target === this) return true;
    for (const file of this.nested()) if (file.reaches(target)) return true;
    return false;
  }

  private depthBelow(): number {
    let depth = 0;
    for (const file of this.nested()) depth = Math.max(depth, 1 + file.depthBelow());
    return depth;
  }

  private depthAbove(): number {
    let depth = 0;
    for (const file of this.watchers) depth = Math.max(depth, file.depthAbove());
    return depth + 1;
  }

  override close(): void {
    for (const byFd of [...this.items.values()]) for (const item of [...byFd.values()]) this.drop(item);
  }
}

/** Does waiting for the file make sense? Regular files, directories and /dev/null are always ready and have no poll. */
function isPollable(file: OpenFile): boolean {
  const { type } = file.inode;
  if (type === S_IFREG || type === S_IFDIR) return false;
  if (type !== S_IFCHR) return true;
  const { rdev } = file.inode.stat();
  // Of the memory devices only random and urandom can be waited for (Documentation/admin-guide/devices.txt).
  return major(rdev) !== 1 || minor(rdev) === 8 || minor(rdev) === 9;
}
