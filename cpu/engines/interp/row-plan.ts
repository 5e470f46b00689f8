/** What recording an instruction of an opcode row takes, found out once per row. */

import { fusedSigns } from "../../decoder/fused-signs.ts";
import type { OpcodeRow, OperandSpec } from "../../decoder/instruction.ts";
import { ROW_TABLE } from "../../decoder/row-table.ts";
import { CONDITION_SUFFIXES } from "../../ir/flags.ts";
import { type Unit, unitOf } from "../../system/restrictions.ts";
import {
  ADDRESS_FORMS,
  addressIndex,
  handlerAddressForm,
  SLOTS,
  usesAddressSize,
  vectorLengths,
  vexOperandSizes,
} from "./forms.ts";
import { SLOT_BYTES } from "./record.ts";

/** A register operand. */
export interface RegisterSlot {
  /** Byte of the record for its number. */
  readonly byte: number;
  readonly spec: OperandSpec;
  /** It is ModRM.rm, which may be memory. */
  readonly rm: boolean;
  /** A general register: the record has the offset in the state. */
  readonly general: boolean;
  /** Of 8 bits: perhaps AH, CH, DH, BH. */
  readonly byteWide: boolean;
}

export interface RowPlan {
  /**
   * Handlers by address form are the row's own, or the general ones: four bits for each form, by its index, with the index of
   * the form that its handler is for.
   */
  readonly addressForms: number;
  readonly slots: readonly RegisterSlot[];
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
  /** REP and REPNE are forms of their own. */
  readonly repeats: boolean;
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

const CONDITIONS: readonly string[] = CONDITION_SUFFIXES;
/** Sources of operands that are no registers. */
const NOT_REGISTERS: ReadonlySet<string> = new Set(["imm", "imm2", "rel", "moffs", "si", "di"]);

export function planRow(row: OpcodeRow, features: ReadonlySet<string>, is64Bit: boolean): RowPlan {
  const { operands, mnemonic } = row;
  const uses = (source: OperandSpec["source"]) => operands.some((spec) => spec.source === source);
  const slots: RegisterSlot[] = [];
  for (const [index, spec] of operands.entries()) {
    if (NOT_REGISTERS.has(spec.source) || spec.class === "immediate") continue;
    const general = spec.class === "gpr" || spec.class === "gprOrMem";
    slots.push({
      byte: SLOT_BYTES[SLOTS[index]],
      spec,
      rm: spec.source === "rm",
      general,
      byteWide: general && spec.size === "b",
    });
  }
  const fixed = operands.find((spec) => spec.source === "fixed" && spec.class === "immediate")?.fixed;
  const available =
    row.mode !== (is64Bit ? "not64" : "only64") && (row.feature === undefined || features.has(row.feature));
  let addressForms = 0;
  for (const [index, form] of ADDRESS_FORMS.entries())
    addressForms |= addressIndex(handlerAddressForm(row, form)) << (4 * index);
  return {
    addressForms,
    slots,
    vectorIndex:
      row.vsib === undefined ? -1 : SLOT_BYTES[SLOTS[operands.findIndex(({ source }) => source === "rm")]],
    constant: fixed ?? fusedSigns(mnemonic),
    immediate: uses("imm"),
    far: operands.some((spec) => spec.source === "imm" && spec.class === "branch"),
    moffs: uses("moffs"),
    second: uses("imm2"),
    branch: uses("rel"),
    memory: uses("rm"),
    string: uses("si") || uses("di") || /^(xlat|v?maskmov(q|dqu)$)/.test(mnemonic),
    general: handlerAddressForm(row, "base") === "general",
    usesAddressSize: usesAddressSize(row),
    repeats: row.rep !== undefined,
    vex:
      row.vex === undefined
        ? undefined
        : { l: vectorLengths(row).includes(1), w: vexOperandSizes(row).includes(64) },
    condition: mnemonic.startsWith("j") ? CONDITIONS.indexOf(mnemonic.slice(1)) : -1,
    returns: mnemonic === "syscall",
    available,
    unit: unitOf(row),
    fallback: available || row.fallback === undefined ? undefined : ROW_TABLE.row(row.fallback),
  };
}
