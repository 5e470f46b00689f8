/** What is debugged: a whole machine, or programs on the OSv kernel. The gdb stub and our own prompt work on this. */

import type { RegisterFile } from "./registers.ts";

export interface TargetThread {
  readonly id: number;
  readonly name: string;
  /** "running", "blocked in futex" … */
  readonly state: string;
}

export type StopEvent =
  | { readonly kind: "breakpoint"; readonly thread: number }
  | {
      readonly kind: "watchpoint";
      readonly thread: number;
      readonly address: number;
      readonly access: WatchAccess;
    }
  | { readonly kind: "step"; readonly thread: number }
  /** Somebody asked for it: {@link Target.interrupt}. */
  | { readonly kind: "interrupt"; readonly thread: number }
  /** A signal is about to be delivered; resuming decides what becomes of it. */
  | { readonly kind: "signal"; readonly thread: number; readonly signal: number }
  | { readonly kind: "exec"; readonly thread: number; readonly path: string }
  /** A machine's processor has shut down: it cannot go on. */
  | { readonly kind: "triple fault"; readonly thread: number }
  | { readonly kind: "exited"; readonly status: number }
  | { readonly kind: "killed"; readonly signal: number };

export type WatchAccess = "write" | "read" | "access";

export interface WatchRequest {
  readonly address: number;
  readonly length: number;
  readonly access: WatchAccess;
}

/** How a thread goes on. */
export interface Resumption {
  /** One instruction, or so many that RIP leaves `[start, end)`. */
  readonly step?: { readonly start: number; readonly end: number } | true;
  /** The first instruction is executed even if there is a breakpoint. Steps always do. */
  readonly pass?: boolean;
  /** The signal that it gets in place of the one it stopped for; without, none. */
  readonly signal?: number;
}

/** A file as the debugged program sees it. */
export interface TargetFile {
  readonly size: number;
  /** Reads at a position; shorter at the end. */
  read(position: number, length: number): Uint8Array;
}

export interface Target {
  readonly kind: "machine" | "program";
  /** Told of every stop, and of the end. */
  onStop: (event: StopEvent) => void;
  readonly isRunning: boolean;
  threads(): readonly TargetThread[];
  /** The thread that the last stop was about. */
  readonly currentThread: number;
  registers(thread: number): RegisterFile | undefined;
  /** The code that the processor executes has 64, 32 or 16 bits. */
  readonly bitness: 64 | 32 | 16;
  /** Linear address of the code at RIP, which differs outside of 64-bit code. */
  linearRip(thread: number): number;
  /** Reads without any effect on the guest: as many bytes as there are from the address on. */
  readMemory(address: number, length: number): Uint8Array;
  /** All or nothing. Read-only pages, too. */
  writeMemory(address: number, bytes: Uint8Array): boolean;
  readPhysical(address: number, length: number): Uint8Array;
  writePhysical(address: number, bytes: Uint8Array): boolean;
  setBreakpoint(address: number, isSet: boolean): void;
  /** Replaces all watchpoints. */
  setWatchpoints(watchpoints: readonly WatchRequest[]): void;
  /**
   * Goes on.
   * @param others what threads do that are not in the map; undefined: they stay where they are
   */
  resume(threads: ReadonlyMap<number, Resumption>, others: Resumption | undefined): void;
  /** Stops as soon as possible: {@link onStop} says when. */
  interrupt(): void;
  /** Signals that need not be reported. */
  passSignals(signals: ReadonlySet<number>): void;
  kill(): void;
  /** Takes all breakpoints out and lets everything run. */
  detach(): void;
  /** The program's file, its auxiliary vector and its files; programs only. */
  readonly executable?: string | undefined;
  auxiliaryVector?(): Uint8Array;
  openFile?(path: string): TargetFile | undefined;
  /** ELF files in memory, and where their first byte is. */
  mappedFiles?(): readonly { readonly path: string; readonly address: number }[];
  /** Commands beyond all this, by name; see monitor.ts. */
  readonly monitor: ReadonlyMap<string, MonitorCommand>;
}

/** A command that prints what there is to know of a target. */
export interface MonitorCommand {
  readonly usage: string;
  readonly description: string;
  run(words: readonly string[]): string;
}
