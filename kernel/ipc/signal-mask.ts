/** A signal mask for the time of one call: ppoll(2), pselect(2), epoll_pwait(2). */

import { EINVAL, Errno } from "../errno.ts";
import { UNBLOCKABLE } from "../sched/signal-numbers.ts";
import type { Thread } from "../sched/thread.ts";

const SIGSET_SIZE = 8;

/**
 * Uses the signal mask at `address` (0: the one there is) until the call that the thread is in returns. Throws EINVAL,
 * EFAULT.
 */
export function useSignalMask(thread: Thread, address: number, size: number): void {
  if (address === 0) return;
  if (size !== SIGSET_SIZE) throw new Errno(EINVAL);
  thread.setTemporaryMask(thread.memory.readU64(address) & ~UNBLOCKABLE);
}
