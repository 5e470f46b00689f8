/** x87 loads, stores, exchanges, constants and stack control: the work is done by cpu/helpers/x87/transfer.ts. */

import type { Builder } from "../../ir/builder.ts";
import type { Operand } from "../../ir/operand.ts";
import { define } from "../registry.ts";
import { defineWaiting } from "./wait.ts";

/** Reads an 80-bit operand: significand and the 16 bits above. */
function loadExtended(
  b: Builder,
  src: Operand,
): [low: ReturnType<Operand["read"]>, high: ReturnType<Operand["read"]>] {
  const address = src.address();
  const low = b.load(address, "u64");
  return [low, b.load(b.add(address, b.const64(8)), "u16")];
}

defineWaiting("fld", (b, src) => {
  if (!src.isMemory) b.helper("x87.load.st", [b.registerNumber(src.register)], false);
  else if (src.bits === 80) {
    const [low, high] = loadExtended(b, src);
    b.helper("x87.load.f80", [low, b.wrap(high)], false);
  } else b.helper(`x87.load.f${src.bits}`, [src.read()], false);
});
defineWaiting("fild", (b, src) => b.helper(`x87.load.i${src.bits}`, [src.read()], false));
defineWaiting("fbld", (b, src) => {
  const [low, high] = loadExtended(b, src);
  b.helper("x87.load.bcd", [low, b.wrap(high)], false);
});
for (const mnemonic of ["fld1", "fldz", "fldl2t", "fldl2e", "fldpi", "fldlg2", "fldln2"]) {
  defineWaiting(mnemonic, (b) => b.helper(`x87.load.${mnemonic}`, [], false));
}

/**
 * Computes, stores, and only then changes the stack: the store may fault. Of the two parts of an 80-bit store the second
 * may fault after the first was done, as on silicon.
 */
function storeMemory(b: Builder, dst: Operand, format: string, pops: number): void {
  b.helper(`x87.store.${format}`, [], false);
  const low = b.helperResult(0, "i64");
  const high = b.helperResult(1, "i32");
  const suppressed = b.helperResult(2, "i32");
  const status = b.helperResult(3, "i32");
  b.if(b.eqz(suppressed), () => {
    if (dst.bits === 80) {
      const address = dst.address();
      b.store(address, "u64", low);
      b.store(b.add(address, b.const64(8)), "u16", b.extendU(high));
    } else dst.write(low);
  });
  b.helper("x87.stored", [status, b.select(suppressed, b.const32(0), b.const32(pops))], false);
}

for (const [mnemonic, pops] of [
  ["fst", 0],
  ["fstp", 1],
] as const) {
  defineWaiting(mnemonic, (b, dst) => {
    if (dst.isMemory) storeMemory(b, dst, `f${dst.bits}`, pops);
    else b.helper("x87.store.st", [b.registerNumber(dst.register), b.const32(pops)], false);
  });
}
/** The undocumented twin of FSTP ST(i), which copies an empty register without complaint. */
defineWaiting("fstpnce", (b, dst) => b.helper("x87.fstpnce", [b.registerNumber(dst.register)], false));
for (const [mnemonic, kind, pops] of [
  ["fist", "i", 0],
  ["fistp", "i", 1],
  ["fisttp", "t", 1],
] as const) {
  defineWaiting(mnemonic, (b, dst) => storeMemory(b, dst, `${kind}${dst.bits}`, pops));
}
defineWaiting("fbstp", (b, dst) => storeMemory(b, dst, "bcd", 1));

defineWaiting("fxch", (b, _first, other) => b.helper("x87.fxch", [b.registerNumber(other.register)], false));
defineWaiting("ffree", (b, st) =>
  b.helper("x87.ffree", [b.registerNumber(st.register), b.const32(0)], false),
);
defineWaiting("ffreep", (b, st) =>
  b.helper("x87.ffree", [b.registerNumber(st.register), b.const32(1)], false),
);
defineWaiting("fincstp", (b) => b.helper("x87.rotate", [b.const32(1)], false));
defineWaiting("fdecstp", (b) => b.helper("x87.rotate", [b.const32(-1)], false));
defineWaiting("fnop", () => undefined);
defineWaiting("fwait", () => undefined);
/** Instructions of the 8087 and 80287 that do nothing any more. */
for (const mnemonic of ["fneni", "fndisi", "fnsetpm"]) define(mnemonic, () => undefined);
