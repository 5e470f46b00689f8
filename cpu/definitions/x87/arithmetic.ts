/** x87 arithmetic, comparisons and functions: the work is done by cpu/helpers/x87/arithmetic.ts. */

import { SourceKind } from "../../helpers/x87/arithmetic.ts";
import type { Builder } from "../../ir/builder.ts";
import type { ConditionCode } from "../../ir/flags.ts";
import type { Operand } from "../../ir/operand.ts";
import type { Value } from "../../ir/value.ts";
import { defineWaiting } from "./wait.ts";

/** Kind and value of a source operand for the helpers. */
function source(b: Builder, operand: Operand, integer: boolean): [kind: Value, value: Value] {
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
      const [kind, value] = source(b, second ?? first, integer);
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
  "ftst",
  "fxam",
  "fchs",
  "fabs",
]) {
  defineWaiting(mnemonic, (b) => b.helper(`x87.${mnemonic}`, [], false));
}

/** Comparisons into the status word: with memory, with ST(i), or with ST(1). */
for (const [mnemonic, helper, integer, pops] of [
  ["fcom", "fcom", false, 0],
  ["fcomp", "fcom", false, 1],
  ["fcompp", "fcom", false, 2],
  ["ficom", "fcom", true, 0],
  ["ficomp", "fcom", true, 1],
  ["fucom", "fucom", false, 0],
  ["fucomp", "fucom", false, 1],
  ["fucompp", "fucom", false, 2],
] as const) {
  defineWaiting(mnemonic, (b, ...operands) => {
    const other = operands.at(-1);
    const [kind, value] =
      other === undefined ? [b.const32(SourceKind.Register), b.const32(1)] : source(b, other, integer);
    b.helper(`x87.${helper}`, [b.const32(0), kind, value, b.const32(pops)], false);
  });
}

/** Comparisons into RFLAGS. */
for (const [mnemonic, helper, pops] of [
  ["fcomi", "fcomi", 0],
  ["fcomip", "fcomi", 1],
  ["fucomi", "fucomi", 0],
  ["fucomip", "fucomi", 1],
] as const) {
  defineWaiting(mnemonic, (b, _first, other) => {
    const [kind, value] = source(b, other, false);
    b.helper(`x87.${helper}`, [b.const32(0), kind, value, b.const32(pops)], false);
    const flags = b.helperResult(0, "i32");
    const bit = (position: number) => b.and(b.shr(flags, b.const32(position)), b.const32(1));
    b.flags.setAll({ carry: bit(0), parity: bit(2), zero: bit(6) });
  });
}

/** FCMOVcc: below, equal, below or equal, unordered, and their opposites. */
for (const [suffix, condition] of [
  ["b", 2],
  ["e", 4],
  ["be", 6],
  ["u", 10],
  ["nb", 3],
  ["ne", 5],
  ["nbe", 7],
  ["nu", 11],
] as const satisfies readonly (readonly [string, ConditionCode])[]) {
  defineWaiting(`fcmov${suffix}`, (b, _first, other) => {
    const holds = b.flags.condition(condition);
    b.helper("x87.fcmov", [b.registerNumber(other.register), holds], false);
  });
}
