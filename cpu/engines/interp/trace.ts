/**
 * Traces: straight runs of guest code decoded into records (record.ts). A trace starts at an address that control came
 * to, leads through conditional jumps that are not taken, and ends where control must leave or the page ends.
 */

import { type Mmu, PageFault } from "../../../mmu/mmu.ts";
import { PAGE_SIZE } from "../../../mmu/translator.ts";
import type { DebugStops } from "../../debug-stops.ts";
import { type CodeSize, createInstruction, DecodeResult, Decoder } from "../../decoder/decoder.ts";
import { fusedSigns } from "../../decoder/fused-signs.ts";
import {
  BASE_RIP,
  type Instruction,
  NO_REGISTER,
  type OpcodeRow,
  type OperandSpec,
} from "../../decoder/instruction.ts";
import { operandRegister } from "../../decoder/operands.ts";
import { ROW_TABLE } from "../../decoder/row-table.ts";
import { CONDITION_SUFFIXES } from "../../ir/flags.ts";
import { FlagField } from "../../ir/value.ts";
import { SEGMENT_BASE, SEGMENT_BASE_ZERO, ZERO_SLOT } from "../../state.ts";
import { type ExecutionMode, NO_LIMIT, USER_CODE_MODE } from "../../system/execution-mode.ts";
import { refusal, Unit, unitOf } from "../../system/restrictions.ts";
import {
  ADDRESS_FORMS,
  addressIndex,
  FLAGS_DEAD,
  type Form,
  formKey,
  formOfKey,
  handlerAddressForm,
  type RmForm,
  SLOTS,
  sizeIndex,
  usesAddressSize,
  vectorLengths,
  vexOperandSizes,
} from "./forms.ts";
import type { HandlerTable } from "./handler-table.ts";
import type { Handlers } from "./loaded-code.ts";
import { joinPairs } from "./pair-records.ts";
import {
  Handler,
  NARROW_ADDRESS,
  RECORD_ABSOLUTE,
  RECORD_BASE,
  RECORD_DISPLACEMENT,
  RECORD_HANDLER,
  RECORD_IMMEDIATE,
  RECORD_INDEX,
  RECORD_LINK,
  RECORD_NEED,
  RECORD_RETIRE,
  RECORD_SCALE,
  RECORD_SEGMENT,
  RECORD_SHIFT,
  RECORD_SIZE,
  RECORD_SLOT2,
  SLOT_BYTES,
  TRACE_LIMIT,
} from "./record.ts";
import type { RecordFacts } from "./record-facts.ts";

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
  readonly incoming: number[];
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

const PREFIX_LOCKED = 3;

/** What recording an instruction of a row takes, prepared once per row. */
interface RowPlan {
  /** Handlers by address form are the row's own, or the general ones: index of the form by index of the form. */
  readonly address: Uint8Array;
  readonly slots: readonly { readonly byte: number; readonly spec: OperandSpec; readonly rm: boolean }[];
  /** Byte of the record for the number of a gather's index register, or -1. */
  readonly vectorIndex: number;
  /** A constant for RECORD_IMMEDIATE. */
  readonly constant: number | undefined;
  readonly immediate: boolean;
  /** The immediate is a far pointer. */
  readonly far: boolean;
  readonly moffs: boolean;
  readonly second: boolean;
  readonly branch: boolean;
  readonly memory: boolean;
  readonly string: boolean;
  /** Memory operands are of the form "general". */
  readonly general: boolean;
  /** There is an address, or a count, of the address size besides the memory operand. */
  readonly usesAddressSize: boolean;
  /** Has a VEX prefix: VEX.L and VEX.W that its operands depend on. */
  readonly vex: { readonly l: boolean; readonly w: boolean } | undefined;
  /** Condition code of Jcc, or -1. */
  readonly condition: number;
  /** A trace goes on behind it although it leaves the engine: a system call comes back. */
  readonly returns: boolean;
  readonly available: boolean;
  /** What control registers may forbid. */
  readonly unit: Unit;
  /** Executed instead if the feature is missing: TZCNT is BSF on processors without BMI1. */
  readonly fallback: OpcodeRow | undefined;
}

function planRow(row: OpcodeRow, features: ReadonlySet<string>, is64Bit: boolean): RowPlan {
  const { operands } = row;
  const uses = (source: OperandSpec["source"]) => operands.some((spec) => spec.source === source);
  const slots = operands.flatMap((spec, index) => {
    const register =
      !["imm", "imm2", "rel", "moffs", "si", "di"].includes(spec.source) && spec.class !== "immediate";
    return register ? [{ byte: SLOT_BYTES[SLOTS[index]], spec, rm: spec.source === "rm" }] : [];
  });
  const fixed = operands.find((spec) => spec.source === "fixed" && spec.class === "immediate")?.fixed;
  const available =
    row.mode !== (is64Bit ? "not64" : "only64") && (row.feature === undefined || features.has(row.feature));
  const fallback = available || row.fallback === undefined ? undefined : ROW_TABLE.row(row.fallback);
  return {
    address: Uint8Array.from(ADDRESS_FORMS, (form) => addressIndex(handlerAddressForm(row, form))),
    slots,
    vectorIndex:
      row.vsib === undefined ? -1 : SLOT_BYTES[SLOTS[operands.findIndex(({ source }) => source === "rm")]],
    constant: fixed ?? fusedSigns(row.mnemonic),
    immediate: uses("imm"),
    far: operands.some((spec) => spec.source === "imm" && spec.class === "branch"),
    moffs: uses("moffs"),
    second: uses("imm2"),
    branch: uses("rel"),
    memory: uses("rm"),
    string: uses("si") || uses("di") || /^(xlat|v?maskmov(q|dqu)$)/.test(row.mnemonic),
    general: handlerAddressForm(row, "base") === "general",
    usesAddressSize: usesAddressSize(row),
    vex:
      row.vex === undefined
        ? undefined
        : { l: vectorLengths(row).includes(1), w: vexOperandSizes(row).includes(64) },
    condition: CONDITION_SUFFIXES.findIndex((suffix) => row.mnemonic === `j${suffix}`),
    returns: row.mnemonic === "syscall",
    available,
    unit: unitOf(row),
    fallback,
  };
}

export class TraceTranslator {
  private plans = new Map<OpcodeRow, RowPlan>();
  private decoder = new Decoder();
  private handlers: Handlers;
  /** By code size; 16- and 32-bit code share all but the decoder. */
  private readonly decoders = new Map<CodeSize, Decoder>([[64, this.decoder]]);
  private readonly longPlans = this.plans;
  private readonly legacyPlans = new Map<OpcodeRow, RowPlan>();
  private readonly instruction: Instruction = createInstruction();
  private readonly view: DataView;
  private readonly words: Int32Array;
  private readonly window = new Uint8Array(32);
  /** The handler without flags for each record of the trace being built, 0 if none; by record index mod 128. */
  private readonly deadHandlers = new Uint16Array(128);
  /** Key of the form that the last record was written for. */
  private writtenKey = 0;
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
  }

  /** The mode that code is translated for. */
  get mode(): ExecutionMode {
    return this.modeInUse;
  }

  private get table(): HandlerTable {
    return this.handlers.table;
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
    const { facts, instruction, table } = this;
    const physical = this.fetch(rip);
    const pageEnd = physical - (physical % PAGE_SIZE) + PAGE_SIZE;
    const most = Math.min(limit, TRACE_LIMIT);
    let secondPage = -1;
    let at = rip;
    let record = first;
    let instructions = 0;
    let since = 0;
    let open = true; // control can come to `at`
    let fusable = false;
    /** A trace ends before a breakpoint; what begins at one has nothing but the end of the budget. */
    let breaks = false;

    while (instructions < most && open) {
      if (this.hasBreakpoint(at) && !(pass && at === rip)) {
        breaks = true;
        break;
      }
      const offset = physical + (at - rip);
      if (offset >= pageEnd) break;
      let result = this.decoder.decode(this.memory, offset, pageEnd, instruction);
      if (result === DecodeResult.NeedsMoreBytes) {
        const next = this.secondPagePhysical(at, pageEnd - offset, instructions === 0);
        if (next < 0) break;
        result = this.decodeAcross(offset, pageEnd - offset, next);
        if (result === DecodeResult.NeedsMoreBytes) result = DecodeResult.Invalid;
        secondPage = next;
      }
      this.clearRecord(record);
      this.deadHandlers[record & 127] = 0;
      facts.rip[record] = at;
      facts.since[record] = since;
      facts.firstLength[record] = 0;
      facts.instructions[record] = 1;
      instructions++;
      since++;

      if (result !== DecodeResult.Ok) {
        facts.length[record] = 1;
        const handler = result === DecodeResult.TooLong ? Handler.Protection : Handler.Undefined;
        this.view.setUint32(this.address(record) + RECORD_HANDLER, handler, true);
        at += 1;
        record++;
        open = false;
        break;
      }
      let plan = this.plan(instruction.row);
      if (plan.fallback !== undefined) {
        instruction.row = plan.fallback;
        plan = this.plan(plan.fallback);
      }
      const length = instruction.length;
      facts.length[record] = length;
      const next = at + length;
      const { codeLimit, restrictions } = this.mode;
      if (codeLimit !== NO_LIMIT && next - 1 > codeLimit) {
        this.view.setUint32(this.address(record) + RECORD_HANDLER, Handler.Protection, true);
        at = next;
        record++;
        open = false;
        break;
      }

      // A conditional jump behind a comparison joins its record.
      if (fusable && plan.condition >= 0) {
        const previous = this.address(record - 1);
        const handler = table.fusedHandler(this.view.getUint32(previous, true), plan.condition);
        if (handler !== 0) {
          record--;
          this.view.setUint32(previous + RECORD_HANDLER, handler, true);
          this.view.setUint8(previous + RECORD_RETIRE, since);
          facts.length[record] += length;
          facts.instructions[record] = 2;
          facts.target[record] = this.branchTarget(next);
          since = 0;
          record++;
          at = next;
          fusable = false;
          continue;
        }
      }

      const isFree = plan.unit === Unit.None || restrictions === 0;
      const refused = isFree ? "allowed" : refusal(plan.unit, restrictions);
      const isAllowed = plan.available && refused === "allowed";
      const handler = isAllowed ? this.writeRecord(record, plan, at) : 0;
      if (handler === 0) {
        if (isAllowed) this.undefinedMnemonics.add(instruction.row.mnemonic);
        const refusing =
          refused === "not available" && plan.available ? Handler.NotAvailable : Handler.Undefined;
        this.view.setUint32(this.address(record) + RECORD_HANDLER, refusing, true);
        open = false;
      } else if (table.transfers(handler)) {
        this.view.setUint8(this.address(record) + RECORD_RETIRE, since);
        since = 0;
        open = table.fallsThrough(handler) || plan.returns;
      }
      fusable = handler !== 0 && !table.transfers(handler);
      record++;
      at = next;
    }

    if (open) {
      this.clearRecord(record);
      facts.rip[record] = at;
      facts.since[record] = since;
      facts.length[record] = 0;
      facts.firstLength[record] = 0;
      facts.instructions[record] = 0;
      facts.target[record] = at;
      const address = this.address(record);
      const endsBudget = exact || (breaks && at === rip);
      this.view.setUint32(address + RECORD_HANDLER, endsBudget ? Handler.BudgetEnd : Handler.Continue, true);
      this.view.setUint8(address + RECORD_RETIRE, since);
      record++;
    }
    this.dropDeadFlags(first, record - first);
    const count = this.finishRecords(first, record - first, this.handlers);
    const length = Math.max(1, at - rip);
    const inFirst = Math.min(length, pageEnd - physical);
    this.mmu.markCode(physical, inFirst);
    if (secondPage >= 0 && length > inFirst) this.mmu.markCode(secondPage, length - inFirst);
    return { rip, end: rip + length, physical, secondPage, first, count, incoming: [], mapping: undefined };
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
    let plan = this.plan(instruction.row);
    if (plan.fallback !== undefined) {
      instruction.row = plan.fallback;
      plan = this.plan(plan.fallback);
    }
    if (!plan.available || refusal(plan.unit, this.mode.restrictions) !== "allowed") return undefined;
    this.clearRecord(scratch);
    if (this.writeRecord(scratch, plan, rip) === 0) return undefined;
    const key = this.writtenKey;
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

  private plan(row: OpcodeRow): RowPlan {
    let plan = this.plans.get(row);
    if (plan === undefined) {
      plan = planRow(row, this.features, this.mode.codeSize === 64);
      this.plans.set(row, plan);
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

  private clearRecord(index: number): void {
    // Eight stores: a fill() of 32 bytes takes twenty times as long.
    const { words } = this;
    const first = this.address(index) >>> 2;
    for (let word = first; word < first + (RECORD_SIZE >> 2); word++) words[word] = 0;
  }

  /** Fills a record from the decoded instruction; returns its handler, 0 if there is none. */
  private writeRecord(index: number, plan: RowPlan, rip: number): number {
    const { instruction, view } = this;
    const address = this.address(index);
    const next = rip + instruction.length;
    const is64Bit = this.mode.codeSize === 64;
    let form: RmForm = "register";
    if (!is64Bit) form = this.writeLegacyAddress(address, plan);
    else if (plan.memory && !instruction.rmIsRegister) form = this.writeMemoryOperand(address, next, plan);
    else if (plan.moffs) {
      view.setInt32(address + RECORD_ABSOLUTE, instruction.immediateLow, true);
      view.setInt32(address + RECORD_ABSOLUTE + 4, instruction.immediateHigh, true);
      form = this.writeSegment(address) ? "segmentedAbsolute" : "absolute";
    } else {
      if (plan.string) this.writeSegment(address);
      if (plan.usesAddressSize && instruction.addressSize === 32) form = "narrow";
    }

    if (plan.branch) this.facts.target[index] = this.branchTarget(next);
    if (plan.immediate) {
      view.setInt32(address + RECORD_IMMEDIATE, instruction.immediateLow, true);
      // Of a far pointer the selector.
      const high = plan.far ? instruction.immediate2 : instruction.immediateHigh;
      view.setInt32(address + RECORD_IMMEDIATE + 4, high, true);
    } else setNumber(view, address + RECORD_IMMEDIATE, plan.constant ?? next);
    if (plan.second) view.setUint8(address + RECORD_SLOT2, instruction.immediate2);

    for (const { byte, spec, rm } of plan.slots) {
      if (rm && !instruction.rmIsRegister) continue;
      const register = operandRegister(spec, instruction);
      let value = register;
      if (spec.class === "gpr" || spec.class === "gprOrMem") {
        const high = spec.size === "b" && !instruction.rex && register >= 4 && register < 8;
        value = high ? (register - 4) * 8 + 1 : register * 8;
      }
      view.setUint8(address + byte, value);
    }
    if (plan.vectorIndex >= 0) view.setUint8(address + plan.vectorIndex, instruction.index);

    const { row } = instruction;
    const stack = this.mode.stackSize;
    let size = sizeIndex(instruction.operandSize, is64Bit || stack === 64 ? undefined : stack);
    let variant = 0;
    if (plan.vex !== undefined) {
      if (is64Bit && !plan.vex.w) size = 1; // elsewhere it is 32 in any case
      if (plan.vex.l) variant = instruction.vexL;
    } else if (instruction.lock) variant = PREFIX_LOCKED;
    else if (row.rep !== undefined && instruction.rep) variant = 1;
    else if (row.rep !== undefined && instruction.repne) variant = 2;
    const addressForm = is64Bit ? plan.address[addressIndex(form)] : addressIndex(form);
    const key = formKey(row.id, size, addressForm, variant);
    const handler = this.table.handler(key);
    view.setUint32(address + RECORD_HANDLER, handler, true);
    this.deadHandlers[index & 127] = this.table.handler(key + FLAGS_DEAD);
    this.writtenKey = key;
    return handler;
  }

  /** Where a direct branch leads: outside of 64-bit mode the instruction pointer has the operand size. */
  private branchTarget(next: number): number {
    const { instruction } = this;
    const target = next + instruction.immediateLow;
    if (this.mode.codeSize === 64) return target;
    return instruction.operandSize === 16 ? target & 0xffff : target >>> 0;
  }

  /** Fills in segment and address outside of 64-bit mode. */
  private writeLegacyAddress(address: number, plan: RowPlan): RmForm {
    const { instruction, view } = this;
    view.setUint8(address + RECORD_SEGMENT, SEGMENT_BASE + instruction.segment * 8);
    const byAddressSize = instruction.addressSize === 16 ? "legacy16" : "legacy32";
    if (plan.moffs) {
      view.setUint8(address + RECORD_BASE, ZERO_SLOT);
      view.setUint8(address + RECORD_INDEX, ZERO_SLOT);
      view.setInt32(address + RECORD_DISPLACEMENT, instruction.immediateLow, true);
      return byAddressSize;
    }
    if (!plan.memory || instruction.rmIsRegister)
      return plan.usesAddressSize && instruction.addressSize === 16 ? "legacy16" : "register";
    const { base, index } = instruction;
    const noIndex = index === NO_REGISTER || plan.vectorIndex >= 0;
    view.setUint8(address + RECORD_BASE, base === NO_REGISTER ? ZERO_SLOT : base * 8);
    view.setUint8(address + RECORD_INDEX, noIndex ? ZERO_SLOT : index * 8);
    view.setUint8(address + RECORD_SCALE, instruction.scale);
    view.setInt32(address + RECORD_DISPLACEMENT, instruction.displacement, true);
    return byAddressSize;
  }

  private writeSegment(address: number): boolean {
    const { segment } = this.instruction;
    const based = segment >= 4; // only FS and GS have a base in 64-bit mode
    this.view.setUint8(address + RECORD_SEGMENT, based ? SEGMENT_BASE + segment * 8 : SEGMENT_BASE_ZERO);
    return based;
  }

  private writeMemoryOperand(address: number, next: number, plan: RowPlan): RmForm {
    const { instruction, view } = this;
    const { base, index, addressSize } = instruction;
    const segmented = this.writeSegment(address);
    const relative = base === BASE_RIP ? next : 0;
    const noBase = base === BASE_RIP || base === NO_REGISTER;
    if (plan.general) {
      const noIndex = index === NO_REGISTER || plan.vectorIndex >= 0;
      view.setUint8(address + RECORD_BASE, noBase ? ZERO_SLOT : base * 8);
      view.setUint8(address + RECORD_INDEX, noIndex ? ZERO_SLOT : index * 8);
      view.setUint8(address + RECORD_SCALE, instruction.scale | (addressSize === 32 ? NARROW_ADDRESS : 0));
      setNumber(view, address + RECORD_ABSOLUTE, instruction.displacement + relative);
      return "base";
    }
    if (noBase && index === NO_REGISTER && addressSize === 64) {
      setNumber(view, address + RECORD_ABSOLUTE, instruction.displacement + relative);
      return segmented ? "segmentedAbsolute" : "absolute";
    }
    view.setUint8(address + RECORD_BASE, noBase ? ZERO_SLOT : base * 8);
    view.setUint8(address + RECORD_INDEX, index === NO_REGISTER ? ZERO_SLOT : index * 8);
    view.setUint8(address + RECORD_SCALE, instruction.scale);
    view.setInt32(address + RECORD_DISPLACEMENT, instruction.displacement + relative, true);
    if (addressSize === 32) return "narrow";
    if (segmented) return "segmented";
    return index === NO_REGISTER ? "base" : "indexed";
  }

  /** Gives instructions whose flags nobody reads the handlers that leave them out. */
  private dropDeadFlags(first: number, count: number): void {
    const { view, table } = this;
    let live: number = FlagField.All;
    for (let index = first + count - 1; index >= first; index--) {
      const address = this.address(index);
      let handler = view.getUint32(address, true);
      const transfers = table.transfers(handler);
      if (transfers) live = FlagField.All;
      const written = table.flagsWritten(handler);
      if (written !== 0 && (written & live) === 0 && !transfers) {
        const dead = this.deadHandlers[index & 127];
        if (dead !== 0) {
          handler = dead;
          view.setUint32(address, handler, true);
        }
      }
      live = (live & ~written) | table.flagsRead(handler);
      if (table.observable(handler)) live = FlagField.All;
    }
  }

  /** Joins the pairs of a trace that has been translated without; nothing is linked to or from it. */
  joinTrace(trace: Trace, handlers: Handlers): void {
    trace.count = this.finishRecords(trace.first, trace.count, handlers);
  }

  /**
   * Joins pairs, if that is done, and writes how many instructions there are from each record to the end; sees to it that
   * its handler is there.
   * @returns how many records are left
   */
  private finishRecords(first: number, single: number, handlers: Handlers): number {
    const count = this.joinsPairs
      ? joinPairs(this.view, this.recordBase, handlers.table, this.facts, first, single)
      : single;
    let need = 0;
    for (let index = first + count - 1; index >= first; index--) {
      need += this.facts.instructions[index];
      const address = this.address(index);
      this.view.setUint8(address + RECORD_NEED, Math.max(1, need));
      handlers.require(this.view.getUint32(address, true));
    }
    return count;
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
    for (const source of trace.incoming) this.setLink(source, 0);
    trace.incoming.length = 0;
  }
}

/** Where an address in the code segment is. */
export function linearAddress(mode: ExecutionMode, rip: number): number {
  return mode.codeSize === 64 ? rip : (rip + mode.codeBase) >>> 0;
}

function setNumber(view: DataView, offset: number, value: number): void {
  view.setInt32(offset, value | 0, true);
  view.setInt32(offset + 4, Math.floor(value / 0x100000000), true);
}
