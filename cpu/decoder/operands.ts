/** Sizes and register numbers of operands. */

import type { Instruction, OperandSize, OperandSpec } from "./instruction.ts";

/** Sizes that are the same in every instruction, in bits; sizes without data (an address, a save area) are 0. */
const FIXED_BITS: Readonly<Partial<Record<OperandSize, number>>> = {
  b: 8,
  w: 16,
  d: 32,
  q: 64,
  dq: 128,
  qq: 256,
  t: 80,
  s: 80,
  none: 0,
  m512: 512 * 8,
};

/**
 * Bits of an operand, known from its specification and the instruction's effective operand size.
 * @param operandSize 16, 32 or 64
 * @param vexL 0: 128-bit vectors, 1: 256-bit
 */
export function operandBitsFor({ size }: OperandSpec, operandSize: number, vexL: number): number {
  switch (size) {
    case "v":
      return operandSize;
    case "z":
      return operandSize === 16 ? 16 : 32;
    case "y":
      return operandSize === 64 ? 64 : 32;
    case "x":
      return vexL === 1 ? 256 : 128;
    case "p":
      return operandSize + 16;
    // The x87 environment and state have a 16-bit format (SDM vol. 1, figures 8-11 and 8-12).
    case "m28":
      return (operandSize === 16 ? 14 : 28) * 8;
    case "m108":
      return (operandSize === 16 ? 94 : 108) * 8;
    default:
      return FIXED_BITS[size] ?? 0;
  }
}

/** Bits of an operand of a decoded instruction. */
export function operandBits(spec: OperandSpec, instruction: Instruction): number {
  return operandBitsFor(spec, instruction.operandSize, instruction.vexL);
}

/**
 * The register number of an operand that is a register (for `rm`: if {@link Instruction.rmIsRegister}).
 * An 8-bit general register 4…7 without {@link Instruction.rex} is AH, CH, DH or BH.
 */
export function operandRegister(spec: OperandSpec, instruction: Instruction): number {
  switch (spec.source) {
    case "rm":
      return instruction.rm;
    case "reg":
      return instruction.reg;
    case "vvvv":
      return instruction.vvvv;
    case "opcode":
      return instruction.opcodeRegister;
    case "is4":
      return instruction.immediate2 >> 4;
    default:
      return spec.fixed ?? 0;
  }
}
