/** Writes the body of a WebAssembly function by hand: for the few that are not lowered from instructions. */

import { CodeWriter } from "./code-writer.ts";
import type { Signature } from "./module-builder.ts";
import { numericOpcode } from "./opcodes.ts";

/** Opcodes (core spec, 5.4). */
const BLOCK = 0x02;
const LOOP = 0x03;
const IF = 0x04;
const BRANCH = 0x0c;
const BRANCH_IF = 0x0d;
const MEMORY_COPY = [0xfc, 0x0a, 0x00, 0x00];

export class FunctionWriter extends CodeWriter {
  constructor({ parameters }: Signature) {
    super(parameters.length);
  }

  i64(value: bigint): this {
    this.code.byte(0x42).s64(value);
    return this;
  }
  numeric(...names: string[]): this {
    for (const name of names) this.code.bytes(numericOpcode(name).code);
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
    this.open(IF);
    then();
    return this.close();
  }
  /** Does something until the i32 that it pushes is zero. */
  repeat(body: () => void): this {
    this.open(LOOP);
    body();
    this.code.byte(BRANCH_IF).u32(0);
    return this.close();
  }
  /** Does something while a condition holds, which is pushed anew each time. */
  while(condition: () => void, body: () => void): this {
    this.open(BLOCK).open(LOOP);
    condition();
    this.numeric("i32.eqz").code.byte(BRANCH_IF).u32(1);
    body();
    this.code.byte(BRANCH).u32(0);
    return this.close().close();
  }
  /** The body, with its final `end`. */
  toBytes(): Uint8Array {
    return this.close().code.toBytes().slice();
  }
}
