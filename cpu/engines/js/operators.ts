/** WebAssembly's numeric and vector instructions as JavaScript expressions. */

import type { WasmType } from "../../wasm/module-builder.ts";
import { numericOpcode } from "../../wasm/opcodes.ts";
import {
  alike,
  asBig,
  asBits,
  asInt,
  asNumber,
  type BigExpression,
  big,
  bigConstant,
  bool,
  bounded,
  type Expression,
  int,
  intConstant,
  isConstant,
  isUnsigned,
  isZeroOrOne,
  Level,
  not,
  signed,
  signedInt,
  truth,
  unsigned,
  unsignedInt,
  within,
} from "./expression.ts";

/** Makes the expression of an instruction from those of its operands. */
export function numericExpression(name: string, operands: readonly Expression[], lane?: number): Expression {
  const [type, operation] = name.split(".");
  switch (type) {
    case "i64":
      return i64Expression(operation, operands);
    case "i32":
      return i32Expression(operation, operands);
    case "f64":
    case "f32":
      return floatExpression(type, operation, operands);
    default:
      return vectorExpression(name, operands, lane);
  }
}

const COMPARISONS: Readonly<Record<string, string>> = { lt: "<", gt: ">", le: "<=", ge: ">=" };

// ---- i64 ----

function i64Expression(operation: string, operands: readonly Expression[]): Expression {
  switch (operation) {
    case "extend_i32_u": {
      const [x] = operands;
      if (x.kind === "bool") return big(`${within(x, Level.LogicalOr)} ? 1n : 0n`, Level.Conditional, 0n, 1n);
      return extended(unsignedInt(x));
    }
    case "extend_i32_s":
      return extended(signedInt(operands[0]));
    case "reinterpret_f64": {
      const { text, level } = asBits(operands[0]);
      return big(text, level);
    }
    case "trunc_sat_f64_s":
    case "trunc_sat_f32_s":
      return big(`saturateI64(${asNumber(operands[0])})`, Level.Primary);
    case "trunc_sat_f64_u":
    case "trunc_sat_f32_u":
      return big(`saturateU64(${asNumber(operands[0])})`, Level.Primary);
  }
  const x = asBig(operands[0]);
  switch (operation) {
    case "eqz":
      return equality("===", x, bigConstant(0n));
    case "clz":
      return big(`leadingZeros64(${unsigned(x).text})`, Level.Primary, 0n, 64n);
    case "ctz":
      return big(`trailingZeros64(${unsigned(x).text})`, Level.Primary, 0n, 64n);
    case "popcnt":
      return big(`ones64(${unsigned(x).text})`, Level.Primary, 0n, 64n);
    case "extend8_s":
      return signed(x, 8);
    case "extend16_s":
      return signed(x, 16);
    case "extend32_s":
      return signed(x, 32);
  }
  return binary64(operation, x, asBig(operands[1]));
}

function extended(x: Extract<Expression, { kind: "int" }>): Expression {
  if (isConstant(x)) return bigConstant(BigInt(x.min));
  return big(`BigInt(${x.text})`, Level.Primary, BigInt(x.min), BigInt(x.max));
}

function binary64(operation: string, x: BigExpression, y: BigExpression): Expression {
  switch (operation) {
    case "add":
      return add64(x, y);
    case "sub":
      if (isZero(y)) return x;
      return bounded(
        big(
          `${within(x, Level.Additive)} - ${within(y, Level.Multiplicative)}`,
          Level.Additive,
          x.min - y.max,
          x.max - y.min,
        ),
      );
    case "mul":
      return multiply64(x, y);
    case "and":
      return and64(x, y);
    case "or":
    case "xor":
      return or64(operation, x, y);
    case "shl":
      return shiftLeft64(x, y);
    case "shr_u":
      return shiftRight64(unsigned(x), y);
    case "shr_s":
      return shiftRight64(signed(x), y);
    case "rotl":
    case "rotr": {
      const name = operation === "rotl" ? "rotateLeft64" : "rotateRight64";
      return big(`${name}(${unsigned(x).text}, ${unsigned(y).text})`, Level.Primary);
    }
    case "eq":
      return equality("===", x, y);
    case "ne":
      return equality("!==", x, y);
    case "div_u":
    case "rem_u":
      return divide64(operation, unsigned(x), unsigned(y));
    case "div_s":
    case "rem_s":
      return divide64(operation, signed(x), signed(y));
  }
  const [relation, kind] = operation.split("_");
  const [a, b] = kind === "u" ? [unsigned(x), unsigned(y)] : [signed(x), signed(y)];
  return bool(
    `${within(a, Level.Shift)} ${COMPARISONS[relation]} ${within(b, Level.Shift)}`,
    Level.Relational,
  );
}

const isZero = (x: BigExpression) => isConstant(x) && x.min === 0n;

function add64(x: BigExpression, y: BigExpression): Expression {
  if (isConstant(x) && isConstant(y)) return bigConstant(BigInt.asIntN(64, x.min + y.min));
  if (isZero(x)) return y;
  if (isZero(y)) return x;
  if (isConstant(x)) return add64(y, x);
  const [min, max] = [x.min + y.min, x.max + y.max];
  const text =
    y.text.startsWith("-") && isConstant(y) ? `- ${y.text.slice(1)}` : `+ ${within(y, Level.Multiplicative)}`;
  return bounded(big(`${within(x, Level.Additive)} ${text}`, Level.Additive, min, max));
}

function multiply64(x: BigExpression, y: BigExpression): Expression {
  const corners = [x.min * y.min, x.min * y.max, x.max * y.min, x.max * y.max];
  const [min, max] = corners.reduce(
    ([low, high], at) => [at < low ? at : low, at > high ? at : high],
    [corners[0], corners[0]],
  );
  const text = `${within(x, Level.Multiplicative)} * ${within(y, Level.Unary)}`;
  return bounded(big(text, Level.Multiplicative, min, max));
}

/** 2^n - 1, with as many bits as the larger bound of both. */
function allOnes(x: BigExpression, y: BigExpression): bigint {
  const largest = x.max > y.max ? x.max : y.max;
  return (1n << BigInt(largest.toString(2).length)) - 1n;
}

function and64(x: BigExpression, y: BigExpression): Expression {
  if (isConstant(x) && !isConstant(y)) return and64(y, x);
  if (isConstant(y)) {
    const mask = BigInt.asUintN(64, y.min);
    // A mask of low bits that covers all there are.
    if ((mask & (mask + 1n)) === 0n && x.min >= 0n && x.max <= mask) return x;
    // The high bits of both come out the same whether the mask is a small negative number or a large positive one.
    const shown = isUnsigned(x) && y.min < 0n ? y : bigConstant(mask);
    const text = `${within(x, Level.Additive)} & ${shown.text}`;
    return shown.min < 0n
      ? big(text, Level.And, 0n, x.max)
      : big(text, Level.And, 0n, x.min >= 0n && x.max < mask ? x.max : mask);
  }
  const [a, b] = x.min >= 0n || y.min >= 0n ? [x, y] : [unsigned(x), y];
  const max = a.min >= 0n && b.min >= 0n ? (a.max < b.max ? a.max : b.max) : a.min >= 0n ? a.max : b.max;
  return big(`${within(a, Level.Additive)} & ${within(b, Level.Additive)}`, Level.And, 0n, max);
}

function or64(operation: "or" | "xor", x: BigExpression, y: BigExpression): Expression {
  if (isZero(x)) return y;
  if (isZero(y)) return x;
  const [sign, level] = operation === "or" ? ["|", Level.Or] : ["^", Level.Xor];
  if (operation === "xor" && isConstant(y) && BigInt.asUintN(64, y.min) === (1n << 64n) - 1n) {
    return big(`~${within(x, Level.Unary)}`, Level.Unary, -x.max - 1n, -x.min - 1n);
  }
  let [a, b] = [x, y];
  if (!(a.min >= 0n && b.min >= 0n) && !(a.min >= 0n && isConstant(b))) [a, b] = [signed(a), signed(b)];
  else if (isConstant(b)) b = unsigned(b);
  const inner = (operand: BigExpression) =>
    operand.level === level ? operand.text : within(operand, Level.Additive);
  const text = `${inner(a)} ${sign} ${inner(b)}`;
  return a.min >= 0n && b.min >= 0n
    ? big(text, level, 0n, allOnes(a, b))
    : big(text, level, -(1n << 63n), (1n << 63n) - 1n);
}

function shiftCount64(count: BigExpression): string {
  if (isConstant(count)) return `${count.min & 63n}n`;
  if (count.min >= 0n && count.max <= 63n) return within(count, Level.Additive);
  return `(${within(count, Level.Additive)} & 63n)`;
}

function shiftLeft64(x: BigExpression, count: BigExpression): Expression {
  const text = `${within(x, Level.Additive)} << ${shiftCount64(count)}`;
  if (!isConstant(count)) {
    if (isConstant(x) || !isUnsigned(x)) return unsigned(big(text, Level.Shift, -1n << 200n, 1n << 200n));
    return unsigned(big(text, Level.Shift, 0n, x.max << 63n));
  }
  const by = count.min & 63n;
  if (by === 0n) return x;
  if (isConstant(x)) return bigConstant(BigInt.asIntN(64, x.min << by));
  const condition = /^(.*) \? 1n : 0n$/.exec(x.text);
  if (condition !== null && x.level === Level.Conditional) {
    return big(`${condition[1]} ? ${bigConstant(1n << by).text} : 0n`, Level.Conditional, 0n, 1n << by);
  }
  return bounded(big(text, Level.Shift, x.min << by, x.max << by));
}

function shiftRight64(x: BigExpression, count: BigExpression): Expression {
  const text = `${within(x, Level.Additive)} >> ${shiftCount64(count)}`;
  if (!isConstant(count)) return big(text, Level.Shift, x.min < 0n ? x.min : 0n, x.max > 0n ? x.max : 0n);
  const by = count.min & 63n;
  if (by === 0n) return x;
  return big(text, Level.Shift, x.min >> by, x.max >> by);
}

function divide64(operation: string, x: BigExpression, y: BigExpression): Expression {
  const sign = operation.startsWith("div") ? "/" : "%";
  const text = `${within(x, Level.Multiplicative)} ${sign} ${within(y, Level.Unary)}`;
  if (operation.endsWith("_u")) return big(text, Level.Multiplicative, 0n, sign === "/" ? x.max : y.max);
  return big(text, Level.Multiplicative, -(1n << 63n), 1n << 63n);
}

function equality(sign: "===" | "!==", x: BigExpression, y: BigExpression): Expression {
  const [a, b] = alike(x, y);
  return bool(`${within(a, Level.Shift)} ${sign} ${within(b, Level.Shift)}`, Level.Equality);
}

// ---- i32 ----

/** i32.wrap_i64; where only the value's lowest bit can be set, a condition. */
function wrap(x: BigExpression): Expression {
  if (isConstant(x)) return intConstant(Number(BigInt.asIntN(32, x.min)));
  if (x.min >= 0n && x.max <= 1n) {
    const condition = /^(.*) \? 1n : 0n$/.exec(x.text);
    if (condition !== null && x.level === Level.Conditional) return bool(`(${condition[1]})`, Level.Primary);
    return bool(`${within(x, Level.Shift)} !== 0n`, Level.Equality);
  }
  const fits = x.min >= -0x80000000n && x.max <= 0x7fffffffn;
  return fits
    ? int(`low32(${x.text})`, Level.Primary, Number(x.min), Number(x.max))
    : int(`low32(${x.text})`, Level.Primary);
}

function i32Expression(operation: string, operands: readonly Expression[]): Expression {
  const [first, second] = operands;
  switch (operation) {
    case "wrap_i64":
      return wrap(asBig(first));
    case "reinterpret_f32": {
      const { text, level } = asBits(first);
      return int(text, level);
    }
    case "trunc_sat_f64_s":
    case "trunc_sat_f32_s":
      return int(`saturateI32(${asNumber(first)})`, Level.Primary);
    case "trunc_sat_f64_u":
    case "trunc_sat_f32_u":
      return int(`saturateU32(${asNumber(first)})`, Level.Primary);
    case "eqz":
      return not(first);
    case "clz":
      return int(`Math.clz32(${asInt(first).text})`, Level.Primary, 0, 32);
    case "ctz":
      return int(`trailingZeros32(${signedInt(first).text})`, Level.Primary, 0, 32);
    case "popcnt":
      return int(`ones32(${signedInt(first).text})`, Level.Primary, 0, 32);
    case "extend8_s":
      return int(`(${asInt(first).text}) << 24 >> 24`, Level.Shift, -0x80, 0x7f);
    case "extend16_s":
      return int(`(${asInt(first).text}) << 16 >> 16`, Level.Shift, -0x8000, 0x7fff);
  }
  return logical32(operation, first, second) ?? binary32(operation, first, second);
}

/** Operations on conditions. */
function logical32(operation: string, x: Expression, y: Expression): Expression | undefined {
  if (x.kind !== "bool" && y.kind === "bool") return logical32(operation, y, x);
  if (x.kind !== "bool" || !isZeroOrOne(y)) return undefined;
  if (y.kind === "int" && isConstant(y)) {
    const set = y.min === 1;
    if (operation === "and") return set ? x : undefined;
    if (operation === "xor") return set ? not(x) : x;
    if (operation === "or") return set ? undefined : x;
  }
  switch (operation) {
    case "and":
      return bool(
        `${within(x, Level.LogicalAnd)} && ${within(truth(y), Level.LogicalAnd)}`,
        Level.LogicalAnd,
      );
    case "or":
      return bool(`${within(x, Level.Or)} || ${within(truth(y), Level.Or)}`, Level.LogicalOr);
    case "xor":
    case "ne":
      return bool(`${within(x, Level.Primary)} !== ${within(truth(y), Level.Primary)}`, Level.Xor);
    case "eq":
      return bool(`${within(x, Level.Primary)} === ${within(truth(y), Level.Primary)}`, Level.Xor);
    default:
      return undefined;
  }
}

function binary32(operation: string, first: Expression, second: Expression): Expression {
  const x = asInt(first);
  const y = asInt(second);
  const plain = (sign: string, level: number, min?: number, max?: number) =>
    int(`${within(x, Level.Additive)} ${sign} ${within(y, Level.Additive)}`, level, min, max);
  switch (operation) {
    case "add":
      return signedWhenLarge(
        int(
          `${within(x, Level.Additive)} + ${within(y, Level.Multiplicative)}`,
          Level.Additive,
          x.min + y.min,
          x.max + y.max,
        ),
      );
    case "sub":
      return signedWhenLarge(
        int(
          `${within(x, Level.Additive)} - ${within(y, Level.Multiplicative)}`,
          Level.Additive,
          x.min - y.max,
          x.max - y.min,
        ),
      );
    case "mul":
      return int(`Math.imul(${x.text}, ${y.text})`, Level.Primary);
    case "and": {
      const mask = isConstant(y) ? y : isConstant(x) ? x : undefined;
      if (mask !== undefined && mask.min >= 0 && mask.max <= 0x7fffffff)
        return plain("&", Level.And, 0, mask.max);
      return plain("&", Level.And);
    }
    case "or":
      return plain("|", Level.Or);
    case "xor":
      return plain("^", Level.Xor);
    case "shl":
      return plain("<<", Level.Shift);
    case "shr_s":
      return plain(">>", Level.Shift);
    case "shr_u":
      return plain(">>>", Level.Shift, 0, isConstant(y) ? 0xffffffff >>> (y.min & 31) : 0xffffffff);
    case "rotl":
      return int(`rotateLeft32(${x.text}, ${y.text})`, Level.Primary);
    case "rotr":
      return int(`rotateRight32(${x.text}, ${y.text})`, Level.Primary);
    case "div_s":
      return int(`${within(signedInt(x), Level.Unary)} / ${within(signedInt(y), Level.Unary)} | 0`, Level.Or);
    case "rem_s":
      return int(`${within(signedInt(x), Level.Unary)} % ${within(signedInt(y), Level.Unary)} | 0`, Level.Or);
    case "div_u":
      return int(
        `${within(unsignedInt(x), Level.Unary)} / ${within(unsignedInt(y), Level.Unary)} >>> 0`,
        Level.Shift,
        0,
        0xffffffff,
      );
    case "rem_u":
      return int(
        `${within(unsignedInt(x), Level.Unary)} % ${within(unsignedInt(y), Level.Unary)}`,
        Level.Multiplicative,
        0,
        0xffffffff,
      );
    case "eq":
    case "ne": {
      const sign = operation === "eq" ? "===" : "!==";
      const both = x.min >= 0 && y.min >= 0 ? unsignedInt : signedInt;
      return bool(`${within(both(x), Level.Shift)} ${sign} ${within(both(y), Level.Shift)}`, Level.Equality);
    }
  }
  const [relation, kind] = operation.split("_");
  const cut = kind === "u" ? unsignedInt : signedInt;
  return bool(
    `${within(cut(x), Level.Shift)} ${COMPARISONS[relation]} ${within(cut(y), Level.Shift)}`,
    Level.Relational,
  );
}

function signedWhenLarge(expression: Extract<Expression, { kind: "int" }>): Expression {
  return Math.max(-expression.min, expression.max) > 2 ** 48 ? signedInt(expression) : expression;
}

// ---- floating point ----

const FLOAT_FUNCTIONS: Readonly<Record<string, string>> = {
  ceil: "Math.ceil",
  floor: "Math.floor",
  trunc: "Math.trunc",
  nearest: "roundToEven",
  sqrt: "Math.sqrt",
  min: "Math.min",
  max: "Math.max",
};
const FLOAT_OPERATORS: Readonly<Record<string, string>> = { add: "+", sub: "-", mul: "*", div: "/" };
const FLOAT_COMPARISONS: Readonly<Record<string, string>> = { ...COMPARISONS, eq: "===", ne: "!==" };
const SIGN64 = "0x8000000000000000n";

function floatExpression(
  type: "f32" | "f64",
  operation: string,
  operands: readonly Expression[],
): Expression {
  const kind = type === "f64" ? "double" : "single";
  const [x, y] = operands;
  const rounded = (text: string, level: number = Level.Primary): Expression =>
    kind === "double" ? { kind, text, level } : { kind, text: `Math.fround(${text})`, level: Level.Primary };
  if (operation in FLOAT_COMPARISONS) {
    const level = operation === "eq" || operation === "ne" ? Level.Equality : Level.Relational;
    return bool(`${asNumber(x)} ${FLOAT_COMPARISONS[operation]} ${asNumber(y)}`, level);
  }
  if (operation in FLOAT_OPERATORS) {
    const level = operation === "add" || operation === "sub" ? Level.Additive : Level.Multiplicative;
    return rounded(`${asNumber(x)} ${FLOAT_OPERATORS[operation]} ${asNumber(y)}`, level);
  }
  if (operation in FLOAT_FUNCTIONS) {
    return rounded(`${FLOAT_FUNCTIONS[operation]}(${operands.map(asNumber).join(", ")})`);
  }
  switch (operation) {
    case "neg":
    case "abs":
    case "copysign":
      return signExpression(type, operation, operands);
    case "convert_i32_s":
      return rounded(signedInt(x).text, Level.Conditional);
    case "convert_i32_u":
      return rounded(unsignedInt(x).text, Level.Conditional);
    case "convert_i64_s":
    case "convert_i64_u": {
      const value = operation === "convert_i64_s" ? signed(asBig(x)) : unsigned(asBig(x));
      if (kind === "single") return { kind, text: `integerToSingle(${value.text})`, level: Level.Primary };
      return rounded(`Number(${value.text})`);
    }
    case "demote_f64":
    case "promote_f32":
      return rounded(asNumber(x), Level.Unary);
    case "reinterpret_i64": {
      const { text, level } = unsigned(asBig(x));
      return { kind: "doubleBits", text, level };
    }
    case "reinterpret_i32": {
      const { text, level } = signedInt(x);
      return { kind: "singleBits", text, level };
    }
    default:
      throw new Error(`no expression for ${type}.${operation}`);
  }
}

/** Operations on the sign bit alone. */
function signExpression(type: "f32" | "f64", operation: string, operands: readonly Expression[]): Expression {
  const [x, y] = operands.map((operand) => within(asBits(operand), Level.Additive));
  const double = type === "f64";
  const kind = double ? "doubleBits" : "singleBits";
  const sign = double ? SIGN64 : "-0x80000000";
  const rest = double ? "0x7fffffffffffffffn" : "0x7fffffff";
  switch (operation) {
    case "neg":
      if (operands[0].kind === "double" || operands[0].kind === "single") {
        return { kind: operands[0].kind, text: `-${within(operands[0], Level.Primary)}`, level: Level.Unary };
      }
      return { kind, text: `${x} ^ ${sign}`, level: Level.Xor };
    case "abs":
      return { kind, text: `${x} & ${rest}`, level: Level.And };
    default:
      return { kind, text: `(${x} & ${rest}) | (${y} & ${sign})`, level: Level.Or };
  }
}

// ---- vectors ----

/** An operand of a vector instruction, as cpu/engines/js/vector.ts takes it. */
function vectorOperand(expression: Expression, type: WasmType): string {
  switch (type) {
    case "i32":
      return signedInt(expression).text;
    case "f32":
    case "f64":
      return asNumber(expression);
    default:
      return expression.text;
  }
}

/** Lanes of floating-point vectors move as integers. */
const INTEGER_SHAPE: Readonly<Record<string, string>> = { f32x4: "i32x4", f64x2: "i64x2" };

function vectorExpression(
  name: string,
  operands: readonly Expression[],
  lane: number | undefined,
): Expression {
  const opcode = numericOpcode(name);
  const [shape, operation] = name.split(".");
  const floats = INTEGER_SHAPE[shape];
  if (floats !== undefined && operation === "extract_lane") {
    const text = `${floats}.extract_lane(${operands[0].text}, ${lane})`;
    return { kind: shape === "f64x2" ? "doubleBits" : "singleBits", text, level: Level.Primary };
  }
  const moved = operands.at(-1);
  const movesBits = moved !== undefined && (moved.kind === "doubleBits" || moved.kind === "singleBits");
  if (floats !== undefined && movesBits && (operation === "replace_lane" || operation === "splat")) {
    const before = operation === "splat" ? "" : `${operands[0].text}, ${lane}, `;
    return { kind: "vector", text: `${floats}.${operation}(${before}${moved.text})`, level: Level.Primary };
  }
  const texts = operands.map((operand, index) => vectorOperand(operand, opcode.operands[index]));
  if (lane !== undefined) texts.splice(1, 0, String(lane));
  const text = `${name}(${texts.join(", ")})`;
  switch (opcode.result) {
    case "v128":
      return { kind: "vector", text, level: Level.Primary };
    case "i64":
      return big(text, Level.Primary);
    default:
      break;
  }
  if (operation.endsWith("_true")) return bool(text, Level.Primary);
  const lanes = opcode.lanes ?? 1;
  if (operation === "extract_lane_u") return int(text, Level.Primary, 0, 2 ** (128 / lanes) - 1);
  if (operation === "bitmask") return int(text, Level.Primary, 0, 0xffff);
  return int(text, Level.Primary);
}

/** `condition ? yes : no`, in one form. */
export function selectExpression(condition: Expression, yes: Expression, no: Expression): Expression {
  const test = within(truth(condition), Level.LogicalOr);
  const text = (a: Expression, b: Expression) =>
    `${test} ? ${within(a, Level.LogicalOr)} : ${within(b, Level.LogicalOr)}`;
  const level = Level.Conditional;
  if (yes.kind === "big" && no.kind === "big") {
    const min = yes.min < no.min ? yes.min : no.min;
    const max = yes.max > no.max ? yes.max : no.max;
    return big(text(yes, no), level, min, max);
  }
  if (yes.kind === "bool" && no.kind === "bool") return bool(text(yes, no), level);
  if (yes.kind === "int" || no.kind === "int") {
    const [a, b] = [asInt(yes), asInt(no)];
    return int(text(a, b), level, Math.min(a.min, b.min), Math.max(a.max, b.max));
  }
  if (yes.kind === no.kind && yes.kind !== "big") return { ...yes, text: text(yes, no), level };
  const [a, b] = [asBits(yes), asBits(no)];
  return { ...a, text: text(a, b), level };
}
