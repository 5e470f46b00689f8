/**
 * The x87 register stack, tags and status word (Intel SDM vol. 1, 8.1 and 8.5), as the helpers see them.
 *
 * An instruction attaches the unit to its CPU, computes with `control`, and finishes by {@link X87Unit.finish}. Stack
 * faults are invalid operations with SF; C1 tells overflow from underflow.
 */

import type { Cpu } from "../../cpu.ts";
import { X87Control } from "../../softfloat/control.ts";
import { type Extended, type Unpacked, unpackExtended } from "../../softfloat/format.ts";
import { X87, X87_CONTROL, X87_STATUS, X87_STRIDE, X87_TAGS, X87_TOP } from "../../state.ts";

/** Bits of the status word. */
export const Status = {
  IE: 0x0001,
  SF: 0x0040,
  ES: 0x0080,
  C0: 0x0100,
  C1: 0x0200,
  C2: 0x0400,
  C3: 0x4000,
  B: 0x8000,
} as const;

/** The real indefinite: the masked answer to invalid operations. */
export const INDEFINITE: Extended = { significand: 0xc000_0000_0000_0000n, signExponent: 0xffff };

export class X87Unit {
  readonly control = new X87Control();
  private attached: Cpu | undefined;

  /** Begins an instruction: takes the modes from the control word. */
  attach(cpu: Cpu): this {
    this.attached = cpu;
    this.control.load(cpu.getI32(X87_CONTROL));
    return this;
  }

  private get cpu(): Cpu {
    if (this.attached === undefined) throw new Error("the x87 unit is not attached to a CPU");
    return this.attached;
  }

  get top(): number {
    return this.cpu.getI32(X87_TOP);
  }

  set top(value: number) {
    this.cpu.setI32(X87_TOP, value & 7);
  }

  get status(): number {
    return this.cpu.getI32(X87_STATUS);
  }

  set status(value: number) {
    this.cpu.setI32(X87_STATUS, value);
  }

  private physical(index: number): number {
    return (this.top + index) & 7;
  }

  isEmpty(index: number): boolean {
    return (this.cpu.getI32(X87_TAGS) & (1 << this.physical(index))) === 0;
  }

  setEmpty(index: number): void {
    this.cpu.setI32(X87_TAGS, this.cpu.getI32(X87_TAGS) & ~(1 << this.physical(index)));
  }

  /** The contents of ST(index), whether in use or not. */
  raw(index: number): Extended {
    const at = X87 + this.physical(index) * X87_STRIDE;
    return { significand: this.cpu.getU64(at), signExponent: this.cpu.getU16(at + 8) };
  }

  read(index: number): Unpacked {
    const { significand, signExponent } = this.raw(index);
    return unpackExtended(significand, signExponent);
  }

  write(index: number, value: Extended): void {
    const physical = this.physical(index);
    const at = X87 + physical * X87_STRIDE;
    this.cpu.setU64(at, value.significand);
    this.cpu.setU16(at + 8, value.signExponent);
    this.cpu.setI32(X87_TAGS, this.cpu.getI32(X87_TAGS) | (1 << physical));
  }

  pop(count = 1): void {
    for (; count > 0; count--) {
      this.setEmpty(0);
      this.top = this.top + 1;
    }
  }

  /** Sets ES and B from what is pending and not masked. */
  summarize(): void {
    const pending = this.status & ~this.cpu.getI32(X87_CONTROL) & 0x3f;
    this.status = (this.status & ~(Status.ES | Status.B)) | (pending !== 0 ? Status.ES | Status.B : 0);
  }

  /** Notes the exceptions of the computation, C1 and condition codes. Returns false if the result is suppressed. */
  finish(conditions = 0, conditionMask = 0): boolean {
    const { control } = this;
    const c1 = control.roundedUp ? Status.C1 : 0;
    this.status = (this.status & ~(Status.C1 | conditionMask)) | control.raised | c1 | conditions;
    this.summarize();
    return !control.suppressed;
  }

  /**
   * An operand is missing. Returns true if the masked response (the indefinite) is to be stored.
   */
  underflow(): boolean {
    return this.stackFault(0);
  }

  /** There is no room to push. As {@link underflow}. */
  overflow(): boolean {
    return this.stackFault(Status.C1);
  }

  private stackFault(c1: number): boolean {
    this.status = (this.status & ~Status.C1) | Status.IE | Status.SF | c1;
    this.summarize();
    return (this.control.masks & Status.IE) !== 0;
  }

  /** Pushes a value, or the indefinite if the stack is full; nothing if that is not masked. */
  push(value: Extended): void {
    if (!this.isEmpty(-1)) {
      if (!this.overflow()) return;
      this.top = this.top - 1;
      this.write(0, INDEFINITE);
      return;
    }
    this.top = this.top - 1;
    this.write(0, value);
  }
}
