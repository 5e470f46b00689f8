/** Fills records (record.ts) from decoded instructions. */

import { BASE_RIP, type Instruction, NO_REGISTER } from "../../decoder/instruction.ts";
import { operandRegister } from "../../decoder/operands.ts";
import { SEGMENT_BASE, SEGMENT_BASE_ZERO, ZERO_SLOT } from "../../state.ts";
import { type ExecutionMode, USER_CODE_MODE } from "../../system/execution-mode.ts";
import { addressIndex, formKey, sizeIndex } from "./forms.ts";
import type { HandlerTable } from "./handler-table.ts";
import {
  NARROW_ADDRESS,
  RECORD_ABSOLUTE,
  RECORD_BASE,
  RECORD_DISPLACEMENT,
  RECORD_HANDLER,
  RECORD_IMMEDIATE,
  RECORD_SEGMENT,
  RECORD_SHIFT,
  RECORD_SIZE,
  RECORD_SLOT2,
} from "./record.ts";
import type { RowPlan } from "./row-plan.ts";

const PREFIX_LOCKED = 3;

/** Indices of address forms. */
const REGISTER = addressIndex("register");
const BASE = addressIndex("base");
const INDEXED = addressIndex("indexed");
const SEGMENTED = addressIndex("segmented");
const ABSOLUTE = addressIndex("absolute");
const SEGMENTED_ABSOLUTE = addressIndex("segmentedAbsolute");
const NARROW = addressIndex("narrow");
const LEGACY32 = addressIndex("legacy32");
const LEGACY16 = addressIndex("legacy16");

/** Fields as indices of 32-bit words: base, index, scale and segment are one. */
const HANDLER_WORD = RECORD_HANDLER >> 2;
const ADDRESS_WORD = RECORD_BASE >> 2;
const DISPLACEMENT_WORD = RECORD_DISPLACEMENT >> 2;
const IMMEDIATE_WORD = RECORD_IMMEDIATE >> 2;
const ABSOLUTE_WORD = RECORD_ABSOLUTE >> 2;

export class RecordWriter {
  /** Key of the form that the last record was written for. */
  key = 0;
  /** The handler that instruction would have if nobody read its flags; 0 = none. */
  deadHandler = 0;
  /** Where positions of instructions are counted from: a virtual address. */
  origin = 0;
  private readonly words: Int32Array;
  private mode: ExecutionMode = USER_CODE_MODE;
  private is64Bit = true;

  constructor(
    private readonly memory: Uint8Array,
    private readonly recordBase: number,
    private table: HandlerTable,
  ) {
    this.words = new Int32Array(memory.buffer);
  }

  /** @param table the handlers of the mode's kind of code */
  useMode(mode: ExecutionMode, table: HandlerTable): void {
    this.mode = mode;
    this.is64Bit = mode.codeSize === 64;
    this.table = table;
  }

  clear(index: number): void {
    // Eight stores: a fill() of 32 bytes takes twenty times as long.
    const { words } = this;
    const first = (this.recordBase + (index << RECORD_SHIFT)) >>> 2;
    for (let word = first; word < first + (RECORD_SIZE >> 2); word++) words[word] = 0;
  }

  /**
   * Fills a record, which has been cleared.
   * @param end position of the byte behind the instruction
   * @returns its handler, 0 if there is none
   */
  write(index: number, plan: RowPlan, instruction: Instruction, end: number): number {
    const { words, memory, is64Bit } = this;
    const address = this.recordBase + (index << RECORD_SHIFT);
    const at = address >>> 2;
    let form = REGISTER;
    if (!is64Bit) form = this.writeLegacyAddress(at, plan, instruction);
    else if (plan.memory && !instruction.rmIsRegister)
      form = this.writeMemoryOperand(at, plan, instruction, end);
    else if (plan.moffs) {
      words[at + ABSOLUTE_WORD] = instruction.immediateLow;
      words[at + ABSOLUTE_WORD + 1] = instruction.immediateHigh;
      memory[address + RECORD_SEGMENT] = segmentSlot(instruction);
      form = isSegmented(instruction) ? SEGMENTED_ABSOLUTE : ABSOLUTE;
    } else {
      if (plan.string) memory[address + RECORD_SEGMENT] = segmentSlot(instruction);
      if (plan.usesAddressSize && instruction.addressSize === 32) form = NARROW;
    }

    if (plan.immediate) {
      words[at + IMMEDIATE_WORD] = instruction.immediateLow;
      // Of a far pointer the selector.
      words[at + IMMEDIATE_WORD + 1] = plan.far ? instruction.immediate2 : instruction.immediateHigh;
    } else this.writeNumber(at + IMMEDIATE_WORD, plan.constant ?? this.origin + end);
    if (plan.second) memory[address + RECORD_SLOT2] = instruction.immediate2;
    const { slots } = plan;
    for (let operand = 0; operand < slots.length; operand++) {
      const { byte, spec, rm, general, byteWide } = slots[operand];
      if (rm && !instruction.rmIsRegister) continue;
      const register = operandRegister(spec, instruction);
      const isHigh = byteWide && !instruction.rex && register >= 4 && register < 8;
      memory[address + byte] = isHigh ? (register - 4) * 8 + 1 : general ? register * 8 : register;
    }
    if (plan.vectorIndex >= 0) memory[address + plan.vectorIndex] = instruction.index;

    const key = this.keyOf(plan, instruction, form);
    const handlers = this.table.handlers(key);
    this.key = key;
    this.deadHandler = handlers >>> 16;
    words[at + HANDLER_WORD] = handlers & 0xffff;
    return handlers & 0xffff;
  }

  private keyOf(plan: RowPlan, instruction: Instruction, form: number): number {
    const { is64Bit } = this;
    const stack = this.mode.stackSize;
    let size = sizeIndex(instruction.operandSize, is64Bit || stack === 64 ? undefined : stack);
    let variant = 0;
    if (plan.vex !== undefined) {
      if (is64Bit && !plan.vex.w) size = 1; // elsewhere it is 32 in any case
      if (plan.vex.l) variant = instruction.vexL;
    } else if (instruction.lock) variant = PREFIX_LOCKED;
    else if (plan.repeats && instruction.rep) variant = 1;
    else if (plan.repeats && instruction.repne) variant = 2;
    const handlerForm = is64Bit ? (plan.addressForms >>> (4 * form)) & 15 : form;
    return formKey(instruction.row.id, size, handlerForm, variant);
  }

  /** Fills in segment and address outside of 64-bit mode. */
  private writeLegacyAddress(at: number, plan: RowPlan, instruction: Instruction): number {
    const { words } = this;
    const segment = SEGMENT_BASE + instruction.segment * 8;
    const byAddressSize = instruction.addressSize === 16 ? LEGACY16 : LEGACY32;
    if (plan.moffs) {
      words[at + ADDRESS_WORD] = addressWord(ZERO_SLOT, ZERO_SLOT, 0, segment);
      words[at + DISPLACEMENT_WORD] = instruction.immediateLow;
      return byAddressSize;
    }
    if (!plan.memory || instruction.rmIsRegister) {
      words[at + ADDRESS_WORD] = addressWord(0, 0, 0, segment);
      return plan.usesAddressSize && instruction.addressSize === 16 ? LEGACY16 : REGISTER;
    }
    const { base, index } = instruction;
    const noIndex = index === NO_REGISTER || plan.vectorIndex >= 0;
    words[at + ADDRESS_WORD] = addressWord(
      base === NO_REGISTER ? ZERO_SLOT : base * 8,
      noIndex ? ZERO_SLOT : index * 8,
      instruction.scale,
      segment,
    );
    words[at + DISPLACEMENT_WORD] = instruction.displacement;
    return byAddressSize;
  }

  private writeMemoryOperand(at: number, plan: RowPlan, instruction: Instruction, end: number): number {
    const { words } = this;
    const { base, index, addressSize, scale, displacement } = instruction;
    const segment = segmentSlot(instruction);
    const noBase = base === BASE_RIP || base === NO_REGISTER;
    const baseSlot = noBase ? ZERO_SLOT : base * 8;
    const target = base === BASE_RIP ? displacement + (this.origin + end) : displacement;
    if (plan.general) {
      const indexSlot = index === NO_REGISTER || plan.vectorIndex >= 0 ? ZERO_SLOT : index * 8;
      const narrow = addressSize === 32 ? NARROW_ADDRESS : 0;
      words[at + ADDRESS_WORD] = addressWord(baseSlot, indexSlot, scale | narrow, segment);
      this.writeNumber(at + ABSOLUTE_WORD, target);
      return BASE;
    }
    if (noBase && index === NO_REGISTER && addressSize === 64) {
      words[at + ADDRESS_WORD] = addressWord(0, 0, 0, segment);
      this.writeNumber(at + ABSOLUTE_WORD, target);
      return isSegmented(instruction) ? SEGMENTED_ABSOLUTE : ABSOLUTE;
    }
    const indexSlot = index === NO_REGISTER ? ZERO_SLOT : index * 8;
    words[at + ADDRESS_WORD] = addressWord(baseSlot, indexSlot, scale, segment);
    words[at + DISPLACEMENT_WORD] = target;
    if (addressSize === 32) return NARROW;
    if (isSegmented(instruction)) return SEGMENTED;
    return index === NO_REGISTER ? BASE : INDEXED;
  }

  private writeNumber(word: number, value: number): void {
    this.words[word] = value;
    this.words[word + 1] = Math.floor(value / 0x100000000);
  }
}

/** RECORD_BASE, RECORD_INDEX, RECORD_SCALE and RECORD_SEGMENT. */
function addressWord(base: number, index: number, scale: number, segment: number): number {
  return base | (index << 8) | (scale << 16) | (segment << 24);
}

/** Only FS and GS have a base in 64-bit mode. */
function isSegmented({ segment }: Instruction): boolean {
  return segment >= 4;
}

function segmentSlot(instruction: Instruction): number {
  return isSegmented(instruction) ? SEGMENT_BASE + instruction.segment * 8 : SEGMENT_BASE_ZERO;
}
