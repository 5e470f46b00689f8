import { describe, expect, it } from "vitest";
import * as scalar from "./scalar.ts";
import { OperandSource, WasmOracle } from "./testing/wasm-oracle.ts";

const ROUNDS = 2000;
const s64 = (x: bigint) => BigInt.asIntN(64, x);

/** What generated code writes for each instruction, as functions of the operands as {@link WasmOracle} gives them. */
const OURS: Readonly<Record<string, (...operands: never[]) => number | bigint>> = {
  "i32.wrap_i64": scalar.low32,
  "i64.rotl": scalar.rotateLeft64,
  "i64.rotr": scalar.rotateRight64,
  "i32.rotl": scalar.rotateLeft32,
  "i32.rotr": scalar.rotateRight32,
  "i64.clz": scalar.leadingZeros64,
  "i64.ctz": scalar.trailingZeros64,
  "i32.ctz": scalar.trailingZeros32,
  "i64.popcnt": scalar.ones64,
  "i32.popcnt": scalar.ones32,
  "f64.reinterpret_i64": scalar.doubleOf,
  "i64.reinterpret_f64": scalar.bitsOfDouble,
  "f32.reinterpret_i32": scalar.singleOf,
  "i32.reinterpret_f32": scalar.bitsOfSingle,
  "f64.nearest": scalar.roundToEven,
  "f32.nearest": scalar.roundToEven,
  "f32.convert_i64_s": (x: bigint) => scalar.integerToSingle(s64(x)),
  "f32.convert_i64_u": scalar.integerToSingle,
  "i32.trunc_sat_f64_s": scalar.saturateI32,
  "i32.trunc_sat_f64_u": scalar.saturateU32,
  "i64.trunc_sat_f64_s": scalar.saturateI64,
  "i64.trunc_sat_f64_u": scalar.saturateU64,
  "f64.min": scalar.minimum,
  "f64.max": scalar.maximum,
};

const oracle = new WasmOracle((name) => name in OURS);

describe("scalar operations in JavaScript", () => {
  it.each(oracle.instructions)("computes $name as WebAssembly does", ({ name, opcode, execute }) => {
    const compute = OURS[name] as (...operands: unknown[]) => number | bigint;
    const source = new OperandSource(0x87654321);
    for (let round = 0; round < ROUNDS; round++) {
      source.fill(oracle.operands);
      const operands = opcode.operands.map((type, index) => oracle.operand(index, type));
      // Bits of a NaN are carried as integers by generated code.
      if (operands.some(Number.isNaN) && name.includes("reinterpret")) continue;
      execute(0);
      expect(compute(...operands), `${name} of ${operands}`).toBe(oracle.scalarResult(opcode.result));
    }
  });
});
