/**
 * The x87 register stack, tags and status word (Intel SDM vol. 1, 8.1 and 8.5), as the helpers see them.
 *
 * An instruction attaches the unit to its CPU, computes with `control`, and finishes by {@link X87Unit.finish}. Stack
 * faults are invalid operations with SF; C1 tells overflow from underflow.
 */

import type { Cpu } from "../../cpu.ts";
import { Exception, X87Control } from "../../softfloat/control.ts";
import { type Extended, type Unpacked, unpackExtended } from "../../softfloat/format.ts";
import type { FastArithmetic } from "../../softfloat/x87-fast-arithmetic.ts";
import { CONTEXT_SIZE, X87, X87_CONTROL, X87_STATUS, X87_STRIDE, X87_TAGS, X87_TOP } from "../../state.ts";

/** Bits of the status word. */
export const Status = {
  IE: 0x0001,
  PE: 0x0020,
  /** IE, DE, ZE, OE, UE, PE. */
  EXCEPTIONS: 0x003f,
  SF: 0x0040,
  ES: 0x0080,
  C0: 0x0100,
  C1: 0x0200,
  C2: 0x0400,
  C3: 0x4000,
  B: 0x8000,
} as const;

/** The condition codes that comparisons and FXAM write besides C1. */
export const CONDITIONS = Status.C0 | Status.C2 | Status.C3;

/** The real indefinite: the masked answer to invalid operations. */
export const INDEFINITE: Extended = { significand: 0xc000_0000_0000_0000n, signExponent: 0xffff };

/** Fields as indices of the views. */
const CONTROL = X87_CONTROL >> 2;
const STATUS = X87_STATUS >> 2;
const TOP = X87_TOP >> 2;
const TAGS = X87_TAGS >> 2;

/** FCW fields in which {@link X87Unit.isUsualMode} is interested: PC, RC and PM; 64 bits, nearest, masked. */
const USUAL_MODE_MASK = 0x0f20;
const USUAL_MODE = 0x0320;

export class X87Unit {
  readonly control = new X87Control();
  private cpu: Cpu | undefined;
  private base = 0;
  // The state struct, in the three sizes that its fields have.
  private words = new Int32Array(0);
  private quads = new BigUint64Array(0);
  private halves = new Uint16Array(0);

  /** Begins an instruction: takes the modes from the control word. */
  attach(cpu: Cpu): this {
    if (cpu !== this.cpu || cpu.base !== this.base) this.bind(cpu);
    this.control.load(this.words[CONTROL]);
    return this;
  }

  private bind(cpu: Cpu): void {
    const { buffer } = cpu.memory;
    this.cpu = cpu;
    this.base = cpu.base;
    this.words = new Int32Array(buffer, cpu.base, CONTEXT_SIZE / 4);
    this.quads = new BigUint64Array(buffer, cpu.base, CONTEXT_SIZE / 8);
    this.halves = new Uint16Array(buffer, cpu.base, CONTEXT_SIZE / 2);
  }

  /** Results have 64 bits and are rounded to nearest, and inexact ones are not an exception. */
  get isUsualMode(): boolean {
    return (this.words[CONTROL] & USUAL_MODE_MASK) === USUAL_MODE;
  }

  get top(): number {
    return this.words[TOP];
  }

  set top(value: number) {
    this.words[TOP] = value & 7;
  }

  /** The status word without TOP. */
  get status(): number {
    return this.words[STATUS];
  }

  set status(value: number) {
    this.words[STATUS] = value;
  }

  private physical(index: number): number {
    return (this.words[TOP] + index) & 7;
  }

  isEmpty(index: number): boolean {
    return (this.words[TAGS] & (1 << this.physical(index))) === 0;
  }

  setEmpty(index: number): void {
    this.words[TAGS] &= ~(1 << this.physical(index));
  }

  /** The contents of ST(index), whether in use or not. */
  raw(index: number): Extended {
    const at = X87 + this.physical(index) * X87_STRIDE;
    return { significand: this.quads[at >> 3], signExponent: this.halves[(at + 8) >> 1] };
  }

  read(index: number): Unpacked {
    const at = X87 + this.physical(index) * X87_STRIDE;
    return unpackExtended(this.quads[at >> 3], this.halves[(at + 8) >> 1]);
  }

  /** ST(index) as the fast arithmetic takes it. */
  readHalves(index: number, into: { low: number; high: number; signExponent: number }): void {
    const at = X87 + this.physical(index) * X87_STRIDE;
    into.low = this.words[at >> 2] >>> 0;
    into.high = this.words[(at + 4) >> 2] >>> 0;
    into.signExponent = this.halves[(at + 8) >> 1];
  }

  /** Writes a result that was rounded in the usual mode. */
  writeRounded(index: number, result: FastArithmetic): void {
    const physical = this.physical(index);
    const at = X87 + physical * X87_STRIDE;
    this.words[at >> 2] = result.low;
    this.words[(at + 4) >> 2] = result.high;
    this.halves[(at + 8) >> 1] = result.signExponent;
    const flags = (result.inexact ? Status.PE : 0) | (result.up ? Status.C1 : 0);
    this.words[STATUS] = (this.words[STATUS] & ~Status.C1) | flags;
  }

  write(index: number, value: Extended): void {
    const physical = this.physical(index);
    const at = X87 + physical * X87_STRIDE;
    this.quads[at >> 3] = value.significand;
    this.halves[(at + 8) >> 1] = value.signExponent;
    this.words[TAGS] |= 1 << physical;
  }

  pop(count = 1): void {
    for (; count > 0; count--) {
      this.setEmpty(0);
      this.top = this.top + 1;
    }
  }

  /** Pushes a value where {@link isEmpty}(-1). */
  push(value: Extended): void {
    this.top = this.top - 1;
    this.write(0, value);
  }

  /** Sets ES and B from what is pending and not masked. */
  summarize(): void {
    const pending = this.status & ~this.words[CONTROL] & Status.EXCEPTIONS;
    this.status = (this.status & ~(Status.ES | Status.B)) | (pending !== 0 ? Status.ES | Status.B : 0);
  }

  /** Notes the exceptions of the computation; the condition codes stay. Returns false if the result is suppressed. */
  finishQuietly(): boolean {
    this.status |= this.control.raised;
    this.summarize();
    return !this.control.suppressed;
  }

  /** Notes the exceptions of the computation, C1 and condition codes. Returns false if the result is suppressed. */
  finish(conditions = 0, conditionMask = 0): boolean {
    const c1 = this.control.c1 ? Status.C1 : 0;
    this.status = (this.status & ~(Status.C1 | conditionMask)) | c1 | conditions;
    return this.finishQuietly();
  }

  /** An operand is missing. Returns true if the masked response (the indefinite) is to be stored. */
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
    return (this.control.masks & Exception.IE) !== 0;
  }

  /** Pushes the masked response to a lack of room, or of an operand to push. */
  pushIndefinite(): void {
    this.push(INDEFINITE);
  }
}
