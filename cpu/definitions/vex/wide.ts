/** Operands of 128 or 256 bits: values in halves. */

import type { Builder } from "../../ir/builder.ts";
import type { Operand } from "../../ir/operand.ts";
import type { Value } from "../../ir/value.ts";

/** A vector of 128 bits, or both halves of one of 256. */
export type Wide = readonly [low: Value] | readonly [low: Value, high: Value];

export function isWide(operand: Operand): boolean {
  return operand.bits === 256;
}

export const zero = (b: Builder): Value => b.const128(new Uint8Array(16));

/** Reads a vector register or memory. */
export function readWide(operand: Operand): Wide {
  if (!isWide(operand)) return [operand.readVector()];
  return [operand.half(0).readVector(), operand.half(1).readVector()];
}

/** Applies an operation to the halves of one or two vectors of the same size. */
export function mapHalves(x: Wide, operation: (half: Value, index: 0 | 1) => Value): Wide {
  const [low, high] = x;
  return high === undefined ? [operation(low, 0)] : [operation(low, 0), operation(high, 1)];
}

/** Bytes of a page. */
const PAGE = 4096;

/** Writes memory, or all of a vector register: of one with 128 bits the upper half of its YMM register becomes zero. */
export function writeWide(b: Builder, operand: Operand, [low, high]: Wide): void {
  if (!operand.isMemory) {
    b.setXmm(operand.register, low);
    b.setXmm(operand.register, high ?? zero(b), "high");
  } else if (high === undefined) operand.writeVector(low);
  else {
    const [lower, upper] = [operand.half(0), operand.half(1)];
    // Both stores or none: within a page the first one tells.
    const offset = b.and(lower.address(), b.const64(PAGE - 1));
    b.if(b.gtU(offset, b.const64(PAGE - 32)), () => b.probeWrite(lower.address(), 32));
    lower.writeVector(low);
    upper.writeVector(high);
  }
}
