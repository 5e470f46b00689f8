/** What all writers of WebAssembly code emit: instructions on locals, memory and blocks (core spec, 5.4). */

import { ByteWriter } from "./byte-writer.ts";
import type { WasmType } from "./module-builder.ts";

/** Block types of `block`, `loop` and `if`: nothing. */
const VOID = 0x40;

export abstract class CodeWriter {
  readonly code = new ByteWriter();
  /** Types of the locals behind the parameters. */
  readonly locals: WasmType[] = [];
  /** Open blocks around the code being emitted. */
  protected depth = 0;

  constructor(private readonly parameters: number) {}

  local(type: WasmType): number {
    this.locals.push(type);
    return this.parameters + this.locals.length - 1;
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
  /** A load or store; the address, and the value, are on the stack. Nothing is known of the alignment. */
  memory(opcode: readonly number[], offset = 0): this {
    this.code.bytes(opcode).byte(0).u32(offset);
    return this;
  }
  call(index: number): this {
    this.code.byte(0x10).u32(index);
    return this;
  }
  tailCall(index: number): this {
    this.code.byte(0x12).u32(index);
    return this;
  }
  return(): this {
    this.code.byte(0x0f);
    return this;
  }
  /** Begins a block, loop or if of a block type. */
  open(opcode: number, type = VOID): this {
    this.code.byte(opcode).byte(type);
    this.depth++;
    return this;
  }
  close(): this {
    this.code.byte(0x0b);
    this.depth--;
    return this;
  }
}
