/** ioctls of terminals (ioctl_tty(2); Linux: tty_io.c, tty_ioctl.c, tty_jobctrl.c, n_tty.c). */

import { EINVAL, EIO, ENOTTY, EPERM, ESRCH } from "../errno.ts";
import { SIGCONT, SIGHUP, SIGTTOU } from "../sched/signal-numbers.ts";
import type { Thread } from "../sched/thread.ts";
import type { Result } from "../vfs/open-file.ts";
import { O_ACCMODE, O_WRONLY } from "../vfs/open-flags.ts";
import * as Io from "./ioctls.ts";
import { checkForeground } from "./job-control.ts";
import type { Terminal, WindowSize } from "./terminal.ts";
import { ControlCharacter, TERMIO_SIZE, TERMIOS_SIZE, TERMIOS2_SIZE, type Termios } from "./termios.ts";
import type { TtyLayer } from "./tty-layer.ts";

export interface TerminalIoctl {
  readonly layer: TtyLayer;
  /** What the call is about: for the master of a pseudo-terminal, the slave. */
  readonly terminal: Terminal;
  /** Was it made on the master? It may ask about a terminal that does not control it. */
  readonly master: boolean;
  /** Status flags of the file. */
  readonly flags: number;
}

/** Answers an ioctl; -ENOTTY for those that terminals do not know. */
export function terminalIoctl(
  context: TerminalIoctl,
  thread: Thread,
  request: number,
  argument: number,
): Result {
  const { terminal } = context;
  const { memory } = thread;
  switch (request) {
    case Io.TCGETS:
      memory.write(argument, terminal.termios.encode(1));
      return 0;
    case Io.TCGETS2:
      memory.write(argument, terminal.termios.encode(2));
      return 0;
    case Io.TCGETA:
      memory.write(argument, terminal.termios.encodeOld());
      return 0;
    case Io.TCSETS:
    case Io.TCSETSW:
    case Io.TCSETSF:
      return setAttributes(context, thread, request - Io.TCSETS, (next) =>
        next.decode(memory.read(argument, TERMIOS_SIZE)),
      );
    case Io.TCSETS2:
    case Io.TCSETSW2:
    case Io.TCSETSF2:
      return setAttributes(context, thread, request - Io.TCSETS2, (next) =>
        next.decode(memory.read(argument, TERMIOS2_SIZE)),
      );
    case Io.TCSETA:
    case Io.TCSETAW:
    case Io.TCSETAF:
      return setAttributes(context, thread, request - Io.TCSETA, (next) =>
        next.decodeOld(memory.read(argument, TERMIO_SIZE)),
      );
    case Io.TIOCGWINSZ:
      memory.write(argument, encodeWindowSize(terminal.windowSize));
      return 0;
    case Io.TIOCSWINSZ:
      terminal.resize(decodeWindowSize(memory.read(argument, 8)));
      return 0;
    case Io.FIONREAD:
      memory.writeU32(argument, terminal.discipline.readable);
      return 0;
    case Io.TIOCOUTQ:
      memory.writeU32(argument, terminal.pendingOutput);
      return 0;
    case Io.TCFLSH:
      return checkForeground(thread, terminal, SIGTTOU) || flush(terminal, argument);
    case Io.TCXONC:
      return checkForeground(thread, terminal, SIGTTOU) || controlFlow(terminal, argument);
    case Io.TCSBRK:
    case Io.TCSBRKP:
    case Io.TIOCSBRK:
    case Io.TIOCCBRK: {
      // There is no line to break; all but TIOCCBRK wait for output first.
      const denied = checkForeground(thread, terminal, SIGTTOU);
      if (denied !== 0) return denied;
      return request === Io.TIOCCBRK ? 0 : terminal.drain(thread);
    }
    case Io.TIOCEXCL:
      terminal.exclusive = true;
      return 0;
    case Io.TIOCNXCL:
      terminal.exclusive = false;
      return 0;
    case Io.TIOCGEXCL:
      memory.writeU32(argument, terminal.exclusive ? 1 : 0);
      return 0;
    case Io.TIOCGETD:
      memory.writeU32(argument, 0 /* N_TTY */);
      return 0;
    case Io.TIOCSETD:
      return memory.readI32(argument) === 0 ? 0 : -EINVAL;
    case Io.TIOCGDEV:
      memory.writeU32(argument, terminal.rdev);
      return 0;
    case Io.TIOCSTI:
      return -EIO; // as with dev.tty.legacy_tiocsti=0
    case Io.TIOCSCTTY:
      return becomeControlling(context, thread, argument);
    case Io.TIOCNOTTY:
      return giveUpControlling(context, thread);
    case Io.TIOCGPGRP:
      if (!context.master && !isControlling(terminal, thread)) return -ENOTTY;
      memory.writeU32(argument, terminal.foreground ?? 0);
      return 0;
    case Io.TIOCSPGRP:
      return setForeground(terminal, thread, argument);
    case Io.TIOCGSID:
      if ((!context.master && !isControlling(terminal, thread)) || terminal.session === undefined)
        return -ENOTTY;
      memory.writeU32(argument, terminal.session);
      return 0;
    default:
      return -ENOTTY;
  }
}

function isControlling(terminal: Terminal, thread: Thread): boolean {
  return terminal.session === thread.application.session;
}

/** `when`: 0 now, 1 after output has drained, 2 the same and throwing input away (tcsetattr(3)). */
function setAttributes(
  context: TerminalIoctl,
  thread: Thread,
  when: number,
  change: (next: Termios) => void,
): Result {
  const { terminal } = context;
  const denied = checkForeground(thread, terminal, SIGTTOU);
  if (denied !== 0) return denied;
  const next = terminal.termios.clone();
  change(next);
  const apply = (): number => {
    context.layer.termiosChanging(terminal, next);
    terminal.setAttributes(next);
    return 0;
  };
  if (when === 2) terminal.flushInput();
  if (when === 0) return apply();
  const drained = terminal.drain(thread);
  if (typeof drained === "number") return drained < 0 ? drained : apply();
  return drained.then((result) => (result < 0 ? result : apply()));
}

function flush(terminal: Terminal, which: number): number {
  if (which !== Io.TCIFLUSH && which !== Io.TCOFLUSH && which !== Io.TCIOFLUSH) return -EINVAL;
  if (which !== Io.TCOFLUSH) terminal.flushInput();
  if (which !== Io.TCIFLUSH) terminal.flushOutput();
  return 0;
}

function controlFlow(terminal: Terminal, action: number): number {
  const { characters } = terminal.termios;
  const send = (index: number): void => {
    if (characters[index] !== 0) terminal.put(Uint8Array.of(characters[index]));
  };
  switch (action) {
    case Io.TCOOFF:
      terminal.discipline.stop(true);
      return 0;
    case Io.TCOON:
      terminal.discipline.start(true);
      return 0;
    case Io.TCIOFF:
      send(ControlCharacter.VSTOP);
      return 0;
    case Io.TCION:
      send(ControlCharacter.VSTART);
      return 0;
    default:
      return -EINVAL;
  }
}

function becomeControlling(context: TerminalIoctl, thread: Thread, steal: number): number {
  const { layer, terminal } = context;
  const { application } = thread;
  const leader = application.session === application.pid;
  if (leader && isControlling(terminal, thread)) return 0;
  if (!leader || layer.controlling(application.session) !== undefined) return -EPERM;
  if (terminal.session !== undefined) {
    if (steal !== 1) return -EPERM;
    layer.release(terminal);
  }
  if ((context.flags & O_ACCMODE) === O_WRONLY) return -EPERM;
  layer.control(terminal, application.session, application.processGroup);
  return 0;
}

function giveUpControlling(context: TerminalIoctl, thread: Thread): number {
  const { layer, terminal } = context;
  if (!isControlling(terminal, thread)) return -ENOTTY;
  if (thread.application.session !== thread.application.pid) return 0;
  terminal.signalForeground(SIGHUP);
  terminal.signalForeground(SIGCONT);
  layer.release(terminal);
  return 0;
}

function setForeground(terminal: Terminal, thread: Thread, argument: number): number {
  const { application, kernel, memory } = thread;
  const denied = checkForeground(thread, terminal, SIGTTOU);
  if (denied !== 0) return denied === -EIO ? -ENOTTY : denied;
  const group = memory.readI32(argument);
  if (group < 0) return -EINVAL;
  if (!isControlling(terminal, thread)) return -ENOTTY;
  const member = [...kernel.applications.values()].find((other) => other.processGroup === group);
  if (member === undefined) return -ESRCH;
  if (member.session !== application.session) return -EPERM;
  terminal.foreground = group;
  return 0;
}

/** struct winsize: rows, columns, pixels across and down, 16 bits each. */
function encodeWindowSize({ rows, columns, xPixels, yPixels }: WindowSize): Uint8Array {
  return new Uint8Array(Uint16Array.of(rows, columns, xPixels, yPixels).buffer);
}

function decodeWindowSize(bytes: Uint8Array): WindowSize {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    rows: view.getUint16(0, true),
    columns: view.getUint16(2, true),
    xPixels: view.getUint16(4, true),
    yPixels: view.getUint16(6, true),
  };
}
