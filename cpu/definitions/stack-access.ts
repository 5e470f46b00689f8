/**
 * The stack as instructions use it: RSP in 64-bit mode, else ESP or SP in the stack segment, by that segment's size. In
 * 64-bit mode words have 64 bits, or 16 with a 66 prefix; elsewhere they have the operand size.
 */

import type { Builder } from "../ir/builder.ts";
import { linearAddress } from "../ir/operand.ts";
import type { MemoryKind, OperandBits, Value } from "../ir/value.ts";
import { Register, SEGMENT_BASE, Segment } from "../state.ts";
import type { InstructionContext } from "./registry.ts";

export class StackAccess {
  /** Bits of the stack pointer. */
  readonly bits: 16 | 32 | 64;
  /** Bytes of a word, and how it is accessed. */
  readonly bytes: 2 | 4 | 8;
  readonly kind: MemoryKind;
  /** Bits of a word. */
  readonly wordBits: 16 | 32 | 64;

  constructor(
    private readonly b: Builder,
    context: InstructionContext,
  ) {
    this.bits = context.stackSize;
    if (context.operandSize === 16) {
      this.bytes = 2;
      this.kind = "u16";
      this.wordBits = 16;
    } else if (context.codeSize === 64) {
      this.bytes = 8;
      this.kind = "u64";
      this.wordBits = 64;
    } else {
      this.bytes = 4;
      this.kind = "u32";
      this.wordBits = 32;
    }
  }

  /** The stack pointer, or another register that holds an offset in the stack segment. */
  pointer(register: number = Register.RSP): Value {
    return this.b.gpr(register, this.bits);
  }

  /** A pointer moved by a distance; it wraps at the size of the stack pointer. */
  move(pointer: Value, distance: Value | number): Value {
    const { b } = this;
    const by = typeof distance === "number" ? b.const64(distance) : distance;
    return b.zext(b.add(pointer, by), this.bits);
  }

  setPointer(pointer: Value): void {
    this.b.setGpr(Register.RSP, pointer, this.bits as OperandBits);
  }

  /** Linear address of a pointer. */
  address(pointer: Value): Value {
    const { b } = this;
    if (this.bits === 64) return pointer;
    return linearAddress(b, b.field(SEGMENT_BASE + Segment.SS * 8, "i64"), pointer, this.bits);
  }

  /** Reads the word at a pointer. */
  load(pointer: Value, kind: MemoryKind = this.kind): Value {
    return this.b.load(this.address(pointer), kind);
  }

  store(pointer: Value, value: Value): void {
    this.b.store(this.address(pointer), this.kind, value);
  }

  push(value: Value): void {
    const top = this.move(this.pointer(), -this.bytes);
    this.store(top, value);
    this.setPointer(top);
  }
}
