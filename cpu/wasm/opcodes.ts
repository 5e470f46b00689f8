/**
 * WebAssembly numeric and vector instructions: code, operand types, result type (core spec, 5.4 and 7.3).
 * The IR uses these names for its pure operations.
 */

import type { WasmType } from "./module-builder.ts";

export interface NumericOpcode {
  /** Bytes of the opcode: one, or a prefix and a LEB128 sub-opcode. */
  readonly code: readonly number[];
  readonly operands: readonly WasmType[];
  readonly result: WasmType;
  /** A lane index byte follows the opcode; the value is the number of lanes. */
  readonly lanes?: number;
}

const table = new Map<string, NumericOpcode>();

function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, value >> 7];
}

/** Names separated by spaces get consecutive codes; "_" skips one. */
function scalar(start: number, operands: readonly WasmType[], result: WasmType, names: string): void {
  names.split(" ").forEach((name, index) => {
    if (name !== "_") table.set(name, { code: [start + index], operands, result });
  });
}

for (const [type, test, compare, unary, binary] of [
  ["i32", 0x45, 0x46, 0x67, 0x6a],
  ["i64", 0x50, 0x51, 0x79, 0x7c],
] as const) {
  const named = (names: string) => names.replace(/\w+/g, (name) => (name === "_" ? name : `${type}.${name}`));
  scalar(test, [type], "i32", named("eqz"));
  scalar(compare, [type, type], "i32", named("eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"));
  scalar(unary, [type], type, named("clz ctz popcnt"));
  scalar(
    binary,
    [type, type],
    type,
    named("add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr"),
  );
}
for (const [type, compare, unary, binary] of [
  ["f32", 0x5b, 0x8b, 0x92],
  ["f64", 0x61, 0x99, 0xa0],
] as const) {
  const named = (names: string) => names.replace(/\w+/g, (name) => `${type}.${name}`);
  scalar(compare, [type, type], "i32", named("eq ne lt gt le ge"));
  scalar(unary, [type], type, named("abs neg ceil floor trunc nearest sqrt"));
  scalar(binary, [type, type], type, named("add sub mul div min max copysign"));
}
scalar(0xa7, ["i64"], "i32", "i32.wrap_i64");
scalar(0xac, ["i32"], "i64", "i64.extend_i32_s i64.extend_i32_u");
scalar(0xb2, ["i32"], "f32", "f32.convert_i32_s f32.convert_i32_u");
scalar(0xb4, ["i64"], "f32", "f32.convert_i64_s f32.convert_i64_u");
scalar(0xb6, ["f64"], "f32", "f32.demote_f64");
scalar(0xb7, ["i32"], "f64", "f64.convert_i32_s f64.convert_i32_u");
scalar(0xb9, ["i64"], "f64", "f64.convert_i64_s f64.convert_i64_u");
scalar(0xbb, ["f32"], "f64", "f64.promote_f32");
scalar(0xbc, ["f32"], "i32", "i32.reinterpret_f32");
scalar(0xbd, ["f64"], "i64", "i64.reinterpret_f64");
scalar(0xbe, ["i32"], "f32", "f32.reinterpret_i32");
scalar(0xbf, ["i64"], "f64", "f64.reinterpret_i64");
scalar(0xc0, ["i32"], "i32", "i32.extend8_s i32.extend16_s");
scalar(0xc2, ["i64"], "i64", "i64.extend8_s i64.extend16_s i64.extend32_s");

/** Saturating truncations (0xFC prefix). */
const truncations: readonly (readonly [number, WasmType, WasmType, string])[] = [
  [0, "f32", "i32", "i32.trunc_sat_f32_s"],
  [1, "f32", "i32", "i32.trunc_sat_f32_u"],
  [2, "f64", "i32", "i32.trunc_sat_f64_s"],
  [3, "f64", "i32", "i32.trunc_sat_f64_u"],
  [4, "f32", "i64", "i64.trunc_sat_f32_s"],
  [5, "f32", "i64", "i64.trunc_sat_f32_u"],
  [6, "f64", "i64", "i64.trunc_sat_f64_s"],
  [7, "f64", "i64", "i64.trunc_sat_f64_u"],
];
for (const [code, from, to, name] of truncations) {
  table.set(name, { code: [0xfc, code], operands: [from], result: to });
}

/** Vector instructions (0xFD prefix). */
function vector(
  start: number,
  operands: readonly WasmType[],
  result: WasmType,
  names: string,
  lanes?: number,
): void {
  names.split(" ").forEach((name, index) => {
    if (name === "_") return;
    const opcode = { code: [0xfd, ...leb(start + index)], operands, result };
    table.set(name, lanes === undefined ? opcode : { ...opcode, lanes });
  });
}
const V: WasmType = "v128";
vector(14, [V, V], V, "i8x16.swizzle");
vector(15, ["i32"], V, "i8x16.splat i16x8.splat i32x4.splat");
vector(18, ["i64"], V, "i64x2.splat");
vector(19, ["f32"], V, "f32x4.splat");
vector(20, ["f64"], V, "f64x2.splat");
vector(21, [V], "i32", "i8x16.extract_lane_s i8x16.extract_lane_u", 16);
vector(23, [V, "i32"], V, "i8x16.replace_lane", 16);
vector(24, [V], "i32", "i16x8.extract_lane_s i16x8.extract_lane_u", 8);
vector(26, [V, "i32"], V, "i16x8.replace_lane", 8);
vector(27, [V], "i32", "i32x4.extract_lane", 4);
vector(28, [V, "i32"], V, "i32x4.replace_lane", 4);
vector(29, [V], "i64", "i64x2.extract_lane", 2);
vector(30, [V, "i64"], V, "i64x2.replace_lane", 2);
vector(31, [V], "f32", "f32x4.extract_lane", 4);
vector(32, [V, "f32"], V, "f32x4.replace_lane", 4);
vector(33, [V], "f64", "f64x2.extract_lane", 2);
vector(34, [V, "f64"], V, "f64x2.replace_lane", 2);
const integerCompare = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u";
const prefixed = (shape: string, names: string) =>
  names.replace(/\w+/g, (name) => (name === "_" ? name : `${shape}.${name}`));
vector(35, [V, V], V, prefixed("i8x16", integerCompare));
vector(45, [V, V], V, prefixed("i16x8", integerCompare));
vector(55, [V, V], V, prefixed("i32x4", integerCompare));
vector(65, [V, V], V, prefixed("f32x4", "eq ne lt gt le ge"));
vector(71, [V, V], V, prefixed("f64x2", "eq ne lt gt le ge"));
vector(77, [V], V, "v128.not");
vector(78, [V, V], V, "v128.and v128.andnot v128.or v128.xor");
vector(82, [V, V, V], V, "v128.bitselect");
vector(83, [V], "i32", "v128.any_true");
vector(94, [V], V, "f32x4.demote_f64x2_zero f64x2.promote_low_f32x4 i8x16.abs i8x16.neg i8x16.popcnt");
vector(99, [V], "i32", "i8x16.all_true i8x16.bitmask");
vector(101, [V, V], V, "i8x16.narrow_i16x8_s i8x16.narrow_i16x8_u");
vector(103, [V], V, "f32x4.ceil f32x4.floor f32x4.trunc f32x4.nearest");
vector(107, [V, "i32"], V, "i8x16.shl i8x16.shr_s i8x16.shr_u");
vector(110, [V, V], V, "i8x16.add i8x16.add_sat_s i8x16.add_sat_u i8x16.sub i8x16.sub_sat_s i8x16.sub_sat_u");
vector(116, [V], V, "f64x2.ceil f64x2.floor");
vector(118, [V, V], V, "i8x16.min_s i8x16.min_u i8x16.max_s i8x16.max_u");
vector(122, [V], V, "f64x2.trunc");
vector(123, [V, V], V, "i8x16.avgr_u");
vector(
  124,
  [V],
  V,
  "i16x8.extadd_pairwise_i8x16_s i16x8.extadd_pairwise_i8x16_u i32x4.extadd_pairwise_i16x8_s i32x4.extadd_pairwise_i16x8_u i16x8.abs i16x8.neg",
);
vector(130, [V, V], V, "i16x8.q15mulr_sat_s");
vector(131, [V], "i32", "i16x8.all_true i16x8.bitmask");
vector(133, [V, V], V, "i16x8.narrow_i32x4_s i16x8.narrow_i32x4_u");
vector(
  135,
  [V],
  V,
  "i16x8.extend_low_i8x16_s i16x8.extend_high_i8x16_s i16x8.extend_low_i8x16_u i16x8.extend_high_i8x16_u",
);
vector(139, [V, "i32"], V, "i16x8.shl i16x8.shr_s i16x8.shr_u");
vector(142, [V, V], V, "i16x8.add i16x8.add_sat_s i16x8.add_sat_u i16x8.sub i16x8.sub_sat_s i16x8.sub_sat_u");
vector(148, [V], V, "f64x2.nearest");
vector(149, [V, V], V, "i16x8.mul i16x8.min_s i16x8.min_u i16x8.max_s i16x8.max_u _ i16x8.avgr_u");
vector(
  156,
  [V, V],
  V,
  "i16x8.extmul_low_i8x16_s i16x8.extmul_high_i8x16_s i16x8.extmul_low_i8x16_u i16x8.extmul_high_i8x16_u",
);
vector(160, [V], V, "i32x4.abs i32x4.neg");
vector(163, [V], "i32", "i32x4.all_true i32x4.bitmask");
vector(
  167,
  [V],
  V,
  "i32x4.extend_low_i16x8_s i32x4.extend_high_i16x8_s i32x4.extend_low_i16x8_u i32x4.extend_high_i16x8_u",
);
vector(171, [V, "i32"], V, "i32x4.shl i32x4.shr_s i32x4.shr_u");
vector(174, [V, V], V, "i32x4.add");
vector(177, [V, V], V, "i32x4.sub");
vector(181, [V, V], V, "i32x4.mul i32x4.min_s i32x4.min_u i32x4.max_s i32x4.max_u i32x4.dot_i16x8_s");
vector(
  188,
  [V, V],
  V,
  "i32x4.extmul_low_i16x8_s i32x4.extmul_high_i16x8_s i32x4.extmul_low_i16x8_u i32x4.extmul_high_i16x8_u",
);
vector(192, [V], V, "i64x2.abs i64x2.neg");
vector(195, [V], "i32", "i64x2.all_true i64x2.bitmask");
vector(
  199,
  [V],
  V,
  "i64x2.extend_low_i32x4_s i64x2.extend_high_i32x4_s i64x2.extend_low_i32x4_u i64x2.extend_high_i32x4_u",
);
vector(203, [V, "i32"], V, "i64x2.shl i64x2.shr_s i64x2.shr_u");
vector(206, [V, V], V, "i64x2.add");
vector(209, [V, V], V, "i64x2.sub");
vector(213, [V, V], V, "i64x2.mul i64x2.eq i64x2.ne i64x2.lt_s i64x2.gt_s i64x2.le_s i64x2.ge_s");
vector(
  220,
  [V, V],
  V,
  "i64x2.extmul_low_i32x4_s i64x2.extmul_high_i32x4_s i64x2.extmul_low_i32x4_u i64x2.extmul_high_i32x4_u",
);
vector(224, [V], V, "f32x4.abs f32x4.neg");
vector(227, [V], V, "f32x4.sqrt");
vector(228, [V, V], V, prefixed("f32x4", "add sub mul div min max pmin pmax"));
vector(236, [V], V, "f64x2.abs f64x2.neg");
vector(239, [V], V, "f64x2.sqrt");
vector(240, [V, V], V, prefixed("f64x2", "add sub mul div min max pmin pmax"));
vector(
  248,
  [V],
  V,
  "i32x4.trunc_sat_f32x4_s i32x4.trunc_sat_f32x4_u f32x4.convert_i32x4_s f32x4.convert_i32x4_u i32x4.trunc_sat_f64x2_s_zero i32x4.trunc_sat_f64x2_u_zero f64x2.convert_low_i32x4_s f64x2.convert_low_i32x4_u",
);

/** Looks up a numeric instruction by its text-format name. */
export function numericOpcode(name: string): NumericOpcode {
  const opcode = table.get(name);
  if (opcode === undefined) throw new Error(`no WebAssembly instruction ${name}`);
  return opcode;
}

/** All of them, by name. */
export function numericOpcodes(): Iterable<readonly [string, NumericOpcode]> {
  return table;
}
