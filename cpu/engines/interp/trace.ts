/**
 * Traces: straight runs of guest code decoded into records (record.ts). A trace starts at an address that control came
 * to, leads through conditional jumps that are not taken, and ends where control must leave or the page ends.
 */

import { type Mmu, PageFault } from "../../../mmu/mmu.ts";
import { PAGE_SIZE } from "../../../mmu/translator.ts";
import { createInstruction, DecodeResult, Decoder } from "../../decoder/decoder.ts";
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
import {
  ADDRESS_FORMS,
  FLAGS_DEAD,
  type Form,
  formKey,
  formOfKey,
  handlerAddressForm,
  type RmForm,
  SLOTS,
} from "./forms.ts";
import type { HandlerTable } from "./handler-table.ts";
import { joinPairs } from "./pair-records.ts";
import {
  Handler,
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
  RECORD_SLOT0,
  RECORD_SLOT2,
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
  readonly count: number;
  /** Indices of records whose link leads here. */
  readonly incoming: number[];
}

const RM_INDEX = Object.fromEntries(ADDRESS_FORMS.map((form, index) => [form, index])) as Record<
  RmForm,
  number
>;
const PREFIX_LOCKED = 3;

/** What recording an instruction of a row takes, prepared once per row. */
interface RowPlan {
  /** Handlers by address form are the row's own, or the general ones: index of the form by index of the form. */
  readonly address: Uint8Array;
  readonly slots: readonly { readonly slot: number; readonly spec: OperandSpec; readonly rm: boolean }[];
  /** A constant for RECORD_IMMEDIATE. */
  readonly constant: number | undefined;
  readonly immediate: boolean;
  readonly moffs: boolean;
  readonly second: boolean;
  readonly branch: boolean;
  readonly memory: boolean;
  readonly string: boolean;
  /** Condition code of Jcc, or -1. */
  readonly condition: number;
  /** A trace goes on behind it although it leaves the engine: a system call comes back. */
  readonly returns: boolean;
  readonly available: boolean;
  /** Executed instead if the feature is missing: TZCNT is BSF on processors without BMI1. */
  readonly fallback: OpcodeRow | undefined;
}

function planRow(row: OpcodeRow, features: ReadonlySet<string>): RowPlan {
  const { operands } = row;
  const uses = (source: OperandSpec["source"]) => operands.some((spec) => spec.source === source);
  const slots = operands.flatMap((spec, index) => {
    const register =
      !["imm", "imm2", "rel", "moffs", "si", "di"].includes(spec.source) && spec.class !== "immediate";
    return register && index < 3 ? [{ slot: SLOTS[index], spec, rm: spec.source === "rm" }] : [];
  });
  const constant = operands.find((spec) => spec.source === "fixed" && spec.class === "immediate")?.fixed;
  const available =
    row.vex === undefined && row.mode !== "not64" && (row.feature === undefined || features.has(row.feature));
  const fallback = available || row.fallback === undefined ? undefined : ROW_TABLE.row(row.fallback);
  return {
    address: Uint8Array.from(ADDRESS_FORMS, (form) => RM_INDEX[handlerAddressForm(row, form)]),
    slots,
    constant,
    immediate: uses("imm"),
    moffs: uses("moffs"),
    second: uses("imm2"),
    branch: uses("rel"),
    memory: uses("rm"),
    string: uses("si") || uses("di") || /^(xlat|maskmov)/.test(row.mnemonic),
    condition: CONDITION_SUFFIXES.findIndex((suffix) => row.mnemonic === `j${suffix}`),
    returns: row.mnemonic === "syscall",
    available,
    fallback,
  };
}

export class TraceTranslator {
  private readonly plans = new Map<OpcodeRow, RowPlan>();
  private readonly decoder = new Decoder();
  private readonly instruction: Instruction = createInstruction();
  private readonly view: DataView;
  private readonly window = new Uint8Array(32);
  /** The handler without flags for each record of the trace being built, 0 if none; by record index mod 128. */
  private readonly deadHandlers = new Uint16Array(128);
  /** Key of the form that the last record was written for. */
  private writtenKey = 0;
  /** Mnemonics that were met and have no definition. */
  readonly undefinedMnemonics = new Set<string>();

  constructor(
    private readonly memory: Uint8Array,
    private readonly recordBase: number,
    private readonly mmu: Mmu,
    private readonly table: HandlerTable,
    private readonly features: ReadonlySet<string>,
    private readonly facts: RecordFacts,
  ) {
    this.view = new DataView(memory.buffer);
  }

  private address(index: number): number {
    return this.recordBase + (index << RECORD_SHIFT);
  }

  /**
   * Translates from `rip` into the records from index `first` on.
   * @param limit how many instructions at most; with `exact` the trace ends the budget behind them
   * @throws PageFault if the first instruction cannot be fetched
   */
  translate(rip: number, first: number, limit: number, exact: boolean): Trace {
    const { facts, instruction, table } = this;
    const physical = this.mmu.fetchAddress(rip);
    const pageEnd = physical - (physical % PAGE_SIZE) + PAGE_SIZE;
    const most = Math.min(limit, TRACE_LIMIT);
    let secondPage = -1;
    let at = rip;
    let record = first;
    let instructions = 0;
    let since = 0;
    let open = true; // control can come to `at`
    let fusable = false;

    while (instructions < most && open) {
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
          facts.target[record] = next + instruction.immediateLow;
          since = 0;
          record++;
          at = next;
          fusable = false;
          continue;
        }
      }

      const handler = plan.available ? this.writeRecord(record, plan, at) : 0;
      if (handler === 0) {
        if (plan.available) this.undefinedMnemonics.add(instruction.row.mnemonic);
        this.view.setUint32(this.address(record) + RECORD_HANDLER, Handler.Undefined, true);
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
      this.view.setUint32(address + RECORD_HANDLER, exact ? Handler.BudgetEnd : Handler.Continue, true);
      this.view.setUint8(address + RECORD_RETIRE, since);
      record++;
    }
    this.dropDeadFlags(first, record - first);
    const count = joinPairs(this.view, this.recordBase, table, facts, first, record - first);
    this.writeNeeds(first, count);
    const inFirst = Math.min(at - rip, pageEnd - physical);
    this.mmu.markCode(physical, inFirst);
    if (secondPage >= 0 && at - rip > inFirst) this.mmu.markCode(secondPage, at - rip - inFirst);
    return { rip, end: at, physical, secondPage, first, count, incoming: [] };
  }

  /**
   * Decodes the one instruction at an address that has been executed. The result is good until the next call.
   * @throws PageFault
   */
  instructionAt(rip: number): Instruction {
    const offset = this.mmu.fetchAddress(rip);
    const pageEnd = offset - (offset % PAGE_SIZE) + PAGE_SIZE;
    const result = this.decoder.decode(this.memory, offset, pageEnd, this.instruction);
    if (result === DecodeResult.NeedsMoreBytes) {
      this.decodeAcross(offset, pageEnd - offset, this.mmu.fetchAddress(rip + pageEnd - offset));
    }
    return this.instruction;
  }

  /**
   * Decodes one instruction for a compiler.
   * @param scratch index of a record that may be overwritten
   * @returns undefined if the interpreter has no handler for it
   * @throws PageFault
   */
  formAt(rip: number, scratch: number): DecodedForm | undefined {
    const { instruction } = this;
    const offset = this.mmu.fetchAddress(rip);
    const pageEnd = offset - (offset % PAGE_SIZE) + PAGE_SIZE;
    let result = this.decoder.decode(this.memory, offset, pageEnd, instruction);
    if (result === DecodeResult.NeedsMoreBytes) {
      result = this.decodeAcross(offset, pageEnd - offset, this.mmu.fetchAddress(rip + pageEnd - offset));
    }
    if (result !== DecodeResult.Ok) return undefined;
    let plan = this.plan(instruction.row);
    if (plan.fallback !== undefined) {
      instruction.row = plan.fallback;
      plan = this.plan(plan.fallback);
    }
    this.clearRecord(scratch);
    if (!plan.available || this.writeRecord(scratch, plan, rip) === 0) return undefined;
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
      plan = planRow(row, this.features);
      this.plans.set(row, plan);
    }
    return plan;
  }

  /** Physical address of the page behind, or -1 if it cannot be fetched and the trace can end before. */
  private secondPagePhysical(at: number, available: number, mustHave: boolean): number {
    try {
      return this.mmu.fetchAddress(at + available);
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
    const address = this.address(index);
    this.memory.fill(0, address, address + RECORD_SIZE);
  }

  /** Fills a record from the decoded instruction; returns its handler, 0 if there is none. */
  private writeRecord(index: number, plan: RowPlan, rip: number): number {
    const { instruction, view } = this;
    const address = this.address(index);
    const next = rip + instruction.length;
    let form: RmForm = "register";
    if (plan.memory && !instruction.rmIsRegister) form = this.writeMemoryOperand(address, next);
    else if (plan.moffs) {
      view.setInt32(address + RECORD_ABSOLUTE, instruction.immediateLow, true);
      view.setInt32(address + RECORD_ABSOLUTE + 4, instruction.immediateHigh, true);
      form = this.writeSegment(address) ? "segmentedAbsolute" : "absolute";
    } else {
      if (plan.string) this.writeSegment(address);
      // A register operand has no address: it is not the memory form of the same row that is meant.
      if (instruction.addressSize === 32 && !plan.memory) form = "narrow";
    }

    for (const { slot, spec, rm } of plan.slots) {
      if (rm && !instruction.rmIsRegister) continue;
      const register = operandRegister(spec, instruction);
      let value = register;
      if (spec.class === "gpr" || spec.class === "gprOrMem") {
        const high = spec.size === "b" && !instruction.rex && register >= 4 && register < 8;
        value = high ? (register - 4) * 8 + 1 : register * 8;
      }
      view.setUint8(address + RECORD_SLOT0 + slot, value);
    }

    if (plan.branch) this.facts.target[index] = next + instruction.immediateLow;
    if (plan.immediate) {
      view.setInt32(address + RECORD_IMMEDIATE, instruction.immediateLow, true);
      view.setInt32(address + RECORD_IMMEDIATE + 4, instruction.immediateHigh, true);
    } else setNumber(view, address + RECORD_IMMEDIATE, plan.constant ?? next);
    if (plan.second) view.setUint8(address + RECORD_SLOT2, instruction.immediate2);

    const { row } = instruction;
    const sizeIndex = instruction.operandSize === 16 ? 0 : instruction.operandSize === 32 ? 1 : 2;
    let prefix = 0;
    if (instruction.lock) prefix = PREFIX_LOCKED;
    else if (row.rep !== undefined && instruction.rep) prefix = 1;
    else if (row.rep !== undefined && instruction.repne) prefix = 2;
    let key = formKey(row.id, sizeIndex, plan.address[RM_INDEX[form]], prefix);
    if (form === "narrow" && this.table.handler(key) === 0) {
      // The address size means nothing to an instruction without an address.
      key = formKey(row.id, sizeIndex, RM_INDEX.register, prefix);
    }
    const handler = this.table.handler(key);
    view.setUint32(address + RECORD_HANDLER, handler, true);
    this.deadHandlers[index & 127] = this.table.handler(key + FLAGS_DEAD);
    this.writtenKey = key;
    return handler;
  }

  private writeSegment(address: number): boolean {
    const { segment } = this.instruction;
    const based = segment >= 4; // only FS and GS have a base in 64-bit mode
    this.view.setUint8(address + RECORD_SEGMENT, based ? SEGMENT_BASE + segment * 8 : SEGMENT_BASE_ZERO);
    return based;
  }

  private writeMemoryOperand(address: number, next: number): RmForm {
    const { instruction, view } = this;
    const { base, index, addressSize } = instruction;
    const segmented = this.writeSegment(address);
    const relative = base === BASE_RIP ? next : 0;
    const noBase = base === BASE_RIP || base === NO_REGISTER;
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

  /** How many instructions there are from each record to the end. */
  private writeNeeds(first: number, count: number): void {
    let need = 0;
    for (let index = first + count - 1; index >= first; index--) {
      need += this.facts.instructions[index];
      this.view.setUint8(this.address(index) + RECORD_NEED, Math.max(1, need));
    }
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

function setNumber(view: DataView, offset: number, value: number): void {
  view.setInt32(offset, value | 0, true);
  view.setInt32(offset + 4, Math.floor(value / 0x100000000), true);
}
