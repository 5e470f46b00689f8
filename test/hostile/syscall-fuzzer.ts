/** Random system calls on many machines, one after the other. */

import { Random } from "../fuzz/random.ts";
import { HostileFailure } from "./hostile-failure.ts";
import { SyscallSession, SyscallSummary } from "./syscall-session.ts";

export const CALLS_PER_SESSION = 2500;

export interface SyscallFuzzOptions {
  readonly seed: number;
  /** Number of the first session. */
  readonly first: number;
  /** How many calls in all. */
  readonly calls: number;
  /** How many in one session; fewer end it earlier, but it is the same until then. */
  readonly perSession?: number;
  readonly trace?: (line: string) => void;
  readonly onSession?: (session: number) => void;
}

/** @throws HostileFailure */
export async function fuzzSyscalls(options: SyscallFuzzOptions): Promise<SyscallSummary> {
  const { seed, first, calls, perSession = CALLS_PER_SESSION, trace, onSession } = options;
  const summary = new SyscallSummary();
  for (let index = first; summary.calls < calls; index++) {
    onSession?.(index);
    const session = new SyscallSession(
      new Random(seed, index),
      Math.min(perSession, calls - summary.calls),
      summary,
      trace,
    );
    try {
      await session.run();
    } catch (error) {
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
      const made = session.lastCalls.map((line) => `  ${line}`).join("\n");
      throw new HostileFailure(
        `session ${index}: ${message}\nthe last calls were\n${made}`,
        `syscalls --seed ${seed} --first ${index} --calls ${perSession} --trace`,
        error,
      );
    }
  }
  return summary;
}
