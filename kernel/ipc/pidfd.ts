/** pidfd_open(2): a file that means a process, also when its number has been given to another. Readable once it has ended. */

import type { Clock } from "../host.ts";
import type { Application } from "../sched/application.ts";
import { AnonymousInode } from "../vfs/anonymous-inode.ts";
import { OpenFile, Poll } from "../vfs/open-file.ts";
import { O_NONBLOCK, O_RDWR } from "../vfs/open-flags.ts";

const END_EVENTS = Poll.IN | Poll.RDNORM;

export class PidFile extends OpenFile {
  override readonly inode: AnonymousInode;
  private readonly stopListening: () => void;

  /** `flags`: O_NONBLOCK. */
  constructor(
    readonly application: Application,
    flags: number,
    clock: Clock,
  ) {
    super(O_RDWR | (flags & O_NONBLOCK));
    this.inode = new AnonymousInode(0o600, clock);
    this.stopListening = application.endQueue.listen(() => this.pollQueue.wake(undefined, END_EVENTS));
  }

  override describe(): string {
    return "anon_inode:[pidfd]";
  }

  override describeDetails(): string {
    const { pid } = this.application;
    return `Pid:\t${pid}\nNSpid:\t${pid}\n`;
  }

  /** As on Linux (noop_llseek): the position is 0 and stays so. */
  override seek(): number {
    return 0;
  }

  override poll(): number {
    return this.application.exitStatus === undefined ? 0 : END_EVENTS;
  }

  override close(): void {
    this.stopListening();
  }
}
