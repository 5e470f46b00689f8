/** The code of forms: the IR that a definition gives for one. */

import type { OperandSpec } from "../../decoder/instruction.ts";
import { operandBitsFor } from "../../decoder/operands.ts";
import type { Definition, InstructionContext } from "../../definitions/registry.ts";
import { Builder, type BuilderOptions } from "../../ir/builder.ts";
import {
  type AddressForm,
  BranchOperand,
  GprOperand,
  ImmediateOperand,
  MemoryOperand,
  MmxOperand,
  NamedOperand,
  type Operand,
  XmmOperand,
} from "../../ir/operand.ts";
import type { Instructions, OperandBits, RecordSlot, RegisterRef } from "../../ir/value.ts";
import { type Form, SLOTS } from "./forms.ts";

/** Builds the IR of a form. */
export function buildForm(
  form: Form,
  definition: Definition,
  options: Pick<BuilderOptions, "flags" | "immediate"> = {},
): Instructions {
  const b = new Builder({ ...options, flagsDead: form.flagsDead, locked: form.prefix === "locked" });
  buildInto(b, form, definition);
  return b.finish();
}

/** Builds the IR of a form into a builder that may hold an instruction already. */
export function buildInto(
  b: Builder,
  form: Form,
  definition: Definition,
  slots: readonly RecordSlot[] = SLOTS,
): void {
  const operands = form.row.operands.map((spec, index) => createOperand(b, spec, index, form, slots));
  const context: InstructionContext = {
    operandSize: form.operandSize,
    addressSize: addressSizeOf(form),
    codeSize: form.legacyStack === undefined ? 64 : 32,
    stackSize: form.legacyStack ?? 64,
    repeat: form.prefix === "rep" || form.prefix === "repne" ? form.prefix : "none",
  };
  definition(b, operands, context);
}

function addressSizeOf({ rm, legacyStack }: Form): 16 | 32 | 64 {
  if (legacyStack === undefined) return rm === "narrow" ? 32 : 64;
  return rm === "legacy16" ? 16 : 32;
}

function createOperand(
  b: Builder,
  spec: OperandSpec,
  index: number,
  form: Form,
  slots: readonly RecordSlot[],
): Operand {
  const { row } = form;
  const bits = operandBitsFor(spec, form.operandSize, form.vexL);
  const access = { modifies: spec.access === "rw", unaligned: row.vex !== undefined && row.aligned !== true };
  const memory = (addressForm: AddressForm) => {
    if (row.vsib === undefined) return new MemoryOperand(b, bits, addressForm, access);
    const vectorBits = row.vsib === "ymm" ? 256 : 128;
    return new MemoryOperand(b, bits, addressForm, access, {
      register: { slot: slots[index] },
      bits: vectorBits,
    });
  };
  const narrow = form.rm === "narrow";
  const isLegacy = form.legacyStack !== undefined;
  const half = form.rm === "legacy16";
  switch (spec.source) {
    case "si":
      if (isLegacy) return memory(half ? "legacySi16" : "legacySi32");
      return memory(narrow ? "narrowSi" : "si");
    case "di":
      if (isLegacy) return memory(half ? "legacyDi16" : "legacyDi32");
      return memory(narrow ? "narrowDi" : "di");
    case "moffs":
      if (isLegacy) return memory(half ? "legacy16" : "legacy32");
      return memory(form.rm === "segmentedAbsolute" ? "segmentedAbsolute" : "absolute");
    case "imm":
      return new ImmediateOperand(b, spec.signExtend === true ? form.operandSize : bits, false);
    case "imm2":
      return new ImmediateOperand(b, 8, true);
    case "rel":
      return new BranchOperand(b, bits);
    case "fixed":
      if (spec.class === "immediate") return new ImmediateOperand(b, bits, false);
      break;
    case "rm":
      if (form.rm !== "register" && row.mod !== "reg") return memory(form.rm);
      break;
  }
  if (index >= slots.length) throw new Error(`the record has no slot for operand ${index}`);
  const register: RegisterRef = { slot: slots[index] };
  switch (spec.class) {
    case "gpr":
    case "gprOrMem":
      return new GprOperand(b, bits as OperandBits, register);
    case "mmx":
    case "mmxOrMem":
      return new MmxOperand(b, bits, register);
    case "xmm":
    case "xmmOrMem":
      return new XmmOperand(b, bits, register);
    case "st":
    case "segment":
    case "control":
    case "debug":
      return new NamedOperand(b, spec.class, bits, register);
    default:
      throw new Error(`${row.mnemonic}: operand class ${spec.class} from ${spec.source}`);
  }
}
