/** SSE floating-point comparisons: masks (CMPPS …) and flags (COMISS …). They report IE and DE only. */

import type { Builder } from "../../ir/builder.ts";
import type { Value } from "../../ir/value.ts";
import { type Definition, define, defineWithContext } from "../registry.ts";
import { all, fastOrExact } from "./fast-path.ts";
import { DOUBLE, type FloatShape, SHAPES, SINGLE } from "./float-shape.ts";

/** Neither a NaN nor a denormal: nothing to report, and DAZ makes no difference. */
function isPlain(b: Builder, shape: FloatShape, x: Value, y: Value): Value {
  return all(b, shape.ordered(b, x, y), shape.noDenormal(b, x), shape.noDenormal(b, y));
}

/**
 * Comparisons to masks. The predicate is a value here: bits 0…1 choose, bit 2 negates; the fourth choice is "unordered".
 * VEX has two bits more, which say what becomes of NaNs: between ordered operands they make no difference.
 */
export function compareToMask(shape: FloatShape, predicates: 8 | 32): Definition {
  const { suffix } = shape;
  const isVector = shape.lanes > 1;
  return (b, [dst, src, predicate]) => {
    const x = shape.target(dst);
    const y = shape.source(b, src);
    const selector = b.and(b.wrap(predicate.read()), b.const32(predicates - 1));
    const never = isVector ? b.op("i64x2.splat", b.const64(0)) : b.const64(0);
    const mask = (name: string) => {
      const test = shape.op(b, name, x, y);
      return isVector ? test : maskOf(b, test, suffix === "sd" ? 64 : 32);
    };
    const kind = b.and(selector, b.const32(3));
    const lessOrNever = b.select(b.eq(kind, b.const32(2)), mask("le"), never);
    const chosen = b.select(
      b.eqz(kind),
      mask("eq"),
      b.select(b.eq(kind, b.const32(1)), mask("lt"), lessOrNever),
    );
    const negate = b.and(selector, b.const32(4));
    const result = b.select(negate, isVector ? b.op("v128.not", chosen) : b.not(chosen), chosen);
    const part = suffix === "sd" ? "q0" : "d0";
    const write = (value: Value) => (isVector ? dst.writeVector(value) : dst.writePart(part, value));
    fastOrExact(b, isPlain(b, shape, x, y), write, result, {
      helper: `sse.cmp${suffix}`,
      args: [x, y, selector],
      result: isVector ? "v128" : "i64",
    });
  };
}
for (const shape of SHAPES) {
  defineWithContext(`cmp${shape.suffix}`, compareToMask(shape, 8));
}

/** All ones or zero. */
function maskOf(b: Builder, condition: Value, bits: number): Value {
  return b.zext(b.sub(b.const64(0), b.extendU(condition)), bits);
}

for (const name of ["comis", "ucomis"] as const) {
  for (const [shape, letter] of [
    [SINGLE, "s"],
    [DOUBLE, "d"],
  ] as const) {
    define(`${name}${letter}`, (b, dst, src) => {
      const x = shape.target(dst);
      const y = shape.source(b, src);
      const flags = b.variable(b.const32(0));
      b.if(
        isPlain(b, shape, x, y),
        () => flags.set(b.or(shape.op(b, "lt", x, y), b.shl(shape.op(b, "eq", x, y), b.const32(6)))),
        () => {
          b.helper(`sse.${name}${letter}`, [x, y]);
          flags.set(b.helperResult(0, "i32"));
        },
      );
      const value = flags.get();
      const bit = (position: number) => b.and(b.shr(value, b.const32(position)), b.const32(1));
      b.flags.setAll({ carry: bit(0), parity: bit(2), zero: bit(6) });
    });
  }
}
