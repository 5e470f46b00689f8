/**
 * Segment registers: selectors are read and loaded by helpers, which on a whole PC look into the descriptor tables. User
 * code of the OSv kernel meets Linux's selectors there (helpers/segments.ts).
 */

import type { Builder } from "../../ir/builder.ts";
import type { Operand } from "../../ir/operand.ts";
import type { Value } from "../../ir/value.ts";
import { Segment } from "../../state.ts";
import { define } from "../registry.ts";

/** The selector in a segment register: i64. */
export function readSelector(b: Builder, segment: Operand): Value {
  b.helper("readSelector", [b.registerNumber(segment.register)], false);
  return b.helperResult(0, "i64");
}

/** Loads a selector (i64, its low 16 bits) into a segment register, or raises #GP. */
export function loadSelector(b: Builder, segment: Operand, selector: Value): void {
  b.helper("loadSelector", [b.registerNumber(segment.register), b.wrap(b.zext(selector, 16))]);
}

// LSS, LFS, LGS, and outside of 64-bit mode LES and LDS: a far pointer into a segment register and a general one.
for (const [mnemonic, segment] of [
  ["les", Segment.ES],
  ["lds", Segment.DS],
  ["lss", Segment.SS],
  ["lfs", Segment.FS],
  ["lgs", Segment.GS],
] as const) {
  define(mnemonic, (b, dst, pointer) => {
    const address = pointer.address();
    const kind = dst.bits === 16 ? "u16" : dst.bits === 32 ? "u32" : "u64";
    const offset = b.load(address, kind);
    const selector = b.load(b.add(address, b.const64(dst.bits / 8)), "u16");
    b.helper("loadSelector", [b.const32(segment), b.wrap(selector)]);
    dst.write(offset);
  });
}

/** Each leaves its result in slot 0, and in slot 1 whether there is one (i32): that becomes ZF. */
for (const mnemonic of ["lar", "lsl"]) {
  define(mnemonic, (b, dst, selector) => {
    const old = dst.read();
    b.helper(mnemonic, [b.wrap(b.zext(selector.read(), 16))], false);
    const valid = b.helperResult(1, "i32");
    const result = b.helperResult(0, "i64");
    // Left alone if there is none, upper half of the register included.
    if (dst.bits === 32) b.setGpr(dst.register, b.select(valid, result, b.gpr(dst.register)));
    else dst.write(b.select(valid, result, old));
    b.flags.setZero(valid);
  });
}

for (const mnemonic of ["verr", "verw"]) {
  define(mnemonic, (b, selector) => {
    b.helper(mnemonic, [b.wrap(selector.read())], false);
    b.flags.setZero(b.helperResult(0, "i32"));
  });
}
