/** A whole machine as something to debug. Its one processor is the one thread. */

import { Segment } from "../cpu/state.ts";
import type { StopReason } from "../cpu/system/processor.ts";
import { Rights } from "../cpu/system/segment.ts";
import type { Machine } from "../devices/machine/machine.ts";
import type { MachineDebugger } from "../devices/machine/machine-debugger.ts";
import { PAGE_SIZE } from "../mmu/translator.ts";
import { machineMonitor } from "./machine-monitor.ts";
import { walkPages } from "./page-walk.ts";
import type { RegisterFile } from "./registers.ts";
import { StopPoints } from "./stop-points.ts";
import type { MonitorCommand, Resumption, StopEvent, Target, TargetThread, WatchRequest } from "./target.ts";

const PROCESSOR = 1;
/** A step of a range, while the host has no turn: then it has one. */
const RANGE_STEPS = 20_000;

export class MachineTarget implements Target, MachineDebugger {
  readonly kind = "machine";
  readonly currentThread = PROCESSOR;
  onStop: (event: StopEvent) => void = () => {};
  readonly monitor: ReadonlyMap<string, MonitorCommand>;
  private readonly stopPoints: StopPoints;
  private gate: { readonly promise: Promise<void>; readonly open: () => void } | undefined;
  private stepping: Resumption["step"];
  private wantsInterrupt = false;
  private isDead = false;

  /** The machine does not run before {@link resume}. */
  constructor(private readonly machine: Machine) {
    this.stopPoints = new StopPoints(machine.cpu, machine.processor.engine);
    this.monitor = machineMonitor(machine);
    this.close();
    machine.debugger = this;
  }

  // ---- what the run loop asks ----

  paused(): Promise<void> | undefined {
    if (this.wantsInterrupt) this.stop({ kind: "interrupt", thread: PROCESSOR });
    else if (this.stopPoints.hasHit) this.stopWatched();
    return this.gate?.promise;
  }

  get isStepping(): boolean {
    return this.stepping !== undefined;
  }

  ran(reason: StopReason): Promise<void> | undefined {
    const { cpu } = this.machine;
    if (reason === "shutdown") {
      this.isDead = true;
      this.stop({ kind: "triple fault", thread: PROCESSOR });
      return this.gate?.promise;
    }
    if (reason === "debug") {
      if (!this.stopWatched()) this.stop({ kind: "breakpoint", thread: PROCESSOR });
      return undefined;
    }
    if (this.stepping !== undefined && reason === "budget") this.stepped(cpu.stops.breakpoints);
    return undefined;
  }

  written(physical: number, length: number): void {
    this.stopPoints.written(physical, length, (address) => this.physical(address));
    if (this.stopPoints.hasHit) this.machine.attend();
  }

  /** @returns whether there was something watched to stop for */
  private stopWatched(): boolean {
    const watched = this.stopPoints.takeHit();
    if (watched === undefined) return false;
    const { address, access } = watched;
    this.stop({ kind: "watchpoint", thread: PROCESSOR, address, access });
    return true;
  }

  private stepped(breakpoints: ReadonlySet<number>): void {
    const { stepping, machine } = this;
    if (typeof stepping === "object") {
      for (let count = 0; count < RANGE_STEPS; count++) {
        const rip = this.linearRip();
        if (rip < stepping.start || rip >= stepping.end) break;
        if (breakpoints.has(rip)) {
          this.stop({ kind: "breakpoint", thread: PROCESSOR });
          return;
        }
        if (count === RANGE_STEPS - 1) return; // the run loop comes back
        const reason = machine.processor.step();
        if (reason === "halt") return;
        if (reason !== "budget") {
          void this.ran(reason);
          return;
        }
      }
    }
    this.stop({ kind: "step", thread: PROCESSOR });
  }

  private close(): void {
    let open = (): void => {};
    const promise = new Promise<void>((resolve) => {
      open = resolve;
    });
    this.gate = { promise, open };
  }

  private stop(event: StopEvent): void {
    this.wantsInterrupt = false;
    this.stepping = undefined;
    if (this.gate !== undefined) return;
    this.close();
    this.onStop(event);
  }

  /** The machine has ended. */
  ended(status: number): void {
    this.isDead = true;
    this.onStop({ kind: "exited", status });
  }

  // ---- what the debugger asks ----

  get isRunning(): boolean {
    return this.gate === undefined && !this.isDead;
  }

  threads(): readonly TargetThread[] {
    const { system } = this.machine;
    const state = system.halted ? "halted" : `ring ${system.cpl}`;
    return [{ id: PROCESSOR, name: "CPU#0", state }];
  }

  registers(): RegisterFile {
    const { cpu, system } = this.machine;
    return {
      context: new DataView(cpu.memory.buffer, cpu.base),
      system,
      systemChanged: () => {
        system.updatePaging();
        system.updateMode();
        system.flushEverything();
      },
    };
  }

  get bitness(): 64 | 32 | 16 {
    const { system } = this.machine;
    if (system.is64Bit) return 64;
    return (system.segments[Segment.CS].rights & Rights.DB) !== 0 ? 32 : 16;
  }

  linearRip(): number {
    const { cpu, system } = this.machine;
    return system.is64Bit ? cpu.rip : (cpu.rip + system.segments[Segment.CS].base) >>> 0;
  }

  /** Physical address of a byte, or undefined. */
  private physical(address: number): number | undefined {
    return walkPages(this.machine.cpu.ram, this.machine.system.paging, address).physical;
  }

  readMemory(address: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const physical = this.physical(address + done);
      if (physical === undefined) break;
      const count = Math.min(length - done, PAGE_SIZE - (physical % PAGE_SIZE));
      const part = this.readPhysical(physical, count);
      if (part.length === 0) break;
      bytes.set(part, done);
      done += part.length;
    }
    return bytes.subarray(0, done);
  }

  writeMemory(address: number, bytes: Uint8Array): boolean {
    const pieces: { physical: number; start: number; count: number }[] = [];
    for (let done = 0; done < bytes.length; ) {
      const physical = this.physical(address + done);
      if (physical === undefined || !this.isRam(physical)) return false;
      const count = Math.min(bytes.length - done, PAGE_SIZE - (physical % PAGE_SIZE));
      pieces.push({ physical, start: done, count });
      done += count;
    }
    for (const { physical, start, count } of pieces)
      this.writePhysical(physical, bytes.subarray(start, start + count));
    return true;
  }

  /** Registers of devices are not read: that has effects. */
  private isRam(physical: number): boolean {
    const { cpu, system } = this.machine;
    if (!(physical >= 0 && physical < cpu.ram.length)) return false;
    return system.platform.pageKind(physical - (physical % PAGE_SIZE)) !== "device";
  }

  readPhysical(address: number, length: number): Uint8Array {
    const { ram } = this.machine.cpu;
    let end = address;
    while (end < address + length && this.isRam(end)) end += PAGE_SIZE - (end % PAGE_SIZE);
    return end <= address ? new Uint8Array(0) : ram.slice(address, Math.min(end, address + length));
  }

  writePhysical(address: number, bytes: Uint8Array): boolean {
    const { cpu } = this.machine;
    if (this.readPhysical(address, bytes.length).length < bytes.length) return false;
    cpu.ram.set(bytes, address);
    cpu.mmu.written(address, bytes.length);
    return true;
  }

  setBreakpoint(address: number, isSet: boolean): void {
    this.stopPoints.setBreakpoint(address, isSet);
  }

  setWatchpoints(watchpoints: readonly WatchRequest[]): void {
    this.stopPoints.setWatchpoints(watchpoints);
  }

  resume(threads: ReadonlyMap<number, Resumption>, others: Resumption | undefined): void {
    const { gate, machine } = this;
    const how = threads.get(PROCESSOR) ?? others;
    if (gate === undefined || how === undefined) return;
    this.stepping = how.step;
    machine.cpu.stops.pass = how.pass === true;
    machine.cpu.stops.hit = undefined;
    this.gate = undefined;
    gate.open();
  }

  interrupt(): void {
    if (!this.isRunning) return;
    this.wantsInterrupt = true;
    this.machine.attend();
  }

  passSignals(): void {}

  kill(): void {
    this.detach();
    this.machine.stop({ kind: "quit" });
  }

  detach(): void {
    this.stopPoints.clear();
    this.resume(new Map(), {});
  }
}
