/**
 * The registry of instruction definitions: mnemonic → what the instruction does. Every engine is generated from it.
 */

import type { Builder } from "../ir/builder.ts";
import type { Operand } from "../ir/operand.ts";

/** Facts about the encoding that a few definitions need besides their operands. */
export interface InstructionContext {
  /** Effective operand size: 16, 32 or 64. */
  readonly operandSize: number;
  /** Effective address size: 16, 32 or 64 (string instructions, LOOP, JRCXZ). */
  readonly addressSize: 16 | 32 | 64;
  /** 64 in 64-bit mode; elsewhere 32, also for 16-bit code: all that differs there are the sizes. */
  readonly codeSize: 32 | 64;
  /** Size of the stack pointer: 64 in 64-bit mode, else that of the stack segment. */
  readonly stackSize: 16 | 32 | 64;
  /** Repeat prefix of a string instruction: F3 is "rep" (REP or REPE), F2 is "repne". */
  readonly repeat: "none" | "rep" | "repne";
}

/**
 * What an instruction does. Called once per operand form when code is generated (not when the guest runs): `b` records
 * the operations, operands have fixed kinds and sizes.
 */
export type Definition = (b: Builder, operands: readonly Operand[], context: InstructionContext) => void;

const definitions = new Map<string, Definition>();

/** Defines an instruction by its mnemonic in the opcode tables. Each mnemonic is defined exactly once. */
export function define(mnemonic: string, definition: (b: Builder, ...operands: Operand[]) => void): void {
  defineWithContext(mnemonic, (b, operands) => definition(b, ...operands));
}

/** As {@link define}, for instructions whose meaning depends on prefixes too. */
export function defineWithContext(mnemonic: string, definition: Definition): void {
  if (definitions.has(mnemonic)) throw new Error(`${mnemonic} is defined twice`);
  definitions.set(mnemonic, definition);
}

export function definitionOf(mnemonic: string): Definition | undefined {
  return definitions.get(mnemonic);
}

export function definedMnemonics(): string[] {
  return [...definitions.keys()];
}
