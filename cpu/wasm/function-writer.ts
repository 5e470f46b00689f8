/** Writes the body of a WebAssembly function by hand: for the few that are not lowered from instructions. */

import { ByteWriter } from "./byte-writer.ts";
import type { Signature, WasmType } from "./module-builder.ts";
import { numericOpcode } from "./opcodes.ts";

/** Opcodes and block types (core spec, 5.4). */
const BLOCK = 0x02;
const LOOP = 0x03;
const IF = 0x04;
const VOID = 0x40;
const MEMORY_COPY = [0xfc, 0x0a, 0x00, 0x00];

export class FunctionWriter {
  readonly locals: WasmType[] = [];
  private readonly code = new ByteWriter();

  constructor(private readonly signature: Signature) {}

  local(type: WasmType): number {
    this.locals.push(type);
    return this.signature.parameters.length + this.locals.length - 1;
  }

  get(local: number): this {
    this.code.byte(0x20).u32(local);
    return this;
  }
  set(local: number): this {
    this.code.byte(0x21).u32(local);
    return this;
  }
  tee(local: number): this {
    this.code.byte(0x22).u32(local);
    return this;
  }
  i32(value: number): this {
    this.code.byte(0x41).s32(value);
    return this;
  }
  i64(value: bigint): this {
    this.code.byte(0x42).s64(value);
    return this;
  }
  numeric(...names: string[]): this {
    for (const name of names) this.code.bytes(numericOpcode(name).code);
    return this;
  }
  /** A load or store; the address, and the value, are on the stack. */
  memory(opcode: readonly number[], offset = 0): this {
    this.code.bytes(opcode).byte(0).u32(offset);
    return this;
  }
  /** Destination, source and length are on the stack; what overlaps is copied as if it did not. */
  memoryCopy(): this {
    this.code.bytes(MEMORY_COPY);
    return this;
  }
  select(): this {
    this.code.byte(0x1b);
    return this;
  }
  /** Pops the condition. */
  if(then: () => void): this {
    this.code.byte(IF).byte(VOID);
    then();
    return this.end();
  }
  /** Does something until the i32 that it pushes is zero. */
  repeat(body: () => void): this {
    this.code.byte(LOOP).byte(VOID);
    body();
    this.code.byte(0x0d).u32(0);
    return this.end();
  }
  /** Does something while a condition holds, which is pushed anew each time. */
  while(condition: () => void, body: () => void): this {
    this.code.byte(BLOCK).byte(VOID).byte(LOOP).byte(VOID);
    condition();
    this.numeric("i32.eqz").code.byte(0x0d).u32(1);
    body();
    this.code.byte(0x0c).u32(0);
    return this.end().end();
  }
  tailCall(index: number): this {
    this.code.byte(0x12).u32(index);
    return this;
  }
  return(): this {
    this.code.byte(0x0f);
    return this;
  }
  private end(): this {
    this.code.byte(0x0b);
    return this;
  }

  /** The body, with its final `end`. */
  toBytes(): Uint8Array {
    return this.end().code.toBytes().slice();
  }
}
