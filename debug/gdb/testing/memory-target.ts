/** A target of 64 KiB of memory and two threads, that stops when it is told to. */

import { CONTEXT_SIZE } from "../../../cpu/state.ts";
import type { RegisterFile } from "../../registers.ts";
import type { Resumption, StopEvent, Target, WatchRequest } from "../../target.ts";

const THREADS = [1, 2];

export class MemoryTarget implements Target {
  readonly kind = "program";
  readonly bitness = 64;
  readonly currentThread = 1;
  readonly monitor = new Map([
    [
      "echo",
      { usage: "echo", description: "says it", run: (words: readonly string[]) => `${words.join(" ")}\n` },
    ],
  ]);
  readonly executable = "/bin/program";
  readonly memory = new Uint8Array(65536);
  readonly breakpoints = new Set<number>();
  watchpoints: readonly WatchRequest[] = [];
  resumed: { threads: ReadonlyMap<number, Resumption>; others: Resumption | undefined } | undefined;
  onStop: (event: StopEvent) => void = () => {};
  isRunning = false;
  private readonly contexts = THREADS.map(() => new DataView(new ArrayBuffer(CONTEXT_SIZE)));

  threads() {
    return THREADS.map((id) => ({ id, name: `thread <${id}>`, state: "runnable" }));
  }

  registers(thread: number): RegisterFile | undefined {
    const context = this.contexts[thread - 1];
    return context === undefined ? undefined : { context, system: undefined };
  }

  linearRip(): number {
    return 0;
  }

  readMemory(address: number, length: number): Uint8Array {
    return address < 0 || address > this.memory.length
      ? new Uint8Array(0)
      : this.memory.slice(address, address + length);
  }

  writeMemory(address: number, bytes: Uint8Array): boolean {
    if (address < 0 || address + bytes.length > this.memory.length) return false;
    this.memory.set(bytes, address);
    return true;
  }

  readPhysical(address: number, length: number): Uint8Array {
    return this.readMemory(address, length);
  }

  writePhysical(address: number, bytes: Uint8Array): boolean {
    return this.writeMemory(address, bytes);
  }

  setBreakpoint(address: number, isSet: boolean): void {
    if (isSet) this.breakpoints.add(address);
    else this.breakpoints.delete(address);
  }

  setWatchpoints(watchpoints: readonly WatchRequest[]): void {
    this.watchpoints = watchpoints;
  }

  resume(threads: ReadonlyMap<number, Resumption>, others: Resumption | undefined): void {
    this.resumed = { threads, others };
    this.isRunning = true;
  }

  interrupt(): void {
    if (!this.isRunning) return;
    this.isRunning = false;
    this.onStop({ kind: "interrupt", thread: 1 });
  }

  passSignals(): void {}

  kill(): void {}

  detach(): void {}

  auxiliaryVector(): Uint8Array {
    return new Uint8Array([1, 2, 0x7d, 0x23, 0x24, 0x2a]);
  }

  openFile(path: string) {
    if (path !== "/bin/program") return undefined;
    return {
      size: 4,
      read: (position: number, length: number) =>
        new Uint8Array([1, 2, 3, 4]).slice(position, position + length),
    };
  }
}
