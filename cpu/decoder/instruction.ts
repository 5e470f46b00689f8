/**
 * The vocabulary of the decoder: rows of the opcode tables and the decoded instruction.
 * Codes follow Intel SDM vol. 2, appendix A.2.
 */

/** Where an operand's register number or value is encoded. */
export type OperandSource =
  | "rm" // ModRM.rm (+ SIB, displacement): register or memory
  | "reg" // ModRM.reg
  | "vvvv" // VEX.vvvv
  | "opcode" // low three bits of the opcode
  | "imm" // the (first) immediate
  | "imm2" // the second immediate (ENTER)
  | "rel" // a branch displacement; the value is relative to the next instruction
  | "moffs" // an absolute address in the instruction
  | "is4" // register number in bits 7:4 of the immediate byte
  | "fixed" // implied register: see `fixed`
  | "si" // memory at seg:[rSI]
  | "di"; // memory at ES:[rDI]

export type OperandClass =
  | "gpr"
  | "mem"
  | "gprOrMem"
  | "mmx"
  | "mmxOrMem"
  | "xmm"
  | "xmmOrMem"
  | "st" // x87 register, index relative to TOP
  | "segment"
  | "control"
  | "debug"
  | "immediate"
  | "branch"
  | "mask"; // AVX-512 k registers: lengths only for now

/**
 * Operand sizes as in the SDM: b w d q fixed; v = 16/32/64 by operand size; z = 16/32/32; y = 32/32/64;
 * dq = 128; qq = 256; x = 128/256 by VEX.L; t = 80 bits; p = far pointer; s = pseudo-descriptor;
 * "none" = address only or odd-sized (FXSAVE, LEA, INVLPG …); `m28`/`m108` FPU environment and state; others by name.
 */
export type OperandSize =
  | "b"
  | "w"
  | "d"
  | "q"
  | "v"
  | "z"
  | "y"
  | "dq"
  | "qq"
  | "x"
  | "t"
  | "p"
  | "s"
  | "none"
  | "m28"
  | "m108"
  | "m512";

export interface OperandSpec {
  readonly source: OperandSource;
  readonly class: OperandClass;
  readonly size: OperandSize;
  /** For `source: "fixed"`: register number (or the constant of an implied immediate, such as shift by 1). */
  readonly fixed?: number;
  /** The immediate is sign-extended from its encoded size (Ib in `add Ev, Ib`, Iz in 64-bit operands). */
  readonly signExtend?: boolean;
  /** The operand is written / read as well as written. Default: read only. */
  readonly access?: "r" | "w" | "rw";
}

/** One row of the opcode tables: an encoding and what it means. */
export interface OpcodeRow {
  /** Index in the row list, dense from 0. */
  readonly id: number;
  /** Lower-case mnemonic; the key of the instruction's definition. */
  readonly mnemonic: string;
  readonly operands: readonly OperandSpec[];
  readonly map: "legacy" | "0f" | "0f38" | "0f3a";
  readonly opcode: number;
  /** Mandatory prefix: none required / must be absent ("np"), 66, F3, F2. */
  readonly prefix?: "np" | "66" | "f3" | "f2" | undefined;
  /** ModRM.reg extension (/0 … /7), if it selects the row. */
  readonly extension?: number | undefined;
  /** ModRM.mod: "reg" only 3, "mem" only 0…2. */
  readonly mod?: "reg" | "mem" | undefined;
  /** ModRM.rm value with mod 3, if it selects the row (D9 F0 …, 0F 01 D0 …). */
  readonly rm?: number | undefined;
  readonly hasModrm: boolean;
  /** VEX-encoded row; otherwise legacy. L: 0, 1 or ignored; W: 0, 1 or ignored. */
  readonly vex?: { readonly l?: 0 | 1 | undefined; readonly w?: 0 | 1 | undefined } | undefined;
  /** REX.B must be clear to select this row (90 is NOP without, XCHG with it). */
  readonly rexB?: 0 | undefined;
  /** REX.W must be 1 / must be 0 to select this row (CMPXCHG16B, MOVNTI has none …). */
  readonly rexW?: 0 | 1 | undefined;
  /** LOCK is allowed (with a memory destination). */
  readonly lock?: boolean | undefined;
  /** REP/REPE/REPNE have a meaning (string instructions). */
  readonly rep?: "rep" | "repe/ne" | undefined;
  /** Operand size in 64-bit mode: "d64" default 64 (PUSH, POP: 16 or 64), "f64" always 64 (near branches). */
  readonly size64?: "d64" | "f64" | undefined;
  /** Modes: absent = everywhere; "not64" = #UD in 64-bit mode; "only64". */
  readonly mode?: "not64" | "only64" | undefined;
  /** CPUID feature that must be present; the decoder knows nothing of CPUs, the translator asks. */
  readonly feature?: string | undefined;
  /** Id of the row that processors without `feature` execute instead (TZCNT: BSF); absent: they raise #UD. */
  readonly fallback?: number | undefined;
  /** A 16-byte (or 32-byte) memory operand must be aligned, or #GP (legacy SSE, MOVAPS, CMPXCHG16B). */
  readonly aligned?: boolean | undefined;
  /** The index register of the memory operand is a vector register (gathers), and its width. */
  readonly vsib?: "xmm" | "ymm" | undefined;
}

/** Registers that stand for no register in {@link Instruction}. */
export const NO_REGISTER = -1;
/** `base` of a RIP-relative operand. */
export const BASE_RIP = 16;

/** A decoded instruction. One object is filled again and again; copy what must be kept. */
export interface Instruction {
  row: OpcodeRow;
  /** Bytes, prefixes included: 1 … 15. */
  length: number;
  /** Effective operand size, 16, 32 or 64 (after REX.W, 66, d64/f64). */
  operandSize: number;
  /** Effective address size, 32 or 64 (16 in other modes, later). */
  addressSize: number;
  /** A REX prefix is present (SPL…DIL instead of AH…BH). */
  rex: boolean;
  /** ModRM fields with REX/VEX extension bits applied; undefined contents without ModRM. */
  mod: number;
  reg: number;
  rm: number;
  /** The rm operand is a register (mod 3). */
  rmIsRegister: boolean;
  /** Low opcode bits with REX.B, for `source: "opcode"`. */
  opcodeRegister: number;
  /** Memory operand: base (0…15, BASE_RIP, NO_REGISTER), index, log2 scale, displacement (sign-extended).
   * For BASE_RIP the displacement is relative to the end of the instruction. */
  base: number;
  index: number;
  scale: number;
  displacement: number;
  /** Segment override or default for the memory operand: 0 ES 1 CS 2 SS 3 DS 4 FS 5 GS. In 64-bit mode only FS and GS
   * have a base. */
  segment: number;
  /**
   * First immediate, branch displacement or moffs as two 32-bit halves (both `| 0`): sign-extended to 64 bits if it is a
   * branch displacement or the operand says `signExtend`, else zero-extended (the control byte of SHUFPS is 0…255).
   */
  immediateLow: number;
  immediateHigh: number;
  /** Second immediate (ENTER's level, the is4 byte, the selector of a far pointer), else 0. */
  immediate2: number;
  lock: boolean;
  /** F3 / F2 present as a repeat prefix (not as a mandatory prefix). */
  rep: boolean;
  repne: boolean;
  vex: boolean;
  vvvv: number;
  vexL: number;
}
