/**
 * The JIT engine: the interpreter, which counts how often its traces are entered, with compiled regions in place of the
 * hot ones. A counting record stands in front of every trace; compiled code takes its handler's place.
 */

import { PageFault } from "../../../mmu/mmu.ts";
import { PAGE_SIZE } from "../../../mmu/translator.ts";
import type { Cpu } from "../../cpu.ts";
import type { CodePiece, Exit } from "../../engine.ts";
import { EXIT_RECORD } from "../../state.ts";
import { InterpreterEngine } from "../interp/engine.ts";
import type { InterpreterCode } from "../interp/parts.ts";
import {
  Handler,
  RECORD_COUNTER,
  RECORD_HANDLER,
  RECORD_IMMEDIATE,
  RECORD_NEED,
  RECORD_SHIFT,
  REGION_SLOTS,
  TRACE_LIMIT,
} from "../interp/record.ts";
import type { Trace } from "../interp/trace.ts";
import type { CompiledRegion, CompilerHost, RegionCompiler, StoreFlags } from "./compiler.ts";
import type { FaultSite } from "./emitter.ts";
import type { Region, RegionInstruction } from "./region.ts";
import type { InstructionTemplate } from "./template.ts";

export interface JitThresholds {
  /** Entries of a trace until it waits for compilation, and how many more until it does not wait any longer. */
  readonly warm: number;
  readonly hot: number;
  /** Regions that are compiled together at the least, unless one is hot. */
  readonly batch: number;
  /**
   * How often the end of a run finds itself in a region until that is compiled again, for loops that run for long (see
   * LoweringOptions.writeThrough); with 0 all regions are from the beginning.
   */
  readonly samples: number;
  /** Instructions of a region at the most, if not as many as is good: what is wrong in a long one is easier found so. */
  readonly instructions?: number;
  /** Each time its code has changed, a region waits for so many times as many entries; 1 forgives everything. */
  readonly growth?: number;
  /** When more bytes of WebAssembly than this are in use, all is forgotten and made anew. */
  readonly memory: number;
}

/** Makes the compiler when something is hot for the first time; it may have to be loaded. */
export type CreateCompiler = (host: CompilerHost) => RegionCompiler | Promise<RegionCompiler>;

const THRESHOLDS: JitThresholds = { warm: 1000, hot: 2000, batch: 32, samples: 5, memory: 64 << 20 };
/** Records that one compilation may need for ways out; where there is not even so much room, nothing is compiled. */
const EXIT_RECORD_RESERVE = 16384;
/** By how many places for regions the function table grows. */
const SLOTS_AT_ONCE = 1024;
/** Records in front of the area that {@link decode} may overwrite: the last of those for exact runs. */
const SCRATCH_RECORD = 127;
/** How far around a computed jump its targets are looked for. */
const NEAR_BEFORE = 4096;
const NEAR_BEHIND = 8192;
/** Code that has been entered this part as often as the head of a region belongs into it. */
const WARM_PART = 8;
/** Where control is is looked at after so many instructions. */
const SAMPLE_INTERVAL = 2 ** 17;
/** Samples of a loop count if they are no further apart than this many. */
const SAMPLE_WINDOW = 16;
/** Each time its code has changed, a region is compiled anew only after this many times as many entries as before. */
const PATIENCE_GROWTH = 4;
const MOST_PATIENCE = 2 ** 20;

/** What code a region has: each kind is better than the one before, and takes longer to make. */
const Quality = {
  Quick: 0,
  /** The same compiled by an optimizing compiler. */
  Optimized: 1,
  /** All registers in locals, and optimized. */
  ForLoops: 2,
} as const;
type Quality = (typeof Quality)[keyof typeof Quality];

/**
 * A region is worth optimizing when about as much time has gone into it as that takes: a sample for so many of its
 * instructions. (Optimizing takes 0.1 to 0.2 ms an instruction, on another thread; quick code is half as fast; a sample
 * stands for 0.5 ms or so.)
 */
const INSTRUCTIONS_PER_SAMPLE = 64;
/**
 * The more of a program has been compiled already, the less the rest is worth: when so many of its instructions have been
 * compiled (or optimized), twice the entries (or samples) are asked for, then three times as many, and so on.
 */
const COMPILED_SCALE = 2000;
const OPTIMIZED_SCALE = 1000;
/** Instructions that are optimized at a time: the first are ready before the last have been started. */
const MOST_OPTIMIZED_AT_ONCE = 2000;

/** A compiled region that is in use. */
interface InstalledRegion {
  readonly region: Region;
  readonly slot: number;
  /** The pieces of memory that its code was translated from. */
  readonly parts: RegionPart[];
  /** Of its code, or of that which is being made. */
  quality: Quality;
  /** Its code has changed, or has been forgotten. */
  dropped: boolean;
  /** How often the end of a run has been in it, and how often lately. */
  samples: number;
  recentSamples: number;
  /** Number of the last of these ends. */
  lastSample: number;
}

/** If the code in this piece of memory changes, the region must go. */
interface RegionPart extends Trace {
  readonly owner: InstalledRegion;
}

interface Entry {
  readonly owner: InstalledRegion;
  readonly index: number;
}

export class JitEngine extends InterpreterEngine {
  override readonly name = "jit";
  protected override readonly sampleInterval = SAMPLE_INTERVAL;
  /** Once something has been hot. */
  compiler: RegionCompiler | undefined;
  private isLoading = false;
  private readonly thresholds: JitThresholds;
  private nextSlot: number;
  private readonly freeSlots: number[] = [];
  private readonly firstSlot: number;
  private readonly waiting = new Set<number>();
  /** Exit records by target. */
  private readonly exits = new Map<number, number>();
  private readonly entries = new Map<number, Entry>();
  private readonly faultSites: FaultSite[] = [];
  private sampleNumber = 0;
  /** Bytes of WebAssembly that had been made when all was last forgotten. */
  private madeBefore = 0;
  private compiledInstructions = 0;
  private optimizedInstructions = 0;
  /** Entries that traces have been counted, those that had to wait longer than the first time. */
  private readonly counted = new Map<number, number>();
  /** Regions that deserve better code, and if some are being compiled. */
  private readonly deserving = new Set<InstalledRegion>();
  private isOptimizing = false;
  /** How often a region left an instruction to the interpreter. */
  steps = 0;
  private readonly materializers = new Map<InstructionTemplate, Map<string, StoreFlags>>();
  /** Heads whose code has changed: entries until they are compiled again. */
  private readonly patience = new Map<number, number>();

  constructor(
    cpu: Cpu,
    code: InterpreterCode,
    private readonly createCompiler: CreateCompiler,
    thresholds: Partial<JitThresholds> = {},
  ) {
    super(cpu, code);
    this.thresholds = { ...THRESHOLDS, ...thresholds };
    this.firstSlot = this.handlers.size;
    this.nextSlot = this.firstSlot;
  }

  private compilerHost(): CompilerHost {
    const { env, helper } = this.moduleImports;
    return {
      decode: (rip) => {
        try {
          return this.translator.formAt(rip, SCRATCH_RECORD);
        } catch (error) {
          if (error instanceof PageFault) return undefined;
          throw error;
        }
      },
      isKnown: (rip) => this.isWarm(rip),
      isEntry: (rip) => this.entries.has(rip),
      knownNear: (rip) => this.knownNear(rip),
      allocateSlot: () => this.freeSlots.pop() ?? this.newSlot(),
      exitRecord: (rip) => this.exitRecord(rip),
      addFaultSite: (site) => this.faultSites.push(site) - 1,
      onModule: (bytes, regions) => this.observer?.onCode(codePieceOf(bytes, regions)),
      imports: { ...env, ...this.exports },
      helpers: helper,
      mostInstructions: this.thresholds.instructions,
    };
  }

  private newSlot(): number {
    const slot = this.nextSlot;
    if (slot === this.firstSlot + REGION_SLOTS) return -1;
    if (slot >= this.table.length)
      this.growTable(Math.min(slot + SLOTS_AT_ONCE, this.firstSlot + REGION_SLOTS));
    this.nextSlot++;
    return slot;
  }

  protected override translate(rip: number): Trace {
    const header = this.nextRecord;
    const trace = this.translator.translate(
      rip,
      header + 1,
      this.thresholds.instructions ?? TRACE_LIMIT,
      false,
    );
    const address = this.addressOf(header);
    this.memory.fill(0, address, address + 32);
    this.memory[address + RECORD_NEED] = this.memory[this.addressOf(header + 1) + RECORD_NEED];
    this.describe(header, rip);
    this.setHeader(header, rip);
    return { ...trace, first: header, count: trace.count + 1 };
  }

  /** What the record in front of a trace does: enter a region, or count. */
  private setHeader(index: number, rip: number): void {
    const entry = this.entries.get(rip);
    this.writeWord(index, RECORD_HANDLER, entry?.owner.slot ?? Handler.Count);
    this.writeWord(index, RECORD_COUNTER, entry?.index ?? this.patience.get(rip) ?? this.thresholds.warm);
  }

  private addressOf(index: number): number {
    return this.cpu.recordBase + (index << RECORD_SHIFT);
  }

  private writeWord(index: number, field: number, value: number): void {
    this.records[(this.addressOf(index) + field) >> 2] = value;
  }

  /** A record that stands for no instruction. */
  private describe(index: number, rip: number): void {
    const { facts } = this;
    facts.rip[index] = rip;
    facts.target[index] = rip;
    facts.length[index] = 0;
    facts.firstLength[index] = 0;
    facts.instructions[index] = 0;
    facts.since[index] = 0;
  }

  private exitRecord(rip: number): number {
    const known = this.exits.get(rip);
    if (known !== undefined) return known;
    const index = this.nextRecord++;
    const address = this.addressOf(index);
    this.memory.fill(0, address, address + 32);
    this.writeWord(index, RECORD_HANDLER, Handler.Continue);
    this.describe(index, rip);
    this.exits.set(rip, address);
    return address;
  }

  /** Has the code at an address been entered often enough to be part of a region? */
  private isWarm(rip: number): boolean {
    const trace = this.byRip.get(rip);
    if (trace === undefined) return false;
    const { warm } = this.thresholds;
    const address = this.addressOf(trace.first);
    if (this.records[(address + RECORD_HANDLER) >> 2] !== Handler.Count || this.waiting.has(rip)) return true;
    return this.records[(address + RECORD_COUNTER) >> 2] <= warm - warm / WARM_PART;
  }

  private knownNear(rip: number): number[] {
    const near: number[] = [];
    for (const trace of this.tracesBetween(rip - NEAR_BEFORE, rip + NEAR_BEHIND)) {
      if (this.isWarm(trace.rip)) near.push(trace.rip);
    }
    return near;
  }

  protected override hot(record: number): void {
    const index = (record - this.cpu.recordBase) >>> RECORD_SHIFT;
    const rip = this.facts.rip[index];
    const { waiting } = this;
    if (!waiting.has(rip) && this.waitsLonger(rip, index)) return;
    const isLast = waiting.has(rip) || waiting.size + 1 >= this.thresholds.batch;
    waiting.add(rip);
    const compiler = isLast ? this.readyCompiler() : undefined;
    if (compiler === undefined) {
      // The handler counts once more for this entry: with 1 it would come back here at once.
      this.writeWord(index, RECORD_COUNTER, Math.max(this.thresholds.hot, 2));
      return;
    }
    const addresses = [...waiting];
    waiting.clear();
    // Whatever cannot be compiled is not asked for again.
    for (const address of addresses) this.setHandler(address, Handler.Skip);
    if (!this.hasRecords(EXIT_RECORD_RESERVE)) return;
    const writeThrough = this.thresholds.samples > 0;
    for (const compiled of compiler.compile(addresses, writeThrough)) this.install(compiled);
  }

  /** Has the trace been entered as often as traces must have been by now? If not, its counter is set for the rest. */
  private waitsLonger(rip: number, index: number): boolean {
    const { warm } = this.thresholds;
    const counted = this.counted.get(rip) ?? this.patience.get(rip) ?? warm;
    const wanted = Math.floor(warm * (1 + this.compiledInstructions / COMPILED_SCALE));
    if (counted >= wanted) return false;
    this.counted.set(rip, wanted);
    this.writeWord(index, RECORD_COUNTER, Math.max(wanted - counted, 2));
    return true;
  }

  /** undefined: it is still being loaded. */
  private readyCompiler(): RegionCompiler | undefined {
    if (this.compiler === undefined && !this.isLoading) {
      const compiler = this.createCompiler(this.compilerHost());
      if (compiler instanceof Promise) {
        this.isLoading = true;
        void compiler.then((loaded) => {
          this.compiler = loaded;
        });
      } else this.compiler = compiler;
    }
    return this.compiler;
  }

  private setHandler(rip: number, handler: number): void {
    const trace = this.byRip.get(rip);
    if (trace !== undefined) this.writeWord(trace.first, RECORD_HANDLER, handler);
  }

  private install({ region, slot, code }: CompiledRegion): void {
    this.table.set(slot, code);
    const owner: InstalledRegion = {
      region,
      slot,
      parts: [],
      quality: this.thresholds.samples > 0 ? Quality.Quick : Quality.ForLoops,
      dropped: false,
      samples: 0,
      recentSamples: 0,
      lastSample: 0,
    };
    region.entries.forEach(({ rip }, index) => {
      this.entries.set(rip, { owner, index });
      const trace = this.byRip.get(rip);
      if (trace !== undefined) this.setHeader(trace.first, rip);
    });
    this.compiledInstructions += region.instructionCount;
    this.watch(owner);
  }

  override run(budget: number): Exit {
    const { memory } = this.thresholds;
    const made = this.compiler?.statistics.bytes ?? 0;
    if (made - this.madeBefore > memory) {
      this.madeBefore = made;
      this.flush();
    }
    return super.run(budget);
  }

  protected override sample(rip: number): void {
    if (this.thresholds.samples === 0) return;
    this.sampleNumber++;
    for (const trace of this.tracesAt(rip)) {
      const { owner } = trace as Partial<RegionPart>;
      if (owner !== undefined && owner.quality !== Quality.ForLoops) this.reconsider(owner);
    }
  }

  /** A sample was in a region: is it worth better code? */
  private reconsider(owner: InstalledRegion): void {
    if (this.sampleNumber - owner.lastSample > SAMPLE_WINDOW) owner.recentSamples = 0;
    owner.lastSample = this.sampleNumber;
    owner.recentSamples++;
    owner.samples++;
    const worth =
      (owner.samples * INSTRUCTIONS_PER_SAMPLE) / (1 + this.optimizedInstructions / OPTIMIZED_SCALE);
    if (worth < owner.region.instructionCount) return;
    let better: Quality = Quality.Optimized;
    if (owner.recentSamples >= this.thresholds.samples && hasLoop(owner.region)) better = Quality.ForLoops;
    if (better <= owner.quality) return;
    owner.quality = better;
    this.optimizedInstructions += owner.region.instructionCount;
    this.deserving.add(owner);
    void this.optimize();
  }

  /** Compiles what deserves it, some at a time; those that come in the meantime are the next. */
  private async optimize(): Promise<void> {
    const { compiler } = this;
    if (this.isOptimizing || compiler === undefined) return;
    this.isOptimizing = true;
    try {
      while (this.deserving.size > 0 && this.hasRecords(EXIT_RECORD_RESERVE)) {
        const owners = this.takeDeserving();
        const { flushes } = this.statistics;
        const compiled = await compiler.optimize(
          owners.map(({ region, slot, quality }) => ({
            region,
            slot,
            writeThrough: quality !== Quality.ForLoops,
          })),
        );
        if (flushes !== this.statistics.flushes) continue;
        compiled.forEach(({ slot, code }, index) => {
          if (!owners[index].dropped) this.table.set(slot, code);
        });
      }
    } finally {
      this.isOptimizing = false;
    }
  }

  private takeDeserving(): InstalledRegion[] {
    const owners: InstalledRegion[] = [];
    let instructions = 0;
    for (const owner of this.deserving) {
      if (instructions > 0 && instructions + owner.region.instructionCount > MOST_OPTIMIZED_AT_ONCE) break;
      this.deserving.delete(owner);
      owners.push(owner);
      instructions += owner.region.instructionCount;
    }
    return owners;
  }

  /** Has the region dropped when its code changes. */
  private watch(owner: InstalledRegion): void {
    const { mmu } = this.cpu;
    for (const [start, end] of codeRanges(owner.region)) {
      const physical = mmu.fetchAddress(start);
      const part = { rip: start, end, physical, secondPage: -1, first: -1, count: 0, incoming: [], owner };
      owner.parts.push(part);
      this.insertPhysical(part);
      this.insertVirtual(part);
      mmu.markCode(physical, end - start);
    }
  }

  protected override remove(trace: Trace): void {
    super.remove(trace);
    const { owner } = trace as Partial<RegionPart>;
    if (owner !== undefined) this.drop(owner);
  }

  /** Takes a region out of use. */
  private drop(owner: InstalledRegion): void {
    owner.dropped = true;
    this.deserving.delete(owner);
    for (const part of owner.parts.splice(0)) if (this.isInserted(part)) super.remove(part);
    const { rip } = owner.region;
    const patience = this.patience.get(rip) ?? this.thresholds.warm;
    this.patience.set(rip, Math.min(patience * (this.thresholds.growth ?? PATIENCE_GROWTH), MOST_PATIENCE));
    for (const entry of owner.region.entries) {
      if (this.entries.get(entry.rip)?.owner !== owner) continue;
      this.entries.delete(entry.rip);
      const trace = this.byRip.get(entry.rip);
      if (trace !== undefined) this.setHeader(trace.first, entry.rip);
    }
    if (this.table.get(owner.slot) !== null) this.table.set(owner.slot, null);
    this.freeSlots.push(owner.slot);
  }

  protected override prepareStep(budget: number): number {
    const { cpu, compiler } = this;
    this.steps++;
    const { rip, since, flags } = this.faultSites[cpu.getI32(EXIT_RECORD)];
    cpu.rip = rip;
    if (flags !== undefined && compiler !== undefined) this.materializer(compiler, flags)(cpu.base, 0, 0);
    return budget - since;
  }

  /** The function that stores the flags which an instruction has left deferred. */
  private materializer(compiler: RegionCompiler, instruction: RegionInstruction): StoreFlags {
    const { template, bank, record } = instruction;
    let alike = this.materializers.get(template);
    if (alike === undefined) {
      alike = new Map();
      this.materializers.set(template, alike);
    }
    // All that it takes from the record is the immediate.
    const key = `${bank} ${record.getBigInt64(RECORD_IMMEDIATE, true)}`;
    let store = alike.get(key);
    if (store === undefined) {
      store = compiler.compileMaterializer(instruction);
      alike.set(key, store);
    }
    return store;
  }

  protected override flush(): void {
    super.flush();
    this.exits.clear();
    this.counted.clear();
    this.entries.clear();
    this.waiting.clear();
    this.deserving.clear();
    this.faultSites.length = 0;
    this.freeSlots.length = 0;
    // What stays in the table is kept in memory.
    for (let slot = this.firstSlot; slot < this.nextSlot; slot++) this.table.set(slot, null);
    this.nextSlot = this.firstSlot;
  }
}

/** Can control stay in the region for long? */
function hasLoop({ blocks }: Region): boolean {
  return blocks.some(({ rip, successors }) =>
    successors.some((successor) => typeof successor !== "number" && successor.rip <= rip),
  );
}

/** The pieces of memory that a region's code is in, each within a page. */
function codeRanges({ blocks }: Region): [start: number, end: number][] {
  const sorted = [...blocks].sort((a, b) => a.rip - b.rip);
  const merged: [number, number][] = [];
  for (const { rip, end } of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && rip <= last[1]) last[1] = Math.max(last[1], end);
    else merged.push([rip, end]);
  }
  return merged.flatMap(([start, end]) => {
    const pieces: [number, number][] = [];
    for (let at = start; at < end; ) {
      const next = Math.min(end, (Math.floor(at / PAGE_SIZE) + 1) * PAGE_SIZE);
      pieces.push([at, next]);
      at = next;
    }
    return pieces;
  });
}

function codePieceOf(content: Uint8Array, regions: readonly Region[]): CodePiece {
  return {
    language: "wasm",
    content,
    regions: regions.map(({ rip, blocks }) => ({
      rip,
      blocks: blocks.map(({ rip: start, end }) => ({ rip: start, end })),
      name: `region_${rip.toString(16)}`,
    })),
  };
}
