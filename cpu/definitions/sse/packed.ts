/**
 * Packed-integer instructions exist for XMM registers and, mostly, for MMX registers too. Both are defined here as one
 * operation on 128-bit vectors; an MMX operand is the low half of one.
 */

import type { Builder } from "../../ir/builder.ts";
import type { Operand } from "../../ir/operand.ts";
import type { Value } from "../../ir/value.ts";
import { X87, X87_STRIDE, X87_TAGS, X87_TOP } from "../../state.ts";
import { type Definition, defineWithContext } from "../registry.ts";
import { wait } from "../x87/wait.ts";

/** A vector operand; memory must be aligned for XMM instructions. MMX registers and 64-bit memory fill the low half. */
export function readPacked(b: Builder, operand: Operand): Value {
  if (operand.kind === "xmm" || operand.bits === 128) return operand.readVector(true);
  return b.op("i64x2.splat", operand.read());
}

/** Writes a vector to an XMM register, or its low half to an MMX register. */
export function writePacked(b: Builder, operand: Operand, value: Value): void {
  if (operand.kind === "mmx") writeMmx(b, operand, b.lane("i64x2.extract_lane", 0, value));
  else operand.writeVector(value);
}

/** Writes an MMX register: its exponent becomes all ones (SDM vol. 1, 9.6). */
export function writeMmx(b: Builder, operand: Operand, value: Value): void {
  operand.write(value);
  const index = b.registerNumber(operand.register);
  b.set({ kind: "field", offset: X87 + 8, type: "u16", index, stride: X87_STRIDE }, b.const32(0xffff));
}

/** Every MMX instruction but EMMS resets the stack top and marks all registers as in use. */
function enterMmx(b: Builder): void {
  b.setField(X87_TOP, "i32", b.const32(0));
  b.setField(X87_TAGS, "i32", b.const32(0xff));
}

/**
 * Defines an instruction that may have MMX operands. With them it is first of all a waiting x87 instruction: #MF comes
 * before any fault of its own.
 */
export function defineVector(
  mnemonic: string,
  definition: (b: Builder, ...operands: Operand[]) => void,
): void {
  defineVectorWithContext(mnemonic, (b, operands) => definition(b, ...operands));
}

/** As {@link defineVector}, for instructions whose meaning depends on prefixes too. */
export function defineVectorWithContext(mnemonic: string, definition: Definition): void {
  defineWithContext(mnemonic, (b, operands, context) => {
    const usesMmx = operands.some(isMmx);
    if (usesMmx) wait(b);
    definition(b, operands, context);
    if (usesMmx) enterMmx(b);
  });
}

export type PackedOperation = (b: Builder, x: Value, y: Value) => Value;

/** dst = operation(dst, src), for XMM and MMX. */
export function definePacked(mnemonic: string, operation: PackedOperation): void {
  defineVector(mnemonic, (b, dst, src) => {
    const x = readPacked(b, dst);
    const y = readPacked(b, src);
    writePacked(b, dst, operation(b, x, y));
  });
}

/** dst = operation(src), for XMM and MMX. */
export function definePackedUnary(mnemonic: string, operation: (b: Builder, x: Value) => Value): void {
  defineVector(mnemonic, (b, dst, src) => writePacked(b, dst, operation(b, readPacked(b, src))));
}

/** One WebAssembly instruction. */
export const direct =
  (name: string): PackedOperation =>
  (b, x, y) =>
    b.op(name, x, y);

/** Does the operation on MMX operands in place of XMM ones: the halves differ where lanes move across the register. */
export function isMmx(operand: Operand): boolean {
  return operand.kind === "mmx";
}

/** 0, 1, … 15 */
export const IOTA: readonly number[] = [...Array(16).keys()];
