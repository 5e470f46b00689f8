/**
 * The local APIC of one processor, as xAPIC (registers in memory) and x2APIC (registers as MSRs).
 * Intel SDM vol. 3, chapter 11 "Advanced Programmable Interrupt Controller"; section numbers below are of that chapter.
 */

import type { AccessSize, Bus, Mapping, MemoryDevice } from "../bus.ts";
import type { Clock } from "../clock.ts";
import type { InterruptLine } from "../interrupt-line.ts";
import { type Saveable, type SavedState, StateReader } from "../saved-state.ts";
import type { ApicBus, MessageTarget } from "./apic-bus.ts";
import { ApicTimer, TimerMode } from "./apic-timer.ts";
import { DeliveryMode, type InterruptMessage } from "./interrupt-message.ts";
import { VectorSet } from "./vector-set.ts";

/** Register offsets; as MSR the offset is (MSR - 800H) << 4. Table 11-1 and 11-6. */
const Register = {
  Id: 0x020,
  Version: 0x030,
  Tpr: 0x080,
  Apr: 0x090,
  Ppr: 0x0a0,
  Eoi: 0x0b0,
  Rrd: 0x0c0,
  Ldr: 0x0d0,
  Dfr: 0x0e0,
  Svr: 0x0f0,
  Isr: 0x100,
  Tmr: 0x180,
  Irr: 0x200,
  IrrEnd: 0x280,
  Esr: 0x280,
  IcrLow: 0x300,
  IcrHigh: 0x310,
  LvtTimer: 0x320,
  LvtThermal: 0x330,
  LvtPerformance: 0x340,
  LvtLint0: 0x350,
  LvtLint1: 0x360,
  LvtError: 0x370,
  InitialCount: 0x380,
  CurrentCount: 0x390,
  DivideConfiguration: 0x3e0,
  SelfIpi: 0x3f0,
} as const;

const LVT_FIRST = Register.LvtTimer;
const LVT_COUNT = 6;
/** Writable bits of each entry, in the order of their registers (figure 11-8). */
const LVT_WRITABLE = [0x000710ff, 0x000117ff, 0x000117ff, 0x0001b7ff, 0x0001b7ff, 0x000110ff] as const;
const LVT_WRITABLE_TIMER = 0x000700ff;
const LVT_MASKED = 1 << 16;

/** Version 14H, six LVT entries (11.4.8). */
const VERSION = 0x14 | ((LVT_COUNT - 1) << 16);

/** SVR bit 8: software enable (11.9). */
const SVR_ENABLE = 1 << 8;
const SVR_WRITABLE = 0x1ff;

/** IA32_APIC_BASE (11.4.4, 11.12.1). */
const MSR_APIC_BASE = 0x1b;
const MSR_TSC_DEADLINE = 0x6e0;
const MSR_X2APIC_FIRST = 0x800;
const MSR_X2APIC_LAST = 0x8ff;
const BASE_BSP = 1 << 8;
const BASE_EXTD = 1 << 10;
const BASE_ENABLE = 1 << 11;
const DEFAULT_BASE = 0xfee00000;
const REGISTERS_LENGTH = 0x1000;

/** ESR bits (11.5.3). */
const EsrBit = { SendIllegalVector: 1 << 5, ReceivedIllegalVector: 1 << 6, IllegalRegister: 1 << 7 } as const;

/** Vectors below this are reserved for exceptions: an APIC refuses them (11.5.2). */
const FIRST_VECTOR = 16;

/** What the local APIC asks of its processor. */
export interface ProcessorPins {
  /** There is, or is no longer, an interrupt for {@link LocalApic.acknowledge}. */
  interruptRequest(pending: boolean): void;
  nmi(): void;
  init(): void;
  /** SIPI: start at physical address vector << 12. */
  startUp(vector: number): void;
}

/** The 8259 behind LINT0. */
export interface ExternalController {
  /** INTA: the vector of the interrupt that INTR is raised for. */
  acknowledge(): number;
}

/** A flag in memory by which a guest may end an interrupt in place of a write to the EOI register (KVM's PV EOI). */
export interface EoiFlag {
  /** Sets it, if the guest wants that. @returns whether it is set */
  raise(): boolean;
  /** Takes it back. @returns whether the guest has cleared it: the interrupt has ended */
  lower(): boolean;
}

export interface LocalApicOptions {
  readonly id: number;
  /** The processor that starts the system. */
  readonly bootstrap: boolean;
  readonly clock: Clock;
  readonly bus: Bus;
  readonly apicBus: ApicBus;
  readonly pins: ProcessorPins;
  readonly external: ExternalController;
  /** When the processor's time-stamp counter reaches a value, on the machine's clock. */
  readonly tscDeadline: (tsc: bigint) => number;
  readonly eoiFlag?: EoiFlag;
}

export class LocalApic implements MemoryDevice, MessageTarget, Saveable {
  private readonly options: LocalApicOptions;
  private readonly timer: ApicTimer;
  private readonly irr = new VectorSet();
  private readonly isr = new VectorSet();
  private readonly tmr = new VectorSet();
  private base = 0;
  private baseFlags: number;
  private mapping: Mapping | undefined;
  private id: number;
  private tpr = 0;
  private ldr = 0;
  private dfr = 0;
  private svr = 0;
  private esr = 0;
  private esrPending = 0;
  private icrLow = 0;
  private icrHigh = 0;
  private readonly lvt = new Uint32Array(LVT_COUNT);
  /** Level of the pins LINT0 (INTR of the 8259) and LINT1 (NMI). */
  private readonly pinLevels = [false, false];
  private requested = false;
  /** The guest may end the interrupt in service, the only one, by the flag: {@link settle} sees whether it has. */
  private isFlagRaised = false;

  constructor(options: LocalApicOptions) {
    this.options = options;
    this.id = options.id;
    this.baseFlags = (options.bootstrap ? BASE_BSP : 0) | BASE_ENABLE;
    this.timer = new ApicTimer(options.clock, options.tscDeadline, () => this.trigger(0));
    this.reset();
    options.apicBus.attach(this);
  }

  /** Power-up and reset (11.4.7.1). */
  reset(): void {
    this.baseFlags = (this.options.bootstrap ? BASE_BSP : 0) | BASE_ENABLE;
    this.base = DEFAULT_BASE;
    this.remap();
    this.initialize();
  }

  /** What INIT does: everything but the APIC ID and IA32_APIC_BASE (11.4.7.3). */
  initialize(): void {
    this.isFlagRaised = false;
    this.irr.clear();
    this.isr.clear();
    this.tmr.clear();
    this.tpr = 0;
    this.esr = 0;
    this.esrPending = 0;
    this.icrLow = 0;
    this.icrHigh = 0;
    this.lvt.fill(LVT_MASKED);
    this.svr = 0xff;
    this.dfr = 0xffffffff;
    this.id = this.options.id;
    this.ldr = this.isX2Apic ? logicalX2ApicId(this.id) : 0;
    this.timer.reset();
    this.update();
  }

  /** Firmware leaves the bootstrap processor in virtual wire mode: 8259 to LINT0, NMI to LINT1 (11.4.6, and MP 1.4, 3.6.2.2). */
  initializeAsFirmware(): void {
    this.svr |= SVR_ENABLE;
    this.lvt[(Register.LvtLint0 - LVT_FIRST) >> 4] = DeliveryMode.ExtInt << 8;
    this.lvt[(Register.LvtLint1 - LVT_FIRST) >> 4] = DeliveryMode.Nmi << 8;
    this.update();
  }

  get isX2Apic(): boolean {
    return (this.baseFlags & BASE_EXTD) !== 0;
  }

  private get isEnabled(): boolean {
    return (this.baseFlags & BASE_ENABLE) !== 0;
  }

  private get isSoftwareEnabled(): boolean {
    return this.isEnabled && (this.svr & SVR_ENABLE) !== 0;
  }

  // ---- interrupts in ----

  /** The pin LINT0 or LINT1. */
  pin(index: 0 | 1): InterruptLine {
    return {
      set: (level) => {
        const rising = level && !this.pinLevels[index];
        this.pinLevels[index] = level;
        if (index === 1 && !this.isEnabled) {
          if (rising) this.options.pins.nmi(); // a disabled APIC: LINT1 is the NMI pin (11.4.3)
          return;
        }
        const entry = this.lvt[((index === 0 ? Register.LvtLint0 : Register.LvtLint1) - LVT_FIRST) >> 4];
        const mode = (entry >>> 8) & 7;
        if (rising && mode !== DeliveryMode.ExtInt && this.isEnabled) this.trigger(index + 3);
        else this.update();
      },
    };
  }

  /** An LVT entry's source has something to report. */
  private trigger(index: number): void {
    const entry = this.lvt[index];
    if ((entry & LVT_MASKED) !== 0 || !this.isEnabled) return;
    const mode = index === 0 || index === LVT_COUNT - 1 ? DeliveryMode.Fixed : (entry >>> 8) & 7;
    this.accept({
      vector: entry & 0xff,
      deliveryMode: mode,
      destination: this.id,
      logical: false,
      level: false,
    });
  }

  matches(destination: number, logical: boolean): boolean {
    if (!this.isEnabled) return false;
    if (this.isX2Apic) {
      if (destination === 0xffffffff || destination === 0xff) return true;
      if (!logical) return destination === this.id;
      return destination >>> 16 === this.ldr >>> 16 && (destination & this.ldr & 0xffff) !== 0;
    }
    const set = destination & 0xff;
    if (set === 0xff) return true;
    if (!logical) return set === this.id;
    const mine = this.ldr >>> 24;
    if (this.dfr >>> 28 === 0xf) return (mine & set) !== 0; // flat model (11.6.2.2)
    return mine >>> 4 === set >>> 4 && (mine & set & 0xf) !== 0;
  }

  get priority(): number {
    this.settle();
    return this.ppr;
  }

  accept(message: InterruptMessage): void {
    this.settle();
    const { pins } = this.options;
    switch (message.deliveryMode) {
      case DeliveryMode.Fixed:
      case DeliveryMode.LowestPriority:
        if (message.vector < FIRST_VECTOR) {
          this.error(EsrBit.ReceivedIllegalVector);
          return;
        }
        if (!this.isSoftwareEnabled) return;
        this.irr.add(message.vector);
        if (message.level) this.tmr.add(message.vector);
        else this.tmr.delete(message.vector);
        this.update();
        return;
      case DeliveryMode.Nmi:
        pins.nmi();
        return;
      case DeliveryMode.Init:
        pins.init();
        return;
      case DeliveryMode.StartUp:
        pins.startUp(message.vector);
        return;
      default: // SMI: there is no system management mode. ExtINT by message: no vector comes with it.
        return;
    }
  }

  private error(bit: number): void {
    if ((this.esrPending & bit) !== 0) return;
    this.esrPending |= bit;
    const entry = this.lvt[LVT_COUNT - 1];
    // An error entry with a vector that is an error itself would report forever.
    if ((entry & 0xff) >= FIRST_VECTOR) this.trigger(LVT_COUNT - 1);
  }

  // ---- interrupts out ----

  /** Processor-priority register (11.8.3.1). */
  private get ppr(): number {
    const inService = Math.max(this.isr.highest(), 0);
    return this.tpr >>> 4 >= inService >>> 4 ? this.tpr : inService & 0xf0;
  }

  /** The vector to deliver now, or -1. */
  private deliverable(): number {
    const vector = this.irr.highest();
    if (vector < 0) return -1;
    return vector >>> 4 > this.ppr >>> 4 ? vector : -1;
  }

  /** Does the 8259's interrupt pass through LINT0 (virtual wire mode), or past a disabled APIC? */
  private get externalPending(): boolean {
    if (!this.pinLevels[0]) return false;
    if (!this.isEnabled) return true;
    const entry = this.lvt[(Register.LvtLint0 - LVT_FIRST) >> 4];
    return (entry & LVT_MASKED) === 0 && ((entry >>> 8) & 7) === DeliveryMode.ExtInt;
  }

  private update(): void {
    const pending = this.externalPending || (this.isSoftwareEnabled && this.deliverable() >= 0);
    if (pending === this.requested) return;
    this.requested = pending;
    this.options.pins.interruptRequest(pending);
  }

  /** Is there something for {@link acknowledge}? */
  get isPending(): boolean {
    return this.requested;
  }

  /** The processor takes its interrupt: the vector, or -1 if there is none (any more). */
  acknowledge(): number {
    const vector = this.isSoftwareEnabled ? this.deliverable() : -1;
    if (vector >= 0) {
      this.settle();
      const isAlone = this.isr.highest() < 0;
      this.irr.delete(vector);
      this.isr.add(vector);
      this.update();
      // Nothing waits for the end of it: neither another interrupt nor an I/O APIC.
      if (isAlone && this.irr.highest() < 0 && !this.tmr.has(vector))
        this.isFlagRaised = this.options.eoiFlag?.raise() === true;
      return vector;
    }
    if (!this.externalPending) return -1;
    const external = this.options.external.acknowledge();
    this.update();
    return external;
  }

  /** To be called before anybody looks at what is in service, or more may wait for its end. */
  private settle(): void {
    if (!this.isFlagRaised) return;
    this.isFlagRaised = false;
    if (this.options.eoiFlag?.lower() === true) this.endOfInterrupt();
  }

  private endOfInterrupt(): void {
    const vector = this.isr.highest();
    if (vector < 0) return;
    this.isr.delete(vector);
    if (this.tmr.has(vector)) this.options.apicBus.broadcastEoi(vector);
    this.update();
  }

  /** CR8: the class of the task priority (11.8.6.1). */
  get cr8(): number {
    return this.tpr >>> 4;
  }

  set cr8(value: number) {
    this.tpr = (value & 0xf) << 4;
    this.update();
  }

  // ---- interprocessor interrupts (11.6) ----

  private sendIpi(): void {
    const low = this.icrLow;
    const message: InterruptMessage = {
      vector: low & 0xff,
      deliveryMode: (low >>> 8) & 7,
      destination: this.isX2Apic ? this.icrHigh : this.icrHigh >>> 24,
      logical: (low & 0x800) !== 0,
      level: false,
    };
    const fixed = message.deliveryMode <= DeliveryMode.LowestPriority;
    if (fixed && message.vector < FIRST_VECTOR) {
      this.error(EsrBit.SendIllegalVector);
      return;
    }
    // INIT level de-assert is for processors of the past (11.6.1, "Level").
    if (message.deliveryMode === DeliveryMode.Init && (low & 0xc000) === 0x8000) return;
    const { apicBus } = this.options;
    switch ((low >>> 18) & 3) {
      case 0:
        apicBus.deliver(message);
        return;
      case 1:
        if (fixed) this.accept(message);
        return;
      case 2:
        this.accept(message);
        apicBus.deliverToOthers(this, message);
        return;
      case 3:
        apicBus.deliverToOthers(this, message);
        return;
    }
  }

  // ---- registers ----

  private read(offset: number): number {
    this.settle();
    if (offset >= Register.Isr && offset < Register.IrrEnd) {
      const set = offset < Register.Tmr ? this.isr : offset < Register.Irr ? this.tmr : this.irr;
      return set.words[(offset >> 4) & 7];
    }
    if (offset >= LVT_FIRST && offset < LVT_FIRST + LVT_COUNT * 16)
      return this.lvt[(offset - LVT_FIRST) >> 4];
    switch (offset) {
      case Register.Id:
        return this.isX2Apic ? this.id : this.id * 0x1000000;
      case Register.Version:
        return VERSION;
      case Register.Tpr:
        return this.tpr;
      case Register.Ppr:
        return this.ppr;
      case Register.Ldr:
        return this.ldr;
      case Register.Dfr:
        return this.dfr;
      case Register.Svr:
        return this.svr;
      case Register.Esr:
        return this.esr;
      case Register.IcrLow:
        return this.icrLow;
      case Register.IcrHigh:
        return this.icrHigh;
      case Register.InitialCount:
        return this.timer.initialCount;
      case Register.CurrentCount:
        return this.timer.currentCount;
      case Register.DivideConfiguration:
        return this.timer.divideConfiguration;
      default:
        return 0; // APR, RRD and what is reserved
    }
  }

  private write(offset: number, value: number): void {
    this.settle();
    if (offset >= LVT_FIRST && offset < LVT_FIRST + LVT_COUNT * 16) {
      this.writeLvt((offset - LVT_FIRST) >> 4, value);
      return;
    }
    switch (offset) {
      case Register.Id:
        this.id = value >>> 24;
        return;
      case Register.Tpr:
        this.tpr = value & 0xff;
        this.update();
        return;
      case Register.Eoi:
        this.endOfInterrupt();
        return;
      case Register.Ldr:
        this.ldr = (value & 0xff000000) >>> 0;
        return;
      case Register.Dfr:
        this.dfr = (value | 0x0fffffff) >>> 0;
        return;
      case Register.Svr:
        this.writeSvr(value);
        return;
      case Register.Esr:
        this.esr = this.esrPending;
        this.esrPending = 0;
        return;
      case Register.IcrLow:
        this.icrLow = value & 0x000ccfff; // delivery status reads idle
        this.sendIpi();
        return;
      case Register.IcrHigh:
        this.icrHigh = (value & 0xff000000) >>> 0;
        return;
      case Register.InitialCount:
        this.timer.initialCount = value;
        return;
      case Register.DivideConfiguration:
        this.timer.divideConfiguration = value & 0xb;
        return;
      default:
        return; // read-only or reserved
    }
  }

  private writeSvr(value: number): void {
    this.svr = value & SVR_WRITABLE;
    if ((value & SVR_ENABLE) === 0) {
      for (let index = 0; index < LVT_COUNT; index++) this.lvt[index] |= LVT_MASKED; // 11.4.7.2
    }
    this.update();
  }

  private writeLvt(index: number, value: number): void {
    const writable = index === 0 ? LVT_WRITABLE_TIMER : LVT_WRITABLE[index] & ~0x1000;
    let entry = value & writable;
    if ((this.svr & SVR_ENABLE) === 0) entry |= LVT_MASKED;
    this.lvt[index] = entry;
    if (index === 0) this.timer.mode = (entry >>> 17) & 3;
    this.update();
  }

  readMemory(offset: number, size: AccessSize): number {
    // Registers are read in words of 32 bits; other sizes are undefined (11.4.1) and give that part of the register.
    const word = this.read(offset & ~0xf);
    if (size === 4 && (offset & 3) === 0) return (offset & 0xf) === 0 ? word : 0;
    const shift = 8 * (offset & 0xf);
    return shift >= 32 ? 0 : (word >>> shift) & (2 ** (8 * size) - 1);
  }

  writeMemory(offset: number, size: AccessSize, value: number): void {
    if (size !== 4 || (offset & 0xf) !== 0) return;
    this.write(offset, value);
  }

  // ---- MSRs ----

  /** Is this MSR one of the local APIC's? */
  ownsMsr(msr: number): boolean {
    return (
      msr === MSR_APIC_BASE || msr === MSR_TSC_DEADLINE || (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST)
    );
  }

  /** RDMSR; undefined means #GP. */
  readMsr(msr: number): bigint | undefined {
    if (msr === MSR_APIC_BASE) return BigInt(this.base + this.baseFlags);
    if (msr === MSR_TSC_DEADLINE) return this.timer.tscDeadlineValue;
    if (!this.isX2Apic) return undefined;
    const offset = (msr - MSR_X2APIC_FIRST) << 4;
    if (!X2APIC_READABLE.has(offset)) return undefined;
    if (offset === Register.IcrLow) return (BigInt(this.icrHigh) << 32n) | BigInt(this.icrLow);
    return BigInt(this.read(offset) >>> 0);
  }

  /** WRMSR; false means #GP. */
  writeMsr(msr: number, value: bigint): boolean {
    if (msr === MSR_APIC_BASE) return this.writeBase(value);
    if (msr === MSR_TSC_DEADLINE) {
      if (this.timer.mode === TimerMode.TscDeadline) this.timer.tscDeadlineValue = value;
      return true;
    }
    if (!this.isX2Apic) return false;
    const offset = (msr - MSR_X2APIC_FIRST) << 4;
    if (!X2APIC_WRITABLE.has(offset)) return false;
    const low = Number(BigInt.asUintN(32, value));
    if (offset === Register.IcrLow) {
      if ((low & ~0x000cdfff) !== 0) return false;
      this.icrHigh = Number(value >> 32n);
      this.write(Register.IcrLow, low);
      return true;
    }
    if (value >> 32n !== 0n) return false;
    if ((offset === Register.Eoi || offset === Register.Esr) && low !== 0) return false; // 11.12.1.2
    if (offset === Register.Tpr && low > 0xff) return false;
    if (offset === Register.SelfIpi) {
      if (low > 0xff) return false;
      if (low < FIRST_VECTOR) this.error(EsrBit.SendIllegalVector);
      else
        this.accept({
          vector: low,
          deliveryMode: DeliveryMode.Fixed,
          destination: this.id,
          logical: false,
          level: false,
        });
      return true;
    }
    this.write(offset, low);
    return true;
  }

  /** Which states IA32_APIC_BASE may go through: figure 11-27. */
  private writeBase(value: bigint): boolean {
    const low = Number(BigInt.asUintN(52, value));
    const flags = low & (BASE_EXTD | BASE_ENABLE);
    if (value >> 36n !== 0n || (low & 0x2ff) !== 0) return false;
    const wasEnabled = this.isEnabled;
    const wasX2Apic = this.isX2Apic;
    if (flags === BASE_EXTD) return false;
    if (wasX2Apic && flags === BASE_ENABLE) return false;
    if (!wasEnabled && flags === (BASE_EXTD | BASE_ENABLE)) return false;
    this.baseFlags = (this.baseFlags & BASE_BSP) | flags;
    this.base = low - (low % REGISTERS_LENGTH);
    if (!this.isEnabled && wasEnabled) this.initialize();
    if (this.isX2Apic && !wasX2Apic) {
      this.id = this.options.id;
      this.ldr = logicalX2ApicId(this.id);
    }
    this.remap();
    this.update();
    return true;
  }

  private remap(): void {
    this.mapping?.unmap();
    this.mapping = undefined;
    if (this.isEnabled && !this.isX2Apic) {
      this.mapping = this.options.bus.mapMemory(this.base, REGISTERS_LENGTH, this);
    }
  }

  save(): SavedState {
    return {
      version: 2,
      base: this.base,
      baseFlags: this.baseFlags,
      id: this.id,
      tpr: this.tpr,
      ldr: this.ldr,
      dfr: this.dfr,
      svr: this.svr,
      esr: this.esr,
      esrPending: this.esrPending,
      icrLow: this.icrLow,
      icrHigh: this.icrHigh,
      lvt: [...this.lvt],
      irr: [...this.irr.words],
      isr: [...this.isr.words],
      tmr: [...this.tmr.words],
      lint0: this.pinLevels[0],
      lint1: this.pinLevels[1],
      isFlagRaised: this.isFlagRaised,
      timer: this.timer.save(),
    };
  }

  restore(saved: SavedState): void {
    const state = new StateReader("local APIC", saved, 2);
    this.base = state.integer("base", 2 ** 36);
    this.baseFlags = state.u16("baseFlags") & (BASE_BSP | BASE_EXTD | BASE_ENABLE);
    this.id = state.u32("id");
    this.tpr = state.u8("tpr");
    this.ldr = state.u32("ldr");
    this.dfr = state.u32("dfr");
    this.svr = state.u16("svr") & SVR_WRITABLE;
    this.esr = state.u8("esr");
    this.esrPending = state.u8("esrPending");
    this.icrLow = state.u32("icrLow");
    this.icrHigh = state.u32("icrHigh");
    this.lvt.set(state.integers("lvt", LVT_COUNT, 0xffffffff));
    this.irr.words.set(state.integers("irr", 8, 0xffffffff));
    this.isr.words.set(state.integers("isr", 8, 0xffffffff));
    this.tmr.words.set(state.integers("tmr", 8, 0xffffffff));
    this.pinLevels[0] = state.boolean("lint0");
    this.pinLevels[1] = state.boolean("lint1");
    this.isFlagRaised = state.version > 1 && state.boolean("isFlagRaised");
    this.timer.restore(state.state("timer"));
    this.remap();
    this.update();
  }
}

/** Logical ID of an x2APIC: cluster in the upper half, one bit in the lower (11.12.10.2). */
function logicalX2ApicId(id: number): number {
  return (((id >>> 4) << 16) | (1 << (id & 0xf))) >>> 0;
}

const READ_WRITE = [
  Register.Tpr,
  Register.Svr,
  Register.Esr,
  Register.IcrLow,
  Register.LvtTimer,
  Register.LvtThermal,
  Register.LvtPerformance,
  Register.LvtLint0,
  Register.LvtLint1,
  Register.LvtError,
  Register.InitialCount,
  Register.DivideConfiguration,
] as const;
const X2APIC_READABLE: ReadonlySet<number> = new Set([
  ...READ_WRITE,
  Register.Id,
  Register.Version,
  Register.Ppr,
  Register.Ldr,
  Register.CurrentCount,
  ...Array.from({ length: 24 }, (_, index) => Register.Isr + index * 16),
]);
const X2APIC_WRITABLE: ReadonlySet<number> = new Set([...READ_WRITE, Register.Eoi, Register.SelfIpi]);
