/**
 * Forms: the variants of an opcode row that have handlers of their own. A form is the row, the operand size, the shape
 * of the memory operand and the prefixes that matter; its key indexes the handler table.
 */

import type { OpcodeRow, OperandSpec } from "../../decoder/instruction.ts";
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

/** Operand sizes in key order. */
export const OPERAND_SIZES = [16, 32, 64] as const;

/** Shapes of the rm operand in key order; "register" also stands for no ModRM at all. */
export const ADDRESS_FORMS = [
  "register",
  "base",
  "indexed",
  "segmented",
  "absolute",
  "segmentedAbsolute",
  "narrow",
] as const;
export type RmForm = (typeof ADDRESS_FORMS)[number];

/** Prefix variants in key order. */
export const PREFIX_FORMS = ["none", "rep", "repne", "locked"] as const;
export type PrefixForm = (typeof PREFIX_FORMS)[number];

export interface Form {
  readonly row: OpcodeRow;
  readonly operandSize: 16 | 32 | 64;
  readonly rm: RmForm;
  readonly prefix: PrefixForm;
  readonly flagsDead: boolean;
}

/** Key of the form whose flags are read; add {@link FLAGS_DEAD} for the other. */
export function formKey(
  rowId: number,
  operandSizeIndex: number,
  rmIndex: number,
  prefixIndex: number,
): number {
  return (rowId << 8) | (operandSizeIndex << 6) | (rmIndex << 3) | prefixIndex;
}
/** The form of a key. */
export function formOfKey(row: OpcodeRow, key: number): Form {
  return {
    row,
    operandSize: OPERAND_SIZES[(key >> 6) & 3],
    rm: ADDRESS_FORMS[(key >> 3) & 7],
    prefix: PREFIX_FORMS[key & 3],
    flagsDead: false,
  };
}
export const FLAGS_DEAD = 4;

/**
 * Instructions whose memory operands get a handler for each address form; the others make do with the general ones.
 * They are what compilers emit most (counted over Debian's binaries).
 */
const SPECIALISED = new Set(
  (
    "mov movzx movsx movsxd lea add sub and or xor cmp test inc dec adc sbb imul push pop call jmp xchg " +
    "shl shr sar not neg cmove cmovne cmovb cmovae movaps movups movdqa movdqu movsd movss movq movd " +
    "addsd mulsd subsd divsd addss mulss subss divss addps mulps addpd mulpd pxor cvtsi2sd ucomisd comisd"
  ).split(" "),
);

/** The address form that a row's handlers use for what the instruction has. */
export function handlerAddressForm(row: OpcodeRow, form: RmForm): RmForm {
  if (SPECIALISED.has(row.mnemonic)) return form;
  switch (form) {
    case "base":
    case "indexed":
      return "segmented";
    case "absolute":
      return "segmentedAbsolute";
    default:
      return form;
  }
}

/** All forms of a row that can occur in 64-bit mode, without the flags-dead twins. */
export function formsOf(row: OpcodeRow): Form[] {
  const forms: Form[] = [];
  const rm = row.operands.some((spec) => spec.source === "rm");
  const string = row.operands.some((spec) => spec.source === "si" || spec.source === "di");
  const moffs = row.operands.some((spec) => spec.source === "moffs");
  const addresses: RmForm[] = [];
  if (moffs) addresses.push("absolute", "segmentedAbsolute");
  else {
    if (!rm || row.mod !== "mem") addresses.push("register");
    if (rm && row.mod !== "reg") addresses.push(...ADDRESS_FORMS.slice(1));
    if (string || usesAddressSize(row)) addresses.push("narrow");
  }
  for (const operandSize of OPERAND_SIZES) {
    for (const form of new Set(addresses.map((address) => handlerAddressForm(row, address)))) {
      const prefixes: PrefixForm[] = ["none"];
      if (row.rep !== undefined) prefixes.push("rep", "repne");
      if (row.lock === true && form !== "register") prefixes.push("locked");
      for (const prefix of prefixes) forms.push({ row, operandSize, rm: form, prefix, flagsDead: false });
    }
  }
  return forms;
}

function usesAddressSize(row: OpcodeRow): boolean {
  return /^(loop|loope|loopne|jrcxz|jecxz|jcxz|maskmov|xlat)/.test(row.mnemonic);
}

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
    addressSize: form.rm === "narrow" ? 32 : 64,
    repeat: form.prefix === "rep" || form.prefix === "repne" ? form.prefix : "none",
  };
  definition(b, operands, context);
}

/** Slots of the decoded record that carry the register operands' numbers, by operand. */
export const SLOTS: readonly RecordSlot[] = [0, 1, 2];

function createOperand(
  b: Builder,
  spec: OperandSpec,
  index: number,
  form: Form,
  slots: readonly RecordSlot[],
): Operand {
  const bits = operandBitsFor(spec, form.operandSize, 0);
  const memory = (addressForm: AddressForm) => new MemoryOperand(b, bits, addressForm, spec.access === "rw");
  const narrow = form.rm === "narrow";
  switch (spec.source) {
    case "si":
      return memory(narrow ? "narrowSi" : "si");
    case "di":
      return memory(narrow ? "narrowDi" : "di");
    case "moffs":
      return memory(form.rm === "segmentedAbsolute" ? "segmentedAbsolute" : "absolute");
    case "imm":
    case "is4":
      return new ImmediateOperand(b, spec.signExtend === true ? form.operandSize : bits, false);
    case "imm2":
      return new ImmediateOperand(b, 8, true);
    case "rel":
      return new BranchOperand(b, bits);
    case "fixed":
      if (spec.class === "immediate") return new ImmediateOperand(b, bits, false);
      break;
    case "rm":
      if (form.rm !== "register") return memory(form.rm);
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
      throw new Error(`${form.row.mnemonic}: operand class ${spec.class} from ${spec.source}`);
  }
}
