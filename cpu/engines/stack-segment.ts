/**
 * Which exception a non-canonical address raises: #SS if the access goes through the stack segment, otherwise #GP
 * (Intel SDM vol. 1, 3.3.7.1). Linux tells programs of them by different signals.
 */

import type { Instruction } from "../decoder/instruction.ts";
import { Segment, Vector } from "../state.ts";

/** Instructions with an access to the stack besides that to their operand, and what they do there. */
const STACK_ACCESS: ReadonlyMap<string, "read" | "write" | "both"> = new Map([
  ["push", "write"],
  ["pushf", "write"],
  ["call", "write"],
  ["pop", "read"],
  ["popf", "read"],
  ["ret", "read"],
  ["leave", "read"],
  ["enter", "both"],
]);

/** @param access what `instruction` was doing when it met the address */
export function nonCanonicalVector(instruction: Instruction, access: "read" | "write"): number {
  const { row, rmIsRegister, segment } = instruction;
  const implied = STACK_ACCESS.get(row.mnemonic);
  if (implied === access || implied === "both") return Vector.SS;
  const hasMemoryOperand = !rmIsRegister && row.operands.some(({ source }) => source === "rm");
  return hasMemoryOperand && segment === Segment.SS ? Vector.SS : Vector.GP;
}
