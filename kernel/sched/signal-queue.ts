/** Pending signals of a thread or an application (struct sigpending): a set, and what came with each signal. */

import { SIGNAL_MAX, SIGRTMIN, SYNCHRONOUS, signalBit } from "./signal-numbers.ts";
import type { SignalInfo } from "./signals.ts";

/** Real-time signals that may wait at once, as RLIMIT_SIGPENDING bounds them. */
const QUEUE_LIMIT = 4096;

export class SignalQueue {
  /** Bit n - 1: signal n is pending. */
  set = 0n;
  private readonly infos = new Map<number, SignalInfo[]>();
  private queued = 0;

  /** Standard signals are remembered once, real-time signals each time. @returns false when the queue is full */
  add(signal: number, info: SignalInfo): boolean {
    const bit = signalBit(signal);
    if ((this.set & bit) !== 0n) {
      if (signal < SIGRTMIN) return true;
      if (this.queued >= QUEUE_LIMIT) return false;
    }
    this.set |= bit;
    let list = this.infos.get(signal);
    if (list === undefined) {
      list = [];
      this.infos.set(signal, list);
    }
    list.push(info);
    this.queued++;
    return true;
  }

  /** Is this very record still waiting (a timer that expired again)? */
  holds(signal: number, info: SignalInfo): boolean {
    return this.infos.get(signal)?.includes(info) ?? false;
  }

  /** Takes out the first of the signals of a set: synchronous ones first, then the lowest number. */
  take(wanted: bigint): { signal: number; info: SignalInfo } | undefined {
    let candidates = this.set & wanted;
    if (candidates === 0n) return undefined;
    if ((candidates & SYNCHRONOUS) !== 0n) candidates &= SYNCHRONOUS;
    for (let signal = 1; signal <= SIGNAL_MAX; signal++) {
      if ((candidates & signalBit(signal)) === 0n) continue;
      const list = this.infos.get(signal);
      const info = list?.shift();
      this.queued--;
      if (list === undefined || list.length === 0) {
        this.infos.delete(signal);
        this.set &= ~signalBit(signal);
      }
      if (info !== undefined) return { signal, info };
    }
    return undefined;
  }

  /** Forgets signals of a set. */
  discard(unwanted: bigint): void {
    if ((this.set & unwanted) === 0n) return;
    for (const [signal, list] of [...this.infos]) {
      if ((signalBit(signal) & unwanted) === 0n) continue;
      this.queued -= list.length;
      this.infos.delete(signal);
    }
    this.set &= ~unwanted;
  }
}
