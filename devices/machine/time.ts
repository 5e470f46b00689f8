/** Where a machine's nanoseconds come from. */

import type { MachineHost } from "./machine-host.ts";

export interface TimeSource {
  /** Nanoseconds since the machine was switched on. */
  now(): number;
  /** The machine has nothing to do until then. @returns whether time has been moved there */
  skipTo(nanoseconds: number): boolean;
  /** Goes on from there: a saved machine is resumed. */
  set(nanoseconds: number): void;
}

/** The host's time: what takes a second takes a second. */
export class RealTime implements TimeSource {
  private start: number;

  constructor(private readonly host: MachineHost) {
    this.start = host.monotonic();
  }

  now(): number {
    return this.host.monotonic() - this.start;
  }

  skipTo(): boolean {
    return false;
  }

  set(nanoseconds: number): void {
    this.start = this.host.monotonic() - nanoseconds;
  }
}

/**
 * Instruction time: a nanosecond for every instruction, and idle time passes at once. Two runs with the same input are the
 * same.
 */
export class InstructionTime implements TimeSource {
  private skipped = 0;

  /** @param instructions how many have been executed */
  constructor(private readonly instructions: () => number) {}

  now(): number {
    return this.instructions() + this.skipped;
  }

  skipTo(nanoseconds: number): boolean {
    this.skipped = Math.max(this.skipped, Math.ceil(nanoseconds) - this.instructions());
    return true;
  }

  set(nanoseconds: number): void {
    this.skipped = nanoseconds - this.instructions();
  }
}
