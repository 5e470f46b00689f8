/** Waiting until one of several open files is ready: what poll(2) and select(2) have in common. */

import { ERESTARTNOHAND } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import type { OpenFile, Result } from "../vfs/open-file.ts";

export interface PollEntry {
  /** Undefined: not watched. */
  readonly file: OpenFile | undefined;
  /** {@link Poll} bits to wait for. */
  readonly wanted: number;
  /** Those of them that are there. */
  found: number;
}

/**
 * Fills in `found` of every entry.
 * @param deadline monotonic ns; undefined waits for ever, anything in the past looks once
 * @returns how many entries have found something, or -ERESTARTNOHAND when a signal came first
 */
export function pollFiles(
  thread: Thread,
  entries: readonly PollEntry[],
  deadline: number | undefined,
): Result {
  const count = scan(thread, entries);
  if (count > 0) return count;
  // Even a call that only looks is interrupted (do_poll).
  if (thread.kernel.signals.deliverable(thread)) return -ERESTARTNOHAND;
  if (deadline !== undefined && deadline <= thread.kernel.host.clock.monotonic()) return 0;
  return waitForFiles(thread, entries, deadline);
}

function scan(thread: Thread, entries: readonly PollEntry[]): number {
  let count = 0;
  for (const entry of entries) {
    if (entry.file !== undefined) entry.found = entry.file.poll(thread) & entry.wanted;
    if (entry.found !== 0) count++;
  }
  return count;
}

async function waitForFiles(
  thread: Thread,
  entries: readonly PollEntry[],
  deadline: number | undefined,
): Promise<number> {
  const files = entries.flatMap(({ file }) => (file === undefined ? [] : [file]));
  const queues = files.map((file) => file.pollQueue);
  // Another thread may close a descriptor meanwhile; the files stay until we are done.
  for (const file of files) file.retain();
  try {
    for (;;) {
      const how = await thread.wait(queues, deadline);
      const count = scan(thread, entries);
      if (count > 0) return count;
      if (how === "timeout") return 0;
      if (how === "interrupted") return -ERESTARTNOHAND;
    }
  } finally {
    for (const file of files) file.release();
  }
}
