/** WebAssembly itself, one instruction at a time: what the JavaScript versions of its instructions are compared with. */

import { ByteWriter } from "../../../wasm/byte-writer.ts";
import { ModuleBuilder, type WasmType } from "../../../wasm/module-builder.ts";
import { type NumericOpcode, numericOpcodes } from "../../../wasm/opcodes.ts";
import { LOAD_OPCODE, STORE_OPCODE } from "../../wasm-lowering.ts";

/** Operands stand 16 bytes apart from the front of memory on, the result behind them. */
const SLOT = 16;
const RESULT = 3 * SLOT;

export interface OracleInstruction {
  readonly name: string;
  readonly opcode: NumericOpcode;
  /** Executes it with what memory holds; for instructions with a lane, on that lane. */
  execute(lane: number): void;
}

export class WasmOracle {
  private readonly memory = new WebAssembly.Memory({ initial: 1 });
  readonly operands = new Uint8Array(this.memory.buffer, 0, 3 * SLOT);
  readonly result = new Uint8Array(this.memory.buffer, RESULT, SLOT);
  readonly instructions: readonly OracleInstruction[];

  constructor(wanted: (name: string, opcode: NumericOpcode) => boolean) {
    const module = new ModuleBuilder();
    module.importMemory(1);
    const chosen = [...numericOpcodes()].filter(([name, opcode]) => wanted(name, opcode));
    for (const [name, opcode] of chosen) {
      for (let lane = 0; lane < (opcode.lanes ?? 1); lane++) {
        const index = module.addFunction(name, { parameters: [], results: [] }, [], body(opcode, lane));
        module.exportFunction(`${name}:${lane}`, index);
      }
    }
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.toBytes()), {
      env: { memory: this.memory },
    });
    this.instructions = chosen.map(([name, opcode]) => ({
      name,
      opcode,
      execute: (lane) => (exports[`${name}:${lane}`] as () => void)(),
    }));
  }

  /** An operand as JavaScript has it. */
  operand(index: number, type: WasmType): number | bigint {
    return scalarAt(this.memory.buffer, index * SLOT, type);
  }

  /** The result of an instruction that gives no vector. */
  scalarResult(type: WasmType): number | bigint {
    return scalarAt(this.memory.buffer, RESULT, type);
  }
}

function scalarAt(buffer: ArrayBuffer, offset: number, type: WasmType): number | bigint {
  const view = new DataView(buffer, offset, SLOT);
  switch (type) {
    case "i32":
      return view.getInt32(0, true);
    case "i64":
      return view.getBigUint64(0, true);
    case "f32":
      return view.getFloat32(0, true);
    default:
      return view.getFloat64(0, true);
  }
}

function body(opcode: NumericOpcode, lane: number): Uint8Array {
  const out = new ByteWriter().byte(0x41).s32(RESULT);
  opcode.operands.forEach((type, index) => {
    out.byte(0x41).s32(index * SLOT);
    out.bytes(LOAD_OPCODE[type]).byte(0).u32(0);
  });
  out.bytes(opcode.code);
  if (opcode.lanes !== undefined) out.byte(lane);
  return out.bytes(STORE_OPCODE[opcode.result]).byte(0).u32(0).byte(0x0b).toBytes().slice();
}

/** Fills operands: random bits, and often the values at which arithmetic changes its ways. */
export class OperandSource {
  private state: number;

  constructor(seed: number) {
    this.state = seed;
  }

  /** 32 random bits (xorshift). */
  next(): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return this.state >>> 0;
  }

  fill(operands: Uint8Array): void {
    const view = new DataView(operands.buffer, operands.byteOffset, operands.length);
    const shape = this.next() % 5;
    for (let at = 0; at < operands.length; at += 8) {
      switch (shape) {
        case 0:
          view.setBigUint64(at, INTERESTING[this.next() % INTERESTING.length], true);
          break;
        case 1:
          view.setFloat64(at, DOUBLES[this.next() % DOUBLES.length], true);
          break;
        case 2:
          view.setFloat32(at, DOUBLES[this.next() % DOUBLES.length], true);
          view.setFloat32(at + 4, DOUBLES[this.next() % DOUBLES.length], true);
          break;
        case 3:
          for (let byte = 0; byte < 8; byte++) operands[at + byte] = BYTES[this.next() % BYTES.length];
          break;
        default:
          view.setUint32(at, this.next(), true);
          view.setUint32(at + 4, this.next(), true);
      }
    }
  }
}

const BYTES = [0, 1, 2, 15, 16, 31, 0x7f, 0x80, 0x81, 0xff];
const INTERESTING = [
  0n,
  1n,
  31n,
  32n,
  33n,
  63n,
  64n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x7fffffffffffffffn,
  0x8000000000000000n,
  0xffffffffffffffffn,
  0x0020000000000001n,
  0x0040000001000001n,
  0x7fffff4000000001n,
];
const DOUBLES = [
  0,
  -0,
  0.5,
  -0.5,
  1.5,
  2.5,
  -2.5,
  0.49999999999999994,
  1e-310,
  1e300,
  -1e300,
  2147483647.5,
  -2147483648.5,
  4294967295.5,
  2 ** 63,
  -(2 ** 63),
  2 ** 64,
  4503599627370495.5,
  8388607.5,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Number.NaN,
];
