/** Control transfers: Intel SDM vol. 2, JMP, CALL, RET, Jcc, LOOP, JRCXZ. */

import type { Builder } from "../../ir/builder.ts";
import { CONDITION_SUFFIXES, type ConditionCode } from "../../ir/flags.ts";
import type { Value } from "../../ir/value.ts";
import { Register, Vector } from "../../state.ts";
import { define, defineWithContext } from "../registry.ts";

/** Addresses that are not canonical are refused before anything has changed (SDM vol. 1, 3.3.7.1). */
function requireCanonical(b: Builder, target: Value): void {
  b.if(b.ne(b.sext(target, 48), target), () => b.exception(Vector.GP, 0));
}

define("jmp", (b, operand) => {
  if (operand.kind === "branch") {
    b.branch();
    return;
  }
  const target = operand.read();
  requireCanonical(b, target);
  b.jump(target);
});

define("call", (b, operand) => {
  const rsp = b.sub(b.gpr(Register.RSP), b.const64(8));
  if (operand.kind === "branch") {
    b.store(rsp, "u64", b.nextRip());
    b.setGpr(Register.RSP, rsp);
    b.branch();
    return;
  }
  const target = operand.read();
  // A bad target is noticed when the return address has been written, on silicon too.
  b.store(rsp, "u64", b.nextRip());
  requireCanonical(b, target);
  b.setGpr(Register.RSP, rsp);
  b.jump(target);
});

define("ret", (b, ...operands) => {
  const rsp = b.gpr(Register.RSP);
  const target = b.load(rsp, "u64");
  requireCanonical(b, target);
  const popped = b.add(rsp, b.const64(8));
  b.setGpr(Register.RSP, operands.length === 0 ? popped : b.add(popped, operands[0].read()));
  b.jump(target);
});

CONDITION_SUFFIXES.forEach((suffix, index) => {
  const code = index as ConditionCode;
  define(`j${suffix}`, (b) => b.branch(b.flags.condition(code)));
});

defineWithContext("jrcxz", (b, _operands, { addressSize }) => {
  b.branch(b.eqz(b.gpr(Register.RCX, addressSize === 32 ? 32 : 64)));
});

/** LOOP goes on while the count is not zero, LOOPE and LOOPNE while ZF is as named besides. */
for (const [mnemonic, wanted] of [
  ["loop", undefined],
  ["loope", 4],
  ["loopne", 5],
] as const) {
  defineWithContext(mnemonic, (b, _operands, { addressSize }) => {
    const bits = addressSize === 32 ? 32 : 64;
    const count = b.zext(b.sub(b.gpr(Register.RCX, bits), b.const64(1)), bits);
    const more = b.ne(count, b.const64(0));
    const condition = wanted === undefined ? more : b.and(more, b.flags.condition(wanted));
    b.setGpr(Register.RCX, count, bits);
    b.branch(condition);
  });
}
