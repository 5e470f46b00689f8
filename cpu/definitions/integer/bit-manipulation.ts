/** BMI1 and BMI2: Intel SDM vol. 2, ANDN, BEXTR, BLSI …, BZHI, MULX, PDEP, PEXT, RORX, SARX …. AF and PF are undefined. */

import type { Builder } from "../../ir/builder.ts";
import type { Value } from "../../ir/value.ts";
import { Register } from "../../state.ts";
import { define } from "../registry.ts";
import { multiplyHighUnsigned } from "./multiply.ts";

/** ZF and SF of a result, CF as given, OF clear. */
function resultFlags(b: Builder, bits: number, result: Value, carry: Value): void {
  const extended = b.sext(result, bits);
  b.flags.setParts(extended, extended, carry, b.const32(0));
}

define("andn", (b, dst, first, second) => {
  const result = b.and(b.not(first.read()), second.read());
  b.flags.logic(dst.bits, b.zext(result, dst.bits));
  dst.write(result);
});

for (const [mnemonic, operation, carry] of [
  ["blsi", (b, x) => b.and(x, b.neg(x)), (b, x) => b.ne(x, b.const64(0))],
  ["blsr", (b, x) => b.and(x, b.sub(x, b.const64(1))), (b, x) => b.eqz(x)],
  ["blsmsk", (b, x) => b.xor(x, b.sub(x, b.const64(1))), (b, x) => b.eqz(x)],
] as const satisfies readonly (readonly [
  string,
  (b: Builder, x: Value) => Value,
  (b: Builder, x: Value) => Value,
])[]) {
  define(mnemonic, (b, dst, src) => {
    const x = src.read();
    const result = operation(b, x);
    resultFlags(b, dst.bits, result, carry(b, x));
    dst.write(result);
  });
}

/** The low `count` bits; all for a count of 64 and more. */
function lowBits(b: Builder, x: Value, count: Value): Value {
  const mask = b.sub(b.shl(b.const64(1), count), b.const64(1));
  return b.select(b.ltU(count, b.const64(64)), b.and(x, mask), x);
}

/** Bits 7:0 of the second source say where the field begins, bits 15:8 how long it is. */
define("bextr", (b, dst, src, control) => {
  const selector = control.read();
  const start = b.zext(selector, 8);
  const length = b.zext(b.shrBy(selector, 8), 8);
  const shifted = b.select(b.ltU(start, b.const64(64)), b.shr(src.read(), start), b.const64(0));
  const result = lowBits(b, shifted, length);
  resultFlags(b, dst.bits, result, b.const32(0));
  dst.write(result);
});

define("bzhi", (b, dst, src, index) => {
  const count = b.zext(index.read(), 8);
  const result = lowBits(b, src.read(), count);
  resultFlags(b, dst.bits, result, b.gtU(count, b.const64(dst.bits - 1)));
  dst.write(result);
});

/** Without flags. If both destinations are the same register it receives the high half. */
define("mulx", (b, high, low, src) => {
  const { bits } = high;
  const x = b.gpr(Register.RDX, bits === 64 ? 64 : 32);
  const y = src.read();
  const product = b.mul(x, y);
  low.write(product);
  high.write(bits === 64 ? multiplyHighUnsigned(b, x, y) : b.shrBy(product, 32));
});

define("rorx", (b, dst, src, immediate) => {
  const x = src.read();
  const count = immediate.read();
  dst.write(dst.bits === 64 ? b.rotr(x, count) : b.extendU(b.rotr(b.wrap(x), b.wrap(count))));
});
for (const [mnemonic, operation] of [
  ["sarx", "sar"],
  ["shlx", "shl"],
  ["shrx", "shr"],
] as const) {
  define(mnemonic, (b, dst, src, count) => {
    const x = operation === "sar" ? b.sext(src.read(), dst.bits) : src.read();
    dst.write(b[operation](x, b.and(count.read(), b.const64(dst.bits - 1))));
  });
}

// ---- scatter and gather of bits, one set bit of the mask after the other ----

/** Runs the body for each set bit of the mask, from the lowest on: that bit alone, and the number of those below (a bit too). */
function forEachBit(b: Builder, mask: Value, body: (bit: Value, ordinal: Value) => void): void {
  const left = b.variable(mask);
  const ordinal = b.variable(b.const64(1));
  b.if(b.ne(mask, b.const64(0)), () =>
    b.loop(() => {
      const rest = left.get();
      body(b.and(rest, b.neg(rest)), ordinal.get());
      const next = b.and(rest, b.sub(rest, b.const64(1)));
      left.set(next);
      ordinal.set(b.shlBy(ordinal.get(), 1));
      return b.ne(next, b.const64(0));
    }),
  );
}

/** For each bit of the mask: where it says so, the other bit joins the result. */
for (const [mnemonic, from, to] of [
  ["pdep", "ordinal", "bit"],
  ["pext", "bit", "ordinal"],
] as const) {
  define(mnemonic, (b, dst, src, mask) => {
    const x = src.read();
    const selector = mask.read();
    const result = b.variable(b.const64(0));
    forEachBit(b, selector, (bit, ordinal) => {
      const place = { bit, ordinal };
      const isSet = b.ne(b.and(x, place[from]), b.const64(0));
      const joined = b.or(result.get(), place[to]);
      result.set(b.select(isSet, joined, result.get()));
    });
    dst.write(result.get());
  });
}
