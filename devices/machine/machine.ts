/**
 * A whole PC: a processor on a {@link Board}, and the loop that runs it. It executes until the next timer is due, lets the
 * host have its turn now and then, and sleeps while the guest halts.
 */

import type { Platform } from "../../cpu/bus.ts";
import { Cpu } from "../../cpu/cpu.ts";
import type { SystemEngine } from "../../cpu/engine.ts";
import type { CpuidResult, ProcessorModel } from "../../cpu/model.ts";
import { SystemProcessor } from "../../cpu/system/processor.ts";
import { SystemState } from "../../cpu/system/system-state.ts";
import { loadKernel } from "../boot/kernel-image.ts";
import { LoaderMemory } from "../boot/loader-memory.ts";
import { MachineClock, type WallClock } from "../clock.ts";
import { type GuestMemory, isInside } from "../guest-memory.ts";
import type { BlockBackend } from "../storage/block-backend.ts";
import type { SerialBackend } from "../uart16550.ts";
import { Board, type DebugExitPlace } from "./board.ts";
import { applyEntryState } from "./entry.ts";
import { Firmware } from "./firmware.ts";
import type { MachineDebugger } from "./machine-debugger.ts";
import type { MachineHost } from "./machine-host.ts";
import { memoryMap } from "./memory-layout.ts";
import { RealModeProcessor } from "./real-mode-processor.ts";
import type { StopReason } from "./stop-reason.ts";
import { InstructionTime, RealTime, type TimeSource } from "./time.ts";

const NS_PER_SECOND = 1e9;
/** When a deterministic machine is switched on: 2024-01-01, in seconds since 1970 (as for the OSv kernel). */
const DETERMINISTIC_EPOCH = 1_704_067_200;
/** The host gets its turn at least this often. */
const TURN_NS = 5_000_000;
/** How often the guest is told what the host has stolen of its time. */
const STEAL_NS = 10_000_000;
/** Longest stretch without a look at the clock. */
const SLICE_NS = 1_000_000;
/** A guest whose timers are always due still gets on. */
const LEAST_BUDGET = 10_000;
/** A clock that has just jumped is no reason for more than the engines can count. */
const MOST_BUDGET = 2 ** 30;
/** What is assumed before anything was measured: instructions in a nanosecond. */
const FIRST_RATE = 0.05;
/** Budgets too small to measure speed with. */
const MEASURABLE = 10_000;

/** What a machine starts with if not with a kernel. */
export type FirmwareKind = "none" | "own" | "image";

export interface Kernel {
  /** As error messages name it. */
  readonly subject: string;
  readonly bytes: Uint8Array;
  readonly commandLine: string;
  readonly initrd?: { readonly subject: string; readonly bytes: Uint8Array };
}

export interface MachineOptions {
  /** Bytes, a multiple of 64 KiB, at most MOST_RAM. */
  readonly ramSize: number;
  readonly host: MachineHost;
  /** What kind of processor it has. */
  readonly model?: ProcessorModel;
  readonly createEngine: (cpu: Cpu) => SystemEngine;
  readonly serial: SerialBackend;
  readonly debugOutput: (byte: number) => void;
  /** What firmware prints at its own debug port (402H), if not the same. */
  readonly firmwareLog?: (byte: number) => void;
  readonly debugExit?: DebugExitPlace;
  /** Virtio block devices, and what the BIOS knows as drives. */
  readonly disks?: readonly BlockBackend[];
  /** How it starts if not with a kernel: by our own BIOS, or by somebody else's. @throws BootError for a bad image */
  readonly firmware?: "own" | { readonly subject: string; readonly bytes: Uint8Array };
  /** Called after every stretch of execution: output is handed on, and may make the machine wait. */
  readonly afterSlice?: () => Promise<void> | void;
  /** Run on instruction time. */
  readonly deterministic: boolean;
  readonly version: string;
}

export interface MachineStatistics {
  /** Turns of the run loop, and how often the guest was idle. */
  slices: number;
  halts: number;
  /** Time spent asleep, in host nanoseconds. */
  idleNs: number;
}

export class Machine {
  readonly cpu: Cpu;
  readonly board: Board;
  readonly system: SystemState;
  readonly processor: SystemProcessor;
  readonly clock: MachineClock;
  readonly statistics: MachineStatistics = { slices: 0, halts: 0, idleNs: 0 };
  /** Says when the machine may go on. */
  debugger: MachineDebugger | undefined;
  readonly host: MachineHost;
  /** What a reset starts again. */
  kernel: Kernel | undefined;
  private readonly time: TimeSource;
  private stopReason: StopReason | undefined;
  private readonly realMode: RealModeProcessor;
  private readonly image: Firmware | undefined;
  private isPauseWanted = false;
  /** RAM may hold something: before the first start it is not touched, so that the host need not provide it. */
  private hasRun = false;
  /** When {@link noteStolenTime} looked last, by the host's clock. */
  private stealNoted = 0;
  /** Instructions in a nanosecond, lately. */
  private rate = FIRST_RATE;

  constructor(readonly options: MachineOptions) {
    const { ramSize, host } = options;
    this.host = host;
    let instructions = () => 0; // until there is a processor
    this.time = options.deterministic ? new InstructionTime(() => instructions()) : new RealTime(host);
    this.clock = new MachineClock(() => this.time.now());
    this.cpu = new Cpu({
      ramSize,
      host: {
        timeStampCounter: () => this.clock.now(),
        random: (bytes) => host.random(bytes),
      },
      views: 2,
      ...(options.model !== undefined && { model: options.model }),
    });
    this.board = new Board({
      memory: this.guestMemory(),
      clock: this.clock,
      wall: options.deterministic ? this.fixedWallClock() : host,
      pins: {
        interruptRequest: (pending) => this.system.setInterruptPin(pending),
        nmi: () => this.system.requestNmi(),
        init: () => {}, // one processor has nobody to be started by
        startUp: () => {},
      },
      tscOffset: () => this.system.model.tscOffset,
      stop: (reason) => this.stop(reason),
      serial: options.serial,
      debugOutput: options.debugOutput,
      version: options.version,
      ...(options.debugExit !== undefined && { debugExit: options.debugExit }),
      ...(options.disks !== undefined && { disks: options.disks }),
      ...(options.firmware === "own" && { bios: { called: () => this.processor.endSlice() } }),
      ...(options.firmwareLog !== undefined && { firmwareLog: options.firmwareLog }),
      wake: () => host.wake(),
    });
    this.system = new SystemState(this.cpu, this.platform());
    this.realMode = new RealModeProcessor(this.system);
    if (typeof options.firmware === "object")
      this.image = new Firmware(options.firmware.subject, options.firmware.bytes, this.board);
    this.processor = new SystemProcessor(this.cpu, this.system, options.createEngine(this.cpu));
    instructions = () => this.processor.instructionsExecuted;
    this.clock.onEarlier = () => this.processor.endSlice();
  }

  /** Time of day on instruction time: the same in every run. */
  private fixedWallClock(): WallClock {
    return {
      realtime: () => {
        const now = this.clock.now();
        const seconds = Math.floor(now / NS_PER_SECOND);
        return { seconds: DETERMINISTIC_EPOCH + seconds, nanoseconds: now - seconds * NS_PER_SECOND };
      },
    };
  }

  private guestMemory(): GuestMemory {
    const { ram, mmu } = this.cpu;
    return {
      size: ram.length,
      read: (address, length) =>
        isInside(address, length, ram.length) ? ram.subarray(address, address + length) : undefined,
      write: (address, bytes) => {
        if (!isInside(address, bytes.length, ram.length)) return false;
        ram.set(bytes, address);
        mmu.written(address, bytes.length);
        if (mmu.watchpoints !== undefined) this.debugger?.written(address, bytes.length);
        return true;
      },
    };
  }

  private platform(): Platform {
    const { board } = this;
    const { localApic, kvm } = board;
    return {
      bus: board.bus,
      pageKind: () => "ram",
      acknowledgeInterrupt: () => localApic.acknowledge(),
      get taskPriority() {
        return localApic.cr8;
      },
      set taskPriority(value) {
        localApic.cr8 = value;
      },
      readMsr: (index) => (localApic.ownsMsr(index) ? localApic.readMsr(index) : kvm.readMsr(index)),
      writeMsr: (index, value) =>
        localApic.ownsMsr(index) ? localApic.writeMsr(index, value) : kvm.writeMsr(index, value),
      cpuid: (leaf): CpuidResult | undefined => kvm.cpuid(leaf),
    };
  }

  /**
   * Switches the machine on with a kernel in memory.
   * @throws BootError
   */
  bootKernel(kernel: Kernel): void {
    this.kernel = kernel;
    this.clearMemory();
    const memory = new LoaderMemory(this.cpu.ram);
    const { initrd } = kernel;
    const entry = loadKernel(kernel.subject, kernel.bytes, memory, {
      commandLine: kernel.commandLine,
      memoryMap: memoryMap(this.cpu.ram.length),
      rsdpAddress: this.board.acpi.rsdpAddress,
      random: (bytes) => this.host.random(bytes),
      ...(initrd !== undefined && { initrd }),
    });
    this.board.reset();
    applyEntryState(this.system, entry);
    this.processor.engine.invalidatePhysical(0, this.cpu.ram.length);
  }

  private clearMemory(): void {
    this.stopReason = undefined;
    if (this.hasRun) this.cpu.ram.fill(0);
  }

  /**
   * To be called before our own BIOS starts or is restored: looks at the disks.
   * @param subject the first disk, as the person named it
   * @throws BootError if it cannot be booted
   */
  async findDrives(subject: string): Promise<void> {
    await this.board.bios?.findDrives(subject);
  }

  /** Switches the machine on without a kernel: its firmware finds one. */
  bootFirmware(): void {
    this.clearMemory();
    if (this.image === undefined) this.board.reset();
    else {
      this.board.resetParts();
      this.image.place(this.cpu.ram);
    }
    this.system.reset();
    this.realMode.jump(RESET_VECTOR.selector, RESET_VECTOR.offset);
    this.processor.engine.invalidatePhysical(0, this.cpu.ram.length);
  }

  /** Starts the same again, as after a reset. */
  reboot(): void {
    if (this.kernel !== undefined) this.bootKernel(this.kernel);
    else this.bootFirmware();
  }

  /**
   * Ends {@link run} with "paused" when it next looks at the clock. That changes nothing for the guest: it goes on, here or
   * restored elsewhere, as if nothing had been.
   */
  pause(): void {
    this.isPauseWanted = true;
    this.host.wake();
  }

  /** Does something that takes time while the guest stands still, for which no time passes. */
  async standStill<Result>(work: () => Promise<Result>): Promise<Result> {
    const now = this.clock.now();
    try {
      return await work();
    } finally {
      this.setTime(now);
    }
  }

  /** The guest's clock goes on from there; its time of day is the host's. */
  setTime(nanoseconds: number): void {
    this.time.set(nanoseconds);
    this.board.rtc.clockChanged();
  }

  /** Another state is to come: what was in RAM, or was translated from it, is forgotten. */
  beginRestore(): void {
    this.stopReason = undefined;
    this.isPauseWanted = false;
    if (this.hasRun) this.cpu.ram.fill(0);
    this.hasRun = true;
    this.processor.engine.invalidatePhysical(0, this.cpu.ram.length);
  }

  /** Ends {@link run} behind the instruction under way. */
  stop(reason: StopReason): void {
    this.stopReason ??= reason;
    this.processor.endSlice();
    this.host.wake();
  }

  /** The run loop comes by soon, whatever the machine is doing. */
  attend(): void {
    this.processor.endSlice();
    this.host.wake();
  }

  /** Runs until the guest or {@link stop} ends it. */
  async run(): Promise<StopReason> {
    const { clock, host, processor, realMode, statistics } = this;
    const { bios } = this.board;
    this.hasRun = true;
    let turn = host.monotonic();
    for (;;) {
      // Before timers fire: a machine that is restored here fires them then, once.
      if (this.isPauseWanted && this.stopReason === undefined) {
        this.isPauseWanted = false;
        return { kind: "paused" };
      }
      clock.fireDue();
      if (this.stopReason !== undefined) return this.takeStopReason();
      const begin = host.monotonic();
      if (begin - turn >= TURN_NS) {
        await host.yield();
        turn = host.monotonic();
        this.noteStolenTime(turn);
        continue;
      }
      const wait = this.debugger?.paused();
      if (wait !== undefined) {
        await this.standStill(() => wait);
        continue;
      }
      statistics.slices++;
      const before = processor.instructionsExecuted;
      const stop = this.debugger?.isStepping === true ? processor.step() : processor.run(this.budget());
      this.measure(processor.instructionsExecuted - before, host.monotonic() - begin);
      const called = bios?.serve(realMode);
      if (called !== undefined) await called;
      const waiting = this.options.afterSlice?.();
      if (waiting !== undefined) await waiting;
      const stopped = this.debugger?.ran(stop);
      if (stop === "shutdown") {
        await stopped;
        return { kind: "triple-fault" };
      }
      if (stop === "halt" && this.stopReason === undefined && !this.isPauseWanted) {
        if (this.isDead) return { kind: "dead-halt" };
        await this.idle();
        turn = host.monotonic();
        this.noteStolenTime(turn);
      }
    }
  }

  /** Time that passes by instructions cannot be stolen. */
  private noteStolenTime(now: number): void {
    if (now - this.stealNoted < STEAL_NS || this.options.deterministic) return;
    this.stealNoted = now;
    const stolen = this.host.stolen?.();
    if (stolen !== undefined) this.board.kvm.stealTime.update(stolen);
  }

  private takeStopReason(): StopReason {
    const reason = this.stopReason ?? { kind: "quit" };
    this.stopReason = undefined;
    return reason;
  }

  /** HLT with interrupts disabled: only an NMI could end it, and nothing here sends one by itself. */
  private get isDead(): boolean {
    return (this.cpu.rflags & INTERRUPT_FLAG) === 0;
  }

  /** How many instructions until somebody has to look at the clock. */
  private budget(): number {
    const left = this.clock.nextDeadline() - this.clock.now();
    const rate = this.options.deterministic ? 1 : this.rate;
    const instructions = Math.floor(Math.min(left, SLICE_NS) * rate);
    return Math.min(MOST_BUDGET, Math.max(LEAST_BUDGET, instructions));
  }

  private measure(instructions: number, ns: number): void {
    if (instructions < MEASURABLE || ns <= 0) return;
    this.rate += (instructions / ns - this.rate) / 8;
  }

  /** Nothing to do until a timer is due or something comes in. */
  private async idle(): Promise<void> {
    const { clock, host, statistics, time } = this;
    statistics.halts++;
    const deadline = clock.nextDeadline();
    if (deadline !== Number.POSITIVE_INFINITY && time.skipTo(deadline)) {
      return; // instruction time: the host's turn comes by TURN_NS
    }
    const left = deadline - clock.now();
    if (left <= 0) return;
    const begin = host.monotonic();
    await host.sleep(left);
    statistics.idleNs += host.monotonic() - begin;
  }
}

const INTERRUPT_FLAG = 1 << 9;
/** The reset vector as firmware below 1 MiB has it: the processor's own is at the end of the address space. */
const RESET_VECTOR = { selector: 0xf000, offset: 0xfff0 } as const;
