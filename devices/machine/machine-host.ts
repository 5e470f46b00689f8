/** What a machine asks of the world around it. Implemented by cli/host/ for Node, and in tests. */

import type { WallClock } from "../clock.ts";

export interface MachineHost extends WallClock {
  /** Nanoseconds since an arbitrary start, whole and never backwards. */
  monotonic(): number;
  /**
   * Nanoseconds, since an arbitrary start, for which the operating system has let us wait for a processor. Left out where
   * nobody tells.
   */
  stolen?(): number;
  /** Fills with fresh random bytes. */
  random(bytes: Uint8Array): void;
  /** Where seeded chance has come to, on a deterministic machine: saved and restored with it. */
  chance?: number | undefined;
  /** Lets other work of the host have its turn: input, timers. */
  yield(): Promise<void>;
  /**
   * Resolves after so many nanoseconds (infinity: never by itself), or when {@link wake} is called.
   * Called only while the machine has nothing to do.
   */
  sleep(nanoseconds: number): Promise<void>;
  /** Ends {@link sleep}: something came in from outside. */
  wake(): void;
}
