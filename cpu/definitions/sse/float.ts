/** SSE floating-point arithmetic, minimum and maximum; the fast path is described in fast-path.ts. */

import type { Builder } from "../../ir/builder.ts";
import type { Operand } from "../../ir/operand.ts";
import type { Value } from "../../ir/value.ts";
import { define } from "../registry.ts";
import { all, fastOrExact, silentOrExact, usualMode, usualModeAfterRounding } from "./fast-path.ts";
import {
  type FloatShape,
  type LaneTest,
  PACKED_DOUBLE,
  PACKED_SINGLE,
  SHAPES,
  SINGLE,
} from "./float-shape.ts";

interface Operation {
  /** WebAssembly's name. */
  readonly name: string;
  /** A zero among the results is exact (a lane mask). */
  exactZero(test: LaneTest, x: Value, y: Value): Value;
  /** No lane of the result was rounded; the operands are not denormal, the results normal or exact zeros. */
  isExact(b: Builder, shape: FloatShape, x: Value, y: Value, result: Value): Value;
}

/** Knuth's TwoSum: what was lost in x + y is itself a number. */
function isExactSum(b: Builder, shape: FloatShape, x: Value, y: Value, sum: Value): Value {
  const addend = shape.op(b, "sub", sum, x);
  const lostOfX = shape.op(b, "sub", x, shape.op(b, "sub", sum, addend));
  const lost = shape.op(b, "add", lostOfX, shape.op(b, "sub", y, addend));
  return shape.all(b, "eq", lost, shape.constant(b, 0));
}

/** x = y × z without rounding. */
function isExactProduct(b: Builder, shape: FloatShape, x: Value, y: Value, z: Value): Value {
  return b.and(shape.shortFactors(b, y, z), shape.all(b, "eq", x, shape.op(b, "mul", y, z)));
}

const ADD: Operation = {
  name: "add",
  // Without denormals a sum is zero only if it is exact.
  exactZero: (test) => test.always(),
  isExact: isExactSum,
};
const SUBTRACT: Operation = {
  name: "sub",
  exactZero: (test) => test.always(),
  isExact: (b, shape, x, y, difference) => isExactSum(b, shape, x, shape.op(b, "neg", y), difference),
};
const MULTIPLY: Operation = {
  name: "mul",
  exactZero: (test, x, y) => test.or(test.isZero(x), test.isZero(y)),
  isExact: (b, shape, x, y) => shape.shortFactors(b, x, y),
};
const DIVIDE: Operation = {
  name: "div",
  exactZero: (test, x, y) => test.or(test.isZero(x), test.isInfinite(y)),
  isExact: (b, shape, x, y, quotient) => isExactProduct(b, shape, x, y, quotient),
};

/** PE is sticky already, and these are what operands and results usually are; undefined if that is no cheaper to know. */
function usually(b: Builder, shape: FloatShape, values: readonly Value[]): Value | undefined {
  const ordinary = shape.ordinary?.(b, values);
  return ordinary === undefined ? undefined : b.and(usualModeAfterRounding(b), ordinary);
}

/** dst = x operation y; the helper gets `args`. */
function compute(
  b: Builder,
  shape: FloatShape,
  operation: Operation,
  [x, y]: readonly [Value, Value],
  dst: Operand,
  helper: string,
  args: readonly Value[] = [x, y],
): void {
  const result = shape.op(b, operation.name, x, y);
  silentOrExact(
    b,
    {
      usually: usually(b, shape, [x, y, result]),
      silent: () =>
        all(
          b,
          usualMode(b),
          shape.noDenormal(b, x),
          shape.noDenormal(b, y),
          shape.normalOr(b, result, (test) => operation.exactZero(test, x, y)),
        ),
      isExact: () => operation.isExact(b, shape, x, y, result),
    },
    (value) => shape.write(dst, value),
    result,
    { helper: `sse.${helper}${shape.suffix}`, args, result: shape.type },
  );
}

for (const shape of SHAPES) {
  const { suffix } = shape;
  for (const operation of [ADD, SUBTRACT, MULTIPLY, DIVIDE]) {
    define(`${operation.name}${suffix}`, (b, dst, src) => {
      const x = shape.target(dst);
      compute(b, shape, operation, [x, shape.source(b, src)], dst, operation.name);
    });
  }

  define(`sqrt${suffix}`, (b, dst, src) => {
    const y = shape.source(b, src);
    const root = shape.op(b, "sqrt", y);
    silentOrExact(
      b,
      {
        usually: usually(b, shape, [y, root]),
        silent: () =>
          all(
            b,
            usualMode(b),
            shape.noDenormal(b, y),
            shape.normalOr(b, root, (test) => test.always()),
          ),
        isExact: () => isExactProduct(b, shape, y, root, root),
      },
      (value) => shape.write(dst, value),
      root,
      { helper: `sse.sqrt${suffix}`, args: [y, y], result: shape.type },
    );
  });

  // The second operand unless the first is strictly less (greater): pmin(y, x) is x < y ? x : y.
  for (const name of ["min", "max"] as const) {
    define(`${name}${suffix}`, (b, dst, src) => {
      const x = shape.target(dst);
      const y = shape.source(b, src);
      const fast = all(b, shape.ordered(b, x, y), shape.noDenormal(b, x), shape.noDenormal(b, y));
      const result =
        x.type === "v128"
          ? shape.op(b, `p${name}`, y, x)
          : b.select(shape.op(b, name === "min" ? "lt" : "gt", x, y), x, y);
      fastOrExact(b, fast, (value) => shape.write(dst, value), result, {
        helper: `sse.${name}${suffix}`,
        args: [x, y],
        result: shape.type,
      });
    });
  }
}

// ---- between the lanes of a vector ----

/** Byte indices of the even lanes of two vectors side by side; the odd ones follow each. */
const EVEN_LANES = {
  ps: [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27],
  pd: [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23],
} as const;
/** The sign bits of the even lanes. */
const EVEN_SIGNS = {
  ps: [0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0],
  pd: [0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0],
} as const;

for (const [shape, suffix] of [
  [PACKED_SINGLE, "ps"],
  [PACKED_DOUBLE, "pd"],
] as const) {
  for (const [name, operation] of [
    ["hadd", ADD],
    ["hsub", SUBTRACT],
  ] as const) {
    define(`${name}${suffix}`, (b, dst, src) => {
      const x = dst.readVector();
      const y = src.readVector(true);
      const even = EVEN_LANES[suffix];
      const odd = even.map((lane) => lane + 16 / shape.lanes);
      compute(b, shape, operation, [b.shuffle(x, y, even), b.shuffle(x, y, odd)], dst, name);
    });
  }
  define(`addsub${suffix}`, (b, dst, src) => {
    const x = dst.readVector();
    const y = src.readVector(true);
    const signed = b.op("v128.xor", y, b.const128(EVEN_SIGNS[suffix]));
    compute(b, shape, ADD, [x, signed], dst, "addsub", [x, y]);
  });

  // Products that bits 4… of the immediate choose, summed up; lanes that bits 0… choose receive the sum.
  define(`dp${suffix}`, (b, dst, src, immediate) => {
    const x = dst.readVector();
    const y = src.readVector(true);
    const selector = b.wrap(immediate.read());
    const everyProduct = shape.op(b, "mul", x, y);
    const products = b.op("v128.and", everyProduct, laneMask(b, shape, selector, 4));
    const exchanged = (value: Value, distance: number) =>
      b.shuffle(
        value,
        value,
        [...Array(16).keys()].map((byte) => byte ^ distance),
      );
    const sums: [x: Value, y: Value, sum: Value][] = [];
    let sum = products;
    for (let distance = 16 / shape.lanes; distance < 16; distance *= 2) {
      const [left, right] = [sum, exchanged(sum, distance)];
      sum = shape.op(b, "add", left, right);
      sums.push([left, right, sum]);
    }
    silentOrExact(
      b,
      {
        silent: () =>
          all(
            b,
            usualMode(b),
            shape.noDenormal(b, x),
            shape.noDenormal(b, y),
            // Products that are not chosen are looked at too.
            shape.normalOr(b, everyProduct, (test) => MULTIPLY.exactZero(test, x, y)),
            ...sums.map(([, , total]) => shape.normalOr(b, total, (test) => test.always())),
          ),
        isExact: () =>
          all(
            b,
            shape.shortFactors(b, x, y),
            ...sums.map(([left, right, total]) => isExactSum(b, shape, left, right, total)),
          ),
      },
      (value) => dst.writeVector(value),
      b.op("v128.and", sum, laneMask(b, shape, selector, 0)),
      { helper: `sse.dp${suffix}`, args: [x, y, selector], result: shape.type },
    );
  });
}

/** All ones in the lanes whose bit, counted from `from`, is set. */
function laneMask(b: Builder, shape: FloatShape, selector: Value, from: number): Value {
  const integer = shape.lanes === 4 ? "i32x4" : "i64x2";
  const bits = new Uint8Array(16);
  for (let lane = 0; lane < shape.lanes; lane++) bits[(lane * 16) / shape.lanes] = 1 << (from + lane);
  const wanted = b.const128(bits);
  const everywhere = b.op(`${integer}.splat`, shape.lanes === 4 ? selector : b.extendU(selector));
  return b.op(`${integer}.eq`, b.op("v128.and", everywhere, wanted), wanted);
}

// ---- approximations ----

for (const name of ["rcp", "rsqrt"]) {
  for (const shape of [SINGLE, PACKED_SINGLE]) {
    define(`${name}${shape.suffix}`, (b, dst, src) => {
      b.helper(`sse.${name}${shape.suffix}`, [shape.source(b, src)], false);
      shape.write(dst, b.helperResult(0, shape.type));
    });
  }
}
