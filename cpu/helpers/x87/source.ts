/** Operands of x87 arithmetic as the helpers get them: the source's kind is in argument 1, its contents in argument 2. */

import type { Cpu } from "../../cpu.ts";
import { type Unpacked, unpackBinary32, unpackBinary64, unpackInteger } from "../../softfloat/format.ts";
import { type Halves, isNormal } from "../../softfloat/x87-fast-arithmetic.ts";
import { ArgumentLanes, DWORDS } from "../argument-lanes.ts";
import type { X87Unit } from "./unit.ts";

/** What a source operand is; the definitions pass these numbers. Of a register argument 2 is the number. */
export const SourceKind = { Register: 0, Single: 1, Double: 2, Int16: 3, Int32: 4 } as const;

const KIND = DWORDS;
const CONTENTS = 2 * DWORDS;

const slots = new ArgumentLanes();

/** The source operand, or undefined if its register is empty. */
export function readSource(cpu: Cpu, unit: X87Unit): Unpacked | undefined {
  const { i32, u32, u64 } = slots.attach(cpu);
  switch (i32[KIND]) {
    case SourceKind.Single:
      return unpackBinary32(u32[CONTENTS]);
    case SourceKind.Double:
      return unpackBinary64(u64[CONTENTS >> 1]);
    case SourceKind.Int16:
      return unpackInteger((i32[CONTENTS] << 16) >> 16);
    case SourceKind.Int32:
      return unpackInteger(i32[CONTENTS]);
    default:
      return unit.isEmpty(i32[CONTENTS]) ? undefined : unit.read(i32[CONTENTS]);
  }
}

const HALF = 0x8000_0000;
const BIAS = 0x3fff;

/** An operand that is a normal number, for softfloat/x87-fast-arithmetic.ts. The loads answer false if it is not. */
export class FastOperand implements Halves {
  low = 0;
  high = 0;
  signExponent = 0;

  constructor(private readonly unit: X87Unit) {}

  loadRegister(index: number): boolean {
    this.unit.readHalves(index, this);
    return !this.unit.isEmpty(index) && isNormal(this);
  }

  loadSource(cpu: Cpu): boolean {
    const { i32 } = slots.attach(cpu);
    const bits = i32[CONTENTS];
    switch (i32[KIND]) {
      case SourceKind.Single:
        return this.loadBinary(0, (bits & 0x7f_ffff) << 8, bits >>> 16, (bits >>> 23) & 0xff, 0x7f);
      case SourceKind.Double: {
        const upper = i32[CONTENTS + 1];
        const fraction = ((upper & 0xf_ffff) << 11) | (bits >>> 21);
        return this.loadBinary((bits << 11) >>> 0, fraction, upper >>> 16, (upper >>> 20) & 0x7ff, 0x3ff);
      }
      case SourceKind.Int16:
        return this.loadInteger((bits << 16) >> 16);
      case SourceKind.Int32:
        return this.loadInteger(bits);
      default:
        return this.loadRegister(bits);
    }
  }

  negate(): this {
    this.signExponent ^= 0x8000;
    return this;
  }

  private loadBinary(low: number, fraction: number, sign: number, exponent: number, bias: number): boolean {
    this.low = low;
    this.high = (fraction | HALF) >>> 0;
    this.signExponent = (sign & 0x8000) | (exponent - bias + BIAS);
    return exponent !== 0 && exponent !== 2 * bias + 1;
  }

  private loadInteger(value: number): boolean {
    const magnitude = Math.abs(value);
    const zeros = Math.clz32(magnitude);
    this.low = 0;
    this.high = (magnitude << zeros) >>> 0;
    this.signExponent = (value < 0 ? 0x8000 : 0) | (BIAS + 31 - zeros);
    return value !== 0;
  }
}
