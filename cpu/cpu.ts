/**
 * One virtual processor: typed access to its state struct, and guest memory as its helpers see it.
 */

import { Mmu, type MmuView } from "../mmu/mmu.ts";
import { Tlb } from "../mmu/tlb.ts";
import type { Translator } from "../mmu/translator.ts";
import { type Watchpoint, Watchpoints } from "../mmu/watchpoints.ts";
import { DebugStops } from "./debug-stops.ts";
import { DEFAULT_MODEL, type ProcessorModel } from "./model.ts";
import { readRflags, writeRflags } from "./rflags.ts";
import * as State from "./state.ts";
import { Flag } from "./state.ts";
import { BranchHistory } from "./system/branch-history.ts";
import type { SystemState } from "./system/system-state.ts";

const WASM_PAGE = 65536;
/** Decoded records take 64 MiB of the linear memory and what is known of them 40 MiB; only what is used is ever touched. */
const DEFAULT_RECORDS = 2 << 20;
/** A record, and behind all of them what TypeScript keeps of each (engines/interp/record-facts.ts). */
const RECORD_BYTES = 32;
const FACT_BYTES = 20;

const STATE_PAGES_BYTES = Math.ceil(State.STATE_SIZE / WASM_PAGE) * WASM_PAGE;

/** What the world around the processor answers to instructions that ask. */
export interface CpuHost {
  /** RDTSC: a count that rises with time or with instructions. */
  timeStampCounter(): number;
  /** RDRAND, RDSEED: fresh random bytes. */
  random(bytes: Uint8Array): void;
}

export interface CpuOptions {
  /** Guest RAM in bytes, a multiple of 64 KiB. */
  readonly ramSize: number;
  /** What answers TLB misses; absent if that is for the {@link SystemState} of a whole PC to say. */
  readonly translator?: Translator;
  readonly host: CpuHost;
  /** How many processors the linear memory has room for: this one, and those made by {@link Cpu.another}. Default: 1. */
  readonly processors?: number;
  /**
   * State structs: 1 for user code only; 2 for a whole PC, so that supervisor (0) and user (1) have each their TLB and jump
   * cache and a change of privilege flushes nothing. Generated code is given the struct in use.
   */
  readonly views?: 1 | 2;
  /** Room for so many decoded records: when it is used up all translated code is forgotten. Default: 2 Mi. */
  readonly records?: number;
  /** What kind of processor it is. */
  readonly model?: ProcessorModel;
}

/** In state structs that do not run code, and in SHADOW_RIP: no instruction is there. */
const NOWHERE = 0xffffffff;

/** A data breakpoint of the guest's. */
export interface GuestWatchpoint extends Watchpoint {
  /** Its bit in DR6. */
  readonly bit: number;
}

/** Where execution is while a helper or a device is called. */
export interface Whereabouts {
  /** Instructions of the engine's run that are complete. */
  readonly progress: number;
  /** Addresses of the instruction under way and of the one behind it. */
  readonly currentRip: number;
  readonly nextRip: number;
}

/** Nothing is mapped. */
const NO_TRANSLATOR: Translator = {
  translate(_virtual, _access, out) {
    out.errorCode = 0;
    return false;
  },
};

/** A state struct as TypeScript sees it. */
export class Struct implements MmuView {
  readonly words: Int32Array;
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly context: Uint8Array;
  readonly tlb: Tlb;
  readonly scratch: number;
  checksAlignment = false;

  constructor(
    buffer: ArrayBufferLike,
    readonly base: number,
  ) {
    this.words = new Int32Array(buffer, base, State.STATE_SIZE >> 2);
    this.view = new DataView(buffer, base, State.STATE_SIZE);
    this.bytes = new Uint8Array(buffer, base, State.STATE_SIZE);
    this.context = this.bytes.subarray(0, State.CONTEXT_SIZE);
    this.tlb = new Tlb(buffer, base + State.TLB);
    this.scratch = base + State.SCRATCH;
  }
}

/** Thrown to have the instruction executed alone; see {@link Cpu.requireAlone}. */
export class RetryAlone extends Error {
  constructor() {
    super("this instruction must be executed alone");
    this.name = "RetryAlone";
  }
}
const RETRY_ALONE = new RetryAlone();

export class Cpu {
  readonly memory: WebAssembly.Memory;
  /** Guest RAM: physical address = index. */
  readonly ram: Uint8Array;
  /** Byte offset of the state struct in use in the linear memory. */
  base: number;
  readonly recordBase: number;
  /** How many records there is room for. */
  readonly recordCount: number;
  readonly mmu: Mmu;
  host: CpuHost;
  readonly model: ProcessorModel;
  /** Registers of system software; undefined if the processor runs user code for the OSv kernel only. */
  system: SystemState | undefined;
  /** The instruction under way is executed alone: the engine stops behind it (see {@link requireAlone}). */
  isAlone = true;
  /** A helper has done a part of its instruction: it is executed again. */
  isIncomplete = false;
  /** SS was loaded: debug traps wait until the next instruction is complete (SDM vol. 3, 6.8.3). */
  defersTraps = false;
  /** What executes the instructions, for helpers that ask where. */
  whereabouts: Whereabouts | undefined;
  /** Breakpoints and the like. */
  readonly stops = new DebugStops();
  /** What engines and the processor of a whole PC note of control transfers. */
  readonly history = new BranchHistory();
  readonly structs: readonly Struct[];
  private struct: Struct;
  private watched: readonly Watchpoint[] = [];
  private guestWatched: readonly GuestWatchpoint[] = [];

  /**
   * @param before the processor whose memory it shares
   * @throws RangeError if that has no room for another
   */
  constructor(options: CpuOptions, before?: Cpu) {
    const { ramSize, processors = 1, views = 1, records = DEFAULT_RECORDS } = options;
    this.model = options.model ?? DEFAULT_MODEL;
    this.recordCount = records;
    const recordBytes = Math.ceil((records * (RECORD_BYTES + FACT_BYTES)) / WASM_PAGE) * WASM_PAGE;
    const processorBytes = views * STATE_PAGES_BYTES + recordBytes;
    this.base = before === undefined ? ramSize : before.recordBase + recordBytes;
    this.recordBase = this.base + views * STATE_PAGES_BYTES;
    const pages = (ramSize + processors * processorBytes) / WASM_PAGE;
    this.memory = before?.memory ?? new WebAssembly.Memory({ initial: pages, maximum: pages });
    const buffer = this.memory.buffer;
    this.ram = new Uint8Array(buffer, 0, ramSize);
    this.structs = Array.from(
      { length: views },
      (_, index) => new Struct(buffer, this.base + index * STATE_PAGES_BYTES),
    );
    this.struct = this.structs[0];
    this.mmu = new Mmu(buffer, ramSize, options.translator ?? NO_TRANSLATOR, this.structs);
    this.host = options.host;
    this.reset();
  }

  /** Another processor over the same guest RAM and translator, with state, TLB and records of its own. */
  another(host: CpuHost): Cpu {
    const { model, recordCount: records } = this;
    const { ramSize, translator } = this.mmu;
    return new Cpu({ ramSize, translator, host, model, records }, this);
  }

  /** Where the facts about the records begin. */
  get factBase(): number {
    return this.recordBase + this.recordCount * RECORD_BYTES;
  }

  private get words(): Int32Array {
    return this.struct.words;
  }

  private get view(): DataView {
    return this.struct.view;
  }

  private get bytes(): Uint8Array {
    return this.struct.bytes;
  }

  /** Goes on with another state struct; the registers move there. */
  useView(index: number): void {
    const from = this.struct;
    const to = this.structs[index];
    if (to === from) return;
    to.bytes.set(from.context);
    this.struct = to;
    this.base = to.base;
    this.mmu.useView(index);
  }

  /** Sets a field in every state struct. */
  setEverywhere(offset: number, value: number): void {
    for (const { words } of this.structs) words[offset >> 2] = value;
  }

  /** State components that XSAVE and XGETBV know of now. */
  get xcr0(): number {
    return this.system?.xcr0 ?? this.model.xcr0;
  }

  /**
   * For what can change more than the instruction's own results: devices, the execution mode. Unless the instruction is
   * executed alone it is given up before it has changed anything, and executed again, alone, with a look around behind it.
   */
  requireAlone(): void {
    if (!this.isAlone) throw RETRY_ALONE;
  }

  /** To be called when EFLAGS.AC, CR0.AM or CPL may have changed. */
  updateAlignmentCheck(): void {
    this.checkAlignment((this.getI32(State.FLAGS_OTHER) & Flag.AC) !== 0);
  }

  /**
   * User code has asked for alignment checks by EFLAGS.AC, or not (SDM vol. 3, 6.15, interrupt 17). Programs run by the OSv
   * kernel find CR0.AM set, as under Linux.
   */
  checkAlignment(isWanted: boolean): void {
    const { mmu, system } = this;
    if (!isWanted && !mmu.checksAlignment) return;
    mmu.checksAlignment = isWanted && (system === undefined || system.allowsAlignmentCheck);
  }

  /**
   * Replaces the data watchpoints. A watched access has its instruction executed alone: {@link stops} says so behind it.
   */
  watch(watchpoints: readonly Watchpoint[]): void {
    this.watched = watchpoints;
    this.updateWatchpoints();
  }

  /** The same for the guest's own debug registers: hits are noted in {@link DebugStops.guestHits}. */
  watchForGuest(watchpoints: readonly GuestWatchpoint[]): void {
    this.guestWatched = watchpoints;
    this.stops.isWatchedByGuest = watchpoints.length > 0;
    this.updateWatchpoints();
  }

  private updateWatchpoints(): void {
    const { mmu, stops, watched, guestWatched } = this;
    if (watched.length + guestWatched.length === 0) mmu.watchpoints = undefined;
    else {
      mmu.watchpoints = new Watchpoints((watchpoint, access) => {
        this.requireAlone();
        const own = guestWatched.find((known) => known === watchpoint);
        if (own === undefined) stops.hit ??= { watchpoint, access };
        else stops.guestHits |= own.bit;
      });
      mmu.watchpoints.set([...watched, ...guestWatched]);
    }
    mmu.flush();
  }

  /** Registers as a fresh Linux program finds them (FPU as after FNINIT, MXCSR 1F80). */
  reset(): void {
    this.bytes.fill(0, 0, State.CONTEXT_SIZE);
    this.setI32(State.FLAG_ZERO, 1);
    this.setI32(State.FLAG_SIGN, 1);
    this.setI32(State.FLAGS_OTHER, Flag.IF);
    this.setI32(State.X87_CONTROL, 0x37f);
    this.setI32(State.MXCSR, 0x1f80);
    this.setEverywhere(State.CPL, 3);
    this.setNumber(State.SHADOW_RIP, NOWHERE);
  }

  // ---- state fields; offsets from cpu/state.ts ----

  getI32(offset: number): number {
    return this.words[offset >> 2];
  }

  setI32(offset: number, value: number): void {
    this.words[offset >> 2] = value;
  }

  /** A 64-bit field as a signed JS number: exact for canonical addresses and anything within ±2^53. */
  getNumber(offset: number): number {
    return this.words[(offset >> 2) + 1] * 0x100000000 + (this.words[offset >> 2] >>> 0);
  }

  setNumber(offset: number, value: number): void {
    this.words[offset >> 2] = value;
    this.words[(offset >> 2) + 1] = Math.floor(value / 0x100000000);
  }

  getU64(offset: number): bigint {
    return this.view.getBigUint64(offset, true);
  }

  setU64(offset: number, value: bigint): void {
    this.view.setBigUint64(offset, BigInt.asUintN(64, value), true);
  }

  getU16(offset: number): number {
    return this.view.getUint16(offset, true);
  }

  setU16(offset: number, value: number): void {
    this.view.setUint16(offset, value, true);
  }

  getF64(offset: number): number {
    return this.view.getFloat64(offset, true);
  }

  setF64(offset: number, value: number): void {
    this.view.setFloat64(offset, value, true);
  }

  /** The bytes of a part of the state, live. */
  stateBytes(offset: number, length: number): Uint8Array {
    return this.bytes.subarray(offset, offset + length);
  }

  /** A general register as a signed JS number; see {@link getNumber}. */
  gpr(register: number): number {
    return this.getNumber(State.GPR + register * 8);
  }

  setGpr(register: number, value: number): void {
    this.setNumber(State.GPR + register * 8, value);
  }

  gpr64(register: number): bigint {
    return this.getU64(State.GPR + register * 8);
  }

  setGpr64(register: number, value: bigint): void {
    this.setU64(State.GPR + register * 8, value);
  }

  get rip(): number {
    return this.getNumber(State.RIP);
  }

  set rip(value: number) {
    this.setNumber(State.RIP, value);
  }

  segmentBase(segment: number): number {
    return this.getNumber(State.SEGMENT_BASE + segment * 8);
  }

  setSegmentBase(segment: number, value: number): void {
    this.setNumber(State.SEGMENT_BASE + segment * 8, value);
  }

  /** RFLAGS, put together from the lazy fields (cpu/state.ts). */
  get rflags(): number {
    return readRflags(this.words);
  }

  set rflags(value: number) {
    writeRflags(this.words, value);
  }

  // ---- a thread's registers ----

  /** The context as words, live. */
  get contextWords(): Int32Array {
    return this.words;
  }

  saveContext(into: Uint8Array): void {
    into.set(this.bytes.subarray(0, State.CONTEXT_SIZE));
  }

  loadContext(from: Uint8Array): void {
    this.bytes.set(from.subarray(0, State.CONTEXT_SIZE));
  }

  // ---- arguments and results of helpers: eight slots of 16 bytes ----

  argument(slot: number): number {
    return this.getNumber(State.HELPER_ARGUMENTS + slot * 16);
  }

  argumentI32(slot: number): number {
    return this.getI32(State.HELPER_ARGUMENTS + slot * 16);
  }

  argument64(slot: number): bigint {
    return this.getU64(State.HELPER_ARGUMENTS + slot * 16);
  }

  /** The 16 bytes of a slot, live: vectors in and out. */
  argumentBytes(slot: number): Uint8Array {
    return this.stateBytes(State.HELPER_ARGUMENTS + slot * 16, 16);
  }

  setResult(slot: number, value: number): void {
    this.setNumber(State.HELPER_ARGUMENTS + slot * 16, value);
  }

  setResultI32(slot: number, value: number): void {
    this.setI32(State.HELPER_ARGUMENTS + slot * 16, value);
  }

  setResult64(slot: number, value: bigint): void {
    this.setU64(State.HELPER_ARGUMENTS + slot * 16, value);
  }
}
