/**
 * What SSE floating-point definitions ask of operands, whether they are scalars or vectors, single or double: is every
 * lane normal, was the operation exact, and so on. Each test answers an i32, 0 or 1.
 */

import type { Builder } from "../../ir/builder.ts";
import type { Operand } from "../../ir/operand.ts";
import type { Type, Value } from "../../ir/value.ts";

export interface FloatShape {
  readonly suffix: "ss" | "sd" | "ps" | "pd";
  readonly lanes: 1 | 2 | 4;
  /** Reads the second source (a register or memory). */
  source(b: Builder, operand: Operand): Value;
  /** Reads the destination as a source. */
  target(operand: Operand): Value;
  write(operand: Operand, value: Value): void;
  /** The type of its values. */
  readonly type: Type;
  /** The same number in every lane. */
  constant(b: Builder, value: number): Value;
  op(b: Builder, name: string, ...args: Value[]): Value;
  noDenormal(b: Builder, x: Value): Value;
  /**
   * Every lane of x is normal, or is zero where `exactZero` (same type as a lane mask) allows it. The smallest normal number
   * does not count: as a result it may have been rounded up from a tiny one, which reports UE.
   */
  normalOr(b: Builder, x: Value, exactZero: (lane: LaneTest) => Value): Value;
  /**
   * All of these are normal numbers, and not among the smallest: cheaper than the tests above, and usually true. Absent
   * where those are as cheap.
   */
  ordinary?(b: Builder, values: readonly Value[]): Value;
  ordered(b: Builder, x: Value, y: Value): Value;
  /** Every lane of x compares to that of y as the operation says: "eq", "lt", "ge" … */
  all(b: Builder, comparison: string, x: Value, y: Value): Value;
  /**
   * x × y needs no rounding, provided that it is in the range of normal numbers: both factors are short, or one is a power
   * of two. (Other exact products are not recognized.)
   */
  shortFactors(b: Builder, x: Value, y: Value): Value;
}

/** Lane-wise tests that give masks (vectors) or 0-or-1 (scalars), to be combined with `or`. */
export interface LaneTest {
  isZero(x: Value): Value;
  isInfinite(x: Value): Value;
  or(x: Value, y: Value): Value;
  always(): Value;
}

/** Bits that are zero in a number of at most half as many significant bits as the format has. */
const SHORT_MASK = { single: 0xfffn, double: 0x7ff_ffffn } as const;
const FRACTION_MASK = { single: 0x7f_ffffn, double: 0xf_ffff_ffff_ffffn } as const;

function scalarShape(precision: "single" | "double"): FloatShape {
  const double = precision === "double";
  const type = double ? "f64" : "f32";
  const bits = (b: Builder, x: Value) => b.op(double ? "i64.reinterpret_f64" : "i32.reinterpret_f32", x);
  const integer = (b: Builder, value: bigint) =>
    double ? b.const64(value) : b.const32(Number(BigInt.asIntN(32, value)));
  // The representation without its sign, shifted left by one.
  const smallest = double ? 1n << 53n : 1n << 24n;
  const infinity = double ? 0x7ffn << 53n : 0xffn << 24n;
  const upperExponent = double ? 0x7fcn << 52n : 0xfcn << 23n;
  const magnitude = (b: Builder, x: Value) => b.shlBy(bits(b, x), 1);
  const normal = (b: Builder, x: Value) =>
    b.ltU(b.sub(magnitude(b, x), integer(b, smallest + 1n)), integer(b, infinity - smallest - 1n));
  return {
    suffix: double ? "sd" : "ss",
    lanes: 1,
    source: (_b, operand) => operand.readPart(type),
    target: (operand) => operand.readPart(type),
    write: (operand, value) => operand.writePart(type, value),
    type,
    constant: (b, value) => (double ? b.constF64(value) : b.constF32(value)),
    op: (b, name, ...args) => b.op(`${type}.${name}`, ...args),
    noDenormal: (b, x) => b.geU(b.sub(magnitude(b, x), integer(b, 1n)), integer(b, smallest - 1n)),
    normalOr: (b, x, exactZero) => {
      const test: LaneTest = {
        isZero: (value) => b.eqz(magnitude(b, value)),
        isInfinite: (value) => b.eq(magnitude(b, value), integer(b, infinity)),
        or: (p, q) => b.or(p, q),
        always: () => b.const32(1),
      };
      return b.or(normal(b, x), b.and(test.isZero(x), exactZero(test)));
    },
    // One more makes an exponent of all ones 0; those up to 3 then have none of the upper bits.
    ordinary: (b, values) =>
      values
        .map((x) => {
          const raised = b.add(bits(b, x), integer(b, smallest >> 1n));
          return b.ne(b.and(raised, integer(b, upperExponent)), integer(b, 0n));
        })
        .reduce((x, y) => b.and(x, y)),
    ordered: (b, x, y) => b.and(b.op(`${type}.eq`, x, x), b.op(`${type}.eq`, y, y)),
    all: (b, comparison, x, y) => b.op(`${type}.${comparison}`, x, y),
    shortFactors: (b, x, y) => {
      const [p, q] = [bits(b, x), bits(b, y)];
      const clear = (value: Value, mask: bigint) => b.eqz(b.and(value, integer(b, mask)));
      const power = b.or(clear(p, FRACTION_MASK[precision]), clear(q, FRACTION_MASK[precision]));
      return b.or(clear(b.or(p, q), SHORT_MASK[precision]), power);
    },
  };
}

function vectorShape(precision: "single" | "double"): FloatShape {
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
    const above = b.op(`${integer}.gt_s`, m, splat(b, smallest));
    return b.op("v128.and", above, b.op(`${integer}.lt_s`, m, splat(b, infinity)));
  };
  const zeroMask = (b: Builder, x: Value) => b.op(`${float}.eq`, x, splat(b, 0n));
  return {
    suffix: double ? "pd" : "ps",
    lanes: double ? 2 : 4,
    source: (_b, operand) => operand.readVector(true),
    target: (operand) => operand.readVector(),
    write: (operand, value) => operand.writeVector(value),
    type: "v128",
    constant: (b, value) => b.op(`${float}.splat`, double ? b.constF64(value) : b.constF32(value)),
    op: (b, name, ...args) => b.op(`${float}.${name}`, ...args),
    noDenormal: (b, x) => {
      const above = b.op(`${integer}.ge_s`, magnitude(b, x), splat(b, smallest));
      return all(b, b.op("v128.or", above, zeroMask(b, x)));
    },
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
    all: (b, comparison, x, y) => all(b, b.op(`${float}.${comparison}`, x, y)),
    shortFactors: (b, x, y) => {
      const clear = (value: Value, mask: bigint) =>
        b.op(`${integer}.eq`, b.op("v128.and", value, splat(b, mask)), splat(b, 0n));
      const power = b.op("v128.or", clear(x, FRACTION_MASK[precision]), clear(y, FRACTION_MASK[precision]));
      return all(b, b.op("v128.or", clear(b.op("v128.or", x, y), SHORT_MASK[precision]), power));
    },
  };
}

export const SINGLE = scalarShape("single");
export const DOUBLE = scalarShape("double");
export const PACKED_SINGLE = vectorShape("single");
export const PACKED_DOUBLE = vectorShape("double");
/** Scalar and packed, single and double. */
export const SHAPES: readonly FloatShape[] = [SINGLE, DOUBLE, PACKED_SINGLE, PACKED_DOUBLE];
