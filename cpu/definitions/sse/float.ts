/**
 * SSE floating-point arithmetic.
 *
 * WebAssembly computes with round-to-nearest and reports no exceptions. That is right, and fast, if MXCSR is in its usual
 * state (nearest, no DAZ or FTZ, all exceptions masked, PE already sticky), no operand is denormal, and the result is a
 * normal number or an exact zero: then nothing but PE could be reported. Everything else goes to the exact helpers
 * (cpu/helpers/sse.ts).
 */

import type { Builder } from "../../ir/builder.ts";
import type { Operand } from "../../ir/operand.ts";
import type { Value } from "../../ir/value.ts";
import { MXCSR } from "../../state.ts";
import { define } from "../registry.ts";

export type Precision = "single" | "double";

/** All but the sticky flags other than PE must be as usual: masks set, nearest, no FTZ, no DAZ, PE sticky. */
const MODE_BITS = 0xffe0;
const USUAL_MODE = 0x1fa0;

/** MXCSR lets results be computed by WebAssembly (i32). */
export function usualMode(b: Builder): Value {
  return b.eq(b.and(b.field(MXCSR, "i32"), b.const32(MODE_BITS)), b.const32(USUAL_MODE));
}

/** Tests on one scalar or on all lanes of a vector; each answers an i32. */
export interface FloatShape {
  readonly suffix: "ss" | "sd" | "ps" | "pd";
  /** Reads the second source (a register or memory). */
  source(b: Builder, operand: Operand): Value;
  /** Reads the destination as a source. */
  target(operand: Operand): Value;
  write(operand: Operand, value: Value): void;
  /** The value for a helper's argument slot, and back. */
  result(b: Builder): Value;
  op(b: Builder, name: string, ...args: Value[]): Value;
  noDenormal(b: Builder, x: Value): Value;
  normal(b: Builder, x: Value): Value;
  /** Every lane of x is normal, or is zero where `exactZero` (same type as a lane mask) allows it. */
  normalOr(b: Builder, x: Value, exactZero: (lane: LaneTest) => Value): Value;
  ordered(b: Builder, x: Value, y: Value): Value;
}

/** Lane-wise tests that give masks (vectors) or 0-or-1 (scalars), to be combined with `or`. */
export interface LaneTest {
  isZero(x: Value): Value;
  isInfinite(x: Value): Value;
  or(x: Value, y: Value): Value;
  always(): Value;
}

function scalarShape(precision: Precision): FloatShape {
  const double = precision === "double";
  const type = double ? "f64" : "f32";
  const bitsOf = double ? "i64.reinterpret_f64" : "i32.reinterpret_f32";
  const constant = (b: Builder, value: bigint) =>
    double ? b.const64(value) : b.const32(Number(BigInt.asIntN(32, value)));
  // The representation without its sign, shifted left by one.
  const one = double ? 1n << 53n : 1n << 24n;
  const range = double ? 0x7fen << 53n : 0xfen << 24n;
  const infinity = double ? 0x7ffn << 53n : 0xffn << 24n;
  const magnitude = (b: Builder, x: Value) => b.shlBy(b.op(bitsOf, x), 1);
  const normal = (b: Builder, x: Value) =>
    b.ltU(b.sub(magnitude(b, x), constant(b, one)), constant(b, range));
  return {
    suffix: double ? "sd" : "ss",
    source: (_b, operand) => operand.readPart(type),
    target: (operand) => operand.readPart(type),
    write: (operand, value) => operand.writePart(type, value),
    result: (b) => b.helperResult(0, type),
    op: (b, name, ...args) => b.op(`${type}.${name}`, ...args),
    noDenormal: (b, x) => b.geU(b.sub(magnitude(b, x), constant(b, 1n)), constant(b, one - 1n)),
    normal,
    normalOr: (b, x, exactZero) => {
      const test: LaneTest = {
        isZero: (value) => b.eqz(magnitude(b, value)),
        isInfinite: (value) => b.eq(magnitude(b, value), constant(b, infinity)),
        or: (p, q) => b.or(p, q),
        always: () => b.const32(1),
      };
      return b.or(normal(b, x), b.and(test.isZero(x), exactZero(test)));
    },
    ordered: (b, x, y) => b.and(b.op(`${type}.eq`, x, x), b.op(`${type}.eq`, y, y)),
  };
}

function vectorShape(precision: Precision): FloatShape {
  const double = precision === "double";
  const float = double ? "f64x2" : "f32x4";
  const integer = double ? "i64x2" : "i32x4";
  const splat = (b: Builder, value: bigint) =>
    double
      ? b.op("i64x2.splat", b.const64(value))
      : b.op("i32x4.splat", b.const32(Number(BigInt.asIntN(32, value))));
  const smallest = double ? 1n << 52n : 1n << 23n;
  const infinity = double ? 0x7ffn << 52n : 0xffn << 23n;
  const all = (b: Builder, mask: Value) => b.op(`${integer}.all_true`, mask);
  const magnitude = (b: Builder, x: Value) =>
    b.op("v128.and", x, splat(b, double ? (1n << 63n) - 1n : 0x7fffffffn));
  const normalMask = (b: Builder, x: Value) => {
    const m = magnitude(b, x);
    const above = b.op(`${integer}.ge_s`, m, splat(b, smallest));
    return b.op("v128.and", above, b.op(`${integer}.lt_s`, m, splat(b, infinity)));
  };
  const zeroMask = (b: Builder, x: Value) => b.op(`${float}.eq`, x, splat(b, 0n));
  return {
    suffix: double ? "pd" : "ps",
    source: (_b, operand) => operand.readVector(true),
    target: (operand) => operand.readVector(),
    write: (operand, value) => operand.writeVector(value),
    result: (b) => b.helperResult(0, "v128"),
    op: (b, name, ...args) => b.op(`${float}.${name}`, ...args),
    noDenormal: (b, x) => {
      const above = b.op(`${integer}.ge_s`, magnitude(b, x), splat(b, smallest));
      return all(b, b.op("v128.or", above, zeroMask(b, x)));
    },
    normal: (b, x) => all(b, normalMask(b, x)),
    normalOr: (b, x, exactZero) => {
      const test: LaneTest = {
        isZero: (value) => zeroMask(b, value),
        isInfinite: (value) => b.op(`${integer}.eq`, magnitude(b, value), splat(b, infinity)),
        or: (p, q) => b.op("v128.or", p, q),
        always: () => splat(b, -1n),
      };
      const zero = b.op("v128.and", zeroMask(b, x), exactZero(test));
      return all(b, b.op("v128.or", normalMask(b, x), zero));
    },
    ordered: (b, x, y) => all(b, b.op("v128.and", b.op(`${float}.eq`, x, x), b.op(`${float}.eq`, y, y))),
  };
}

/** Scalar and packed, single and double. */
export const SHAPES: readonly FloatShape[] = [
  scalarShape("single"),
  scalarShape("double"),
  vectorShape("single"),
  vectorShape("double"),
];

/** Writes `result` if the fast path holds, else what the helper computes from the arguments. */
export function fastOrExact(
  b: Builder,
  fast: Value,
  helper: string,
  args: readonly Value[],
  write: (value: Value) => void,
  result: Value,
  exact: () => Value,
): void {
  b.if(
    fast,
    () => write(result),
    () => {
      b.helper(helper, args);
      write(exact());
    },
  );
}

const ALL = (b: Builder, ...conditions: Value[]) => conditions.reduce((x, y) => b.and(x, y));

for (const shape of SHAPES) {
  const { suffix } = shape;
  const arithmetic = (name: string, exactZero: (test: LaneTest, x: Value, y: Value) => Value) =>
    define(`${name}${suffix}`, (b, dst, src) => {
      const x = shape.target(dst);
      const y = shape.source(b, src);
      const result = shape.op(b, name, x, y);
      const fast = ALL(
        b,
        usualMode(b),
        shape.noDenormal(b, x),
        shape.noDenormal(b, y),
        shape.normalOr(b, result, (test) => exactZero(test, x, y)),
      );
      const write = (value: Value) => shape.write(dst, value);
      fastOrExact(b, fast, `sse.${name}${suffix}`, [x, y], write, result, () => shape.result(b));
    });
  // Without denormals a sum is zero only if it is exact.
  arithmetic("add", (test) => test.always());
  arithmetic("sub", (test) => test.always());
  arithmetic("mul", (test, x, y) => test.or(test.isZero(x), test.isZero(y)));
  arithmetic("div", (test, x, y) => test.or(test.isZero(x), test.isInfinite(y)));

  define(`sqrt${suffix}`, (b, dst, src) => {
    const y = shape.source(b, src);
    const result = shape.op(b, "sqrt", y);
    const fast = ALL(
      b,
      usualMode(b),
      shape.noDenormal(b, y),
      shape.normalOr(b, result, (test) => test.always()),
    );
    const write = (value: Value) => shape.write(dst, value);
    fastOrExact(b, fast, `sse.sqrt${suffix}`, [y, y], write, result, () => shape.result(b));
  });

  // The second operand unless the first is strictly less (greater): pmin(y, x) is x < y ? x : y.
  for (const name of ["min", "max"] as const) {
    define(`${name}${suffix}`, (b, dst, src) => {
      const x = shape.target(dst);
      const y = shape.source(b, src);
      const fast = ALL(b, shape.ordered(b, x, y), shape.noDenormal(b, x), shape.noDenormal(b, y));
      const result =
        x.type === "v128"
          ? shape.op(b, `p${name}`, y, x)
          : b.select(shape.op(b, name === "min" ? "lt" : "gt", x, y), x, y);
      const write = (value: Value) => shape.write(dst, value);
      fastOrExact(b, fast, `sse.${name}${suffix}`, [x, y], write, result, () => shape.result(b));
    });
  }

  // The predicate is a value here: the exact path serves all.
  define(`cmp${suffix}`, (b, dst, src, predicate) => {
    const x = shape.target(dst);
    const y = shape.source(b, src);
    const selector = b.and(b.wrap(predicate.read()), b.const32(7));
    const fast = ALL(b, shape.ordered(b, x, y), shape.noDenormal(b, x), shape.noDenormal(b, y));
    const mask = (name: string) => {
      const test = shape.op(b, name, x, y);
      return x.type === "v128" ? test : maskOf(b, test, suffix === "sd" ? 64 : 32);
    };
    const kind = b.and(selector, b.const32(3));
    const base = b.select(
      b.eqz(kind),
      mask("eq"),
      b.select(
        b.eq(kind, b.const32(1)),
        mask("lt"),
        b.select(b.eq(kind, b.const32(2)), mask("le"), falseMask(b, x, suffix)),
      ),
    );
    const negate = b.ne(b.and(selector, b.const32(4)), b.const32(0));
    const inverted = x.type === "v128" ? b.op("v128.not", base) : b.not(base);
    const result = b.select(negate, inverted, base);
    const part = suffix === "sd" ? "q0" : "d0";
    const write = (value: Value) => (x.type === "v128" ? dst.writeVector(value) : dst.writePart(part, value));
    fastOrExact(b, fast, `sse.cmp${suffix}`, [x, y, selector], write, result, () =>
      b.helperResult(0, x.type === "v128" ? "v128" : "i64"),
    );
  });
}

function maskOf(b: Builder, condition: Value, bits: number): Value {
  return b.zext(b.sub(b.const64(0), b.extendU(condition)), bits);
}

function falseMask(b: Builder, x: Value, _suffix: string): Value {
  return x.type === "v128" ? b.op("i64x2.splat", b.const64(0)) : b.const64(0);
}

for (const name of ["addsub", "hadd", "hsub"]) {
  for (const suffix of ["ps", "pd"]) {
    define(`${name}${suffix}`, (b, dst, src) => {
      b.helper(`sse.${name}${suffix}`, [dst.readVector(), src.readVector(true)]);
      dst.writeVector(b.helperResult(0, "v128"));
    });
  }
}
for (const mnemonic of ["dpps", "dppd"]) {
  define(mnemonic, (b, dst, src, immediate) => {
    const y = src.readVector(true);
    b.helper(`sse.${mnemonic}`, [dst.readVector(), y, b.wrap(immediate.read())]);
    dst.writeVector(b.helperResult(0, "v128"));
  });
}

for (const name of ["rcp", "rsqrt"]) {
  for (const shape of [SHAPES[0], SHAPES[2]]) {
    define(`${name}${shape.suffix}`, (b, dst, src) => {
      b.helper(`sse.${name}${shape.suffix}`, [shape.source(b, src)], false);
      shape.write(dst, shape.result(b));
    });
  }
}

// ---- comparisons that set RFLAGS ----

for (const name of ["comis", "ucomis"] as const) {
  for (const shape of SHAPES.slice(0, 2)) {
    const letter = shape.suffix === "sd" ? "d" : "s";
    define(`${name}${letter}`, (b, dst, src) => {
      const x = shape.target(dst);
      const y = shape.source(b, src);
      const fast = ALL(b, shape.ordered(b, x, y), shape.noDenormal(b, x), shape.noDenormal(b, y));
      const flags = b.variable(b.const32(0));
      b.if(
        fast,
        () => flags.set(b.or(shape.op(b, "lt", x, y), b.shl(shape.op(b, "eq", x, y), b.const32(6)))),
        () => {
          b.helper(`sse.${name}${letter}`, [x, y]);
          flags.set(b.helperResult(0, "i32"));
        },
      );
      const all = flags.get();
      const bit = (position: number) => b.and(b.shr(all, b.const32(position)), b.const32(1));
      b.flags.setAll({ carry: bit(0), parity: bit(2), zero: bit(6) });
    });
  }
}
