/** x87 arithmetic and functions: the work is done by cpu/helpers/x87/arithmetic.ts. */

import { SourceKind } from "../../helpers/x87/source.ts";
import type { Builder } from "../../ir/builder.ts";
import type { Operand } from "../../ir/operand.ts";
import type { Value } from "../../ir/value.ts";
import { defineWaiting } from "./wait.ts";

/** Kind and value of a source operand for the helpers. */
export function sourceArguments(
  b: Builder,
  operand: Operand,
  integer: boolean,
): readonly [kind: Value, value: Value] {
  if (!operand.isMemory) return [b.const32(SourceKind.Register), b.registerNumber(operand.register)];
  const kinds: Readonly<Record<number, number>> = integer
    ? { 16: SourceKind.Int16, 32: SourceKind.Int32 }
    : { 32: SourceKind.Single, 64: SourceKind.Double };
  return [b.const32(kinds[operand.bits]), operand.read()];
}

for (const name of ["add", "mul", "sub", "subr", "div", "divr"]) {
  for (const [mnemonic, integer, pops] of [
    [`f${name}`, false, 0],
    [`f${name}p`, false, 1],
    [`fi${name}`, true, 0],
  ] as const) {
    defineWaiting(mnemonic, (b, ...operands) => {
      // One operand: ST(0) and memory. Two: destination and source.
      const [first, second] = operands;
      const destination = second === undefined ? b.const32(0) : b.registerNumber(first.register);
      const [kind, value] = sourceArguments(b, second ?? first, integer);
      b.helper(`x87.f${name}`, [destination, kind, value, b.const32(pops)], false);
    });
  }
}

for (const mnemonic of [
  "fsqrt",
  "frndint",
  "f2xm1",
  "fyl2x",
  "fyl2xp1",
  "fpatan",
  "fscale",
  "fprem",
  "fprem1",
  "fsin",
  "fcos",
  "fsincos",
  "fptan",
  "fxtract",
  "fxam",
]) {
  defineWaiting(mnemonic, (b) => b.helper(`x87.${mnemonic}`, [], false));
}
