/**
 * The interpreter engine: runs decoded traces with the generated handlers, and answers when they need a trace, a page or
 * a helper.
 */

import { PAGE_SIZE } from "../../../mmu/translator.ts";
import type { Cpu } from "../../cpu.ts";
import { type CodeObserver, Exit, type SystemEngine } from "../../engine.ts";
import { GuestException } from "../../helpers.ts";
import {
  CALL_DEPTH,
  EXCEPTION_SOURCE,
  EXIT_BUDGET,
  EXIT_RECORD,
  ExceptionSource,
  FLAGS_OTHER,
  Flag,
  JUMP_CACHE,
  JUMP_CACHE_ENTRIES,
  JUMP_CACHE_ENTRY_SHIFT,
  Vector,
} from "../../state.ts";
import { type ExecutionMode, USER_CODE_MODE } from "../../system/execution-mode.ts";
import { CodeIndex, virtualPage } from "../code-index.ts";
import { codePieceOf } from "./code-piece.ts";
import { LoadedCode } from "./loaded-code.ts";
import { type InterpreterCode, LegacyPart, Part } from "./parts.ts";
import { Handler, Leave, RECORD_NEED, RECORD_SHIFT, SECOND_OF_PAIR, TRACE_LIMIT } from "./record.ts";
import { createRecordFacts, type RecordFacts } from "./record-facts.ts";
import { CANONICAL_LIMIT, SlowPaths } from "./slow-paths.ts";
import { linearAddress, type Trace, type TraceMapping, TraceTranslator } from "./trace.ts";
import { TraceDirectory } from "./trace-directory.ts";

/** Records at the front of the area for runs that end exactly with the budget. */
const EXACT_RECORDS = 2 * TRACE_LIMIT;
/** A trace takes at most this many records. */
const TRACE_RECORDS = TRACE_LIMIT + 2;
/** How many threads may have been stopped by the end of their budget, about. */
const BUDGET_ENDS = 16;

/**
 * Pairs are joined after so many instructions that have been interpreted, most of a second: loading their handlers takes 50 to
 * 80 ms (most of it V8's, for the module), and what they save is an eighth of the time, more or less.
 */
const PAIRS_AFTER = 100_000_000;

export interface InterpreterStatistics {
  instructions: number;
  traces: number;
  traceInstructions: number;
  invalidations: number;
  flushes: number;
}

export interface InterpreterOptions {
  /** Interpreted instructions until pairs are joined. */
  readonly pairsAfter?: number;
  /** Loads the interpreter of 16- and 32-bit code, which a whole PC needs when it gets there. */
  readonly loadLegacy?: () => InterpreterCode;
}

export class InterpreterEngine implements SystemEngine {
  readonly name: string = "interp";
  readonly statistics: InterpreterStatistics = {
    instructions: 0,
    traces: 0,
    traceInstructions: 0,
    invalidations: 0,
    flushes: 0,
  };
  /** Told of every trace. */
  observer: CodeObserver | undefined;
  /** The interpreter of 64-bit code; of 16- and 32-bit code, loaded when such code is first executed; the one in use. */
  protected readonly long: LoadedCode;
  private legacy: LoadedCode | undefined;
  private loaded: LoadedCode;
  protected readonly translator: TraceTranslator;
  private readonly slowPaths: SlowPaths;
  protected readonly facts: RecordFacts;
  protected readonly memory: Uint8Array;
  protected readonly records: Uint32Array;
  protected nextRecord = EXACT_RECORDS;
  /** What the records in front were translated from last. */
  private exactTrace: Trace | undefined;
  protected readonly directory = new TraceDirectory();
  protected mode: ExecutionMode = USER_CODE_MODE;
  /** Counts the loads of CR3. */
  private epoch = 0;
  /** Traces with transient links, and addresses of transient jump cache entries: gone when CR3 is loaded. */
  private transientTargets: Trace[] = [];
  private transientEntries: number[] = [];
  /** Virtual pages with code that are mapped as global, and where they are. */
  private readonly globalPages = new Map<number, number>();
  /** By the memory that they were translated from. */
  protected readonly index = new CodeIndex<Trace>();
  /** After a system call: the record behind it, and the RIP that makes it the right one to go on with. */
  private resumeRecord = 0;
  private resumeRip = 0;
  /** Where runs have ended because the budget did: anywhere, so that a trace from there would hardly be used again. */
  private readonly budgetEnds = new Float64Array(BUDGET_ENDS).fill(-1);
  private nextBudgetEnd = 0;
  /** The instruction at RIP must be executed by the interpreter, alone. */
  private stepNext = false;
  /** It is the interpreter's, but need not be alone: compiled code has left there. */
  private interpretsNext = false;
  /** A helper or a device asked for that; and then with a look around behind it. */
  private retryAlone = false;
  private stepAlone = false;
  /** What handlers have been given in this run, what is left of that, and what they will get later. */
  private runBudget = 0;
  private budgetLeft = 0;
  private budgetHeld = 0;
  /** Instructions between two samples of where control is. */
  protected readonly sampleInterval: number = Number.POSITIVE_INFINITY;
  /** The record of the instruction that has called TypeScript; 0 outside. */
  private activeRecord = 0;

  private pairsAfter: number;

  /**
   * @param code the generated interpreter (build.ts)
   */
  constructor(
    protected readonly cpu: Cpu,
    code: InterpreterCode,
    private readonly options: InterpreterOptions = {},
  ) {
    this.slowPaths = this.createSlowPaths();
    this.long = new LoadedCode(code, (module) => this.slowPaths.imports(module));
    this.loaded = this.long;
    this.memory = new Uint8Array(cpu.memory.buffer);
    this.records = new Uint32Array(cpu.memory.buffer);
    this.facts = createRecordFacts(cpu.memory.buffer, cpu.factBase, cpu.recordCount);
    this.translator = new TraceTranslator(
      this.memory,
      cpu.recordBase,
      cpu.mmu,
      this.long,
      cpu.system?.features ?? cpu.model.features,
      this.facts,
      cpu.stops,
    );
    cpu.whereabouts = this;
    cpu.mmu.listener = { codeWritten: (physical, length) => this.invalidatePhysical(physical, length) };
    this.pairsAfter = options.pairsAfter ?? PAIRS_AFTER;
  }

  private loadLegacy(): LoadedCode {
    const code = this.options.loadLegacy?.();
    if (code === undefined) throw new Error("this machine has no interpreter for 16- and 32-bit code");
    const loaded = new LoadedCode(code, (module) => this.slowPaths.imports(module));
    if (this.translator.joinsPairs) loaded.loadPairs(LegacyPart.Pairs);
    return loaded;
  }

  /** From now on pairs are joined; in what has been translated without them, now. */
  private joinPairs(): void {
    this.pairsAfter = Number.POSITIVE_INFINITY;
    this.long.loadPairs(Part.Pairs);
    this.legacy?.loadPairs(LegacyPart.Pairs);
    this.translator.joinsPairs = true;
    this.resumeRecord = 0;
    // Records move: links, which are known by where they are, are found anew.
    for (const trace of this.index.all()) this.unlink(trace);
    for (const trace of this.index.all()) {
      if (trace.first < EXACT_RECORDS) continue;
      this.translator.joinTrace(trace, this.codeFor(trace.mapping?.mode ?? this.mode));
      this.tellObserver(trace);
    }
  }

  /** Nothing leads to the trace any more without asking. */
  private unlink(trace: Trace): void {
    this.translator.unlink(trace);
    this.dropTransient(trace);
  }

  /** Mnemonics that the guest used and nothing defines: for reports. */
  get undefinedMnemonics(): ReadonlySet<string> {
    return this.translator.undefinedMnemonics;
  }

  /** How many instructions have been interpreted. */
  protected get interpreted(): number {
    return this.statistics.instructions;
  }

  run(budget: number, slack = 0): Exit {
    const { cpu } = this;
    if (this.interpreted >= this.pairsAfter) this.joinPairs();
    if (cpu.system !== undefined) this.useMode(cpu.system.mode);
    cpu.updateAlignmentCheck();
    this.stepNext = cpu.stops.pass;
    this.interpretsNext = false;
    this.stepAlone = cpu.stops.pass;
    cpu.stops.pass = false;
    this.runBudget = 0;
    this.budgetLeft = 0;
    this.budgetHeld = budget;
    this.takeBudget();
    const exit = this.execute(slack);
    this.activeRecord = 0;
    const left = this.budgetLeft + this.budgetHeld;
    this.statistics.instructions += budget - left;
    cpu.setI32(EXIT_BUDGET, left);
    return exit;
  }

  /** Handlers get a long budget in parts, so that there are samples of where control is. */
  private takeBudget(): void {
    const part = Math.min(this.budgetHeld, this.sampleInterval);
    this.budgetHeld -= part;
    this.budgetLeft += part;
    this.runBudget += part;
  }

  /** For an instruction alone: should it be a jump, nothing is executed where it leads to. */
  private holdAllButOne(): void {
    const rest = this.budgetLeft - 1;
    this.budgetLeft = 1;
    this.runBudget -= rest;
    this.budgetHeld += rest;
    this.cpu.stops.hit = undefined;
  }

  /** User code has set the trap flag: from here on it is executed in single steps. */
  private get isTraced(): boolean {
    return (this.cpu.getI32(FLAGS_OTHER) & Flag.TF) !== 0;
  }

  /** Runs until no more than `slack` of the budget is left or there is another reason to stop. */
  private execute(slack: number): Exit {
    const { cpu, records } = this;
    while (this.budgetLeft + this.budgetHeld > 0) {
      if (this.budgetLeft === 0) this.takeBudget();
      const alone = this.stepAlone;
      this.stepAlone = false;
      if (alone) this.holdAllButOne();
      else if (this.isAtBreakpoint(cpu.rip)) return Exit.Debug;
      const start = this.entry(this.budgetLeft);
      if (start === 0) return Exit.Exception;
      // The struct that the handlers work on: a helper may have made another one the processor's.
      const { base } = cpu;
      records[(base + CALL_DEPTH) >>> 2] = 0;
      cpu.isAlone = alone;
      const code = this.loaded.run(base, start, this.budgetLeft);
      cpu.isAlone = true;
      this.activeRecord = 0;
      this.budgetLeft = records[(base + EXIT_BUDGET) >>> 2] | 0;
      if (code === Leave.FetchFault) {
        // The next instruction is not due.
        if (this.budgetLeft + this.budgetHeld <= 0) break;
        return Exit.Exception;
      }
      if (code === Leave.Step) {
        this.budgetLeft = this.prepareStep(this.budgetLeft);
        this.interpretsNext = true;
        this.retryAlone = false;
        continue;
      }
      if (code === Leave.Returned) continue;
      const record = records[(base + EXIT_RECORD) >>> 2];
      const index = (record - cpu.recordBase) >>> RECORD_SHIFT;
      const rip = this.ripOf(record);
      if (code >= Leave.Completed) {
        const exit = (code - Leave.Completed) as Exit;
        const next = this.facts.rip[index] + this.facts.length[index];
        if (exit === Exit.Attention && cpu.isIncomplete) {
          cpu.isIncomplete = false;
          cpu.rip = rip;
        } else if (exit !== Exit.Transfer) cpu.rip = next;
        this.exitRip = rip;
        this.resumeRip = next;
        this.resumeRecord = exit === Exit.Syscall && index >= EXACT_RECORDS ? index + 1 : 0;
        return exit;
      }
      cpu.rip = rip;
      if (code === Leave.Budget) {
        if (this.budgetHeld > 0) {
          if (!alone) this.sample(rip);
          this.takeBudget();
        }
        if (alone && (cpu.system !== undefined || this.isTraced)) return Exit.Attention;
        if (cpu.stops.hit !== undefined) return Exit.Debug;
        if (this.budgetLeft + this.budgetHeld <= slack) break;
        continue;
      }
      this.budgetLeft -= this.facts.since[index] + (record & SECOND_OF_PAIR);
      if (code === Leave.Fault) {
        if (!this.retryAlone) {
          records[(base + EXCEPTION_SOURCE) >>> 2] = ExceptionSource.Processor;
          return Exit.Exception;
        }
        this.retryAlone = false;
        this.stepNext = true;
        this.stepAlone = true;
      }
    }
    this.budgetEnds[this.nextBudgetEnd] = cpu.rip;
    this.nextBudgetEnd = (this.nextBudgetEnd + 1) % BUDGET_ENDS;
    this.sample(cpu.rip);
    return Exit.Budget;
  }

  private isAtBreakpoint(rip: number): boolean {
    const { stops } = this.cpu;
    return stops.isInUse && stops.isAt(linearAddress(this.mode, rip));
  }

  // ---- where execution is, for helpers and devices ----

  /** Address of the instruction that ended the last run, if it is complete. */
  exitRip = 0;

  /** Instructions of this run that are complete. */
  get progress(): number {
    const record = this.activeRecord;
    if (record === 0) return this.runBudget - this.budgetLeft;
    const index = (record - this.cpu.recordBase) >>> RECORD_SHIFT;
    return this.runBudget - this.budgetLeft + this.facts.since[index] + (record & SECOND_OF_PAIR);
  }

  /** Address of the instruction that a helper is called for. */
  get currentRip(): number {
    return this.ripOf(this.activeRecord);
  }

  /** Address of the instruction behind it. */
  get nextRip(): number {
    const index = (this.activeRecord - this.cpu.recordBase) >>> RECORD_SHIFT;
    return this.facts.rip[index] + this.facts.length[index];
  }

  private createSlowPaths(): SlowPaths {
    return new SlowPaths(this.cpu, {
      is64Bit: () => this.mode.codeSize === 64,
      enterTypeScript: (record, budget) => {
        this.activeRecord = record;
        this.budgetLeft = budget;
      },
      instructionOf: (record) => this.translator.instructionAt(this.ripOf(record)),
      retryAlone: () => {
        this.retryAlone = true;
      },
      link: (record, budget) => this.link(record, budget),
      lookup: (record, budget) => this.lookup(record, budget),
      hot: (record) => this.hot(record),
    });
  }

  // ---- modes and address spaces ----

  /** The interpreter of a mode's code. */
  protected codeFor({ codeSize }: ExecutionMode): LoadedCode {
    if (codeSize === 64) return this.long;
    this.legacy ??= this.loadLegacy();
    return this.legacy;
  }

  protected useMode(mode: ExecutionMode): void {
    if (mode === this.mode) return;
    this.mode = mode;
    this.loaded = this.codeFor(mode);
    this.translator.useMode(mode, this.loaded);
    this.resumeRecord = 0;
    this.directory.useMode(mode);
  }

  addressSpaceChanged(): void {
    this.epoch++;
    this.resumeRecord = 0;
    for (const target of this.transientTargets) this.dropTransient(target);
    this.transientTargets = [];
    for (const entry of this.transientEntries) this.records[entry + 2] = 0;
    this.transientEntries = [];
  }

  private dropTransient(target: Trace): void {
    const { mapping } = target;
    if (mapping === undefined) return;
    for (const source of mapping.transient) this.translator.setLink(source, 0);
    mapping.transient.length = 0;
  }

  globalPagesChanged(): void {
    this.addressSpaceChanged();
    for (const [page, physical] of this.globalPages) {
      if (this.cpu.system?.executablePage(page * PAGE_SIZE) !== physical) this.forgetMapping(page);
    }
  }

  pageChanged(address: number): void {
    this.resumeRecord = 0;
    this.forgetMapping(virtualPage(address));
  }

  /** The code of a page has to be looked for anew; if it is where it was, its traces are good again. */
  protected forgetMapping(page: number): void {
    this.globalPages.delete(page);
    for (const trace of this.index.onVirtualPage(page)) {
      const { mapping } = trace;
      if (mapping === undefined) continue;
      mapping.epoch = -1;
      mapping.isGlobal = false;
      this.unlink(trace);
      this.dropJumpCacheEntry(trace);
    }
  }

  /** Is the trace what a fetch from its address finds now? @throws PageFault */
  private isCurrent(trace: Trace): boolean {
    const { mapping } = trace;
    if (mapping === undefined || mapping.isGlobal || mapping.epoch === this.epoch) return true;
    const { mmu } = this.cpu;
    if (mmu.fetchAddress(mapping.linear) !== trace.physical) return false;
    let isGlobal = mmu.isGlobal;
    if (trace.secondPage >= 0) {
      const second = mapping.linear + (PAGE_SIZE - (trace.physical % PAGE_SIZE));
      if (mmu.fetchAddress(second) !== trace.secondPage) return false;
      isGlobal = isGlobal && mmu.isGlobal;
    }
    this.confirm(trace, mapping, isGlobal);
    return true;
  }

  private confirm(trace: Trace, mapping: TraceMapping, isGlobal: boolean): void {
    mapping.epoch = this.epoch;
    mapping.isGlobal = isGlobal;
    if (!isGlobal) return;
    this.noteGlobalPage(mapping.linear, trace.physical - (trace.physical % PAGE_SIZE));
    if (trace.secondPage >= 0) this.noteGlobalPage(mapping.linear + PAGE_SIZE, trace.secondPage);
  }

  /** What is known to be in a global page is good until {@link forgetMapping} is called for it. */
  protected noteGlobalPage(linear: number, physical: number): void {
    this.globalPages.set(virtualPage(linear), physical);
  }

  /** Address of the instruction that a record's address, perhaps marked with {@link SECOND_OF_PAIR}, stands for. */
  private ripOf(record: number): number {
    const index = (record - this.cpu.recordBase) >>> RECORD_SHIFT;
    const rip = this.facts.rip[index];
    return (record & SECOND_OF_PAIR) === 0 ? rip : rip + this.facts.firstLength[index];
  }

  /** Address of the record to run from RIP with this budget; 0 after a fetch fault. */
  private entry(budget: number): number {
    const { cpu } = this;
    const rip = cpu.rip;
    if (this.resumeRecord !== 0 && rip === this.resumeRip) {
      const address = cpu.recordBase + (this.resumeRecord << RECORD_SHIFT);
      this.resumeRecord = 0;
      if (this.records[address >>> 2] !== Handler.Stale && this.memory[address + RECORD_NEED] <= budget)
        return address;
    }
    this.resumeRecord = 0;
    try {
      if (this.stepNext) {
        this.stepNext = false;
        return this.recordOf(this.exactTraceAt(rip, 1, true));
      }
      if (this.interpretsNext) {
        this.interpretsNext = false;
        const address = this.interpretedRecordOf(this.traceAt(rip));
        if (this.memory[address + RECORD_NEED] <= budget) return address;
        return this.recordOf(this.exactTraceAt(rip, budget));
      }
      if (this.directory.get(rip) === undefined && this.budgetEnds.includes(rip)) {
        return this.recordOf(this.exactTraceAt(rip, Math.min(budget, TRACE_LIMIT)));
      }
      const address = this.recordOf(this.traceAt(rip));
      if (this.memory[address + RECORD_NEED] <= budget) return address;
      return this.recordOf(this.exactTraceAt(rip, budget));
    } catch (error) {
      this.slowPaths.raise(error);
      return 0;
    }
  }

  protected recordOf(trace: Trace): number {
    return this.cpu.recordBase + (trace.first << RECORD_SHIFT);
  }

  /** The first that stands for an instruction. */
  protected interpretedRecordOf(trace: Trace): number {
    return this.recordOf(trace);
  }

  /** A trace of its own, that ends where the budget does. @throws PageFault */
  private exactTraceAt(rip: number, budget: number, pass = false): Trace {
    if (this.exactTrace !== undefined) this.index.withdrawPhysical(this.exactTrace);
    const trace = this.translator.translate(rip, 0, budget, true, pass);
    this.exactTrace = trace;
    this.index.insertPhysical(trace);
    return trace;
  }

  /** Translates the trace at an address into the next free records. @throws PageFault */
  protected translate(rip: number): Trace {
    return this.translator.translate(rip, this.nextRecord, TRACE_LIMIT, false);
  }

  /** Are there this many free records? */
  protected hasRecords(count: number): boolean {
    return this.nextRecord + count <= this.cpu.recordCount;
  }

  /**
   * Compiled code leaves an instruction to the interpreter: brings the state up to date.
   * @returns the budget that is left
   */
  protected prepareStep(budget: number): number {
    return budget;
  }

  /** Where a run has ended because its budget did. */
  protected sample(_rip: number): void {}

  /** A trace has been executed often enough to compile it. */
  protected hot(_record: number): void {}

  /** @throws PageFault, GuestException */
  protected traceAt(rip: number): Trace {
    const known = this.directory.get(rip);
    if (known !== undefined) {
      if (this.isCurrent(known)) return known;
      const other = this.directory.change(rip, (trace) => this.isCurrent(trace));
      if (other !== undefined) return other;
    }
    if (rip >= CANONICAL_LIMIT || rip < -CANONICAL_LIMIT) throw new GuestException(Vector.GP, 0);
    if (!this.hasRecords(TRACE_RECORDS)) this.flush();
    const trace = this.mapped(this.translate(rip));
    this.nextRecord += trace.count;
    this.statistics.traces++;
    this.statistics.traceInstructions += trace.count;
    this.directory.add(trace);
    this.index.insert(trace);
    this.tellObserver(trace);
    return trace;
  }

  private tellObserver(trace: Trace): void {
    if (this.observer === undefined) return;
    const start = this.recordOf(trace);
    const records = this.memory.slice(start, start + (trace.count << RECORD_SHIFT));
    this.observer.onCode(codePieceOf(trace, records, this.facts));
  }

  /** A new trace with its mapping, on a whole PC. */
  private mapped(trace: Trace): Trace {
    if (this.cpu.system === undefined) return trace;
    const { mode } = this;
    const mapping: TraceMapping = {
      mode,
      linear: linearAddress(mode, trace.rip),
      epoch: -1,
      isGlobal: false,
      transient: [],
    };
    trace.mapping = mapping;
    // It has just been fetched: this only notes whether its pages are global.
    this.isCurrent(trace);
    return trace;
  }

  // ---- what handlers call ----

  private link(record: number, budget: number): number {
    const source = (record - this.cpu.recordBase) >>> RECORD_SHIFT;
    const target = this.facts.target[source];
    this.cpu.history.note(this.facts.rip[source], target);
    const flushes = this.statistics.flushes;
    try {
      const trace = this.traceAt(target);
      if (
        source >= EXACT_RECORDS &&
        flushes === this.statistics.flushes &&
        this.records[record >>> 2] !== Handler.Stale
      ) {
        this.translator.setLink(source, this.recordOf(trace));
        if (this.isLasting(source, trace)) addIncoming(trace, source);
        else this.linkUntilChange(source, trace);
      }
      return this.recordOf(trace);
    } catch (error) {
      this.cpu.rip = target;
      this.slowPaths.raise(error);
      this.cpu.setI32(EXIT_BUDGET, budget);
      return 0;
    }
  }

  /** Is a link right as long as both of its ends are? Not if it leads to a page that another address space has elsewhere. */
  protected isLasting(source: number, { mapping, secondPage }: Trace): boolean {
    if (mapping === undefined || mapping.isGlobal) return true;
    // Its last byte: where a trace ends with its page, what leads on stands for the address behind and has no bytes.
    const last = this.facts.rip[source] + this.facts.length[source] - 1;
    const from = virtualPage(linearAddress(mapping.mode, last));
    return secondPage < 0 && from === virtualPage(mapping.linear);
  }

  private linkUntilChange(source: number, target: Trace): void {
    const { mapping } = target;
    if (mapping === undefined) return;
    if (mapping.transient.length === 0) this.transientTargets.push(target);
    mapping.transient.push(source);
  }

  /** The list has each entry once when it would become longer than the jump caches. */
  private noteTransientEntry(entry: number): void {
    this.transientEntries.push(entry);
    if (this.transientEntries.length > 4 * JUMP_CACHE_ENTRIES)
      this.transientEntries = [...new Set(this.transientEntries)];
  }

  private lookup(record: number, budget: number): number {
    const rip = this.cpu.rip;
    this.cpu.history.note(this.ripOf(record), rip);
    try {
      const trace = this.traceAt(rip);
      const record = this.recordOf(trace);
      const entry = (this.cpu.base + JUMP_CACHE + (jumpCacheIndex(rip) << JUMP_CACHE_ENTRY_SHIFT)) >>> 2;
      this.records[entry] = rip >>> 0;
      this.records[entry + 1] = (Math.floor(rip / 0x100000000) ^ (this.mode.id << 16)) >>> 0;
      this.records[entry + 2] = record;
      if (trace.mapping?.isGlobal === false) this.noteTransientEntry(entry);
      return record;
    } catch (error) {
      this.slowPaths.raise(error);
      this.cpu.setI32(EXIT_BUDGET, budget);
      return 0;
    }
  }

  // ---- invalidation ----

  invalidatePhysical(start: number, length: number): void {
    if (start === 0 && length >= this.cpu.ram.length) this.flush();
    else this.index.invalidatePhysical(start, length, (trace) => this.remove(trace), this.cpu.mmu.codePages);
  }

  invalidateVirtual(start: number, length: number): void {
    this.resumeRecord = 0;
    this.index.invalidateVirtual(start, length, (trace) => this.remove(trace));
  }

  protected remove(trace: Trace): void {
    this.statistics.invalidations++;
    this.translator.retireTrace(trace);
    this.dropTransient(trace);
    this.directory.remove(trace);
    this.index.withdraw(trace);
    this.dropJumpCacheEntry(trace);
  }

  private dropJumpCacheEntry(trace: Trace): void {
    const record = this.recordOf(trace);
    for (const { base } of this.cpu.structs) {
      const entry = (base + JUMP_CACHE + (jumpCacheIndex(trace.rip) << JUMP_CACHE_ENTRY_SHIFT)) >>> 2;
      if (this.records[entry + 2] === record) this.records[entry + 2] = 0;
    }
  }

  /** Forgets everything: the record area is full, or nothing is executed any more. */
  protected flush(): void {
    this.statistics.flushes++;
    this.nextRecord = EXACT_RECORDS;
    this.resumeRecord = 0;
    this.directory.clear();
    this.transientTargets = [];
    this.transientEntries = [];
    this.globalPages.clear();
    this.index.clear();
    this.cpu.mmu.codePages.clear();
    for (const { base } of this.cpu.structs) {
      const start = base + JUMP_CACHE;
      this.memory.fill(0, start, start + (JUMP_CACHE_ENTRIES << JUMP_CACHE_ENTRY_SHIFT));
    }
  }
}

/** Most traces have one link: an array that grows begins with room for 17. */
function addIncoming(trace: Trace, source: number): void {
  if (trace.incoming.length === 0) trace.incoming = [source];
  else trace.incoming.push(source);
}

/** As generated code computes it (lower.ts). */
function jumpCacheIndex(rip: number): number {
  const low = rip >>> 0;
  return (low ^ (low >>> 12)) & (JUMP_CACHE_ENTRIES - 1);
}
