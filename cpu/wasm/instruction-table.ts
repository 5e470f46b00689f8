/** How every WebAssembly instruction is written and read: name, what follows its opcode, what it does to the stack. */

import { numericOpcodes } from "./opcodes.ts";

/** What follows the opcode (core spec, 5.4). */
export type Immediates =
  | "none"
  | "block"
  | "label"
  | "labels"
  | "function"
  | "indirect"
  | "local"
  | "global"
  | "table"
  | "types"
  | "memory"
  | "memory lane"
  | "zero"
  | "two zeros"
  | "i32"
  | "i64"
  | "f32"
  | "f64"
  | "v128"
  | "lanes"
  | "lane";

export interface WasmInstruction {
  readonly name: string;
  readonly immediates: Immediates;
  /** How many values it takes and leaves; calls and blocks: see their types. */
  readonly pops: number;
  readonly pushes: number;
  /** Bytes that a memory access covers. */
  readonly bytes?: number;
}

/** Prefix × 0x10000 + opcode, or the opcode alone. */
const table = new Map<number, WasmInstruction>();

export function instructionOf(prefix: number, opcode: number): WasmInstruction | undefined {
  return table.get(prefix * 0x10000 + opcode);
}

function add(code: number, name: string, immediates: Immediates, pops: number, pushes: number): void {
  table.set(code, { name, immediates, pops, pushes });
}

add(0x00, "unreachable", "none", 0, 0);
add(0x01, "nop", "none", 0, 0);
add(0x02, "block", "block", 0, 0);
add(0x03, "loop", "block", 0, 0);
add(0x04, "if", "block", 1, 0);
add(0x05, "else", "none", 0, 0);
add(0x0b, "end", "none", 0, 0);
add(0x0c, "br", "label", 0, 0);
add(0x0d, "br_if", "label", 1, 0);
add(0x0e, "br_table", "labels", 1, 0);
add(0x0f, "return", "none", 0, 0);
add(0x10, "call", "function", 0, 0);
add(0x11, "call_indirect", "indirect", 1, 0);
add(0x12, "return_call", "function", 0, 0);
add(0x13, "return_call_indirect", "indirect", 1, 0);
add(0x1a, "drop", "none", 1, 0);
add(0x1b, "select", "none", 3, 1);
add(0x1c, "select", "types", 3, 1);
add(0x20, "local.get", "local", 0, 1);
add(0x21, "local.set", "local", 1, 0);
add(0x22, "local.tee", "local", 1, 1);
add(0x23, "global.get", "global", 0, 1);
add(0x24, "global.set", "global", 1, 0);
add(0x25, "table.get", "table", 1, 1);
add(0x26, "table.set", "table", 2, 0);
add(0x3f, "memory.size", "zero", 0, 1);
add(0x40, "memory.grow", "zero", 1, 1);
add(0x41, "i32.const", "i32", 0, 1);
add(0x42, "i64.const", "i64", 0, 1);
add(0x43, "f32.const", "f32", 0, 1);
add(0x44, "f64.const", "f64", 0, 1);
add(0xfc000a, "memory.copy", "two zeros", 3, 0);
add(0xfc000b, "memory.fill", "zero", 3, 0);
add(0xfd000c, "v128.const", "v128", 0, 1);
add(0xfd000d, "i8x16.shuffle", "lanes", 2, 1);

const NATURAL_BYTES = { i32: 4, i64: 8, f32: 4, f64: 8, v128: 16 } as const;

/** Bytes of an access, from its name: `i64.load32_u` 4, `v128.load8x8_s` 8, `i32.atomic.rmw16.add_u` 2. */
function accessBytes(name: string): number {
  const [type = "i32", ...rest] = name.split(".");
  const operation = rest.join(".");
  if (/\d+x\d+/.test(operation)) return 8;
  const bits = /(?:load|store|rmw)(\d+)/.exec(operation);
  if (bits !== null) return Number(bits[1]) / 8;
  return NATURAL_BYTES[type as keyof typeof NATURAL_BYTES] ?? 4;
}

/** Names separated by spaces get consecutive codes; "_" skips one. */
function accesses(start: number, names: string, pops: number, pushes: number, lane = false): void {
  names.split(" ").forEach((name, index) => {
    if (name === "_") return;
    const immediates = lane ? "memory lane" : "memory";
    table.set(start + index, { name, immediates, pops, pushes, bytes: accessBytes(name) });
  });
}

accesses(
  0x28,
  "i32.load i64.load f32.load f64.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u i64.load8_s i64.load8_u i64.load16_s i64.load16_u i64.load32_s i64.load32_u",
  1,
  1,
);
accesses(
  0x36,
  "i32.store i64.store f32.store f64.store i32.store8 i32.store16 i64.store8 i64.store16 i64.store32",
  2,
  0,
);
accesses(
  0xfd0000,
  "v128.load v128.load8x8_s v128.load8x8_u v128.load16x4_s v128.load16x4_u v128.load32x2_s v128.load32x2_u v128.load8_splat v128.load16_splat v128.load32_splat v128.load64_splat",
  1,
  1,
);
accesses(0xfd000b, "v128.store", 2, 0);
accesses(0xfd0054, "v128.load8_lane v128.load16_lane v128.load32_lane v128.load64_lane", 2, 1, true);
accesses(0xfd0058, "v128.store8_lane v128.store16_lane v128.store32_lane v128.store64_lane", 2, 0, true);
accesses(0xfd005c, "v128.load32_zero v128.load64_zero", 1, 1);

// Atomic accesses (threads proposal, binary format).
const ATOMIC_WIDTHS = ["i32", "i64", "i32 8", "i32 16", "i64 8", "i64 16", "i64 32"];
const atomicNames = (operation: string, suffix = "") =>
  ATOMIC_WIDTHS.map((width) => {
    const [type, bits = ""] = width.split(" ");
    const unsigned = bits !== "" && operation !== "store" ? "_u" : "";
    return `${type}.atomic.${operation}${bits}${suffix}${unsigned}`;
  }).join(" ");
accesses(0xfe0000, "memory.atomic.notify", 2, 1);
accesses(0xfe0010, atomicNames("load"), 1, 1);
accesses(0xfe0017, atomicNames("store"), 2, 0);
["add", "sub", "and", "or", "xor", "xchg", "cmpxchg"].forEach((operation, index) => {
  accesses(0xfe001e + 7 * index, atomicNames("rmw", `.${operation}`), operation === "cmpxchg" ? 3 : 2, 1);
});
add(0xfe0003, "atomic.fence", "zero", 0, 0);

for (const [name, { code, operands, lanes }] of numericOpcodes()) {
  const [first = 0, low = 0, high = 0] = code;
  const number = code.length === 1 ? first : first * 0x10000 + (low & 0x7f) + (high << 7);
  add(number, name, lanes === undefined ? "none" : "lane", operands.length, 1);
}
