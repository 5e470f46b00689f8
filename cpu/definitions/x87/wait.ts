/** What every waiting x87 instruction does first. */

import type { Builder } from "../../ir/builder.ts";
import type { Operand } from "../../ir/operand.ts";
import { Vector, X87_STATUS } from "../../state.ts";
import { define } from "../registry.ts";

const ERROR_SUMMARY = 0x80;

/** #MF if an earlier instruction left an unmasked exception. */
export function wait(b: Builder): void {
  b.if(b.and(b.field(X87_STATUS, "i32"), b.const32(ERROR_SUMMARY)), () => b.exception(Vector.MF));
}

/** Defines a waiting instruction. */
export function defineWaiting(
  mnemonic: string,
  definition: (b: Builder, ...operands: Operand[]) => void,
): void {
  define(mnemonic, (b, ...operands) => {
    wait(b);
    definition(b, ...operands);
  });
}
