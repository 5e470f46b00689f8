/**
 * Forms: the variants of an opcode row that have handlers of their own. A form is the row, the operand size, the shape
 * of the memory operand and the prefixes that matter; its key indexes the handler table.
 */

import type { OpcodeRow } from "../../decoder/instruction.ts";
import { isLeftOut } from "../../decoder/lookup.ts";
import type { RecordSlot } from "../../ir/value.ts";

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
  "general",
] as const;
/** The same outside of 64-bit mode: "register" also stands for a 32-bit address of an instruction without ModRM. */
export const LEGACY_ADDRESS_FORMS = ["register", "legacy32", "legacy16"] as const;
export type RmForm = (typeof ADDRESS_FORMS)[number] | (typeof LEGACY_ADDRESS_FORMS)[number];

/** Which handlers: those of 64-bit mode, or of all the others together. Each kind is a module of its own. */
export type CodeKind = "long" | "legacy";

/** Prefix variants in key order. */
export const PREFIX_FORMS = ["none", "rep", "repne", "locked"] as const;
export type PrefixForm = (typeof PREFIX_FORMS)[number];

export interface Form {
  readonly row: OpcodeRow;
  readonly operandSize: 16 | 32 | 64;
  readonly rm: RmForm;
  /** "none" with a VEX prefix, which allows no other. */
  readonly prefix: PrefixForm;
  /** VEX.L, where operands depend on it; otherwise 0. */
  readonly vexL: 0 | 1;
  readonly flagsDead: boolean;
  /** Outside of 64-bit mode: size of the stack pointer. */
  readonly legacyStack?: 16 | 32;
}

/** Key of the form whose flags are read; add {@link FLAGS_DEAD} for the other. */
export function keyOfForm(form: Form): number {
  const { row, operandSize, rm, prefix, vexL, legacyStack } = form;
  return formKey(
    row.id,
    sizeIndex(operandSize, legacyStack),
    addressIndex(rm),
    row.vex === undefined ? PREFIX_FORMS.indexOf(prefix) : vexL,
  );
}

/** Position of an operand size, and outside of 64-bit mode of a stack size, in a key. */
export function sizeIndex(operandSize: number, legacyStack: number | undefined): number {
  if (legacyStack === undefined) return operandSize === 16 ? 0 : operandSize === 32 ? 1 : 2;
  return (operandSize === 32 ? 1 : 0) | (legacyStack === 32 ? 2 : 0);
}

/** Position of an address form in a key. */
export function addressIndex(form: RmForm): number {
  const legacy = (LEGACY_ADDRESS_FORMS as readonly RmForm[]).indexOf(form);
  return legacy >= 0 ? legacy : (ADDRESS_FORMS as readonly RmForm[]).indexOf(form);
}

/** @param variant index of the prefix form, or VEX.L */
export function formKey(rowId: number, sizeIndex: number, rmIndex: number, variant: number): number {
  return (rowId << 8) | (sizeIndex << 6) | (rmIndex << 3) | variant;
}

/** The form of a key. */
export function formOfKey(row: OpcodeRow, key: number): Form {
  const variant = key & 3;
  return {
    row,
    operandSize: OPERAND_SIZES[(key >> 6) & 3],
    rm: ADDRESS_FORMS[(key >> 3) & 7],
    prefix: row.vex === undefined ? PREFIX_FORMS[variant] : "none",
    vexL: row.vex === undefined ? 0 : ((variant & 1) as 0 | 1),
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

/** VEX has one general address form for all but these: there are as many of them as of all others together. */
const SPECIALISED_VEX = new Set<string>();

/** The address form that a row's handlers use for what the instruction has. */
export function handlerAddressForm(row: OpcodeRow, form: RmForm): RmForm {
  if (row.vex !== undefined) {
    const keeps = form === "register" || usesAddressSize(row) || SPECIALISED_VEX.has(row.mnemonic);
    return keeps ? form : "general";
  }
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
  const moffs = row.operands.some((spec) => spec.source === "moffs");
  const addresses: RmForm[] = [];
  if (moffs) addresses.push("absolute", "segmentedAbsolute");
  else {
    if (!rm || row.mod !== "mem") addresses.push("register");
    if (rm && row.mod !== "reg") addresses.push(...MEMORY_FORMS);
    if (usesAddressSize(row)) addresses.push("narrow");
  }
  const shared = { row, flagsDead: false } as const;
  for (const operandSize of row.vex === undefined ? OPERAND_SIZES : vexOperandSizes(row)) {
    for (const rm of new Set(addresses.map((address) => handlerAddressForm(row, address)))) {
      if (row.vex !== undefined) {
        for (const vexL of vectorLengths(row))
          forms.push({ ...shared, operandSize, rm, prefix: "none", vexL });
        continue;
      }
      const prefixes: PrefixForm[] = ["none"];
      if (row.rep !== undefined) prefixes.push("rep", "repne");
      if (row.lock === true && rm !== "register") prefixes.push("locked");
      for (const prefix of prefixes) forms.push({ ...shared, operandSize, rm, prefix, vexL: 0 });
    }
  }
  return forms;
}

/** All forms of a row outside of 64-bit mode. */
export function legacyFormsOf(row: OpcodeRow): Form[] {
  if (isLeftOut(row, false)) return [];
  const rm = row.operands.some((spec) => spec.source === "rm");
  const addresses: RmForm[] = [];
  if (row.operands.some((spec) => spec.source === "moffs")) addresses.push("legacy32", "legacy16");
  else {
    if (!rm || row.mod !== "mem") addresses.push("register");
    if (rm && row.mod !== "reg") addresses.push("legacy32");
    // The vector index of a gather is in a SIB byte, which 16-bit addresses do not have.
    if (rm && row.mod !== "reg" && row.vsib === undefined) addresses.push("legacy16");
    if (usesAddressSize(row)) addresses.push("legacy16");
  }
  const prefixesOf = (form: RmForm): PrefixForm[] => [
    "none",
    ...(row.rep !== undefined ? (["rep", "repne"] as const) : []),
    ...(row.lock === true && form !== "register" ? (["locked"] as const) : []),
  ];
  const lengths = row.vex === undefined ? ([0] as const) : vectorLengths(row);
  const forms: Form[] = [];
  for (const operandSize of row.vex === undefined ? ([16, 32] as const) : ([32] as const))
    for (const legacyStack of [16, 32] as const)
      for (const rm of addresses)
        for (const prefix of prefixesOf(rm))
          for (const vexL of lengths)
            forms.push({ row, operandSize, rm, prefix, vexL, flagsDead: false, legacyStack });
  return forms;
}

/** What the memory operand of an instruction may be before {@link handlerAddressForm}. */
const MEMORY_FORMS = ADDRESS_FORMS.filter((form) => form !== "register" && form !== "general");

/** Has the instruction an address, or a count, of the address size, besides a memory operand? */
export function usesAddressSize(row: OpcodeRow): boolean {
  const isString = row.operands.some(({ source }) => source === "si" || source === "di");
  return isString || /^(loop|loope|loopne|jrcxz|jecxz|jcxz|v?maskmov(q|dqu)$|xlat)/.test(row.mnemonic);
}

/** Their lengths are in general registers that they do not name. */
const NAMELESS_LENGTHS = /^vpcmpestr[im]$/;

/** VEX.W is the operand size of general registers. */
export function vexOperandSizes(row: OpcodeRow): readonly (32 | 64)[] {
  const isSized = row.operands.some(({ size }) => size === "y") || NAMELESS_LENGTHS.test(row.mnemonic);
  return isSized ? [32, 64] : [32];
}

/** Values of VEX.L that mean different operands. */
export function vectorLengths(row: OpcodeRow): readonly (0 | 1)[] {
  if (row.vex?.l !== undefined) return [row.vex.l];
  return row.operands.some(({ size }) => size === "x") ? [0, 1] : [0];
}

/** Slots of the decoded record that carry the register operands' numbers, by operand. */
export const SLOTS: readonly RecordSlot[] = [0, 1, 2, 7];
