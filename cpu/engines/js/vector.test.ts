import { describe, expect, it } from "vitest";
import { OperandSource, WasmOracle } from "./testing/wasm-oracle.ts";
import { SHAPES, V128 } from "./vector.ts";

const ROUNDS = 300;

const oracle = new WasmOracle((_name, opcode) => opcode.code[0] === 0xfd);

function vectorAt(bytes: Uint8Array, offset: number): V128 {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, 16);
  return new V128(
    view.getInt32(0, true),
    view.getInt32(4, true),
    view.getInt32(8, true),
    view.getInt32(12, true),
  );
}

/** Which NaN an operation gives is not defined: they all become one. */
function withOneNaN(vector: V128, lanes: "f32" | "f64" | undefined): string {
  const bytes = new Uint8Array(Int32Array.of(vector.d0, vector.d1, vector.d2, vector.d3).buffer);
  const floats = lanes === "f32" ? new Float32Array(bytes.buffer) : new Float64Array(bytes.buffer);
  if (lanes !== undefined) {
    floats.forEach((lane, index) => {
      if (Number.isNaN(lane)) floats[index] = Number.NaN;
    });
  }
  return vectorAt(bytes, 0).toString();
}

/** Operations that compute a number; the others move bits. */
function resultLanes(name: string): "f32" | "f64" | undefined {
  const match = /^(f32|f64)x\d\.(?!(splat|replace_lane|neg|abs|pmin|pmax|eq|ne|lt|gt|le|ge)$)/.exec(name);
  return match?.[1] === "f32" ? "f32" : match?.[1] === "f64" ? "f64" : undefined;
}

describe("vectors in JavaScript", () => {
  it("has every vector instruction that the IR can name, under its name", () => {
    const missing = oracle.instructions.filter(({ name }) => {
      const [shape, operation] = name.split(".");
      return SHAPES[shape]?.[operation] === undefined;
    });
    expect(missing.map(({ name }) => name)).toEqual([]);
    expect(oracle.instructions.length).toBeGreaterThan(200);
  });

  it.each(oracle.instructions)("computes $name as WebAssembly does", ({ name, opcode, execute }) => {
    const [shape, operation] = name.split(".");
    const compute = SHAPES[shape][operation] as (...operands: unknown[]) => unknown;
    const source = new OperandSource(0x12345678);
    for (let round = 0; round < ROUNDS; round++) {
      source.fill(oracle.operands);
      const lane = opcode.lanes === undefined ? 0 : source.next() % opcode.lanes;
      const operands: unknown[] = opcode.operands.map((type, index) =>
        type === "v128" ? vectorAt(oracle.operands, 16 * index) : oracle.operand(index, type),
      );
      if (opcode.lanes !== undefined) operands.splice(1, 0, lane);
      execute(lane);
      const ours = compute(...operands);
      const about = `${name} of ${operands.join(", ")}`;
      if (opcode.result === "v128") {
        const theirs = vectorAt(oracle.result, 0);
        const lanes = resultLanes(name);
        // A NaN that JavaScript holds as a number has lost its bits: generated code moves it as an integer.
        const isNumber = operands.some((operand) => typeof operand === "number" && Number.isNaN(operand));
        if (isNumber && shape.startsWith("f")) continue;
        expect(withOneNaN(ours as V128, lanes), about).toBe(withOneNaN(theirs, lanes));
      } else if (typeof ours === "boolean") {
        expect(Number(ours), about).toBe(oracle.scalarResult(opcode.result));
      } else {
        expect(ours, about).toBe(oracle.scalarResult(opcode.result));
      }
    }
  });

  it("shuffles the bytes of two vectors", () => {
    const x = new V128(0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c);
    const y = new V128(0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c);
    const lanes = [31, 0, 16, 15, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    const shuffle = SHAPES.i8x16.shuffle as (x: V128, y: V128, ...lanes: number[]) => V128;
    const words = new Int32Array(Uint8Array.from(lanes).buffer);
    expect(shuffle(x, y, ...lanes).toString()).toBe(
      new V128(words[0], words[1], words[2], words[3]).toString(),
    );
  });
});
