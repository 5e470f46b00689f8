/** In which form of expression values are kept: constants, what is loaded, variables, and words for their names. */

import type { MemoryKind, Value } from "../../ir/value.ts";
import { MEMORY_BYTES } from "../../ir/value.ts";
import {
  asBig,
  asBits,
  big,
  bigConstant,
  type Expression,
  intConstant,
  isZeroOrOne,
  Level,
  signedInt,
  truth,
  unsigned,
} from "./expression.ts";

export function constantExpression(type: string, value: bigint | number): Expression {
  switch (type) {
    case "i64":
      return bigConstant(BigInt(value));
    case "i32":
      return intConstant(Number(value));
    default: {
      const text = Object.is(value, -0) ? "-0" : String(value);
      return {
        kind: type === "f64" ? "double" : "single",
        text,
        level: text.startsWith("-") ? Level.Unary : Level.Primary,
      };
    }
  }
}

export function constantOf(value: Value | undefined): bigint | undefined {
  return value?.op === "const" && (value.type === "i64" || value.type === "i32")
    ? BigInt(value.value)
    : undefined;
}

export function loadedExpression(kind: MemoryKind, text: string): Expression {
  const level = Level.Primary;
  switch (kind) {
    case "f32":
      return { kind: "singleBits", text, level };
    case "f64":
      return { kind: "doubleBits", text, level };
    case "v128":
      return { kind: "vector", text, level };
    default:
      return big(text, level, 0n, (1n << BigInt(8 * MEMORY_BYTES[kind])) - 1n);
  }
}

/** Variables hold values in one form, whatever is assigned to them. */
export function variableForm(expression: Expression): Expression {
  switch (expression.kind) {
    case "big":
      return { ...unsigned(expression), min: 0n, max: (1n << 64n) - 1n };
    case "int":
      return { ...signedInt(expression), min: -0x80000000, max: 0x7fffffff };
    case "bool":
    case "vector":
      return expression;
    default:
      return asBits(expression);
  }
}

export function converted(expression: Expression, form: Expression): string {
  switch (form.kind) {
    case "big":
      return unsigned(asBig(expression)).text;
    case "int":
      return signedInt(expression).text;
    case "bool":
      if (!isZeroOrOne(expression)) throw new Error(`${expression.text} is no condition`);
      return truth(expression).text;
    default:
      return asBits(expression).text;
  }
}

const STEMS: readonly (readonly [RegExp, string])[] = [
  [/\.(add|extadd)/, "sum"],
  [/\.sub/, "difference"],
  [/\.mul/, "product"],
  [/\.div/, "quotient"],
  [/\.rem/, "remainder"],
  [/\.(shl|shr|rot)/, "shifted"],
  [/\.eqz?$/, "isEqual"],
  [/\.ne$/, "differs"],
  [/\.(lt|le)/, "isLess"],
  [/\.(gt|ge)/, "isGreater"],
  [/\.(and|or|xor|not|bitselect|andnot)/, "bits"],
  [/\.extend/, "extended"],
  [/\.wrap/, "low"],
];

/** A word for what a value is. */
export function stemOf(value: Value, { kind }: Expression): string {
  if (value.op === "select") return "chosen";
  if (kind === "bool" && value.op === "numeric" && /\.(and|or|xor)$/.test(value.name)) return "holds";
  if (value.type === "v128") return "lanes";
  if (value.op !== "numeric") return "value";
  return STEMS.find(([pattern]) => pattern.test(value.name))?.[1] ?? "value";
}
