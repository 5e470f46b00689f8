/**
 * x87 comparisons, and moves that depend on their outcome. Plain numbers are compared here; the others, and stack faults,
 * are a matter for cpu/helpers/x87/arithmetic.ts.
 */

import { SourceKind } from "../../helpers/x87/source.ts";
import type { Builder } from "../../ir/builder.ts";
import type { ConditionCode } from "../../ir/flags.ts";
import type { Operand } from "../../ir/operand.ts";
import type { Value } from "../../ir/value.ts";
import { sourceArguments } from "./arithmetic.ts";
import { Stack } from "./stack.ts";
import { EXPONENT, fromInteger, fromRegister, type PlainValue, widen } from "./values.ts";
import { defineWaiting } from "./wait.ts";

/** The other operand (ST(1) if there is none): itself, and as the helpers get it. */
function readOther(b: Builder, stack: Stack, other: Operand | undefined, integer: boolean) {
  if (other === undefined || !other.isMemory) {
    const number = other === undefined ? b.const32(1) : b.registerNumber(other.register);
    const value = fromRegister(b, stack, stack.physical(other === undefined ? 1 : other.register));
    return { value, args: [b.const32(SourceKind.Register), number] as const };
  }
  const args = sourceArguments(b, other, integer);
  const bits = args[1];
  const value = integer
    ? fromInteger(b, b.sext(bits, other.bits))
    : widen(b, bits, other.bits === 32 ? 32 : 64);
  return { value, args };
}

/** x = y and x < y (0 or 1 each), of plain numbers. */
function relate(b: Builder, x: PlainValue, y: PlainValue): { equal: Value; less: Value } {
  const sign = ({ signExponent }: PlainValue) => b.shrBy(signExponent, 15);
  const exponent = ({ signExponent }: PlainValue) => b.and(signExponent, b.const32(EXPONENT));
  const bothZero = b.eqz(b.or(x.significand, y.significand));
  const same = b.and(b.eq(x.significand, y.significand), b.eq(x.signExponent, y.signExponent));
  const equal = b.or(bothZero, same);
  const smaller = b.or(
    b.ltU(exponent(x), exponent(y)),
    b.and(b.eq(exponent(x), exponent(y)), b.ltU(x.significand, y.significand)),
  );
  const differ = b.xor(sign(x), sign(y));
  const less = b.select(differ, sign(x), b.xor(smaller, sign(x)));
  return { equal, less: b.and(less, b.eqz(equal)) };
}

/** Into the status word: with memory, with ST(i), or with ST(1). */
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
    const stack = new Stack(b);
    const x = fromRegister(b, stack, stack.physical(0));
    const { value: y, args } = readOther(b, stack, operands.at(-1), integer);
    const { equal, less } = relate(b, x, y);
    b.if(
      b.and(x.plain, y.plain),
      () => {
        stack.setConditions(equal, less);
        stack.useAndPop([], pops);
      },
      () => b.helper(`x87.${helper}`, [b.const32(0), ...args, b.const32(pops)], false),
    );
  });
}

/** Into RFLAGS. */
for (const [mnemonic, helper, pops] of [
  ["fcomi", "fcomi", 0],
  ["fcomip", "fcomi", 1],
  ["fucomi", "fucomi", 0],
  ["fucomip", "fucomi", 1],
] as const) {
  defineWaiting(mnemonic, (b, _first, other) => {
    const stack = new Stack(b);
    const x = fromRegister(b, stack, stack.physical(0));
    const { value: y, args } = readOther(b, stack, other, false);
    const { equal, less } = relate(b, x, y);
    const flags = b.variable(b.const32(0));
    b.if(
      b.and(x.plain, y.plain),
      () => {
        flags.set(b.or(less, b.shlBy(equal, 6)));
        stack.useAndPop([], pops);
      },
      () => {
        b.helper(`x87.${helper}`, [b.const32(0), ...args, b.const32(pops)], false);
        flags.set(b.helperResult(0, "i32"));
      },
    );
    const value = flags.get();
    const bit = (position: number) => b.and(b.shr(value, b.const32(position)), b.const32(1));
    b.flags.setAll({ carry: bit(0), parity: bit(2), zero: bit(6) });
  });
}

/** FTST: with zero. */
defineWaiting("ftst", (b) => {
  const stack = new Stack(b);
  const { plain, significand, signExponent } = fromRegister(b, stack, stack.physical(0));
  b.if(
    plain,
    () => {
      const isZero = b.eqz(significand);
      stack.setConditions(isZero, b.and(b.shrBy(signExponent, 15), b.eqz(isZero)));
    },
    () => b.helper("x87.ftst", [], false),
  );
});

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
    const stack = new Stack(b);
    const [to, from] = [stack.physical(0), stack.physical(other.register)];
    const [old, value] = [stack.read(to), stack.read(from)];
    b.if(
      b.and(stack.isUsed(to), stack.isUsed(from)),
      () =>
        stack.write(to, {
          significand: b.select(holds, value.significand, old.significand),
          signExponent: b.select(holds, value.signExponent, old.signExponent),
        }),
      // An empty register makes ST(0) the indefinite whether it is moved or not.
      () => b.helper("x87.missing", [], false),
    );
  });
}
