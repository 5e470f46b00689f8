/** The x87 control and status words, environment and state: the work is done by cpu/helpers/x87/environment.ts. */

import { Status } from "../../helpers/x87/unit.ts";
import { X87_CONTROL, X87_STATUS, X87_TOP } from "../../state.ts";
import { requireReadable, requireWritable } from "../area.ts";
import { define, defineWithContext } from "../registry.ts";
import { Stack } from "./stack.ts";
import { defineWaiting, wait } from "./wait.ts";

/** Writable bits of the control word; bit 6 always reads as 1. */
const CONTROL_BITS = 0x1f3f;
const CONTROL_FIXED = 0x0040;
defineWaiting("fldcw", (b, src) => {
  const value = b.and(b.wrap(src.read()), b.const32(CONTROL_BITS));
  const control = b.or(value, b.const32(CONTROL_FIXED));
  b.setField(X87_CONTROL, "i32", control);
  new Stack(b).summarize(b.field(X87_STATUS, "i32"), control);
});
define("fnstcw", (b, dst) => dst.write(b.extendU(b.field(X87_CONTROL, "i32"))));
define("fnstsw", (b, dst) => {
  const top = b.shl(b.field(X87_TOP, "i32"), b.const32(11));
  dst.write(b.extendU(b.or(b.field(X87_STATUS, "i32"), top)));
});
define("fnclex", (b) => {
  const cleared = Status.EXCEPTIONS | Status.SF | Status.ES | Status.B;
  b.setField(X87_STATUS, "i32", b.and(b.field(X87_STATUS, "i32"), b.const32(~cleared)));
});
define("fninit", (b) => b.helper("x87.fninit", [], false));

/** Bytes of the environment with 16-bit operand size and with others, and of the registers (SDM vol. 1, 8.1.10). */
const ENVIRONMENT_BYTES = { narrow: 14, wide: 28 } as const;
const REGISTERS_BYTES = 80;

for (const [mnemonic, loads, registers] of [
  ["fnstenv", false, 0],
  ["fldenv", true, 0],
  ["fnsave", false, REGISTERS_BYTES],
  ["frstor", true, REGISTERS_BYTES],
] as const) {
  defineWithContext(mnemonic, (b, [area], { operandSize }) => {
    const form = operandSize === 16 ? "narrow" : "wide";
    const address = area.address();
    if (loads) wait(b);
    (loads ? requireReadable : requireWritable)(b, address, [
      [0, operandSize === 16 ? "u16" : "u32"],
      [ENVIRONMENT_BYTES[form] + registers - 1, "u8"],
    ]);
    b.helper(`x87.${mnemonic}.${form}`, [address], false);
  });
}
