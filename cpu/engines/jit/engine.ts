/**
 * The JIT engine: the interpreter, which counts how often its traces are entered, with compiled regions in place of the
 * hot ones. A counting record stands in front of every trace; compiled code takes its handler's place.
 */

import type { Cpu } from "../../cpu.ts";
import type { CodePiece, Exit } from "../../engine.ts";
import { EXIT_RECORD, REGION_EPOCH } from "../../state.ts";
import type { ExecutionMode } from "../../system/execution-mode.ts";
import { InterpreterEngine, type InterpreterOptions } from "../interp/engine.ts";
import type { InterpreterCode } from "../interp/parts.ts";
import {
  Handler,
  RECORD_COUNTER,
  RECORD_ENTERED,
  RECORD_HANDLER,
  RECORD_NEED,
  RECORD_SHIFT,
  RECORD_SIZE,
  TRACE_LIMIT,
} from "../interp/record.ts";
import type { Trace } from "../interp/trace.ts";
import type { CompiledRegion, CompilerHost, RegionCompiler } from "./compiler.ts";
import type { FaultSite } from "./emitter.ts";
import { FlagStores } from "./flag-stores.ts";
import {
  codeRanges,
  type InstalledRegion,
  Quality,
  RegionMapping,
  type RegionPart,
} from "./installed-region.ts";
import { type Entry, ModeRegions } from "./mode-regions.ts";
import { type BetterCode, RegionOptimizer, SAMPLE_INTERVAL } from "./optimizer.ts";
import type { Region } from "./region.ts";
import { RegionSlots } from "./region-slots.ts";
import { type JitThresholds, THRESHOLDS } from "./thresholds.ts";

/** Makes the compiler when something is hot for the first time; it may have to be loaded. */
export type CreateCompiler = (host: CompilerHost) => RegionCompiler | Promise<RegionCompiler>;

/** Instructions of a region that has been made wider, at the most. */
const MOST_WIDE_INSTRUCTIONS = 1000;
/** Records that one compilation may need for ways out; where there is not even so much room, nothing is compiled. */
const EXIT_RECORD_RESERVE = 16384;
/** Records in front of the area that {@link decode} may overwrite: the last of those for exact runs. */
const SCRATCH_RECORD = 127;
/** How far around a computed jump its targets are looked for. */
const NEAR_BEFORE = 4096;
const NEAR_BEHIND = 8192;
/** Code that has been entered this part as often as the head of a region belongs into it. */
const WARM_PART = 8;
/** Each time its code has changed, a region is compiled anew only after this many times as many entries as before. */
const PATIENCE_GROWTH = 4;
const MOST_PATIENCE = 2 ** 20;

/** Entries of a record until the region that it leads to is looked for again, if a page of that was not mapped. */
const ABSENT_RETRY = 100;

export class JitEngine extends InterpreterEngine {
  override readonly name = "jit";
  protected override readonly sampleInterval = SAMPLE_INTERVAL;
  /** Once something has been hot. */
  compiler: RegionCompiler | undefined;
  private isLoading = false;
  private readonly userThresholds: JitThresholds;
  private readonly supervisorThresholds: JitThresholds;
  /** Those of the mode in use. */
  private thresholds: JitThresholds;
  private readonly slots: RegionSlots;
  private readonly byModeId = new Map<number, ModeRegions>();
  /** Those of the mode in use, or of the regions that are being lowered. */
  private regions = this.regionsOf(this.mode);
  /** Where records in front of traces lead, by index; if the record still counts, that has to be asked again. */
  private readonly headers = new Map<number, Entry>();
  /** Regions that can be entered until CR3 is loaded. */
  private readonly transientRegions = new Set<InstalledRegion>();
  private readonly exitIndices = new Set<number>();
  private readonly faultSites: FaultSite[] = [];
  /** Bytes of WebAssembly that had been made when all was last forgotten. */
  private madeBefore = 0;
  private compiledInstructions = 0;
  /** What is being made in the place of regions. */
  private readonly wider = new Map<InstalledRegion, InstalledRegion>();
  /** See REGION_EPOCH. */
  private epochs = 0;
  private readonly optimizer: RegionOptimizer;
  /** No more code is made. */
  private isFull = false;
  /** How often a region left an instruction to the interpreter. */
  steps = 0;
  private readonly flagStores = new FlagStores();

  constructor(
    cpu: Cpu,
    code: InterpreterCode,
    private readonly createCompiler: CreateCompiler,
    thresholds: Partial<JitThresholds> = {},
    options: InterpreterOptions = {},
  ) {
    super(cpu, code, options);
    this.userThresholds = { ...THRESHOLDS, ...thresholds };
    this.supervisorThresholds = { ...this.userThresholds, ...thresholds.supervisor };
    this.thresholds = this.userThresholds;
    this.optimizer = new RegionOptimizer(
      {
        hasRoom: () => !this.isFull && this.hasRecords(EXIT_RECORD_RESERVE),
        optimize: (owners) => this.optimize(owners),
        install: (better) => this.improve(better),
        failed: (error) => this.giveUpIfFull(error),
        entriesOf: ({ headers }) => this.entriesBy(headers),
      },
      this.thresholds.samples,
    );
    this.slots = new RegionSlots(this.long);
  }

  private compilerHost(): CompilerHost {
    const { env, helper } = this.long.imports;
    return {
      decode: (rip) => this.translator.peekForm(rip, SCRATCH_RECORD),
      isKnown: (rip) => this.isWarm(rip),
      isEntry: (rip) => this.isEntry(rip),
      hasModes: this.cpu.system !== undefined,
      knownNear: (rip) => this.knownNear(rip),
      allocateSlot: () => this.slots.allocate(),
      exitRecord: (rip) => this.exitRecord(rip),
      helperRecord: (rip, length, since) => this.helperRecord(rip, length, since),
      addFaultSite: (site) => this.faultSites.push(site) - 1,
      onModule: (bytes, regions) => this.observer?.onCode(codePieceOf(bytes, regions)),
      imports: { ...env, ...this.long.exports },
      helpers: helper,
      mostInstructions: this.thresholds.instructions,
    };
  }

  protected override useMode(mode: ExecutionMode): void {
    if (mode === this.mode) return;
    super.useMode(mode);
    this.thresholds = mode.user ? this.userThresholds : this.supervisorThresholds;
    this.regions = this.regionsOf(mode);
  }

  private regionsOf({ id }: ExecutionMode): ModeRegions {
    let regions = this.byModeId.get(id);
    if (regions === undefined) {
      regions = new ModeRegions();
      this.byModeId.set(id, regions);
    }
    return regions;
  }

  protected override translate(rip: number): Trace {
    // 16- and 32-bit code is only interpreted.
    if (this.mode.codeSize !== 64) return super.translate(rip);
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
    this.setHeader(header, rip, trace.physical);
    return { ...trace, first: header, count: trace.count + 1 };
  }

  /** Behind the one in front of the trace, which could lead back into a region. */
  protected override interpretedRecordOf(trace: Trace): number {
    const record = this.recordOf(trace);
    return this.mode.codeSize === 64 ? record + RECORD_SIZE : record;
  }

  /** What the record in front of a trace does: enter a region, or count. */
  private setHeader(index: number, rip: number, physical: number): void {
    const { entries, patience } = this.regions;
    const entry = entries.get(rip);
    if (entry !== undefined && (entry.physical === physical || entry.physical < 0)) {
      entry.owner.headers.add(index);
      this.headers.set(index, entry);
      this.writeWord(index, RECORD_ENTERED, 0);
      this.lead(index, entry);
    } else {
      this.writeWord(index, RECORD_HANDLER, Handler.Count);
      this.writeWord(index, RECORD_COUNTER, patience.get(rip) ?? this.thresholds.warm);
    }
  }

  /** Has a record lead into a region; if that has to be looked at first, by way of {@link hot}. */
  private lead(index: number, { owner, index: entry }: Entry): void {
    const isKnown = !owner.mapping.spansPages || owner.mapping.isGlobal || this.transientRegions.has(owner);
    this.writeWord(index, RECORD_HANDLER, isKnown ? owner.slot : Handler.Count);
    this.writeWord(index, RECORD_COUNTER, isKnown ? entry : 1);
  }

  /** How often these records have led into regions. */
  private entriesBy(headers: Iterable<number>): number {
    let sum = 0;
    for (const index of headers) sum += this.records[(this.addressOf(index) + RECORD_ENTERED) >>> 2];
    return sum;
  }

  private addressOf(index: number): number {
    return this.cpu.recordBase + (index << RECORD_SHIFT);
  }

  private writeWord(index: number, field: number, value: number): void {
    this.records[(this.addressOf(index) + field) >>> 2] = value;
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
    const { exits } = this.regions;
    const known = exits.get(rip);
    if (known !== undefined) return known;
    const index = this.nextRecord++;
    const address = this.addressOf(index);
    this.memory.fill(0, address, address + 32);
    this.writeWord(index, RECORD_HANDLER, Handler.Continue);
    this.describe(index, rip);
    this.exitIndices.add(index);
    exits.set(rip, address);
    return address;
  }

  /** A record that tells the helpers which a region calls where they are; it is never executed. */
  private helperRecord(rip: number, length: number, since: number): number {
    const { facts } = this;
    const index = this.nextRecord++;
    const address = this.addressOf(index);
    this.memory.fill(0, address, address + 32);
    this.describe(index, rip);
    facts.length[index] = length;
    facts.instructions[index] = 1;
    facts.since[index] = since;
    return address;
  }

  /** Exit records are anywhere: what they lead to is good as long as it is there in all address spaces. */
  protected override isLasting(source: number, trace: Trace): boolean {
    if (!this.exitIndices.has(source)) return super.isLasting(source, trace);
    return trace.mapping === undefined || trace.mapping.isGlobal;
  }

  private isEntry(rip: number): boolean {
    const entry = this.regions.entries.get(rip);
    return entry !== undefined && (entry.physical < 0 || this.placeOf(rip) === entry.physical);
  }

  /** Where code is physically; -1 if that cannot change. */
  private placeOf(rip: number): number {
    return this.cpu.system === undefined ? -1 : this.cpu.mmu.peekCode(rip);
  }

  /** Has the code at an address been entered often enough to be part of a region? */
  private isWarm(rip: number): boolean {
    const trace = this.directory.get(rip);
    if (trace === undefined) return false;
    const { warm } = this.thresholds;
    const address = this.addressOf(trace.first);
    const { counted, waiting } = this.regions;
    if (this.records[(address + RECORD_HANDLER) >>> 2] !== Handler.Count) return true;
    // What has to wait longer has been counted once already.
    if (waiting.has(rip) || counted.has(rip)) return true;
    return this.records[(address + RECORD_COUNTER) >>> 2] <= warm - warm / WARM_PART;
  }

  private knownNear(rip: number): number[] {
    const near: number[] = [];
    for (const trace of this.index.between(rip - NEAR_BEFORE, rip + NEAR_BEHIND)) {
      if (this.isWarm(trace.rip)) near.push(trace.rip);
    }
    return near;
  }

  protected override hot(record: number): void {
    const index = (record - this.cpu.recordBase) >>> RECORD_SHIFT;
    const known = this.headers.get(index);
    if (known !== undefined) {
      this.lookAgain(index, known);
      return;
    }
    const rip = this.facts.rip[index];
    const { waiting } = this.regions;
    if (!waiting.has(rip) && this.waitsLonger(rip, index)) return;
    const isLast = (waiting.has(rip) || waiting.size + 1 >= this.thresholds.batch) && this.isWithinPace;
    waiting.set(rip, this.placeOf(rip));
    const compiler = isLast ? this.readyCompiler() : undefined;
    if (compiler === undefined) {
      // The handler counts once more for this entry: with 1 it would come back here at once.
      this.writeWord(index, RECORD_COUNTER, Math.max(this.thresholds.hot, 2));
      return;
    }
    const addresses = this.takeBatch(rip);
    // Whatever cannot be compiled is not asked for again.
    for (const address of addresses) this.setHandler(address, Handler.Skip);
    this.writeWord(index, RECORD_HANDLER, Handler.Skip);
    if (this.isFull || !this.hasRecords(EXIT_RECORD_RESERVE)) return;
    const writeThrough = this.thresholds.samples > 0;
    try {
      for (const compiled of compiler.compile(addresses, writeThrough)) this.install(compiled);
    } catch (error) {
      this.giveUpIfFull(error);
    }
  }

  /** Some of the addresses that wait, this one first. Those of other address spaces wait until these come back. */
  private takeBatch(rip: number): number[] {
    const { waiting } = this.regions;
    waiting.delete(rip);
    const batch = [rip];
    for (const [at, place] of waiting) {
      if (batch.length >= this.thresholds.batch) break;
      if (this.placeOf(at) !== place) continue;
      waiting.delete(at);
      batch.push(at);
    }
    return batch;
  }

  /** The host has no room for more code: what there is stays in use, the interpreter does the rest. */
  private giveUpIfFull(error: unknown): void {
    if (!(error instanceof RangeError)) throw error;
    this.isFull = true;
  }

  /** A record leads to a region that was in use in another address space, or whose pages have been remapped. */
  private lookAgain(index: number, entry: Entry): void {
    const { owner } = entry;
    switch (owner.mapping.check(this.cpu.mmu)) {
      case "same":
        this.confirmRegion(owner);
        for (const header of owner.headers) {
          const to = this.headers.get(header);
          if (to !== undefined) this.lead(header, to);
        }
        break;
      case "absent":
        this.writeWord(index, RECORD_COUNTER, ABSENT_RETRY);
        break;
      case "elsewhere":
        this.headers.delete(index);
        owner.headers.delete(index);
        this.writeWord(index, RECORD_COUNTER, this.thresholds.warm);
    }
  }

  /** The region's pages are where they were: until CR3 is loaded, or for as long as global pages stay. */
  private confirmRegion(owner: InstalledRegion): void {
    const { isGlobal, pages } = owner.mapping;
    if (isGlobal) for (const { linear, physical } of pages) this.noteGlobalPage(linear, physical);
    else this.transientRegions.add(owner);
  }

  /** Where the region's pages are has to be looked at before it is entered again. */
  private suspend(owner: InstalledRegion): void {
    const { mapping } = owner;
    if (!mapping.spansPages) return;
    mapping.isGlobal = false;
    this.transientRegions.delete(owner);
    for (const header of owner.headers) {
      const entry = this.headers.get(header);
      if (entry !== undefined) this.lead(header, entry);
    }
  }

  /** Whoever waits for a function to return does not go on in a region without another look. */
  private beginEpoch(): void {
    this.epochs = (this.epochs + 1) | 0;
    this.cpu.setEverywhere(REGION_EPOCH, this.epochs);
  }

  override addressSpaceChanged(): void {
    super.addressSpaceChanged();
    this.beginEpoch();
    for (const owner of [...this.transientRegions]) this.suspend(owner);
  }

  protected override forgetMapping(page: number): void {
    super.forgetMapping(page);
    this.beginEpoch();
    for (const trace of this.index.onVirtualPage(page)) {
      const { owner } = trace as Partial<RegionPart>;
      if (owner !== undefined) this.suspend(owner);
    }
  }

  /** Has the trace been entered as often as traces must have been by now? If not, its counter is set for the rest. */
  private waitsLonger(rip: number, index: number): boolean {
    const { warm } = this.thresholds;
    const { counted: countedSo, patience } = this.regions;
    const counted = countedSo.get(rip) ?? patience.get(rip) ?? warm;
    const wanted = Math.floor(warm * (1 + this.compiledInstructions / this.thresholds.scale));
    if (counted >= wanted) return false;
    countedSo.set(rip, wanted);
    this.writeWord(index, RECORD_COUNTER, Math.max(wanted - counted, 2));
    return true;
  }

  private get isWithinPace(): boolean {
    const { free, pace } = this.thresholds;
    return this.compiledInstructions <= free + this.statistics.instructions / pace;
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
    const trace = this.directory.get(rip);
    if (trace !== undefined) this.writeWord(trace.first, RECORD_HANDLER, handler);
  }

  private install({ region, slot, code }: CompiledRegion): void {
    this.activate(this.place(region, slot), code);
  }

  /** A region that control does not enter yet; dropped when its code changes. */
  private place(region: Region, slot: number): InstalledRegion {
    const { mmu } = this.cpu;
    const places = codeRanges(region).map(([rip, end]) => ({ rip, end, physical: mmu.peekCode(rip) }));
    const { regions } = this;
    const quality = this.thresholds.samples > 0 ? Quality.Quick : Quality.ForLoops;
    const owner: InstalledRegion = {
      region,
      slot,
      regions,
      parts: [],
      headers: new Set(),
      mapping: new RegionMapping(places),
      madeQuality: quality,
      quality,
      isWide: false,
      dropped: false,
      samples: 0,
    };
    owner.mapping.check(mmu); // as it has just been seen, with what is global
    this.confirmRegion(owner);
    this.watch(owner, places);
    return owner;
  }

  private activate(owner: InstalledRegion, code: CallableFunction): void {
    const { region, slot, regions } = owner;
    this.long.functions.set(slot, code);
    region.entries.forEach(({ rip }, index) => {
      const physical = this.placeOf(rip);
      regions.entries.set(rip, { owner, index, physical });
      const trace = this.directory.get(rip);
      if (trace !== undefined && (physical < 0 || trace.physical === physical))
        this.setHeader(trace.first, rip, trace.physical);
    });
    this.compiledInstructions += region.instructionCount;
  }

  /** Better code for a region has been made: for itself, or for the wider one that takes its place. */
  private improve({ owner, quality, code }: BetterCode): void {
    const wider = this.wider.get(owner);
    this.wider.delete(owner);
    if (wider === undefined) {
      if (owner.dropped) return;
      this.long.functions.set(owner.slot, code);
      owner.madeQuality = quality;
    } else if (owner.dropped || wider.dropped || owner.regions !== this.regions) {
      // Records of another mode than the one in use are not at hand: another time.
      owner.isWide = false;
      this.withdrawRegion(wider);
    } else {
      this.activate(wider, code);
      for (const narrow of this.within(wider)) this.withdrawRegion(narrow);
    }
  }

  /** Regions that nothing leads into any more, now that there is a wider one. */
  private within(wider: InstalledRegion): InstalledRegion[] {
    const { regions, region } = wider;
    const owners = new Set<InstalledRegion>(region.entries.flatMap(({ rip }) => regions.at(rip)));
    owners.delete(wider);
    return [...owners].filter((owner) => regions.entries.get(owner.region.rip)?.owner === wider);
  }

  /**
   * The region that takes the place of one which control keeps leaving: it begins there, too, but does not end at other
   * regions.
   */
  private widened(owner: InstalledRegion, compiler: RegionCompiler): InstalledRegion | undefined {
    const { regions, region } = owner;
    if (this.thresholds.instructions !== undefined) return undefined;
    if (regions !== this.regions || owner.mapping.check(this.cpu.mmu) !== "same") return undefined;
    const wide = compiler.find(region.rip, MOST_WIDE_INSTRUCTIONS, () => false);
    if (wide === undefined || wide.instructionCount <= region.instructionCount) return undefined;
    const slot = this.slots.allocate();
    if (slot < 0) return undefined;
    const wider = this.place(wide, slot);
    wider.quality = Quality.Optimized;
    wider.madeQuality = Quality.Optimized;
    wider.isWide = true;
    return wider;
  }

  protected override get interpreted(): number {
    return this.statistics.instructions * (1 - this.optimizer.compiledShare);
  }

  override run(budget: number, slack?: number): Exit {
    const { memory } = this.thresholds;
    const made = this.compiler?.statistics.bytes ?? 0;
    if (made - this.madeBefore > memory) {
      this.madeBefore = made;
      this.flush();
    }
    return super.run(budget, slack);
  }

  protected override sample(rip: number): void {
    if (this.thresholds.samples === 0) return;
    this.optimizer.sample(this.regions.at(rip));
  }

  /** How much of what is executed is compiled, as samples show it: 0…1. */
  get compiledShare(): number {
    return this.optimizer.compiledShare;
  }

  private async optimize(owners: readonly InstalledRegion[]): Promise<readonly BetterCode[]> {
    const { compiler } = this;
    if (compiler === undefined) throw new Error("regions without a compiler");
    for (const owner of owners) {
      if (!owner.isWide || owner.quality === Quality.ForLoops) continue;
      const wider = this.widened(owner, compiler);
      if (wider !== undefined) this.wider.set(owner, wider);
    }
    const gaining = owners.filter((owner) => this.wider.has(owner) || owner.quality > owner.madeQuality);
    if (gaining.length === 0) return [];
    const qualities = gaining.map(({ quality }) => quality);
    const placed = gaining.map((owner) => this.wider.get(owner) ?? owner);
    const compiled = await this.inModeOf(owners[0], () =>
      compiler.optimize(
        placed.map(({ region, slot, quality }) => ({
          region,
          slot,
          writeThrough: quality !== Quality.ForLoops,
        })),
      ),
    );
    return compiled.map(({ code }, index) => ({ owner: gaining[index], quality: qualities[index], code }));
  }

  /** Code is generated with the exits of its own mode. */
  private inModeOf<T>({ regions }: InstalledRegion, generate: () => T): T {
    const before = this.regions;
    this.regions = regions;
    try {
      return generate();
    } finally {
      this.regions = before;
    }
  }

  /** Has the region dropped when its code changes. */
  private watch(
    owner: InstalledRegion,
    places: readonly { readonly rip: number; readonly end: number; readonly physical: number }[],
  ): void {
    for (const { rip, end, physical } of places) {
      const part = { rip, end, physical, secondPage: -1, first: -1, count: 0, incoming: [], owner };
      owner.parts.push(part);
      this.index.insert(part);
      this.cpu.mmu.markCode(physical, end - rip);
    }
    owner.regions.add(owner);
  }

  protected override remove(trace: Trace): void {
    super.remove(trace);
    const { owner } = trace as Partial<RegionPart>;
    if (owner !== undefined) this.drop(owner);
  }

  /** The code of a region has changed. */
  private drop(owner: InstalledRegion): void {
    const { rip } = owner.region;
    const { patience } = owner.regions;
    const before = patience.get(rip) ?? this.thresholds.warm;
    patience.set(rip, Math.min(before * (this.thresholds.growth ?? PATIENCE_GROWTH), MOST_PATIENCE));
    this.withdrawRegion(owner);
  }

  /** Takes a region out of use. */
  private withdrawRegion(owner: InstalledRegion): void {
    if (owner.dropped) return;
    owner.dropped = true;
    this.beginEpoch();
    this.optimizer.forget(owner);
    owner.regions.remove(owner);
    for (const part of owner.parts.splice(0)) if (this.index.has(part)) super.remove(part);
    const { patience, entries } = owner.regions;
    for (const entry of owner.region.entries)
      if (entries.get(entry.rip)?.owner === owner) entries.delete(entry.rip);
    for (const header of owner.headers) {
      if (this.headers.get(header)?.owner !== owner) continue;
      this.headers.delete(header);
      if (this.records[this.addressOf(header) >>> 2] === Handler.Stale) continue;
      const at = this.facts.rip[header];
      this.writeWord(header, RECORD_HANDLER, Handler.Count);
      this.writeWord(header, RECORD_COUNTER, patience.get(at) ?? this.thresholds.warm);
    }
    owner.headers.clear();
    this.transientRegions.delete(owner);
    this.slots.release(owner.slot);
  }

  protected override prepareStep(budget: number): number {
    const { cpu, compiler } = this;
    this.steps++;
    const { rip, since, flags } = this.faultSites[cpu.getI32(EXIT_RECORD)];
    cpu.rip = rip;
    if (flags !== undefined && compiler !== undefined) this.flagStores.get(compiler, flags)(cpu.base, 0, 0);
    return budget - since;
  }

  protected override flush(): void {
    super.flush();
    this.beginEpoch();
    for (const regions of this.byModeId.values()) regions.clear();
    this.headers.clear();
    this.exitIndices.clear();
    this.transientRegions.clear();
    this.optimizer.forgetAll();
    this.wider.clear();
    this.faultSites.length = 0;
    this.slots.clear();
  }
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
