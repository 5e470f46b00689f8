/** Control transfers: Intel SDM vol. 2, JMP, CALL, RET, Jcc, LOOP, JRCXZ. */

import type { Builder } from "../../ir/builder.ts";
import { CONDITION_SUFFIXES, type ConditionCode } from "../../ir/flags.ts";
import type { Value } from "../../ir/value.ts";
import { Register, Vector } from "../../state.ts";
import { define, defineWithContext, type InstructionContext } from "../registry.ts";
import { StackAccess } from "../stack-access.ts";

/**
 * Addresses that are not canonical are refused before anything has changed (SDM vol. 1, 3.3.7.1). Outside of 64-bit mode
 * targets have the operand size.
 */
function requireCanonical(b: Builder, target: Value, { codeSize }: InstructionContext): void {
  if (codeSize === 64) b.if(b.ne(b.sext(target, 48), target), () => b.exception(Vector.GP, 0));
}

defineWithContext("jmp", (b, [operand], context) => {
  if (operand.kind === "branch") {
    b.branch();
    return;
  }
  const target = operand.read();
  requireCanonical(b, target, context);
  b.jump(target);
});

defineWithContext("call", (b, [operand], context) => {
  const stack = new StackAccess(b, context);
  const top = stack.move(stack.pointer(), -stack.bytes);
  if (operand.kind === "branch") {
    stack.store(top, b.nextRip());
    stack.setPointer(top);
    b.branch();
    return;
  }
  const target = operand.read();
  // A bad target is noticed when the return address has been written, on silicon too.
  stack.store(top, b.nextRip());
  requireCanonical(b, target, context);
  stack.setPointer(top);
  b.jump(target);
});

defineWithContext("ret", (b, operands, context) => {
  const stack = new StackAccess(b, context);
  const top = stack.pointer();
  const target = stack.load(top);
  requireCanonical(b, target, context);
  const popped = stack.move(top, stack.bytes);
  stack.setPointer(operands.length === 0 ? popped : stack.move(popped, operands[0].read()));
  b.return(target);
});

CONDITION_SUFFIXES.forEach((suffix, index) => {
  const code = index as ConditionCode;
  define(`j${suffix}`, (b) => b.branch(b.flags.condition(code)));
});

defineWithContext("jrcxz", (b, _operands, { addressSize }) => {
  b.branch(b.eqz(b.gpr(Register.RCX, addressSize)));
});

/** LOOP goes on while the count is not zero, LOOPE and LOOPNE while ZF is as named besides. */
for (const [mnemonic, wanted] of [
  ["loop", undefined],
  ["loope", 4],
  ["loopne", 5],
] as const) {
  defineWithContext(mnemonic, (b, _operands, { addressSize }) => {
    const bits = addressSize;
    const count = b.zext(b.sub(b.gpr(Register.RCX, bits), b.const64(1)), bits);
    const more = b.ne(count, b.const64(0));
    const condition = wanted === undefined ? more : b.and(more, b.flags.condition(wanted));
    b.setGpr(Register.RCX, count, bits);
    b.branch(condition);
  });
}
