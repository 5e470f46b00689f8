/** Futexes (futex(2); Linux kernel/futex/): threads that wait for a word of memory to change. */

import { Access } from "../../mmu/translator.ts";
import {
  EAGAIN,
  EDEADLK,
  EFAULT,
  EINTR,
  EINVAL,
  EPERM,
  ERESTARTNOINTR,
  ERESTARTSYS,
  ESRCH,
  ETIMEDOUT,
} from "../errno.ts";
import type { Clock } from "../host.ts";
import type { AddressSpace } from "../mm/address-space.ts";
import type { UserMemory } from "../mm/user-memory.ts";
import type { Interruptible, Thread, WakeReason } from "./thread.ts";

/** Bits of a robust or PI futex word (uapi/linux/futex.h). */
export const FUTEX_WAITERS = 0x80000000;
export const FUTEX_OWNER_DIED = 0x40000000;
export const FUTEX_TID_MASK = 0x3fffffff;
export const MATCH_ANY = 0xffffffff;

/** FUTEX_OP_* of FUTEX_WAKE_OP */
const Operation = { SET: 0, ADD: 1, OR: 2, ANDN: 3, XOR: 4, OPARG_SHIFT: 8 } as const;
const Comparison = { EQ: 0, NE: 1, LT: 2, LE: 3, GT: 4, GE: 5 } as const;

/** How many entries of a robust list are looked at (ROBUST_LIST_LIMIT). */
const ROBUST_LIST_LIMIT = 2048;

/** A thread in a queue. */
class FutexWaiter implements Interruptible {
  cancelTimer: (() => void) | undefined;

  constructor(
    readonly thread: Thread,
    public key: number,
    readonly bitset: number,
    /** Waits to own a PI futex at this address. */
    readonly lockAddress: number | undefined,
    private readonly interruptedResult: number,
    private readonly leave: (waiter: FutexWaiter) => void,
  ) {}

  end(how: WakeReason): boolean {
    this.leave(this);
    this.finish(how === "timeout" ? -ETIMEDOUT : this.interruptedResult);
    return true;
  }

  finish(result: number): void {
    this.cancelTimer?.();
    this.thread.resume(result);
  }
}

export class Futexes {
  private readonly queues = new Map<number, FutexWaiter[]>();

  constructor(
    private readonly space: AddressSpace,
    private readonly memory: UserMemory,
    private readonly clock: Clock,
  ) {}

  /**
   * What identifies a futex: its virtual address, which is the same for all in the one address space; for shared file
   * mappings the physical one, as they can be in several places (made negative, to be different).
   */
  private key(address: number, shared: boolean): number {
    if (!shared) return address;
    const vma = this.space.areas.find(address);
    if (vma === undefined || !vma.shared || vma.file === undefined) return address;
    return -this.space.resolve(address, Access.Read) - 1;
  }

  private enqueue(waiter: FutexWaiter): void {
    const queue = this.queues.get(waiter.key);
    if (queue === undefined) this.queues.set(waiter.key, [waiter]);
    else queue.push(waiter);
  }

  private readonly leave = (waiter: FutexWaiter): void => {
    const queue = this.queues.get(waiter.key);
    if (queue === undefined) return;
    const index = queue.indexOf(waiter);
    if (index >= 0) queue.splice(index, 1);
    if (queue.length === 0) this.queues.delete(waiter.key);
  };

  private block(waiter: FutexWaiter, deadline: number | undefined): number {
    const { thread } = waiter;
    if (deadline !== undefined) {
      const left = deadline - this.clock.monotonic();
      if (left <= 0) return -ETIMEDOUT;
      waiter.cancelTimer = this.clock.after(left, () => waiter.end("timeout"));
    }
    this.enqueue(waiter);
    return thread.suspend(waiter);
  }

  /** FUTEX_WAIT, FUTEX_WAIT_BITSET. `deadline` is monotonic ns. */
  wait(
    thread: Thread,
    address: number,
    shared: boolean,
    value: number,
    bitset: number,
    deadline?: number,
  ): number {
    if (bitset === 0) return -EINVAL;
    if (this.memory.readU32(address) !== value) return -EAGAIN;
    // With a timeout the call is not restarted, as the time that has passed would be lost (ERESTART_RESTARTBLOCK).
    const interrupted = deadline === undefined ? -ERESTARTSYS : -EINTR;
    if (thread.kernel.signals.deliverable(thread)) return interrupted;
    const key = this.key(address, shared);
    return this.block(new FutexWaiter(thread, key, bitset, undefined, interrupted, this.leave), deadline);
  }

  /** FUTEX_WAKE, FUTEX_WAKE_BITSET: how many were woken. */
  wake(address: number, shared: boolean, count: number, bitset: number): number {
    if (bitset === 0) return -EINVAL;
    return this.wakeKey(this.key(address, shared), count, bitset);
  }

  private wakeKey(key: number, count: number, bitset: number): number {
    const queue = this.queues.get(key);
    if (queue === undefined) return 0;
    let woken = 0;
    for (let index = 0; index < queue.length && woken < count; ) {
      const waiter = queue[index];
      if ((waiter.bitset & bitset) === 0 || waiter.lockAddress !== undefined) {
        index++;
        continue;
      }
      queue.splice(index, 1);
      waiter.finish(0);
      woken++;
    }
    if (queue.length === 0) this.queues.delete(key);
    return woken;
  }

  /** FUTEX_REQUEUE, FUTEX_CMP_REQUEUE (`expected` given): wakes some, moves others to a second futex. */
  requeue(
    from: number,
    to: number,
    shared: boolean,
    wakeCount: number,
    moveCount: number,
    expected: number | undefined,
  ): number {
    if (wakeCount < 0 || moveCount < 0) return -EINVAL;
    if (expected !== undefined && this.memory.readU32(from) !== expected) return -EAGAIN;
    const fromKey = this.key(from, shared);
    const toKey = this.key(to, shared);
    const woken = this.wakeKey(fromKey, wakeCount, MATCH_ANY);
    let moved = 0;
    if (fromKey !== toKey) {
      const queue = this.queues.get(fromKey) ?? [];
      const waiters = queue.splice(0, Math.min(moveCount, queue.length));
      if (queue.length === 0) this.queues.delete(fromKey);
      for (const waiter of waiters) {
        waiter.key = toKey;
        this.enqueue(waiter);
        moved++;
      }
    } else {
      moved = Math.min(moveCount, this.queues.get(fromKey)?.length ?? 0);
    }
    return woken + moved;
  }

  /** FUTEX_WAKE_OP: changes the second word and wakes on the first, and on the second if its old value compares. */
  wakeOperation(
    address: number,
    second: number,
    shared: boolean,
    count: number,
    secondCount: number,
    encoded: number,
  ): number {
    const signExtend12 = (value: number): number => (value << 20) >> 20;
    let operation = (encoded >>> 28) & 0xf;
    const comparison = (encoded >>> 24) & 0xf;
    let argument = signExtend12((encoded >>> 12) & 0xfff);
    const compareWith = signExtend12(encoded & 0xfff);
    if ((operation & Operation.OPARG_SHIFT) !== 0) {
      operation &= ~Operation.OPARG_SHIFT;
      argument = 1 << (argument & 31);
    }
    if (!this.memory.check(second, 4, true)) return -EFAULT;
    const old = this.memory.readI32(second);
    let value: number;
    switch (operation) {
      case Operation.SET:
        value = argument;
        break;
      case Operation.ADD:
        value = old + argument;
        break;
      case Operation.OR:
        value = old | argument;
        break;
      case Operation.ANDN:
        value = old & ~argument;
        break;
      case Operation.XOR:
        value = old ^ argument;
        break;
      default:
        return -EINVAL;
    }
    let also: boolean;
    switch (comparison) {
      case Comparison.EQ:
        also = old === compareWith;
        break;
      case Comparison.NE:
        also = old !== compareWith;
        break;
      case Comparison.LT:
        also = old < compareWith;
        break;
      case Comparison.LE:
        also = old <= compareWith;
        break;
      case Comparison.GT:
        also = old > compareWith;
        break;
      case Comparison.GE:
        also = old >= compareWith;
        break;
      default:
        return -EINVAL;
    }
    this.memory.writeU32(second, value);
    let woken = this.wake(address, shared, count, MATCH_ANY);
    if (also) woken += this.wake(second, shared, secondCount, MATCH_ANY);
    return woken;
  }

  /** FUTEX_LOCK_PI and, with `tryOnly`, FUTEX_TRYLOCK_PI. Threads have no priorities here: the lock is handed over in order. */
  lockPi(thread: Thread, address: number, shared: boolean, tryOnly: boolean, deadline?: number): number {
    if (!this.memory.check(address, 4, true)) return -EFAULT;
    const word = this.memory.readU32(address);
    const owner = word & FUTEX_TID_MASK;
    if (owner === thread.tid) return -EDEADLK;
    const key = this.key(address, shared);
    if (owner === 0) {
      const keep = word & FUTEX_OWNER_DIED;
      this.memory.writeU32(address, thread.tid | keep | (this.queues.has(key) ? FUTEX_WAITERS : 0));
      return 0;
    }
    if (tryOnly) return -EAGAIN;
    if (!thread.kernel.threads.has(owner)) return -ESRCH;
    if (thread.kernel.signals.deliverable(thread)) return -ERESTARTNOINTR;
    this.memory.writeU32(address, word | FUTEX_WAITERS);
    return this.block(
      new FutexWaiter(thread, key, MATCH_ANY, address, -ERESTARTNOINTR, this.leave),
      deadline,
    );
  }

  /** FUTEX_UNLOCK_PI: the longest waiter owns it next. */
  unlockPi(thread: Thread, address: number, shared: boolean): number {
    if (!this.memory.check(address, 4, true)) return -EFAULT;
    const word = this.memory.readU32(address);
    if ((word & FUTEX_TID_MASK) !== thread.tid) return -EPERM;
    this.handOver(address, this.key(address, shared), 0);
    return 0;
  }

  private handOver(address: number, key: number, keep: number): void {
    const queue = this.queues.get(key);
    const next = queue?.find((waiter) => waiter.lockAddress !== undefined);
    if (next === undefined) {
      this.memory.writeU32(address, keep);
      return;
    }
    this.leave(next);
    this.memory.writeU32(address, next.thread.tid | keep | (this.queues.has(key) ? FUTEX_WAITERS : 0));
    next.finish(0);
  }

  /** A thread ends: releases the robust mutexes that it holds (exit_robust_list()). The list is the program's. */
  releaseRobustList(thread: Thread): void {
    const head = thread.robustList;
    if (head === 0 || !this.memory.check(head, 24, false)) return;
    const offset = this.memory.readI64(head + 8);
    const pending = this.memory.readI64(head + 16);
    const pendingEntry = pending - (pending % 2);
    let entry = this.memory.readI64(head);
    for (let count = 0; count < ROBUST_LIST_LIMIT; count++) {
      const isPi = entry % 2 !== 0;
      const address = entry - (isPi ? 1 : 0);
      if (address === head || !this.memory.check(address, 8, false)) break;
      const next = this.memory.readI64(address);
      if (address !== pendingEntry) this.ownerDied(thread, address + offset, isPi);
      entry = next;
    }
    if (pendingEntry !== 0) this.ownerDied(thread, pendingEntry + offset, pending % 2 !== 0);
  }

  private ownerDied(thread: Thread, address: number, isPi: boolean): void {
    if (address % 4 !== 0 || !this.memory.check(address, 4, true)) return;
    const word = this.memory.readU32(address);
    if ((word & FUTEX_TID_MASK) !== thread.tid) return;
    if (isPi) {
      this.handOver(address, this.key(address, true), FUTEX_OWNER_DIED);
      return;
    }
    this.memory.writeU32(address, (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED);
    if ((word & FUTEX_WAITERS) !== 0) this.wake(address, true, 1, MATCH_ANY);
  }
}
