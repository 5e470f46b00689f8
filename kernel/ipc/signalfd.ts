/** signalfd(2): pending signals are read instead of handled. */

import { EAGAIN, EINVAL, ERESTARTSYS } from "../errno.ts";
import type { Clock } from "../host.ts";
import type { SignalInfo } from "../sched/signals.ts";
import type { Thread } from "../sched/thread.ts";
import { AnonymousInode } from "../vfs/anonymous-inode.ts";
import { OpenFile, Poll, type Result } from "../vfs/open-file.ts";
import { O_NONBLOCK, O_RDWR } from "../vfs/open-flags.ts";

/** sizeof(struct signalfd_siginfo) */
const RECORD_SIZE = 128;

/** A reader gets its own signals, whoever made the file; pollers hear of the signals of the application that did. */
export class SignalFile extends OpenFile {
  override readonly inode: AnonymousInode;
  private readonly stop: () => void;

  constructor(
    creator: Thread,
    public mask: bigint,
    flags: number,
    clock: Clock,
  ) {
    super(O_RDWR | (flags & O_NONBLOCK));
    this.inode = new AnonymousInode(0o600, clock);
    this.stop = creator.application.signalQueue.listen(() =>
      this.pollQueue.wake(undefined, Poll.IN | Poll.RDNORM),
    );
  }

  override describe(): string {
    return "anon_inode:[signalfd]";
  }

  /** As on Linux (noop_llseek): the position is 0 and stays so. */
  override seek(): number {
    return 0;
  }

  override read(thread: Thread, buffer: Uint8Array): Result {
    if (buffer.length < RECORD_SIZE) return -EINVAL;
    const n = this.take(thread, buffer);
    if (n > 0) return n;
    return this.nonBlocking ? -EAGAIN : this.readBlocking(thread, buffer);
  }

  private take(thread: Thread, buffer: Uint8Array): number {
    let filled = 0;
    while (filled + RECORD_SIZE <= buffer.length) {
      const next = thread.kernel.signals.take(thread, this.mask);
      if (next === undefined) break;
      encode(buffer.subarray(filled, filled + RECORD_SIZE), next.signal, next.info);
      filled += RECORD_SIZE;
    }
    return filled;
  }

  private async readBlocking(thread: Thread, buffer: Uint8Array): Promise<number> {
    for (;;) {
      const how = await thread.wait(thread.application.signalQueue);
      const n = this.take(thread, buffer);
      if (n > 0) return n;
      if (how === "interrupted") return -ERESTARTSYS;
    }
  }

  override poll(thread: Thread): number {
    return (thread.pendingSignals & this.mask) !== 0n ? Poll.IN | Poll.RDNORM : 0;
  }

  override close(): void {
    this.stop();
  }
}

/** struct signalfd_siginfo (linux/signalfd.h) */
function encode(record: Uint8Array, signal: number, info: SignalInfo): void {
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  record.fill(0);
  view.setUint32(0, signal, true); // ssi_signo
  view.setInt32(8, info.code, true); // ssi_code
  view.setUint32(12, info.pid ?? 0, true); // ssi_pid
  view.setUint32(16, info.uid ?? 0, true); // ssi_uid
  view.setUint32(24, info.timerId ?? 0, true); // ssi_tid
  view.setUint32(32, info.overrun ?? 0, true); // ssi_overrun
  view.setInt32(40, info.status ?? 0, true); // ssi_status
  const value = info.value ?? 0n;
  view.setInt32(44, Number(BigInt.asIntN(32, value)), true); // ssi_int
  view.setBigUint64(48, BigInt.asUintN(64, value), true); // ssi_ptr
  view.setBigUint64(72, BigInt(info.address ?? 0), true); // ssi_addr
}
