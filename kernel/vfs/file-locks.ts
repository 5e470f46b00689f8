/** Advisory locks on one inode: record locks (fcntl_locking(2)), open-file-description locks and flock(2). */

import { EAGAIN, EDEADLK, ERESTARTSYS } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import { WaitQueue } from "../sched/wait-queue.ts";
import type { Result } from "./open-file.ts";

export type LockType = "read" | "write";

/** Who holds a record lock: the descriptor table of an application, or an open file (F_OFD_SETLK). */
export type LockOwner = object;

export interface RecordLock {
  readonly owner: LockOwner;
  readonly type: LockType;
  readonly start: number;
  /** One past the last byte; Infinity: to the end of the file, however long it gets. */
  readonly end: number;
  /** As F_GETLK reports it: -1 for open-file-description locks. */
  readonly pid: number;
}

/** Which owner waits for which other: a cycle is a deadlock. */
const waitsFor = new Map<LockOwner, LockOwner>();

export class FileLocks {
  private records: RecordLock[] = [];
  private readonly whole = new Map<LockOwner, LockType>();
  private readonly queue = new WaitQueue();

  /** The first lock that stands in the way, as F_GETLK reports it. */
  conflict(wanted: RecordLock): RecordLock | undefined {
    return this.records.find(
      (held) =>
        held.owner !== wanted.owner &&
        held.start < wanted.end &&
        wanted.start < held.end &&
        (held.type === "write" || wanted.type === "write"),
    );
  }

  /** F_SETLK: 0 or -EAGAIN. */
  lockRecord(wanted: RecordLock): number {
    if (this.conflict(wanted) !== undefined) return -EAGAIN;
    this.replace(wanted, wanted);
    return 0;
  }

  /** F_SETLKW; `detectDeadlock` not for open-file-description locks. */
  async waitForRecord(thread: Thread, wanted: RecordLock, detectDeadlock: boolean): Promise<number> {
    for (;;) {
      const held = this.conflict(wanted);
      if (held === undefined) break;
      if (detectDeadlock) {
        for (let at: LockOwner | undefined = held.owner; at !== undefined; at = waitsFor.get(at)) {
          if (at === wanted.owner) return -EDEADLK;
        }
        waitsFor.set(wanted.owner, held.owner);
      }
      const how = await thread.wait(this.queue);
      waitsFor.delete(wanted.owner);
      if (how === "interrupted") return -ERESTARTSYS;
    }
    this.replace(wanted, wanted);
    return 0;
  }

  /** F_UNLCK */
  unlockRecord(range: Omit<RecordLock, "type" | "pid">): void {
    this.replace(range, undefined);
    this.queue.wake();
  }

  /** All record locks of an owner. */
  releaseRecordLocks(owner: LockOwner): void {
    const before = this.records.length;
    if (before === 0) return;
    this.records = this.records.filter((lock) => lock.owner !== owner);
    if (this.records.length !== before) this.queue.wake();
  }

  /** An open file is closed for good: its flock(2) and open-file-description locks go. */
  releaseFile(owner: LockOwner): void {
    this.releaseRecordLocks(owner);
    if (this.whole.delete(owner)) this.queue.wake();
  }

  /** flock(2). Converting a lock is not atomic: the old one is given up first, as on Linux. */
  flock(thread: Thread, owner: LockOwner, type: LockType | undefined, wait: boolean): Result {
    if (type === undefined) {
      if (this.whole.delete(owner)) this.queue.wake();
      return 0;
    }
    if (this.whole.get(owner) === type) return 0;
    if (this.whole.delete(owner)) this.queue.wake();
    if (!this.flockConflicts(owner, type)) {
      this.whole.set(owner, type);
      return 0;
    }
    return wait ? this.waitForFlock(thread, owner, type) : -EAGAIN;
  }

  private async waitForFlock(thread: Thread, owner: LockOwner, type: LockType): Promise<number> {
    while (this.flockConflicts(owner, type)) {
      if ((await thread.wait(this.queue)) === "interrupted") return -ERESTARTSYS;
    }
    this.whole.set(owner, type);
    return 0;
  }

  private flockConflicts(owner: LockOwner, type: LockType): boolean {
    for (const [holder, held] of this.whole) {
      if (holder !== owner && (held === "write" || type === "write")) return true;
    }
    return false;
  }

  /** Takes the owner's locks out of a range (splitting them at its ends) and puts `lock` there; joins equal neighbours. */
  private replace(range: Omit<RecordLock, "type" | "pid">, lock: RecordLock | undefined): void {
    const kept: RecordLock[] = [];
    let joined = lock;
    for (const held of this.records) {
      if (held.owner !== range.owner) {
        kept.push(held);
        continue;
      }
      if (
        joined !== undefined &&
        held.type === joined.type &&
        held.start <= joined.end &&
        joined.start <= held.end
      ) {
        joined = {
          ...joined,
          start: Math.min(held.start, joined.start),
          end: Math.max(held.end, joined.end),
        };
        continue;
      }
      if (held.end <= range.start || held.start >= range.end) {
        kept.push(held);
        continue;
      }
      if (held.start < range.start) kept.push({ ...held, end: range.start });
      if (held.end > range.end) kept.push({ ...held, start: range.end });
    }
    if (joined !== undefined) kept.push(joined);
    kept.sort((a, b) => a.start - b.start);
    const downgraded = lock?.type === "read";
    this.records = kept;
    if (downgraded) this.queue.wake();
  }
}
