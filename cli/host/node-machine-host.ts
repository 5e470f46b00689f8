/** The world of a whole machine on Node: time, chance, sleep. */

import { openSync, readSync } from "node:fs";
import type { MachineHost } from "../../devices/machine/machine-host.ts";
import { SeededEntropy } from "../../kernel/deterministic-host.ts";
import type { Entropy } from "../../kernel/host.ts";
import { NodeClock } from "./node-clock.ts";

const NS_PER_MS = 1e6;
/** Node's timers may be late by a millisecond; what is left after them is slept away in one piece. */
const TIMER_SLACK_MS = 1;
const LONGEST_TIMEOUT_MS = 0x7fffffff;
/** Of this thread: time on a processor, time in the run queue, time slices (Linux, Documentation/scheduler/sched-stats). */
const SCHEDULER_STATISTICS = "/proc/thread-self/schedstat";

export class NodeMachineHost implements MachineHost {
  private readonly clock = new NodeClock();
  /** Nobody ever wakes it: `Atomics.wait` on it is a sleep of microseconds. */
  private readonly bed = new Int32Array(new SharedArrayBuffer(4));
  private wakeUp: (() => void) | undefined;
  /** Keeps the process alive while the machine waits for input only. */
  private keepAlive: NodeJS.Timeout | undefined;

  /** The file with {@link SCHEDULER_STATISTICS}; undefined where there is none. */
  private readonly statistics = openStatistics();
  private readonly text = Buffer.alloc(64);

  constructor(private readonly entropy: Entropy) {}

  monotonic(): number {
    return this.clock.monotonic();
  }

  realtime(): { seconds: number; nanoseconds: number } {
    return this.clock.realtime();
  }

  stolen(): number {
    if (this.statistics === undefined) return 0;
    const length = readSync(this.statistics, this.text, 0, this.text.length, 0);
    return Number(this.text.toString("latin1", 0, length).split(" ")[1]);
  }

  random(bytes: Uint8Array): void {
    this.entropy.fill(bytes);
  }

  get chance(): number | undefined {
    return this.entropy instanceof SeededEntropy ? this.entropy.state >>> 0 : undefined;
  }

  set chance(state: number | undefined) {
    if (this.entropy instanceof SeededEntropy && state !== undefined) this.entropy.state = state | 0;
  }

  yield(): Promise<void> {
    return this.clock.yield();
  }

  async sleep(nanoseconds: number): Promise<void> {
    const ms = nanoseconds / NS_PER_MS;
    if (ms > TIMER_SLACK_MS) {
      await new Promise<void>((resolve) => {
        const timeout = Math.min(Math.floor(ms - TIMER_SLACK_MS), LONGEST_TIMEOUT_MS);
        this.keepAlive = setTimeout(resolve, Math.max(1, timeout));
        this.wakeUp = resolve;
      });
      clearTimeout(this.keepAlive);
      this.wakeUp = undefined;
      return; // the caller looks how much is left
    }
    Atomics.wait(this.bed, 0, 0, ms);
  }

  wake(): void {
    this.wakeUp?.();
  }
}

function openStatistics(): number | undefined {
  try {
    return openSync(SCHEDULER_STATISTICS, "r");
  } catch {
    return undefined; // another system than Linux, or one without these statistics
  }
}
