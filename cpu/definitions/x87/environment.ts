/** The x87 control and status words, environment and state: the work is done by cpu/helpers/x87/environment.ts. */

import { X87_CONTROL, X87_STATUS, X87_TOP } from "../../state.ts";
import { define, defineWithContext } from "../registry.ts";
import { defineWaiting, wait } from "./wait.ts";

defineWaiting("fldcw", (b, src) => b.helper("x87.fldcw", [b.wrap(src.read())], false));
define("fnstcw", (b, dst) => dst.write(b.extendU(b.field(X87_CONTROL, "i32"))));
define("fnstsw", (b, dst) => {
  const top = b.shl(b.field(X87_TOP, "i32"), b.const32(11));
  dst.write(b.extendU(b.or(b.field(X87_STATUS, "i32"), top)));
});
define("fnclex", (b) => b.helper("x87.fnclex", [], false));
define("fninit", (b) => b.helper("x87.fninit", [], false));

for (const [mnemonic, waits] of [
  ["fnstenv", false],
  ["fldenv", true],
  ["fnsave", false],
  ["frstor", true],
] as const) {
  defineWithContext(mnemonic, (b, [area], { operandSize }) => {
    if (waits) wait(b);
    b.helper(`x87.${mnemonic}${operandSize === 16 ? ".16" : ""}`, [area.address()]);
  });
}
