/** AVX2 shifts of each lane by a count of its own: Intel SDM vol. 2, VPSLLVD …. Counts beyond the lane give zeros or signs. */

import type { Builder } from "../../ir/builder.ts";
import type { Value } from "../../ir/value.ts";
import { define } from "../registry.ts";
import { mapHalves, readWide, writeWide } from "./wide.ts";

type Shift = (b: Builder, x: Value, count: Value) => Value;

function logical(operation: "shl" | "shr"): Shift {
  return (b, x, count) => {
    const bits = x.type === "i64" ? 64 : 32;
    const limit = x.type === "i64" ? b.const64(bits) : b.const32(bits);
    const none = x.type === "i64" ? b.const64(0) : b.const32(0);
    return b.select(b.ltU(count, limit), b[operation](x, count), none);
  };
}

const arithmetic: Shift = (b, x, count) => {
  const last = b.const32(31);
  return b.sar(x, b.select(b.ltU(count, last), count, last));
};

for (const [mnemonic, shape, lanes, shift] of [
  ["vpsllvd", "i32x4", 4, logical("shl")],
  ["vpsllvq", "i64x2", 2, logical("shl")],
  ["vpsrlvd", "i32x4", 4, logical("shr")],
  ["vpsrlvq", "i64x2", 2, logical("shr")],
  ["vpsravd", "i32x4", 4, arithmetic],
] as const) {
  define(mnemonic, (b, dst, first, second) => {
    const counts = readWide(second);
    const result = mapHalves(readWide(first), (half, index) => {
      let shifted = half;
      for (let lane = 0; lane < lanes; lane++) {
        const [x, count] = [half, counts[index] ?? counts[0]].map((vector) =>
          b.lane(`${shape}.extract_lane`, lane, vector),
        );
        shifted = b.lane(`${shape}.replace_lane`, lane, shifted, shift(b, x, count));
      }
      return shifted;
    });
    writeWide(b, dst, result);
  });
}
