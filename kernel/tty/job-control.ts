/** Foreground and background process groups of a terminal (Linux: drivers/tty/tty_jobctrl.c; credentials(7)). */

import { EIO, ERESTARTSYS } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import { SIGTTIN, SiCode, signalBit } from "../sched/signal-numbers.ts";
import { SIG_IGN } from "../sched/signals.ts";
import type { Thread } from "../sched/thread.ts";
import type { Terminal } from "./terminal.ts";

/**
 * May this thread use its terminal (`signal`: SIGTTIN to read, SIGTTOU to write or change it)? A background group is
 * sent the signal, unless nobody could continue it.
 * @returns 0, -EIO, or -ERESTARTSYS with the signal sent
 */
export function checkForeground(thread: Thread, terminal: Terminal, signal: number): number {
  const { application, kernel } = thread;
  if (terminal.session !== application.session) return 0;
  if (terminal.foreground === undefined || terminal.foreground === application.processGroup) return 0;
  const ignored =
    application.actions[signal].handler === SIG_IGN || (thread.signalMask & signalBit(signal)) !== 0n;
  if (ignored) return signal === SIGTTIN ? -EIO : 0;
  if (isOrphaned(kernel, application.processGroup, application.session)) return -EIO;
  kernel.signals.sendToGroup(application.processGroup, signal, { code: SiCode.USER });
  return -ERESTARTSYS;
}

/** A group is orphaned when no member has a parent in another group of the same session (POSIX.1, 3.264). */
function isOrphaned(kernel: Kernel, group: number, session: number): boolean {
  for (const { processGroup, parent } of kernel.applications.values()) {
    if (processGroup !== group || parent === undefined) continue;
    if (parent.session === session && parent.processGroup !== group) return false;
  }
  return true;
}
