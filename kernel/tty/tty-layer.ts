/**
 * All terminals of a kernel: the console, pseudo-terminals, /dev/tty, and which session is controlled by which.
 */

import { EIO, ENXIO, Errno } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { Thread } from "../sched/thread.ts";
import { makedev } from "../vfs/character-device.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import { O_ACCMODE, O_NOCTTY, O_WRONLY } from "../vfs/open-flags.ts";
import type { Path } from "../vfs/path.ts";
import { CONSOLE_RDEV, openConsole } from "./console.ts";
import { type DeviceNodes, PtyDriver } from "./pty.ts";
import type { Terminal } from "./terminal.ts";
import type { Termios } from "./termios.ts";
import { TtyFile } from "./tty-file.ts";

const TTY_RDEV = makedev(5, 0);
const PTMX_RDEV = makedev(5, 2);
/** UNIX98_PTY_SLAVE_MAJOR */
const PTS_MAJOR = 136;

export class TtyLayer {
  /** Undefined when neither standard input nor output is a terminal. */
  readonly console: Terminal | undefined;
  private readonly sessions = new Map<number, Terminal>();
  private readonly ptys: PtyDriver;

  /** Registers the drivers of /dev/tty, /dev/console, /dev/ptmx and /dev/pts; `nodes` is where pts nodes appear. */
  constructor(
    readonly kernel: Kernel,
    nodes: DeviceNodes,
  ) {
    this.console = openConsole(kernel);
    this.ptys = new PtyDriver(this, nodes);
    const { devices } = kernel.mounts;
    devices.register(
      TTY_RDEV,
      { open: (thread, flags, path) => this.openControlling(thread, flags, path) },
      "/dev/tty",
    );
    devices.register(CONSOLE_RDEV, { open: (thread, flags, path) => this.openConsole(thread, flags, path) });
    devices.register(
      PTMX_RDEV,
      { open: (_thread, flags, path) => this.ptys.openMaster(flags, path) },
      "ptmx",
    );
    devices.registerMajor(
      PTS_MAJOR,
      { open: (thread, flags, path, rdev) => this.ptys.openSlave(thread, flags, path, rdev) },
      "pts",
    );
  }

  /** The controlling terminal of a session. */
  controlling(session: number): Terminal | undefined {
    return this.sessions.get(session);
  }

  control(terminal: Terminal, session: number, foreground: number): void {
    this.release(terminal);
    terminal.control(session, foreground);
    this.sessions.set(session, terminal);
  }

  /** The terminal controls nobody any more. */
  release(terminal: Terminal): void {
    if (terminal.session === undefined) return;
    this.sessions.delete(terminal.session);
    terminal.session = undefined;
    terminal.foreground = undefined;
  }

  /** Opens a terminal, which becomes the controlling one of a session leader without any (tty_open_proc_set_tty). */
  open(terminal: Terminal, thread: Thread | undefined, flags: number, path: Path): TtyFile {
    const file = new TtyFile(this, terminal, flags, path);
    if (thread !== undefined && (flags & O_NOCTTY) === 0 && (flags & O_ACCMODE) !== O_WRONLY) {
      const { pid, session, processGroup } = thread.application;
      if (pid === session && terminal.session === undefined && !this.sessions.has(session)) {
        this.control(terminal, session, processGroup);
      }
    }
    return file;
  }

  private openControlling(thread: Thread | undefined, flags: number, path: Path): OpenFile {
    const terminal = thread === undefined ? undefined : this.sessions.get(thread.application.session);
    if (terminal === undefined) throw new Errno(ENXIO);
    return this.open(terminal, thread, flags | O_NOCTTY, path);
  }

  private openConsole(thread: Thread | undefined, flags: number, path: Path): OpenFile {
    if (this.console === undefined) throw new Errno(EIO);
    return this.open(this.console, thread, flags | O_NOCTTY, path);
  }

  /** A program sets attributes: the slave of a pseudo-terminal has no use for some, its master wants to know. */
  termiosChanging(terminal: Terminal, next: Termios): void {
    this.ptys.termiosChanging(terminal, next);
  }

  /** A file of this terminal was closed. */
  closed(terminal: Terminal): void {
    this.ptys.closed(terminal);
  }
}
