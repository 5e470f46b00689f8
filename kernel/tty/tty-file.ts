/** An open terminal: /dev/console, /dev/tty, /dev/pts/N. */

import { EIO } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import type { Inode } from "../vfs/inode.ts";
import { OpenFile, Poll, type Result } from "../vfs/open-file.ts";
import type { Path } from "../vfs/path.ts";
import type { Terminal } from "./terminal.ts";
import { terminalIoctl } from "./terminal-ioctl.ts";
import type { TtyLayer } from "./tty-layer.ts";

export class TtyFile extends OpenFile {
  /** The other end is gone, or another session took the terminal: nothing works any more (vhangup(2)). */
  private hungUp = false;

  constructor(
    private readonly layer: TtyLayer,
    readonly terminal: Terminal,
    flags: number,
    readonly openedBy: Path,
  ) {
    super(flags);
    terminal.attach(this);
  }

  override describe(): string {
    return this.openedBy.toString();
  }

  override get inode(): Inode {
    return this.openedBy.inode;
  }

  override read(thread: Thread, buffer: Uint8Array): Result {
    return this.hungUp ? 0 : this.terminal.read(thread, buffer, this.nonBlocking);
  }

  override write(thread: Thread, data: Uint8Array): Result {
    return this.hungUp ? -EIO : this.terminal.write(thread, data, this.nonBlocking);
  }

  override poll(): number {
    if (this.hungUp) return Poll.IN | Poll.OUT | Poll.ERR | Poll.HUP | Poll.RDNORM | Poll.WRNORM;
    return this.terminal.poll();
  }

  override ioctl(thread: Thread, request: number, argument: number): Result {
    if (this.hungUp) return -EIO;
    return terminalIoctl(
      { layer: this.layer, terminal: this.terminal, master: false, flags: this.flags },
      thread,
      request,
      argument,
    );
  }

  hangUp(): void {
    this.hungUp = true;
    this.pollQueue.wake();
  }

  override close(): void {
    this.terminal.detach(this);
    this.layer.closed(this.terminal);
  }
}
