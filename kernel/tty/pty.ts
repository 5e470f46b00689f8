/**
 * Pseudo-terminals (pty(7); Linux: drivers/tty/pty.c): opening /dev/ptmx makes a pair, a master for the program that
 * plays the terminal and a slave /dev/pts/N for the programs that run on it.
 */

import { EAGAIN, EBADF, EINVAL, EIO, ENOSPC, ENXIO, ERESTARTSYS, Errno } from "../errno.ts";
import { SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SiCode } from "../sched/signal-numbers.ts";
import type { Thread } from "../sched/thread.ts";
import { WaitQueue } from "../sched/wait-queue.ts";
import { makedev, minor } from "../vfs/character-device.ts";
import { type Inode, S_IFCHR } from "../vfs/inode.ts";
import { OpenFile, Poll, type Result } from "../vfs/open-file.ts";
import { O_CLOEXEC, O_NOCTTY } from "../vfs/open-flags.ts";
import type { Path } from "../vfs/path.ts";
import * as Io from "./ioctls.ts";
import { Terminal, type TerminalDriver } from "./terminal.ts";
import { terminalIoctl } from "./terminal-ioctl.ts";
import { ControlCharacter, ControlFlag, InputFlag, type Termios } from "./termios.ts";
import type { TtyFile } from "./tty-file.ts";
import type { TtyLayer } from "./tty-layer.ts";

/** UNIX98_PTY_SLAVE_MAJOR */
const PTS_MAJOR = 136;
/** kernel.pty.max */
const MAXIMUM_PTYS = 4096;
/** What either direction holds before writers wait: Linux' 8 KiB per port and the reader's 4 KiB line buffer. */
const BUFFER_LIMIT = 8192 + 4096;

/** Where the nodes of slaves appear: devfs. */
export interface DeviceNodes {
  add(path: string, mode: number, rdev: number): void;
  remove(path: string): void;
}

export class PtyDriver {
  private readonly pairs = new Map<number, PtyPair>();
  private readonly byTerminal = new Map<Terminal, PtyPair>();

  constructor(
    private readonly layer: TtyLayer,
    private readonly nodes: DeviceNodes,
  ) {}

  openMaster(flags: number, path: Path): OpenFile {
    let index = 0;
    while (this.pairs.has(index)) index++;
    if (index >= MAXIMUM_PTYS) throw new Errno(ENOSPC);
    const pair = new PtyPair(this.layer, this, index);
    this.pairs.set(index, pair);
    this.byTerminal.set(pair.slave, pair);
    this.nodes.add(`pts/${index}`, S_IFCHR | 0o620, makedev(PTS_MAJOR, index));
    return pair.open(flags, path);
  }

  openSlave(thread: Thread | undefined, flags: number, path: Path, rdev: number): TtyFile {
    const pair = this.pairs.get(minor(rdev));
    if (pair === undefined) throw new Errno(ENXIO);
    return pair.openSlave(thread, flags, path);
  }

  termiosChanging(terminal: Terminal, next: Termios): void {
    this.byTerminal.get(terminal)?.termiosChanging(next);
  }

  closed(terminal: Terminal): void {
    this.byTerminal.get(terminal)?.slaveClosed();
  }

  /** The master is closed: the name is free again. */
  remove(pair: PtyPair): void {
    this.pairs.delete(pair.index);
    this.byTerminal.delete(pair.slave);
    this.nodes.remove(`pts/${pair.index}`);
  }
}

class PtyPair implements TerminalDriver {
  readonly slave: Terminal;
  /** The slave cannot be opened before unlockpt(3). */
  locked = true;
  /** TIOCPKT: reads of the master begin with a status byte. */
  packetMode = false;
  packetStatus = 0;
  /** Output of the slave that the master has not read. */
  private chunks: Uint8Array[] = [];
  private buffered = 0;
  /** The slave was opened and is no longer. */
  private hungUpBySlave = false;
  private masterClosed = false;
  readonly masterQueue = new WaitQueue();
  private readonly slaveFiles = new Set<TtyFile>();
  private master: MasterFile | undefined;

  constructor(
    readonly layer: TtyLayer,
    private readonly driver: PtyDriver,
    readonly index: number,
  ) {
    this.slave = new Terminal(layer.kernel, `pts/${index}`, makedev(PTS_MAJOR, index), this);
    this.slave.termios.controlFlags = ControlFlag.B38400 | ControlFlag.CS8 | ControlFlag.CREAD;
    this.slave.windowSize = { rows: 0, columns: 0, xPixels: 0, yPixels: 0 };
  }

  open(flags: number, path: Path): OpenFile {
    this.master = new MasterFile(this, flags, path);
    return this.master;
  }

  openSlave(thread: Thread | undefined, flags: number, path: Path): TtyFile {
    if (this.locked || this.masterClosed) throw new Errno(EIO);
    const file = this.layer.open(this.slave, thread, flags, path);
    this.slaveFiles.add(file);
    this.hungUpBySlave = false;
    return file;
  }

  slaveClosed(): void {
    for (const file of this.slaveFiles) if (file.references <= 0) this.slaveFiles.delete(file);
    if (this.slaveFiles.size > 0) return;
    this.hungUpBySlave = true;
    this.masterChanged();
  }

  /** The terminal goes away under the programs that run on it (pty_close, tty_vhangup). */
  closeMaster(): void {
    this.masterClosed = true;
    const { slave, layer } = this;
    this.driver.remove(this);
    if (slave.session !== undefined) {
      const leader = layer.kernel.applications.get(slave.session);
      if (leader !== undefined) {
        layer.kernel.signals.sendToApplication(leader, SIGHUP, { code: SiCode.KERNEL });
        layer.kernel.signals.sendToApplication(leader, SIGCONT, { code: SiCode.KERNEL });
      }
      slave.signalForeground(SIGHUP);
      slave.signalForeground(SIGCONT);
      layer.release(slave);
    }
    for (const file of this.slaveFiles) file.hangUp();
    slave.changed();
  }

  masterChanged(): void {
    this.masterQueue.wake();
    this.master?.pollQueue.wake();
  }

  // ---- from the slave to the master -------------------------------------------------------------------------------

  get disconnected(): boolean {
    return this.masterClosed;
  }

  room(): number {
    return Math.max(0, BUFFER_LIMIT - this.buffered);
  }

  write(bytes: Uint8Array): void {
    if (this.masterClosed) return;
    this.chunks.push(bytes.slice());
    this.buffered += bytes.length;
    this.masterChanged();
  }

  pending(): number {
    return 0; // pty_chars_in_buffer: what is in the pair counts as shown
  }

  flush(): void {
    this.chunks = [];
    this.buffered = 0;
    this.addStatus(Io.TIOCPKT_FLUSHWRITE);
    this.slave.outputReady();
  }

  inputFlushed(): void {
    this.addStatus(Io.TIOCPKT_FLUSHREAD);
  }

  flowChanged(stopped: boolean): void {
    this.packetStatus &= ~(stopped ? Io.TIOCPKT_START : Io.TIOCPKT_STOP);
    this.addStatus(stopped ? Io.TIOCPKT_STOP : Io.TIOCPKT_START);
  }

  private addStatus(bits: number): void {
    if (!this.packetMode) return;
    this.packetStatus |= bits;
    this.masterChanged();
  }

  /** pty_set_termios: the line is always eight bits; a master in packet mode hears of changed flow control. */
  termiosChanging(next: Termios): void {
    const old = this.slave.termios;
    if (this.packetMode) {
      const stops = ({ inputFlags, characters }: Termios): boolean =>
        (inputFlags & InputFlag.IXON) !== 0 &&
        characters[ControlCharacter.VSTOP] === 0o23 &&
        characters[ControlCharacter.VSTART] === 0o21;
      const [before, after] = [stops(old), stops(next)];
      if (before !== after) {
        this.packetStatus &= ~(Io.TIOCPKT_DOSTOP | Io.TIOCPKT_NOSTOP);
        this.addStatus(after ? Io.TIOCPKT_DOSTOP : Io.TIOCPKT_NOSTOP);
      }
    }
    next.controlFlags =
      (next.controlFlags & ~(ControlFlag.CSIZE | ControlFlag.PARENB)) | ControlFlag.CS8 | ControlFlag.CREAD;
  }

  /** What the master reads; 0 when there is nothing. */
  pull(buffer: Uint8Array): number {
    if (this.packetMode && this.packetStatus !== 0) {
      buffer[0] = this.packetStatus;
      this.packetStatus = 0;
      return 1;
    }
    if (this.buffered === 0) return 0;
    let copied = 0;
    if (this.packetMode) buffer[copied++] = Io.TIOCPKT_DATA;
    const wasFull = this.room() === 0;
    while (copied < buffer.length && this.chunks.length > 0) {
      const [chunk] = this.chunks;
      const n = Math.min(chunk.length, buffer.length - copied);
      buffer.set(n === chunk.length ? chunk : chunk.subarray(0, n), copied);
      copied += n;
      this.buffered -= n;
      if (n === chunk.length) this.chunks.shift();
      else this.chunks[0] = chunk.subarray(n);
    }
    if (wasFull) this.slave.outputReady();
    return copied;
  }

  get masterReadable(): number {
    return this.buffered;
  }

  get masterHasInput(): boolean {
    return this.buffered > 0 || (this.packetMode && this.packetStatus !== 0);
  }

  get slaveGone(): boolean {
    return this.hungUpBySlave;
  }

  // ---- from the master to the slave -------------------------------------------------------------------------------

  get inputRoom(): number {
    return Math.max(0, BUFFER_LIMIT - this.slave.held);
  }

  inputDrained(): void {
    this.masterChanged();
  }
}

class MasterFile extends OpenFile {
  constructor(
    private readonly pair: PtyPair,
    flags: number,
    private readonly openedBy: Path,
  ) {
    super(flags);
  }

  override describe(): string {
    return this.openedBy.toString();
  }

  override get inode(): Inode {
    return this.openedBy.inode;
  }

  override read(thread: Thread, buffer: Uint8Array): Result {
    if (!this.readable) return -EBADF;
    if (buffer.length === 0) return 0;
    const n = this.pair.pull(buffer);
    if (n > 0) return n;
    if (this.pair.slaveGone) return -EIO;
    return this.nonBlocking ? -EAGAIN : this.readBlocking(thread, buffer);
  }

  private async readBlocking(thread: Thread, buffer: Uint8Array): Promise<number> {
    for (;;) {
      if ((await thread.wait(this.pair.masterQueue)) === "interrupted") return -ERESTARTSYS;
      const n = this.pair.pull(buffer);
      if (n > 0) return n;
      if (this.pair.slaveGone) return -EIO;
    }
  }

  override write(thread: Thread, data: Uint8Array): Result {
    if (!this.writable) return -EBADF;
    const n = this.push(data);
    if (n === data.length) return n;
    if (this.nonBlocking) return n > 0 ? n : -EAGAIN;
    return this.writeBlocking(thread, data, n);
  }

  private push(data: Uint8Array): number {
    const n = Math.min(data.length, this.pair.inputRoom);
    if (n > 0) this.pair.slave.receive(data.subarray(0, n));
    return n;
  }

  private async writeBlocking(thread: Thread, data: Uint8Array, start: number): Promise<number> {
    let written = start;
    while (written < data.length) {
      if ((await thread.wait(this.pair.masterQueue)) === "interrupted")
        return written > 0 ? written : -ERESTARTSYS;
      written += this.push(data.subarray(written));
    }
    return written;
  }

  override poll(): number {
    const { pair } = this;
    let events = 0;
    if (pair.masterHasInput) events |= Poll.IN | Poll.RDNORM;
    if (pair.packetMode && pair.packetStatus !== 0) events |= Poll.PRI;
    if (pair.slaveGone) events |= Poll.HUP;
    if (pair.inputRoom > 0) events |= Poll.OUT | Poll.WRNORM;
    return events;
  }

  override ioctl(thread: Thread, request: number, argument: number): Result {
    const { pair } = this;
    const { memory } = thread;
    switch (request) {
      case Io.TIOCGPTN:
        memory.writeU32(argument, pair.index);
        return 0;
      case Io.TIOCSPTLCK:
        pair.locked = memory.readI32(argument) !== 0;
        return 0;
      case Io.TIOCGPTLCK:
        memory.writeU32(argument, pair.locked ? 1 : 0);
        return 0;
      case Io.TIOCPKT:
        pair.packetMode = memory.readI32(argument) !== 0;
        if (!pair.packetMode) pair.packetStatus = 0;
        return 0;
      case Io.TIOCGPKT:
        memory.writeU32(argument, pair.packetMode ? 1 : 0);
        return 0;
      case Io.TIOCSIG:
        if (argument !== SIGINT && argument !== SIGQUIT && argument !== SIGTSTP) return -EINVAL;
        pair.slave.signalForeground(argument);
        return 0;
      case Io.TIOCGPTPEER:
        return this.openPeer(thread, argument);
      case Io.FIONREAD:
        memory.writeU32(argument, pair.masterReadable);
        return 0;
      default:
        return terminalIoctl(
          { layer: pair.layer, terminal: pair.slave, master: true, flags: this.flags },
          thread,
          request,
          argument,
        );
    }
  }

  private openPeer(thread: Thread, flags: number): Result {
    const path = thread.kernel.mounts.resolve(undefined, `/dev/pts/${this.pair.index}`);
    const file = this.pair.openSlave(thread, (flags & ~O_CLOEXEC) | O_NOCTTY, path);
    return thread.application.files.install(file, (flags & O_CLOEXEC) !== 0);
  }

  override close(): void {
    this.pair.closeMaster();
  }
}
