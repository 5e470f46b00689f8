/**
 * Pieces of JavaScript text with what is known of their values, so that generated code converts and masks only where it
 * must.
 *
 * An i64 is a BigInt that is right modulo 2^64: sums may run over, and are cut (asUintN, asIntN) only where it matters. An
 * i32 is a number that is right modulo 2^32, or a boolean. Floating-point values that only move are carried as bits:
 * JavaScript may change the payload of a NaN that it holds as a number.
 */

export type Expression =
  | {
      readonly kind: "big";
      readonly text: string;
      readonly level: number;
      readonly min: bigint;
      readonly max: bigint;
    }
  | {
      readonly kind: "int";
      readonly text: string;
      readonly level: number;
      readonly min: number;
      readonly max: number;
    }
  | { readonly kind: "bool" | "double" | "single" | "vector"; readonly text: string; readonly level: number }
  /** A BigInt from 0 to 2^64 - 1, and a number from -2^31 to 2^31 - 1. */
  | { readonly kind: "doubleBits" | "singleBits"; readonly text: string; readonly level: number };

export type BigExpression = Extract<Expression, { kind: "big" }>;
export type IntExpression = Extract<Expression, { kind: "int" }>;

/** How tightly operators bind (ECMA-262, 13.5 … 13.16). */
export const Level = {
  Conditional: 2,
  LogicalOr: 3,
  LogicalAnd: 4,
  Or: 5,
  Xor: 6,
  And: 7,
  Equality: 8,
  Relational: 9,
  Shift: 10,
  Additive: 11,
  Multiplicative: 12,
  Unary: 13,
  Primary: 14,
} as const;

const U64 = (1n << 64n) - 1n;
const S64_MIN = -(1n << 63n);
const S64_MAX = (1n << 63n) - 1n;

/** The text, in parentheses if it binds less tightly than its place wants. */
export function within({ text, level }: Expression, wanted: number): string {
  return level >= wanted ? text : `(${text})`;
}

// ---- constants ----

function hex(value: bigint | number): string {
  const magnitude = value < 0 ? -value : value;
  const digits = magnitude < 10 ? magnitude.toString() : `0x${magnitude.toString(16)}`;
  return value < 0 ? `-${digits}` : digits;
}

export function bigConstant(value: bigint): BigExpression {
  return {
    kind: "big",
    text: `${hex(value)}n`,
    level: value < 0n ? Level.Unary : Level.Primary,
    min: value,
    max: value,
  };
}

export function intConstant(value: number): IntExpression {
  return {
    kind: "int",
    text: hex(value),
    level: value < 0 ? Level.Unary : Level.Primary,
    min: value,
    max: value,
  };
}

export function isConstant(expression: BigExpression | IntExpression): boolean {
  return expression.min === expression.max;
}

// ---- i64 ----

export function big(text: string, level: number, min: bigint = 0n, max: bigint = U64): BigExpression {
  return { kind: "big", text, level, min, max };
}

export function asBig(expression: Expression): BigExpression {
  if (expression.kind !== "big") throw new Error(`${expression.text} is ${expression.kind}, not i64`);
  return expression;
}

export function isUnsigned({ min, max }: BigExpression): boolean {
  return min >= 0n && max <= U64;
}

export function isSigned({ min, max }: BigExpression): boolean {
  return min >= S64_MIN && max <= S64_MAX;
}

/** From 0 to 2^bits - 1: the low bits. */
export function unsigned(expression: BigExpression, bits = 64): BigExpression {
  const most = (1n << BigInt(bits)) - 1n;
  if (expression.min >= 0n && expression.max <= most) return expression;
  if (isConstant(expression)) return bigConstant(BigInt.asUintN(bits, expression.min));
  if (bits < 64) return big(`${within(expression, Level.Additive)} & ${hex(most)}n`, Level.And, 0n, most);
  return big(`BigInt.asUintN(64, ${expression.text})`, Level.Primary);
}

/** From -2^(bits - 1) to 2^(bits - 1) - 1. */
export function signed(expression: BigExpression, bits = 64): BigExpression {
  const half = 1n << BigInt(bits - 1);
  if (expression.min >= -half && expression.max < half) return expression;
  if (isConstant(expression)) return bigConstant(BigInt.asIntN(bits, expression.min));
  return big(`BigInt.asIntN(${bits}, ${expression.text})`, Level.Primary, -half, half - 1n);
}

/** Cuts a value whose bounds have grown past what further arithmetic should have to carry. */
export function bounded(expression: BigExpression): BigExpression {
  const limit = 1n << 130n;
  return expression.min < -limit || expression.max > limit ? unsigned(expression) : expression;
}

/** Both in one range, so that equal values are equal BigInts. */
export function alike(x: BigExpression, y: BigExpression): [BigExpression, BigExpression] {
  if (isUnsigned(x) && isUnsigned(y)) return [x, y];
  if (isSigned(x) && isSigned(y)) return [x, y];
  if (!isConstant(x) && !isUnsigned(x) && isSigned(x)) return [x, signed(y)];
  if (!isConstant(y) && !isUnsigned(y) && isSigned(y)) return [signed(x), y];
  return [unsigned(x), unsigned(y)];
}

// ---- i32 ----

const S32_MIN = -0x80000000;
const S32_MAX = 0x7fffffff;
const U32_MAX = 0xffffffff;

export function int(text: string, level: number, min = S32_MIN, max = S32_MAX): IntExpression {
  return { kind: "int", text, level, min, max };
}

export function bool(text: string, level: number): Expression {
  return { kind: "bool", text, level };
}

export function asInt(expression: Expression): IntExpression {
  if (expression.kind === "int") return expression;
  if (expression.kind !== "bool") throw new Error(`${expression.text} is ${expression.kind}, not i32`);
  return int(`${within(expression, Level.LogicalOr)} ? 1 : 0`, Level.Conditional, 0, 1);
}

export function signedInt(expression: Expression): IntExpression {
  const value = asInt(expression);
  if (value.min >= S32_MIN && value.max <= S32_MAX) return value;
  if (isConstant(value)) return intConstant(value.min | 0);
  return int(`${within(value, Level.Additive)} | 0`, Level.Or);
}

export function unsignedInt(expression: Expression): IntExpression {
  const value = asInt(expression);
  if (value.min >= 0 && value.max <= U32_MAX) return value;
  if (isConstant(value)) return intConstant(value.min >>> 0);
  return int(`${within(value, Level.Additive)} >>> 0`, Level.Shift, 0, U32_MAX);
}

export function isZeroOrOne(expression: Expression): boolean {
  return (
    expression.kind === "bool" || (expression.kind === "int" && expression.min >= 0 && expression.max <= 1)
  );
}

/** As a condition: not zero. */
export function truth(expression: Expression): Expression {
  if (expression.kind === "bool") return expression;
  return bool(`${within(signedInt(expression), Level.Shift)} !== 0`, Level.Equality);
}

export function not(expression: Expression): Expression {
  const condition = truth(expression);
  // The outermost comparison is the last one that stands at the end: both sides bind more tightly.
  const inverse = / (===|!==) (-?[\w.]+)$/.exec(condition.text);
  if (inverse !== null && condition.level === Level.Equality) {
    const left = condition.text.slice(0, inverse.index);
    return bool(`${left} ${inverse[1] === "===" ? "!==" : "==="} ${inverse[2]}`, Level.Equality);
  }
  return bool(`!${within(condition, Level.Primary)}`, Level.Unary);
}

// ---- floating point ----

/** As a JavaScript number. */
export function asNumber(expression: Expression): string {
  switch (expression.kind) {
    case "double":
    case "single":
      return within(expression, Level.Unary);
    case "doubleBits":
      return `doubleOf(${expression.text})`;
    case "singleBits":
      return `singleOf(${expression.text})`;
    default:
      throw new Error(`${expression.text} is ${expression.kind}, not floating point`);
  }
}

/** The bits: a BigInt for f64, a number for f32. */
export function asBits(expression: Expression): Expression {
  switch (expression.kind) {
    case "double":
      return { kind: "doubleBits", text: `bitsOfDouble(${expression.text})`, level: Level.Primary };
    case "single":
      return { kind: "singleBits", text: `bitsOfSingle(${expression.text})`, level: Level.Primary };
    default:
      return expression;
  }
}
