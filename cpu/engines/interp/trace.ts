/**
 * Traces: straight runs of guest code decoded into records (record.ts). A trace starts at an address that control came
 * to, leads through conditional jumps that are not taken, and ends where control must leave or the page ends.
 */

import { type Mmu, PageFault } from "../../../mmu/mmu.ts";
import { PAGE_SIZE } from "../../../mmu/translator.ts";
import type { DebugStops } from "../../debug-stops.ts";
import { type CodeSize, createInstruction, DecodeResult, Decoder } from "../../decoder/decoder.ts";
import type { Instruction, OpcodeRow } from "../../decoder/instruction.ts";
import { FlagField } from "../../ir/value.ts";
import { type ExecutionMode, NO_LIMIT, USER_CODE_MODE } from "../../system/execution-mode.ts";
import { refusal, Unit } from "../../system/restrictions.ts";
import { type Form, formOfKey } from "./forms.ts";
import type { Handlers } from "./loaded-code.ts";
import { joinPairs } from "./pair-records.ts";
import {
  Handler,
  RECORD_HANDLER,
  RECORD_LINK,
  RECORD_NEED,
  RECORD_RETIRE,
  RECORD_SHIFT,
  RECORD_SIZE,
  TRACE_LIMIT,
} from "./record.ts";
import type { RecordFacts } from "./record-facts.ts";
import { RecordWriter } from "./record-writer.ts";
import { planRow, type RowPlan } from "./row-plan.ts";

/** One decoded instruction, as a compiler gets it. */
export interface DecodedForm {
  readonly form: Form;
  /** Key of the form. */
  readonly key: number;
  readonly length: number;
  /** Target of a direct branch. */
  readonly target: number | undefined;
  /** Condition code of Jcc, or -1. */
  readonly condition: number;
  /** A copy of its record. */
  readonly record: DataView;
}

/** A translated run of instructions. */
export interface Trace {
  /** Virtual address of the first instruction and of the first byte behind the last. */
  readonly rip: number;
  readonly end: number;
  /** Physical address of the first byte; of the continuation's page if an instruction crosses into it, else -1. */
  readonly physical: number;
  readonly secondPage: number;
  /** Index of its first record, and how many it has. */
  readonly first: number;
  count: number;
  /** Indices of records whose link leads here. */
  incoming: number[];
  /** On a whole PC: what it takes to know that the trace is still what is at its address. */
  mapping?: TraceMapping | undefined;
}

/** How a trace hangs in the guest's page tables. */
export interface TraceMapping {
  readonly mode: ExecutionMode;
  /** Linear address of its first byte. */
  readonly linear: number;
  /** When it was last seen to be mapped where it was translated from: at which load of CR3. */
  epoch: number;
  /** All of it is in global pages, whose changes are seen one by one. */
  isGlobal: boolean;
  /** Indices of records that lead here until CR3 is loaded. */
  readonly transient: number[];
}

/** No links: shared, never written to. */
const NONE: number[] = [];

export class TraceTranslator {
  /** By row id. */
  private plans: (RowPlan | undefined)[] = [];
  private decoder = new Decoder();
  private handlers: Handlers;
  /** By code size; 16- and 32-bit code share all but the decoder. */
  private readonly decoders = new Map<CodeSize, Decoder>([[64, this.decoder]]);
  private readonly longPlans = this.plans;
  private readonly legacyPlans: (RowPlan | undefined)[] = [];
  private readonly instruction: Instruction = createInstruction();
  private readonly view: DataView;
  private readonly words: Int32Array;
  private readonly writer: RecordWriter;
  private readonly window = new Uint8Array(32);
  /** The handler without flags for each record of the trace being built, 0 if none; by record index mod 128. */
  private readonly deadHandlers = new Uint16Array(128);
  private modeInUse: ExecutionMode = USER_CODE_MODE;
  /** Mnemonics that were met and have no definition. */
  readonly undefinedMnemonics = new Set<string>();
  /** Whether pairs of records are joined: their handlers are a part of their own. */
  joinsPairs = false;

  constructor(
    private readonly memory: Uint8Array,
    private readonly recordBase: number,
    private readonly mmu: Mmu,
    longHandlers: Handlers,
    private readonly features: ReadonlySet<string>,
    private readonly facts: RecordFacts,
    private readonly stops: DebugStops,
  ) {
    this.view = new DataView(memory.buffer);
    this.words = new Int32Array(memory.buffer);
    this.handlers = longHandlers;
    this.writer = new RecordWriter(memory, recordBase, longHandlers.table);
  }

  /** The mode that code is translated for. */
  get mode(): ExecutionMode {
    return this.modeInUse;
  }

  /** @param handlers those of the mode's kind of code */
  useMode(mode: ExecutionMode, handlers: Handlers): void {
    const { codeSize } = mode;
    const is64Bit = codeSize === 64;
    let decoder = this.decoders.get(codeSize);
    if (decoder === undefined) {
      decoder = new Decoder(codeSize);
      this.decoders.set(codeSize, decoder);
    }
    this.modeInUse = mode;
    this.decoder = decoder;
    this.plans = is64Bit ? this.longPlans : this.legacyPlans;
    this.handlers = handlers;
    this.writer.useMode(mode, handlers.table);
  }

  /** Physical address of an instruction byte. @throws PageFault */
  private fetch(rip: number): number {
    return this.mmu.fetchAddress(linearAddress(this.mode, rip));
  }

  private address(index: number): number {
    return this.recordBase + (index << RECORD_SHIFT);
  }

  /**
   * Translates from `rip` into the records from index `first` on.
   * @param limit how many instructions at most; with `exact` the trace ends the budget behind them
   * @param pass the first instruction is meant even if there is a breakpoint
   * @throws PageFault if the first instruction cannot be fetched
   */
  translate(rip: number, first: number, limit: number, exact: boolean, pass = false): Trace {
    const { facts, instruction, memory, writer, words, stops } = this;
    const { table } = this.handlers;
    const { codeLimit, restrictions } = this.modeInUse;
    const physical = this.fetch(rip);
    // Positions are counted from the first byte: small numbers, unlike addresses.
    const pageEnd = PAGE_SIZE - (physical % PAGE_SIZE);
    const most = Math.min(limit, TRACE_LIMIT);
    const mayBreak = stops.isInUse;
    writer.origin = rip;
    let secondPage = -1;
    let at = 0;
    let record = first;
    let instructions = 0;
    let since = 0;
    let open = true; // control can come to `at`
    let fusable = false;
    /** A trace ends before a breakpoint; what begins at one has nothing but the end of the budget. */
    let breaks = false;

    while (instructions < most && open) {
      if (mayBreak && this.hasBreakpoint(rip + at) && !(pass && at === 0)) {
        breaks = true;
        break;
      }
      if (at >= pageEnd) break;
      let result = this.decoder.decode(memory, physical + at, physical + pageEnd, instruction);
      if (result === DecodeResult.NeedsMoreBytes) {
        const next = this.secondPagePhysical(rip + at, pageEnd - at, instructions === 0);
        if (next < 0) break;
        result = this.decodeAcross(physical + at, pageEnd - at, next);
        if (result === DecodeResult.NeedsMoreBytes) result = DecodeResult.Invalid;
        secondPage = next;
      }
      const address = this.address(record);
      instructions++;
      since++;
      const isDecoded = result === DecodeResult.Ok;
      const end = at + (isDecoded ? instruction.length : 1);
      const plan = isDecoded ? this.planOf(instruction) : undefined;
      const isOutside = codeLimit !== NO_LIMIT && rip + end - 1 > codeLimit;

      // A conditional jump behind a comparison joins its record.
      if (fusable && plan !== undefined && plan.condition >= 0 && !isOutside) {
        const previous = address - RECORD_SIZE;
        const handler = table.fusedHandler(words[previous >>> 2], plan.condition);
        if (handler !== 0) {
          words[previous >>> 2] = handler;
          memory[previous + RECORD_RETIRE] = since;
          facts.length[record - 1] += end - at;
          facts.instructions[record - 1] = 2;
          facts.target[record - 1] = this.branchTarget(rip + end);
          since = 0;
          at = end;
          fusable = false;
          continue;
        }
      }

      this.beginRecord(record, rip + at, end - at, 1, since - 1);
      let handler = 0;
      if (plan === undefined) {
        words[address >>> 2] = result === DecodeResult.TooLong ? Handler.Protection : Handler.Undefined;
      } else if (isOutside) {
        words[address >>> 2] = Handler.Protection;
      } else {
        const isFree = plan.unit === Unit.None || restrictions === 0;
        const refused = isFree ? "allowed" : refusal(plan.unit, restrictions);
        const isAllowed = plan.available && refused === "allowed";
        if (isAllowed) handler = this.writeRecord(record, plan, end);
        if (handler === 0) {
          if (isAllowed) this.undefinedMnemonics.add(instruction.row.mnemonic);
          const isNotAvailable = refused === "not available" && plan.available;
          words[address >>> 2] = isNotAvailable ? Handler.NotAvailable : Handler.Undefined;
        }
      }
      if (plan === undefined || handler === 0) {
        open = false;
        fusable = false;
      } else {
        fusable = !table.transfers(handler);
        if (!fusable) {
          memory[address + RECORD_RETIRE] = since;
          since = 0;
          open = table.fallsThrough(handler) || plan.returns;
        }
      }
      record++;
      at = end;
    }

    if (open) {
      this.beginRecord(record, rip + at, 0, 0, since);
      facts.target[record] = rip + at;
      const address = this.address(record);
      const endsBudget = exact || (breaks && at === 0);
      words[address >>> 2] = endsBudget ? Handler.BudgetEnd : Handler.Continue;
      memory[address + RECORD_RETIRE] = since;
      record++;
    }
    let count = record - first;
    this.finishRecords(first, count);
    if (this.joinsPairs) count = joinPairs(this.view, this.recordBase, table, facts, first, count);
    const length = Math.max(1, at);
    const inFirst = Math.min(length, pageEnd);
    this.mmu.markCode(physical, inFirst);
    if (secondPage >= 0 && length > inFirst) this.mmu.markCode(secondPage, length - inFirst);
    return { rip, end: rip + length, physical, secondPage, first, count, incoming: NONE, mapping: undefined };
  }

  /** Clears a record and notes what is known of it. */
  private beginRecord(index: number, rip: number, length: number, instructions: number, since: number): void {
    const { facts } = this;
    this.writer.clear(index);
    this.deadHandlers[index & 127] = 0;
    facts.rip[index] = rip;
    facts.length[index] = length;
    facts.firstLength[index] = 0;
    facts.instructions[index] = instructions;
    facts.since[index] = since;
  }

  /** Fills a record from the decoded instruction; returns its handler, 0 if there is none. */
  private writeRecord(index: number, plan: RowPlan, end: number): number {
    const { writer } = this;
    const handler = writer.write(index, plan, this.instruction, end);
    this.deadHandlers[index & 127] = writer.deadHandler;
    if (plan.branch) this.facts.target[index] = this.branchTarget(writer.origin + end);
    return handler;
  }

  private hasBreakpoint(rip: number): boolean {
    return this.stops.isInUse && this.stops.isAt(linearAddress(this.mode, rip));
  }

  /**
   * Decodes the one instruction at an address that has been executed. The result is good until the next call.
   * @throws PageFault
   */
  instructionAt(rip: number): Instruction {
    const offset = this.fetch(rip);
    const pageEnd = offset - (offset % PAGE_SIZE) + PAGE_SIZE;
    const result = this.decoder.decode(this.memory, offset, pageEnd, this.instruction);
    if (result === DecodeResult.NeedsMoreBytes) {
      this.decodeAcross(offset, pageEnd - offset, this.fetch(rip + pageEnd - offset));
    }
    return this.instruction;
  }

  /**
   * Decodes one instruction for a compiler.
   * @param scratch index of a record that may be overwritten
   * @returns undefined if the interpreter has no handler for it, or there is a breakpoint
   * @throws PageFault
   */
  formAt(rip: number, scratch: number): DecodedForm | undefined {
    return this.decodeForm(rip, scratch, (at) => this.fetch(at));
  }

  /** The same for code that may never be executed: undefined also where fetching it would fault, or leave a trace. */
  peekForm(rip: number, scratch: number): DecodedForm | undefined {
    return this.decodeForm(rip, scratch, (at) => this.mmu.peekCode(linearAddress(this.mode, at)));
  }

  /** @param fetch the physical address of an instruction byte, or -1 */
  private decodeForm(rip: number, scratch: number, fetch: (rip: number) => number): DecodedForm | undefined {
    const { instruction } = this;
    if (this.hasBreakpoint(rip)) return undefined;
    const offset = fetch(rip);
    if (offset < 0) return undefined;
    const pageEnd = offset - (offset % PAGE_SIZE) + PAGE_SIZE;
    let result = this.decoder.decode(this.memory, offset, pageEnd, instruction);
    if (result === DecodeResult.NeedsMoreBytes) {
      const next = fetch(rip + pageEnd - offset);
      if (next < 0) return undefined;
      result = this.decodeAcross(offset, pageEnd - offset, next);
    }
    if (result !== DecodeResult.Ok) return undefined;
    const plan = this.planOf(instruction);
    if (!plan.available || refusal(plan.unit, this.mode.restrictions) !== "allowed") return undefined;
    this.writer.clear(scratch);
    this.writer.origin = rip;
    if (this.writeRecord(scratch, plan, instruction.length) === 0) return undefined;
    const { key } = this.writer;
    const address = this.address(scratch);
    return {
      form: formOfKey(instruction.row, key),
      key,
      length: instruction.length,
      target: plan.branch ? this.facts.target[scratch] : undefined,
      condition: plan.condition,
      record: new DataView(this.memory.slice(address, address + RECORD_SIZE).buffer),
    };
  }

  /** The plan of a decoded instruction, which becomes another one if the processor does not have it. */
  private planOf(instruction: Instruction): RowPlan {
    const plan = this.plan(instruction.row);
    if (plan.fallback === undefined) return plan;
    instruction.row = plan.fallback;
    return this.plan(plan.fallback);
  }

  private plan(row: OpcodeRow): RowPlan {
    let plan = this.plans[row.id];
    if (plan === undefined) {
      plan = planRow(row, this.features, this.mode.codeSize === 64);
      this.plans[row.id] = plan;
    }
    return plan;
  }

  /** Physical address of the page behind, or -1 if it cannot be fetched and the trace can end before. */
  private secondPagePhysical(at: number, available: number, mustHave: boolean): number {
    try {
      return this.fetch(at + available);
    } catch (error) {
      if (mustHave || !(error instanceof PageFault)) throw error;
      return -1;
    }
  }

  private decodeAcross(offset: number, available: number, nextPage: number): DecodeResult {
    this.window.set(this.memory.subarray(offset, offset + available));
    this.window.set(this.memory.subarray(nextPage, nextPage + 16), available);
    return this.decoder.decode(this.window, 0, available + 16, this.instruction);
  }

  /** Where a direct branch leads: outside of 64-bit mode the instruction pointer has the operand size. */
  private branchTarget(next: number): number {
    const { instruction } = this;
    const target = next + instruction.immediateLow;
    if (this.mode.codeSize === 64) return target;
    return instruction.operandSize === 16 ? target & 0xffff : target >>> 0;
  }

  /**
   * Gives instructions whose flags nobody reads the handlers that leave them out, writes how many instructions there are from
   * each record to the end, and sees to it that its handler is there.
   */
  private finishRecords(first: number, count: number): void {
    const { words, memory, facts, handlers } = this;
    const { table } = handlers;
    let live: number = FlagField.All;
    let need = 0;
    for (let index = first + count - 1; index >= first; index--) {
      const address = this.address(index);
      let handler = words[address >>> 2];
      const written = table.flagsOf(handler) >> 4;
      if (table.transfers(handler)) live = FlagField.All;
      else if (written !== 0 && (written & live) === 0) {
        const dead = this.deadHandlers[index & 127];
        if (dead !== 0) {
          handler = dead;
          words[address >>> 2] = handler;
        }
      }
      live = table.observable(handler) ? FlagField.All : (live & ~written) | (table.flagsOf(handler) & 15);
      need += facts.instructions[index];
      memory[address + RECORD_NEED] = Math.max(1, need);
      handlers.require(handler);
    }
  }

  /** Joins the pairs of a trace that has been translated without; nothing is linked to or from it. */
  joinTrace(trace: Trace, { table }: Handlers): void {
    trace.count = joinPairs(this.view, this.recordBase, table, this.facts, trace.first, trace.count);
  }

  /** Sets where a branch record leads. */
  setLink(index: number, target: number): void {
    this.view.setUint32(this.address(index) + RECORD_LINK, target, true);
  }

  /** Makes every record of a trace stale. */
  retireTrace(trace: Trace): void {
    for (let index = trace.first; index < trace.first + trace.count; index++) {
      this.view.setUint32(this.address(index) + RECORD_HANDLER, Handler.Stale, true);
    }
    this.unlink(trace);
  }

  /** Takes all links away that lead to a trace. */
  unlink(trace: Trace): void {
    const { incoming } = trace;
    if (incoming.length === 0) return;
    for (const source of incoming) this.setLink(source, 0);
    trace.incoming = NONE;
  }
}

/** Where an address in the code segment is. */
export function linearAddress(mode: ExecutionMode, rip: number): number {
  return mode.codeSize === 64 ? rip : (rip + mode.codeBase) >>> 0;
}
