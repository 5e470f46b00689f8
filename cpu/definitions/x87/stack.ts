/**
 * The x87 registers, tags and status word in the IR (Intel SDM vol. 1, 8.1): what plain moves need, so that they do
 * without a helper. Registers are named by their physical number; fields are those of cpu/state.ts.
 */

import { CONDITIONS, Status } from "../../helpers/x87/unit.ts";
import type { Builder } from "../../ir/builder.ts";
import type { RegisterRef, Value } from "../../ir/value.ts";
import { X87, X87_CONTROL, X87_STATUS, X87_STRIDE, X87_TAGS, X87_TOP } from "../../state.ts";

/** A register's contents: 64 bits, and sign and exponent in 16 bits (i32). */
export interface RegisterValue {
  readonly significand: Value;
  readonly signExponent: Value;
}

/** Everything read here is as it was before the instruction; writes take effect at the end of the block. */
export class Stack {
  private readonly top: Value;
  private readonly tags: Value;
  private readonly status: Value;

  constructor(private readonly b: Builder) {
    this.top = b.field(X87_TOP, "i32");
    this.tags = b.field(X87_TAGS, "i32");
    this.status = b.field(X87_STATUS, "i32");
  }

  /** The physical number of ST(index). */
  physical(index: RegisterRef | number): Value {
    const { b } = this;
    const offset = typeof index === "number" ? b.const32(index) : b.registerNumber(index);
    return b.and(b.add(this.top, offset), b.const32(7));
  }

  /** 1 if the register is in use, else 0. */
  isUsed(physical: Value): Value {
    return this.b.and(this.b.shr(this.tags, physical), this.b.const32(1));
  }

  isEmpty(physical: Value): Value {
    return this.b.eqz(this.isUsed(physical));
  }

  read(index: Value): RegisterValue {
    const { b } = this;
    return {
      significand: b.get({ kind: "field", offset: X87, type: "i64", index, stride: X87_STRIDE }),
      signExponent: b.get({ kind: "field", offset: X87 + 8, type: "u16", index, stride: X87_STRIDE }),
    };
  }

  /** The tags are the caller's. */
  write(index: Value, { significand, signExponent }: RegisterValue): void {
    const { b } = this;
    b.set({ kind: "field", offset: X87, type: "i64", index, stride: X87_STRIDE }, significand);
    b.set({ kind: "field", offset: X87 + 8, type: "u16", index, stride: X87_STRIDE }, signExponent);
  }

  /** Makes an empty register the new top. */
  push(physical: Value, value: RegisterValue): void {
    const { b } = this;
    this.write(physical, value);
    b.setField(X87_TOP, "i32", physical);
    b.setField(X87_TAGS, "i32", b.or(this.tags, this.tag(physical)));
  }

  /** Marks registers as in use, then pops so many. */
  useAndPop(used: readonly Value[], pops: 0 | 1 | 2): void {
    const { b } = this;
    let tags = this.tags;
    for (const physical of used) tags = b.or(tags, this.tag(physical));
    for (let index = 0; index < pops; index++) {
      tags = b.and(tags, b.not(this.tag(this.physical(index))));
    }
    if (pops > 0) b.setField(X87_TOP, "i32", this.physical(pops));
    if (tags !== this.tags) b.setField(X87_TAGS, "i32", tags);
  }

  setEmpty(physical: Value): void {
    this.b.setField(X87_TAGS, "i32", this.b.and(this.tags, this.b.not(this.tag(physical))));
  }

  /** FINCSTP and FDECSTP. */
  rotate(by: 1 | -1): void {
    this.b.setField(X87_TOP, "i32", this.physical(by));
  }

  private tag(physical: Value): Value {
    return this.b.shl(this.b.const32(1), physical);
  }

  /** C1 = 0, and nothing to report. */
  clearC1(): void {
    const { b } = this;
    b.setField(X87_STATUS, "i32", b.and(this.status, b.const32(~Status.C1)));
  }

  /** C3 and C0 (0 or 1 each) of a comparison; C2 = C1 = 0. */
  setConditions(equal: Value, less: Value): void {
    const { b } = this;
    const codes = b.or(b.shlBy(equal, Math.log2(Status.C3)), b.shlBy(less, Math.log2(Status.C0)));
    const rest = b.and(this.status, b.const32(~(CONDITIONS | Status.C1)));
    b.setField(X87_STATUS, "i32", b.or(rest, codes));
  }

  /** PE, which is masked, if a rounding was inexact, and C1 if it went up; both 0 or 1. */
  noteRounding(inexact: Value, up: Value): void {
    const { b } = this;
    const flags = b.or(b.shlBy(inexact, Math.log2(Status.PE)), b.shlBy(up, Math.log2(Status.C1)));
    b.setField(X87_STATUS, "i32", b.or(b.and(this.status, b.const32(~Status.C1)), flags));
  }

  /** Exceptions become pending or stop being so: ES and B follow from a status and a control word. */
  summarize(status: Value, control: Value): void {
    const { b } = this;
    const pending = b.and(b.and(status, b.not(control)), b.const32(Status.EXCEPTIONS));
    const rest = b.and(status, b.const32(~(Status.ES | Status.B)));
    b.setField(X87_STATUS, "i32", b.select(pending, b.or(rest, b.const32(Status.ES | Status.B)), rest));
  }
}

/** The control word (SDM vol. 1, 8.1.5). */
export const controlWord = (b: Builder): Value => b.field(X87_CONTROL, "i32");

/** Rounding control, 0…3. */
export function roundingControl(b: Builder): Value {
  return b.and(b.shr(controlWord(b), b.const32(10)), b.const32(3));
}

/** PE is masked (0 or 1). */
export function precisionIsMasked(b: Builder): Value {
  return b.and(b.shr(controlWord(b), b.const32(Math.log2(Status.PE))), b.const32(1));
}
