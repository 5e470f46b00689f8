/** AVX permutations: within the halves (VPERMIL…), and across them. */

import type { Builder } from "../../ir/builder.ts";
import type { Operand } from "../../ir/operand.ts";
import type { Value } from "../../ir/value.ts";
import { define, defineWithContext } from "../registry.ts";
import { derivedFrom } from "./derive.ts";
import { mapHalves, readWide, type Wide, writeWide, zero } from "./wide.ts";

/** A blend of dwords by an immediate, whatever their type. */
defineWithContext("vpblendd", derivedFrom("blendps", true, { immediateBits: 4 }));

// ---- within the halves ----

/** Byte indices of dwords, from the low bits of each dword of a vector. */
function dwordIndices(b: Builder, selectors: Value, count: 4 | 8): Value {
  const number = b.op("v128.and", selectors, b.op("i32x4.splat", b.const32(count - 1)));
  const bytes = b.op("i32x4.mul", number, b.op("i32x4.splat", b.const32(0x04040404)));
  return b.op("i32x4.add", bytes, b.op("i32x4.splat", b.const32(0x03020100)));
}

const EIGHT_BYTES = 0x0706_0504_0302_0100n;

/** VPERMILPS: selectors in an immediate as PSHUFD has them, or in each dword of the second source. */
const byImmediate = derivedFrom("pshufd", false);
defineWithContext("vpermilps", (b, operands, context) => {
  const [dst, src, control] = operands;
  if (control.kind === "immediate") {
    byImmediate(b, operands, context);
    return;
  }
  const selectors = readWide(control);
  const result = mapHalves(readWide(src), (half, index) =>
    b.op("i8x16.swizzle", half, dwordIndices(b, selectors[index] ?? selectors[0], 4)),
  );
  writeWide(b, dst, result);
});

/** VPERMILPD: one bit for each quadword, in an immediate or as bit 1 of the second source's quadwords. */
define("vpermilpd", (b, dst, src, control) => {
  const source = readWide(src);
  const controls = control.kind === "immediate" ? undefined : readWide(control);
  const immediate = controls === undefined ? b.wrap(control.read()) : undefined;
  const result = mapHalves(source, (half, index) => {
    const quadwords = [0, 1].map((lane) => b.lane("i64x2.extract_lane", lane, half));
    const pick = (lane: 0 | 1): Value => {
      const bit =
        immediate !== undefined
          ? b.and(immediate, b.const32(1 << (2 * index + lane)))
          : b.and(b.wrap(b.lane("i64x2.extract_lane", lane, controls?.[index] ?? half)), b.const32(2));
      return b.select(bit, quadwords[1], quadwords[0]);
    };
    return b.lane("i64x2.replace_lane", 1, b.op("i64x2.splat", pick(0)), pick(1));
  });
  writeWide(b, dst, result);
});

// ---- across the halves ----

/** Bytes of 32 by indices 0…31. */
function swizzle([low, high = low]: Wide, b: Builder, indices: Value): Value {
  // An index beyond 15 selects nothing; of the upper half so do those below 16, which become larger than 239.
  const beyond = b.op("i8x16.sub", indices, b.op("i8x16.splat", b.const32(16)));
  return b.op("v128.or", b.op("i8x16.swizzle", low, indices), b.op("i8x16.swizzle", high, beyond));
}

for (const mnemonic of ["vpermd", "vpermps"]) {
  define(mnemonic, (b, dst, selectors, src) => {
    const source = readWide(src);
    writeWide(
      b,
      dst,
      mapHalves(readWide(selectors), (half) => swizzle(source, b, dwordIndices(b, half, 8))),
    );
  });
}

/** Two bits of the immediate for each quadword. */
for (const mnemonic of ["vpermq", "vpermpd"]) {
  define(mnemonic, (b, dst, src, immediate) => {
    const source = readWide(src);
    const selector = immediate.read();
    const indices = (quadword: number) => {
      const number = b.and(b.shrBy(selector, 2 * quadword), b.const64(3));
      return b.add(b.mul(number, b.const64(0x0808_0808_0808_0808n)), b.const64(EIGHT_BYTES));
    };
    writeWide(
      b,
      dst,
      mapHalves(source, (_half, index) => {
        const low = b.op("i64x2.splat", indices(2 * index));
        return swizzle(source, b, b.lane("i64x2.replace_lane", 1, low, indices(2 * index + 1)));
      }),
    );
  });
}

/** Each half of the result is one of four: two bits of the immediate choose, a third makes it zero. */
function permuteHalves(b: Builder, dst: Operand, first: Operand, second: Operand, immediate: Operand): void {
  const [low, high = low] = readWide(first);
  const [low2, high2 = low2] = readWide(second);
  const selector = b.wrap(immediate.read());
  const half = (shift: 0 | 4): Value => {
    const bit = (position: number) => b.and(selector, b.const32(1 << (shift + position)));
    const chosen = b.select(bit(1), b.select(bit(0), high2, low2), b.select(bit(0), high, low));
    return b.select(bit(3), zero(b), chosen);
  };
  writeWide(b, dst, [half(0), half(4)]);
}
define("vperm2f128", permuteHalves);
define("vperm2i128", permuteHalves);
