/** What the generator must know of an opcode row, worked out once per row. */

import type { OpcodeRow, OperandSpec } from "../../cpu/decoder/instruction.ts";
import { operandBitsFor } from "../../cpu/decoder/operands.ts";
import { ROWS } from "../../cpu/decoder/rows.ts";
import type { Kind } from "./values.ts";

export interface RowPlan {
  readonly row: OpcodeRow;
  readonly rm: OperandSpec | undefined;
  readonly reg: OperandSpec | undefined;
  readonly immediate: OperandSpec | undefined;
  /** The ModRM operand may be memory, may be a register. */
  readonly canBeMemory: boolean;
  readonly canBeRegister: boolean;
  /** Operand sizes that mean different things: of operands v, z, y. */
  readonly isSized: boolean;
  /** 66, F2, F3 may stand before it without making it another instruction. */
  readonly allows66: boolean;
  readonly allowsRepeat: boolean;
  /** Pushes, pops, calls, returns. */
  readonly usesStack: boolean;
  /** Goes elsewhere, perhaps. */
  readonly isBranch: boolean;
  readonly isString: boolean;
  /** What its operands hold. */
  readonly kind: Kind;
  readonly group: Group;
}

/** What `--only` may name besides mnemonics. */
export const GROUPS = ["int", "x87", "mmx", "sse", "crypto", "avx"] as const;
export type Group = (typeof GROUPS)[number];

const STACK = new Set("push pop pushf popf call ret enter leave".split(" "));
const STRINGS = new Set("movs cmps stos lods scas".split(" "));

function hasSibling({ map, opcode, vex }: OpcodeRow, prefixes: readonly string[]): boolean {
  return ROWS.some(
    (other) =>
      other.map === map &&
      other.opcode === opcode &&
      other.vex === vex &&
      other.prefix !== undefined &&
      prefixes.includes(other.prefix),
  );
}

function kindOf(row: OpcodeRow): Kind {
  const mnemonic = row.vex === undefined ? row.mnemonic : row.mnemonic.replace(/^v/, "");
  if (row.map === "legacy" && row.opcode >= 0xd8 && row.opcode <= 0xdf) return x87Kind(row);
  const converted = /^cvtt?(ps|ss|pd|sd|si|pi|dq)2/.exec(mnemonic)?.[1];
  if (converted !== undefined)
    return converted.endsWith("i") || converted === "dq" ? "integer" : floatKind(converted);
  const suffix = /(ps|ss|pd|sd)$/.exec(mnemonic)?.[1];
  const isVector = row.operands.some((operand) => operand.class.startsWith("xmm"));
  if (suffix !== undefined && isVector) return floatKind(suffix);
  return isVector || row.operands.some((operand) => operand.class.startsWith("mmx")) ? "bytes" : "integer";
}

function floatKind(suffix: string): Kind {
  return suffix.endsWith("s") ? "f32" : "f64";
}

/** The kind of an x87 memory operand; registers are always 80 bits. */
function x87Kind({ mnemonic, operands }: OpcodeRow): Kind {
  if (mnemonic.startsWith("fi") && mnemonic !== "fincstp") return "integer";
  if (mnemonic === "fbld") return "bcd";
  switch (operands[0]?.size) {
    case "d":
      return "f32";
    case "q":
      return "f64";
    default:
      return "f80";
  }
}

function groupOf(row: OpcodeRow): Group {
  if (row.map === "legacy" && ((row.opcode >= 0xd8 && row.opcode <= 0xdf) || row.mnemonic === "fwait"))
    return "x87";
  const classes = row.operands.map((operand) => operand.class);
  if (row.vex !== undefined && !classes.every((name) => /^(gpr|immediate)/.test(name))) return "avx";
  if (row.vex !== undefined && classes.length === 0) return "avx";
  if (["aes", "sha", "pclmul", "gfni"].includes(row.feature ?? "")) return "crypto";
  if (classes.some((name) => name.startsWith("xmm"))) return "sse";
  if (classes.some((name) => name.startsWith("mmx")) || row.mnemonic === "emms") return "mmx";
  if (/mxcsr|^fx/.test(row.mnemonic)) return "sse";
  return "int";
}

export function planRow(row: OpcodeRow): RowPlan {
  const rm = row.operands.find((operand) => operand.source === "rm");
  const isVex = row.vex !== undefined;
  const optionalPrefix = row.prefix === undefined && !isVex;
  return {
    row,
    rm,
    reg: row.operands.find((operand) => operand.source === "reg"),
    immediate: row.operands.find((operand) => operand.source === "imm"),
    canBeMemory: row.hasModrm && row.mod !== "reg" && (rm === undefined || /mem/i.test(rm.class)),
    canBeRegister: row.hasModrm && row.mod !== "mem",
    isSized: row.operands.some(({ size }) => "vzy".includes(size)) || IMPLICITLY_SIZED.has(row.mnemonic),
    allows66: optionalPrefix
      ? !hasSibling(row, ["66", "np"])
      : !isVex && (row.prefix === "f2" || row.prefix === "f3"),
    allowsRepeat: optionalPrefix && !hasSibling(row, ["f2", "f3", "np"]) && !row.mnemonic.startsWith("ud"),
    usesStack: STACK.has(row.mnemonic),
    isBranch:
      row.operands.some((operand) => operand.class === "branch") || /^(call|jmp|ret)$/.test(row.mnemonic),
    isString: STRINGS.has(row.mnemonic),
    kind: kindOf(row),
    group: groupOf(row),
  };
}

/** Operand size matters though no operand shows it. */
const IMPLICITLY_SIZED = new Set("cbw cwd pushf popf enter leave fldenv fnstenv frstor fnsave".split(" "));

/** Bytes that a memory operand has; areas without a size of their own (FXSAVE, prefetches) get a generous one. */
export function memoryBytes(spec: OperandSpec | undefined, operandSize: number, vexL = 0): number {
  if (spec === undefined) return 1;
  const bits = operandBitsFor(spec, operandSize, vexL);
  return bits > 0 ? bits / 8 : 8;
}
