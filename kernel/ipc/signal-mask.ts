/** A signal mask for the time of one call: ppoll(2), pselect(2), epoll_pwait(2). */

import { EINTR, EINVAL, ERESTARTNOHAND } from "../errno.ts";
import { UNBLOCKABLE } from "../sched/signal-numbers.ts";
import type { Thread } from "../sched/thread.ts";
import type { Result } from "../vfs/open-file.ts";

const SIGSET_SIZE = 8;

/**
 * Makes a call with the signal mask at `address` (0: the one there is). A signal that ends the call is still delivered
 * under that mask; one that merely came meanwhile has to wait until it is unblocked.
 */
export function withSignalMask(thread: Thread, address: number, size: number, call: () => Result): Result {
  if (address === 0) return call();
  if (size !== SIGSET_SIZE) return -EINVAL;
  thread.setTemporaryMask(thread.memory.readU64(address) & ~UNBLOCKABLE);
  const finish = (result: number): number => {
    if (result !== -EINTR && result !== -ERESTARTNOHAND) restore(thread);
    return result;
  };
  try {
    const result = call();
    return typeof result === "number" ? finish(result) : result.then(finish);
  } catch (error) {
    restore(thread);
    throw error;
  }
}

function restore(thread: Thread): void {
  const mask = thread.savedMask;
  if (mask === undefined) return;
  thread.savedMask = undefined;
  thread.kernel.signals.setMask(thread, mask);
}
