/** Timeouts as system calls take them, as deadlines on the monotonic clock. */

import { EINVAL, Errno } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";

const NS_PER_SECOND = 1_000_000_000;
const NS_PER_MS = 1_000_000;
const NS_PER_US = 1000;

/** A timeout in milliseconds; negative means none. */
export function deadlineAfterMilliseconds(thread: Thread, timeout: number): number | undefined {
  if (timeout < 0) return undefined;
  return thread.kernel.host.clock.monotonic() + timeout * NS_PER_MS;
}

/** A struct timespec at `address` (0: no timeout) that says how long. Throws EINVAL where Linux does. */
export function deadlineFromTimespec(thread: Thread, address: number): number | undefined {
  if (address === 0) return undefined;
  const seconds = thread.memory.readI64(address);
  const nanoseconds = thread.memory.readI64(address + 8);
  if (seconds < 0 || nanoseconds < 0 || nanoseconds >= NS_PER_SECOND) throw new Errno(EINVAL);
  return later(thread, seconds * NS_PER_SECOND + nanoseconds);
}

/** A struct timeval; more than a million microseconds are seconds (select(2)). */
export function deadlineFromTimeval(thread: Thread, address: number): number | undefined {
  if (address === 0) return undefined;
  const seconds = thread.memory.readI64(address);
  const microseconds = thread.memory.readI64(address + 8);
  if (seconds < 0 || microseconds < 0) throw new Errno(EINVAL);
  return later(thread, seconds * NS_PER_SECOND + microseconds * NS_PER_US);
}

/** A deadline beyond what numbers hold exactly (104 days) is no deadline. */
function later(thread: Thread, ns: number): number | undefined {
  const deadline = thread.kernel.host.clock.monotonic() + ns;
  return deadline > Number.MAX_SAFE_INTEGER ? undefined : deadline;
}

/** Writes back how much of the timeout is left; a structure in read-only memory stays as it is. */
export function writeRemaining(
  thread: Thread,
  address: number,
  deadline: number | undefined,
  kind: "timespec" | "timeval",
): void {
  if (address === 0 || deadline === undefined || !thread.memory.check(address, 16, true)) return;
  const left = Math.max(0, deadline - thread.kernel.host.clock.monotonic());
  const seconds = Math.floor(left / NS_PER_SECOND);
  const rest = left - seconds * NS_PER_SECOND;
  thread.memory.writeI64(address, seconds);
  thread.memory.writeI64(address + 8, kind === "timespec" ? rest : Math.floor(rest / NS_PER_US));
}
