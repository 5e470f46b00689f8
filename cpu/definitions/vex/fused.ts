/**
 * FMA: ±(x × y) ± z, rounded once (Intel SDM vol. 1, 14.5; vol. 2, VFMADD132PD …).
 *
 * The fast path is exact. It applies in the usual mode (sse/fast-path.ts) to operands that are zero or in a range in which
 * nothing can overflow or become denormal on the way:
 *
 * - Singles: as doubles their product is exact, and so is the error of the sum (Knuth's TwoSum). Rounding the sum to double
 *   and then to single is one rounding, unless the double is halfway between two singles and is not exact.
 * - Doubles: S. Boldo, G. Melquiond, "Emulation of a FMA and Correctly Rounded Sums: Proved Algorithms Using Rounding to
 *   Odd", IEEE Transactions on Computers 57 (4), 2008. The product is the exact sum of two doubles (Dekker's product with
 *   Veltkamp's splitting). Of the three summands the two lower ones are added with rounding to odd: to the one of both
 *   neighbours whose significand is odd, so that the last addition cannot round twice.
 */

import { FUSED_KINDS } from "../../decoder/fused-signs.ts";
import type { Builder } from "../../ir/builder.ts";
import type { Value } from "../../ir/value.ts";
import { type Definition, defineWithContext } from "../registry.ts";
import { all, silentOrExact, usualMode } from "../sse/fast-path.ts";
import { type FloatShape, SHAPES } from "../sse/float-shape.ts";
import { IOTA } from "../sse/packed.ts";
import { derived } from "./derive.ts";

/** Results of two lanes of doubles. */
interface Pair {
  readonly result: Value;
  /** Lane masks: the result is right if nobody wants to know whether it is exact; it is exact. */
  readonly isRight: Value;
  readonly isExact: Value;
}

/** Operations on two doubles. */
class Doubles {
  constructor(private readonly b: Builder) {}

  op(name: string, ...args: Value[]): Value {
    return this.b.op(`f64x2.${name}`, ...args);
  }
  bits(name: string, ...args: Value[]): Value {
    return this.b.op(`i64x2.${name}`, ...args);
  }
  constant(value: number): Value {
    return this.op("splat", this.b.constF64(value));
  }
  integer(value: bigint): Value {
    return this.bits("splat", this.b.const64(value));
  }
  and = (...masks: Value[]) => masks.reduce((x, y) => this.b.op("v128.and", x, y));
  or = (x: Value, y: Value) => this.b.op("v128.or", x, y);
  xor = (x: Value, y: Value) => this.b.op("v128.xor", x, y);
  select = (mask: Value, yes: Value, no: Value) => this.b.op("v128.bitselect", yes, no, mask);
  isZero = (x: Value) => this.op("eq", x, this.constant(0));

  /** Zero, or of a magnitude from `least` to `most`. */
  isInRange(x: Value, least: number, most: number): Value {
    const magnitude = this.op("abs", x);
    const inside = this.and(
      this.op("ge", magnitude, this.constant(least)),
      this.op("le", magnitude, this.constant(most)),
    );
    return this.or(inside, this.isZero(x));
  }

  /** Negates the lanes whose bit is set in a vector: bit 0 for products, bit 1 for addends. */
  negate(x: Value, signs: Value, bit: 0 | 1): Value {
    const lowest = bit === 0 ? signs : this.bits("shr_u", signs, this.b.const32(bit));
    return this.xor(x, this.bits("shl", lowest, this.b.const32(63)));
  }

  /** x + y, rounded, and what was lost. */
  twoSum(x: Value, y: Value): [sum: Value, error: Value] {
    const sum = this.op("add", x, y);
    const addend = this.op("sub", sum, x);
    const lostOfX = this.op("sub", x, this.op("sub", sum, addend));
    return [sum, this.op("add", lostOfX, this.op("sub", y, addend))];
  }

  /** The upper 26 bits of a significand, and the others. */
  private split(x: Value): [high: Value, low: Value] {
    const scaled = this.op("mul", x, this.constant(2 ** 27 + 1));
    const high = this.op("sub", scaled, this.op("sub", scaled, x));
    return [high, this.op("sub", x, high)];
  }

  /** x × y, rounded, and what was lost. */
  twoProduct(x: Value, y: Value): [product: Value, error: Value] {
    const product = this.op("mul", x, y);
    const [highX, lowX] = this.split(x);
    const [highY, lowY] = this.split(y);
    let error = this.op("sub", this.op("mul", highX, highY), product);
    error = this.op("add", error, this.op("mul", highX, lowY));
    error = this.op("add", error, this.op("mul", lowX, highY));
    return [product, this.op("add", error, this.op("mul", lowX, lowY))];
  }

  /** x + y, rounded to odd, and what rounding to nearest would have lost. */
  oddSum(x: Value, y: Value): [sum: Value, error: Value] {
    const [sum, error] = this.twoSum(x, y);
    const one = this.integer(1n);
    const isEven = this.bits("eq", this.and(sum, one), this.integer(0n));
    const adjusts = this.b.op("v128.andnot", isEven, this.isZero(error));
    // One away from zero if the error has the sign of the sum, else one towards it.
    const step = this.or(this.bits("shr_s", this.xor(sum, error), this.b.const32(63)), one);
    return [this.bits("add", sum, this.and(step, adjusts)), error];
  }
}

function fuseDoubles(f: Doubles, x: Value, y: Value, z: Value): Pair {
  const isRight = f.and(
    f.isInRange(x, 2 ** -450, 2 ** 450),
    f.isInRange(y, 2 ** -450, 2 ** 450),
    f.isInRange(z, 2 ** -900, 2 ** 900),
  );
  const [productHigh, productLow] = f.twoProduct(x, y);
  const [lowHigh, lowLow] = f.twoSum(z, productLow);
  const [high, rest] = f.twoSum(productHigh, lowHigh);
  const [low, lost] = f.oddSum(lowLow, rest);
  const [sum, error] = f.twoSum(high, low);
  // The sign of a zero is that of an ordinary sum: either the product is zero, or it is minus the addend, exactly.
  const isZero = f.isZero(sum);
  const result = f.select(isZero, f.op("add", productHigh, z), sum);
  return { result, isRight, isExact: f.and(f.isZero(lost), f.isZero(error)) };
}

const SMALLEST_SINGLE = 2 ** -126;
const LARGEST_SINGLE = (2 - 2 ** -23) * 2 ** 127;

/** @returns the result as a pair of singles in the low lanes */
function fuseSingles(b: Builder, f: Doubles, x: Value, y: Value, z: Value): Pair {
  const operandsInRange = [x, y, z].map((value) => f.isInRange(value, SMALLEST_SINGLE, LARGEST_SINGLE));
  const [sum, error] = f.twoSum(f.op("mul", x, y), z);
  const result = b.op("f32x4.demote_f64x2_zero", sum);
  const rounded = b.op("f64x2.promote_low_f32x4", result);
  const isNoError = f.isZero(error);
  const fraction = f.and(sum, f.integer(0x1fff_ffffn));
  const isHalfway = f.bits("eq", fraction, f.integer(0x1000_0000n));
  // The smallest normal number may have been rounded up from a tiny one, which reports UE.
  const magnitude = f.op("abs", rounded);
  const isNormal = f.and(
    f.op("gt", magnitude, f.constant(SMALLEST_SINGLE)),
    f.op("le", magnitude, f.constant(LARGEST_SINGLE)),
  );
  const isRight = f.and(
    ...operandsInRange,
    f.or(f.bits("eq", isHalfway, f.integer(0n)), isNoError),
    f.or(isNormal, f.isZero(sum)),
  );
  return { result, isRight, isExact: f.and(isNoError, f.op("eq", rounded, sum)) };
}

/** The upper two singles come down. */
const UPPER = IOTA.map((byte) => (byte + 8) & 15);
const JOIN = [...IOTA.slice(0, 8), ...IOTA.slice(0, 8).map((byte) => byte + 16)];

interface Fused {
  readonly result: Value;
  readonly isRight: Value;
  isExact(): Value;
}

/** All lanes of a shape. */
function fuse(b: Builder, shape: FloatShape, signs: Value, operands: readonly Value[]): Fused {
  const f = new Doubles(b);
  const signVector = b.lane("i64x2.replace_lane", 1, b.op("i64x2.splat", signs), b.shrBy(signs, 2));
  const isSingle = shape.suffix.endsWith("s");
  const vectors = operands.map((value) =>
    shape.lanes === 1 ? b.op(isSingle ? "f32x4.splat" : "f64x2.splat", value) : value,
  );
  const compute = ([x, y, z]: readonly Value[]): Pair => {
    const [product, addend] = [f.negate(x, signVector, 0), f.negate(z, signVector, 1)];
    return isSingle ? fuseSingles(b, f, product, y, addend) : fuseDoubles(f, product, y, addend);
  };
  const promote = (value: Value) => b.op("f64x2.promote_low_f32x4", value);
  const pairs = [compute(isSingle ? vectors.map(promote) : vectors)];
  if (shape.lanes === 4) pairs.push(compute(vectors.map((value) => promote(b.shuffle(value, value, UPPER)))));
  const every = (masks: readonly Value[]) => b.op("i64x2.all_true", f.and(...masks));
  let result = pairs[0].result;
  if (shape.lanes === 4) result = b.shuffle(pairs[0].result, pairs[1].result, JOIN);
  else if (shape.lanes === 1)
    result = b.lane(isSingle ? "f32x4.extract_lane" : "f64x2.extract_lane", 0, result);
  return {
    result,
    isRight: every(pairs.map(({ isRight }) => isRight)),
    isExact: () => every(pairs.map(({ isExact }) => isExact)),
  };
}

/** Which operands are multiplied and which is added, in the order in which NaNs win. */
const ORDERS = { "132": [0, 2, 1], "213": [1, 0, 2], "231": [1, 2, 0] } as const;

/** One definition for all kinds: the signs are in the record (decoder/fused-signs.ts). */
function definition(shape: FloatShape, order: readonly number[]): Definition {
  return (b, [dst, second, third]) => {
    const signs = b.immediate();
    const read = [shape.target(dst), shape.target(second), shape.source(b, third)];
    const [x, y, z] = order.map((index) => read[index]);
    const { result, isRight, isExact } = fuse(b, shape, signs, [x, y, z]);
    silentOrExact(
      b,
      { silent: () => all(b, usualMode(b), isRight), isExact },
      (value) => shape.write(dst, value),
      result,
      { helper: `sse.fma${shape.suffix}`, args: [x, y, z, b.wrap(signs)], result: shape.type },
    );
  };
}

for (const [suffix, order] of Object.entries(ORDERS)) {
  for (const shape of SHAPES) {
    const fused = derived(definition(shape, order), false);
    for (const kind of FUSED_KINDS) {
      const alternates = /addsub|subadd/.test(kind);
      if (!alternates || shape.lanes > 1) defineWithContext(`v${kind}${suffix}${shape.suffix}`, fused);
    }
  }
}
