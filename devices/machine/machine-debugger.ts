/** What a machine's run loop asks of a debugger. */

import type { StopReason } from "../../cpu/system/processor.ts";

export interface MachineDebugger {
  /** Asked before every stretch of execution; the machine stands still until the promise resolves. */
  paused(): Promise<void> | undefined;
  /** The next stretch is one instruction, without interrupts. */
  readonly isStepping: boolean;
  /** A stretch is over. After a "shutdown" the machine waits for the promise before it ends. */
  ran(stop: StopReason): Promise<void> | undefined;
  /** A device has written to RAM. Only told while there are watchpoints. */
  written(physical: number, length: number): void;
}
