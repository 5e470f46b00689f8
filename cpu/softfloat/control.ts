/**
 * The floating-point environment of one instruction: what a control register asks for, and what the arithmetic reports.
 *
 * Exceptions are reported as the flag bits that MXCSR and the x87 status word share. Every function computes the
 * *masked* response and adds what it met to {@link FloatControl.flags}; the instruction then asks
 *
 * - {@link FloatControl.raised}: the flags to make sticky in MXCSR or FSW. When an unmasked pre-computation exception
 *   (IE, DE, ZE) was met, the computation never took place on silicon, so the post-computation flags are dropped;
 * - {@link FloatControl.unmasked}: non-zero = deliver #XM (SSE), or set ES and deliver #MF at the next instruction (x87);
 * - {@link FloatControl.suppressed} (x87): the destination keeps its old value and the stack does not move.
 *
 * One control serves all lanes of a packed instruction: flags are the union over the lanes, and an unmasked
 * pre-computation exception in one lane drops the post-computation flags of all (Intel SDM vol. 1, 11.5.3.2).
 */

import type { Unpacked } from "./format.ts";

/** Exception flags: MXCSR and FSW bits 0…5. Mask bits have the same order (MXCSR bits 7…12, FCW bits 0…5). */
export const Exception = {
  /** Invalid operation. */
  IE: 0x01,
  /** Denormal operand. */
  DE: 0x02,
  /** Division by zero. */
  ZE: 0x04,
  /** Overflow. */
  OE: 0x08,
  /** Underflow. */
  UE: 0x10,
  /** Precision (inexact result). */
  PE: 0x20,
} as const;

/** All six exceptions. */
export const ALL_EXCEPTIONS = 0x3f;
/** Found by looking at the operands, before anything is computed. */
const PRE_COMPUTATION = Exception.IE | Exception.DE | Exception.ZE;

/** Rounding modes as encoded in the RC fields of MXCSR (bits 13…14) and FCW (bits 10…11), and in ROUNDSS' immediate. */
export const Rounding = { NearestEven: 0, Down: 1, Up: 2, Zero: 3 } as const;
export type Rounding = (typeof Rounding)[keyof typeof Rounding];

function roundingFromField(field: number): Rounding {
  switch (field & 3) {
    case 0:
      return Rounding.NearestEven;
    case 1:
      return Rounding.Down;
    case 2:
      return Rounding.Up;
    default:
      return Rounding.Zero;
  }
}

/** Precision of x87 results, in bits of significand. */
export type Precision = 24 | 53 | 64;

export abstract class FloatControl {
  rounding: Rounding = Rounding.NearestEven;
  /** A set bit masks (silences) the exception of that {@link Exception} bit. */
  masks: number = ALL_EXCEPTIONS;
  /** Exceptions met by the current step of the instruction; nearly all have only one. */
  flags = 0;
  /** Exceptions raised by earlier steps. */
  private settled = 0;
  private storePrevented = false;
  /** The last rounding went away from zero. */
  roundedUp = false;
  /** Tiny results become zero (MXCSR.FTZ with underflow masked; never on x87). */
  flushToZero = false;

  /** Which of two operands, at least one a NaN, becomes the result (still to be made quiet). SDM vol. 1, table 4-7. */
  abstract selectNaN(a: Unpacked, b: Unpacked): Unpacked;

  /** Forgets all exceptions. */
  protected clear(): void {
    this.flags = 0;
    this.settled = 0;
    this.storePrevented = false;
    this.roundedUp = false;
  }

  /** Ends a step: the next one computes with its result, and can no longer prevent its exceptions (DPPS). */
  settle(): void {
    this.settled = this.raised;
    this.flags = 0;
  }

  /** The flags that become sticky. */
  get raised(): number {
    const prevented = (this.flags & ~this.masks & PRE_COMPUTATION) !== 0;
    return this.settled | (prevented ? this.flags & PRE_COMPUTATION : this.flags);
  }

  /** The raised exceptions that are not masked. */
  get unmasked(): number {
    return this.raised & ~this.masks;
  }

  /** An unmasked pre-computation exception was met: there is no result. */
  get suppressed(): boolean {
    return (this.flags & ~this.masks & PRE_COMPUTATION) !== 0 || this.storePrevented;
  }

  /** What x87 instructions leave in C1, unless they have a use of their own for it. */
  get c1(): boolean {
    return this.roundedUp && !this.suppressed;
  }

  /** The result goes to memory: unmasked overflow and underflow keep it from being stored, and PE from being found. */
  preventStore(): void {
    if ((this.flags & ~this.masks & (Exception.OE | Exception.UE)) === 0) return;
    this.flags &= ~Exception.PE;
    this.roundedUp = false;
    this.storePrevented = true;
  }
}

/** The environment that MXCSR describes (SDM vol. 1, 10.2.3). */
export class SseControl extends FloatControl {
  /** Denormal operands count as zeros of their sign. */
  daz = false;
  /** The modes of MXCSR that were taken last. */
  private loaded = -1;

  constructor(mxcsr = 0x1f80) {
    super();
    this.load(mxcsr);
  }

  /** Takes the modes from MXCSR and clears {@link flags}: one object can serve all instructions. */
  load(mxcsr: number): this {
    this.clear();
    const modes = mxcsr & ~ALL_EXCEPTIONS;
    if (modes === this.loaded) return this;
    this.loaded = modes;
    this.rounding = roundingFromField(mxcsr >> 13);
    this.masks = (mxcsr >> 7) & ALL_EXCEPTIONS;
    this.daz = (mxcsr & 0x40) !== 0;
    this.flushToZero = (mxcsr & 0x8000) !== 0 && (this.masks & Exception.UE) !== 0;
    return this;
  }

  /** The first (destination) operand if it is a NaN, else the second. */
  override selectNaN(a: Unpacked, b: Unpacked): Unpacked {
    return a.isNaN ? a : b;
  }
}

/** The environment that the x87 control word describes (SDM vol. 1, 8.1.5). */
export class X87Control extends FloatControl {
  /** Significand bits of the results of add, subtract, multiply, divide and square root. */
  precision: Precision = 64;
  /** The control word that the modes are from. */
  private loaded = -1;

  constructor(fcw = 0x037f) {
    super();
    this.load(fcw);
  }

  /** Takes the modes from FCW and clears {@link flags} and {@link roundedUp}. */
  load(fcw: number): this {
    this.clear();
    if (fcw === this.loaded) return this;
    this.loaded = fcw;
    this.rounding = roundingFromField(fcw >> 10);
    this.masks = fcw & ALL_EXCEPTIONS;
    const field = (fcw >> 8) & 3;
    // 01 is reserved; silicon computes with 64 bits.
    this.precision = field === 0 ? 24 : field === 2 ? 53 : 64;
    return this;
  }

  /** A quiet NaN before a signaling one; else the larger significand; else the positive one. */
  override selectNaN(a: Unpacked, b: Unpacked): Unpacked {
    if (!b.isNaN) return a;
    if (!a.isNaN) return b;
    if (a.isSignaling !== b.isSignaling) return a.isSignaling ? b : a;
    if (a.significand !== b.significand) return a.significand > b.significand ? a : b;
    return a.negative ? b : a;
  }
}
