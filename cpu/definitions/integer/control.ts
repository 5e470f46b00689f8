/** Control transfers: Intel SDM vol. 2, JMP, CALL, RET, Jcc, LOOP, JRCXZ. */

import { CONDITION_SUFFIXES, type ConditionCode } from "../../ir/flags.ts";
import { Register } from "../../state.ts";
import { define, defineWithContext } from "../registry.ts";

define("jmp", (b, target) => {
  if (target.kind === "branch") b.branch();
  else b.jump(target.read());
});

define("call", (b, target) => {
  const destination = target.kind === "branch" ? undefined : target.read();
  const rsp = b.sub(b.gpr(Register.RSP), b.const64(8));
  b.store(rsp, "u64", b.nextRip());
  b.setGpr(Register.RSP, rsp);
  if (destination === undefined) b.branch();
  else b.jump(destination);
});

define("ret", (b, ...operands) => {
  const rsp = b.gpr(Register.RSP);
  const target = b.load(rsp, "u64");
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
