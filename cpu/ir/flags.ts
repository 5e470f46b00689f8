/**
 * The arithmetic flags, lazily: an instruction stores its result and carries (see FLAG_* in cpu/state.ts), a reader
 * derives what it needs. A reader in the same handler (a fused CMP and Jcc) compares the operands directly.
 */

import { FLAG_CARRIES, FLAG_CARRY, FLAG_SIGN, FLAG_ZERO, FLAGS_OTHER, Flag } from "../state.ts";
import type { Builder } from "./builder.ts";
import type { Value } from "./value.ts";

/** Condition codes as encoded in Jcc, SETcc, CMOVcc (Intel SDM vol. 1, appendix B). */
export type ConditionCode = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15;

/** Mnemonic suffixes of the condition codes, in encoding order. */
export const CONDITION_SUFFIXES = [
  "o",
  "no",
  "b",
  "ae",
  "e",
  "ne",
  "be",
  "a",
  "s",
  "ns",
  "p",
  "np",
  "l",
  "ge",
  "le",
  "g",
] as const;

type Producer =
  | {
      readonly kind: "sub";
      readonly bits: number;
      readonly x: Value;
      readonly y: Value;
      readonly result: Value;
    }
  | { readonly kind: "result"; readonly bits: number; readonly result: Value };

export class Flags {
  /** What wrote the flags earlier in this handler. */
  private producer: Producer | undefined;

  constructor(private readonly b: Builder) {}

  /**
   * After result = x + y (+ carryIn). Operands are zero-extended from `bits`; the result is not truncated.
   * @param carryIn i32, 0 or 1
   */
  add(bits: number, x: Value, y: Value, result: Value, carryIn?: Value): void {
    const b = this.b;
    let carry: Value;
    if (bits < 64) carry = b.and(b.wrap(b.shrBy(result, bits)), b.const32(1));
    else {
      carry = b.ltU(result, x);
      if (carryIn !== undefined) carry = b.or(carry, b.and(carryIn, b.eq(result, x)));
    }
    this.write(bits, result, carry, b.xor(b.xor(x, y), result));
    this.producer = undefined;
  }

  /** After result = x - y (- borrowIn); as {@link add}. */
  sub(bits: number, x: Value, y: Value, result: Value, borrowIn?: Value): void {
    const b = this.b;
    let borrow = b.ltU(x, y);
    if (borrowIn !== undefined) borrow = b.or(borrow, b.and(borrowIn, b.eq(x, y)));
    this.write(bits, result, borrow, b.xor(b.xor(x, y), result));
    this.producer = borrowIn === undefined ? { kind: "sub", bits, x, y, result } : undefined;
  }

  /** AND, OR, XOR, TEST: CF = OF = 0 (AF is undefined: cleared, as silicon does). */
  logic(bits: number, result: Value): void {
    this.write(bits, result, this.b.const32(0), this.b.const64(0));
    this.producer = { kind: "result", bits, result };
  }

  private write(bits: number, result: Value, carry: Value, carries: Value): void {
    const b = this.b;
    this.setResult(bits, result);
    b.setField(FLAG_CARRY, "i32", carry);
    b.setField(FLAG_CARRIES, "i64", b.sext(carries, bits));
  }

  /** ZF, SF and PF from a result. */
  setResult(bits: number, result: Value): void {
    const b = this.b;
    const extended = b.sext(result, bits);
    b.setField(FLAG_ZERO, "i64", extended);
    b.setField(FLAG_SIGN, "i64", extended);
    this.producer = undefined;
  }

  /** CF, OF and AF together; i32 0 or 1 each. */
  setCarryOverflowAdjust(carry: Value, overflow: Value, adjust?: Value): void {
    const b = this.b;
    this.producer = undefined;
    b.setField(FLAG_CARRY, "i32", carry);
    let carries = b.shlBy(b.extendU(b.xor(carry, overflow)), 63);
    if (adjust !== undefined) carries = b.or(carries, b.shlBy(b.extendU(adjust), 4));
    b.setField(FLAG_CARRIES, "i64", carries);
  }

  /** OF and AF (i32 0 or 1); CF stays. */
  setOverflowAdjust(overflow: Value, adjust: Value): void {
    const b = this.b;
    this.producer = undefined;
    const sign = b.shlBy(b.extendU(b.xor(overflow, this.carry())), 63);
    b.setField(FLAG_CARRIES, "i64", b.or(sign, b.shlBy(b.extendU(adjust), 4)));
  }

  /** INC and DEC: flags of result = x ± 1, but CF stays. `overflow` is i32, 0 or 1. */
  increment(bits: number, x: Value, result: Value, overflow: Value): void {
    const b = this.b;
    this.setResult(bits, result);
    const sign = b.shlBy(b.extendU(b.xor(overflow, b.field(FLAG_CARRY, "i32"))), 63);
    // Bit 4 changes exactly if bit 3 carried or borrowed.
    const adjust = b.and(b.xor(x, result), b.const64(Flag.AF));
    b.setField(FLAG_CARRIES, "i64", b.or(sign, adjust));
  }

  /**
   * Shifts: ZF, SF and PF of the result, CF (i32 0 or 1) and OF, which is bit `bits` - 1 of `overflow`; AF = 0.
   * The result is not truncated.
   */
  shift(bits: number, result: Value, carry: Value, overflow: Value): void {
    const b = this.b;
    this.setResult(bits, result);
    b.setField(FLAG_CARRY, "i32", carry);
    const differs = b.xor(b.shlBy(overflow, 64 - bits), b.shlBy(b.extendU(carry), 63));
    b.setField(FLAG_CARRIES, "i64", b.and(differs, b.const64(1n << 63n)));
  }

  /** Bit counts and products: ZF of one i64, SF and PF of another; CF and OF (i32 0 or 1); AF = 0. */
  setParts(zeroOf: Value, signOf: Value, carry: Value, overflow: Value): void {
    this.b.setField(FLAG_ZERO, "i64", zeroOf);
    this.b.setField(FLAG_SIGN, "i64", signOf);
    this.setCarryOverflowAdjust(carry, overflow);
  }

  /** OF only (i32 0 or 1); everything else stays: ADOX. */
  setOverflow(overflow: Value): void {
    const b = this.b;
    this.producer = undefined;
    const rest = b.and(b.field(FLAG_CARRIES, "i64"), b.const64(Flag.AF));
    const sign = b.shlBy(b.extendU(b.xor(overflow, this.carry())), 63);
    b.setField(FLAG_CARRIES, "i64", b.or(rest, sign));
  }

  /** CF only (i32 0 or 1); everything else stays. */
  setCarry(carry: Value): void {
    const b = this.b;
    this.producer = undefined;
    const changed = b.shlBy(b.extendU(b.xor(carry, this.carry())), 63);
    b.setField(FLAG_CARRIES, "i64", b.xor(b.field(FLAG_CARRIES, "i64"), changed));
    b.setField(FLAG_CARRY, "i32", carry);
  }

  /** CF and OF (i32 0 or 1); the others stay: rotates. */
  setCarryOverflow(carry: Value, overflow: Value): void {
    const b = this.b;
    this.producer = undefined;
    const rest = b.and(b.field(FLAG_CARRIES, "i64"), b.const64(0x10));
    b.setField(FLAG_CARRY, "i32", carry);
    b.setField(FLAG_CARRIES, "i64", b.or(rest, b.shlBy(b.extendU(b.xor(carry, overflow)), 63)));
  }

  /** ZF alone (i32 0 or 1); everything else stays. */
  setZero(zero: Value): void {
    this.producer = undefined;
    this.b.setField(FLAG_ZERO, "i64", this.b.extendU(this.b.eqz(zero)));
  }

  /** ZF, PF and CF as given (i32 0 or 1), SF = OF = AF = 0: COMISS, PTEST, PCMPISTRI … */
  setZeroParityCarry(zero: Value, parity: Value, carry: Value): void {
    this.setAll({ zero, parity, carry });
  }

  /** All six flags from i32 0-or-1 values; missing ones are 0. */
  setAll(flags: {
    zero?: Value;
    sign?: Value;
    parity?: Value;
    carry?: Value;
    overflow?: Value;
    adjust?: Value;
  }): void {
    const b = this.b;
    const zero = b.const32(0);
    b.setField(FLAG_ZERO, "i64", b.extendU(b.eqz(flags.zero ?? zero)));
    // Bit 0 alone makes the parity of the low byte odd.
    const odd = b.extendU(b.eqz(flags.parity ?? zero));
    b.setField(
      FLAG_SIGN,
      "i64",
      flags.sign === undefined ? odd : b.or(odd, b.shlBy(b.extendU(flags.sign), 63)),
    );
    this.setCarryOverflowAdjust(flags.carry ?? zero, flags.overflow ?? zero, flags.adjust);
  }

  /** CF as i32, 0 or 1. */
  carry(): Value {
    if (this.producer?.kind === "sub") return this.b.ltU(this.producer.x, this.producer.y);
    return this.b.field(FLAG_CARRY, "i32");
  }

  zero(): Value {
    return this.condition(4);
  }

  sign(): Value {
    return this.condition(8);
  }

  overflow(): Value {
    return this.condition(0);
  }

  parity(): Value {
    return this.condition(10);
  }

  adjust(): Value {
    const b = this.b;
    return b.and(b.wrap(b.shrBy(b.field(FLAG_CARRIES, "i64"), 4)), b.const32(1));
  }

  /** A condition code as i32, 0 or 1. */
  condition(code: ConditionCode): Value {
    const even = code & 14;
    const value = this.direct(even) ?? (this.b.defersConditions ? this.b.condition(even) : this.lazy(even));
    return (code & 1) === 0 ? value : this.b.eqz(value);
  }

  /** A condition (even code) from the operands of what wrote the flags in this very handler. */
  direct(code: number): Value | undefined {
    const b = this.b;
    const producer = this.producer;
    if (producer === undefined) return undefined;
    const { bits, result } = producer;
    if (code === 8) return b.ltS(b.sext(result, bits), b.const64(0));
    if (producer.kind === "result") {
      switch (code) {
        case 4:
        case 6: // CF = 0
          return b.eqz(b.zext(result, bits));
        case 2:
        case 0:
          return b.const32(0);
        case 12: // OF = 0
          return b.ltS(b.sext(result, bits), b.const64(0));
        case 14:
          return b.leS(b.sext(result, bits), b.const64(0));
        default:
          return undefined;
      }
    }
    const { x, y } = producer;
    switch (code) {
      case 2:
        return b.ltU(x, y);
      case 4:
        return b.eq(x, y);
      case 6:
        return b.leU(x, y);
      case 12:
        return b.ltS(b.sext(x, bits), b.sext(y, bits));
      case 14:
        return b.leS(b.sext(x, bits), b.sext(y, bits));
      default:
        return undefined;
    }
  }

  /** A condition (even code) from the stored fields. */
  lazy(code: number): Value {
    const b = this.b;
    const zero = () => b.eqz(b.field(FLAG_ZERO, "i64"));
    const signIsNotOverflow = () => {
      const differs = b.xor(b.field(FLAG_SIGN, "i64"), b.field(FLAG_CARRIES, "i64"));
      return b.xor(b.wrap(b.shrBy(differs, 63)), b.field(FLAG_CARRY, "i32"));
    };
    switch (code) {
      case 0:
        return b.xor(b.wrap(b.shrBy(b.field(FLAG_CARRIES, "i64"), 63)), b.field(FLAG_CARRY, "i32"));
      case 2:
        return b.field(FLAG_CARRY, "i32");
      case 4:
        return zero();
      case 6:
        return b.or(b.field(FLAG_CARRY, "i32"), zero());
      case 8:
        return b.wrap(b.shrBy(b.field(FLAG_SIGN, "i64"), 63));
      case 10: {
        const ones = b.popcnt(b.and(b.wrap(b.field(FLAG_SIGN, "i64")), b.const32(0xff)));
        return b.xor(b.and(ones, b.const32(1)), b.const32(1));
      }
      case 12:
        return signIsNotOverflow();
      default:
        return b.or(signIsNotOverflow(), zero());
    }
  }

  /** RFLAGS as PUSHF sees them. */
  readAll(): Value {
    const b = this.b;
    const bit = (value: Value, position: number) => b.shl(value, b.const32(position));
    const low = [
      this.carry(),
      b.const32(2),
      bit(this.parity(), 2),
      bit(this.adjust(), 4),
      bit(this.zero(), 6),
      bit(this.sign(), 7),
      bit(this.overflow(), 11),
      b.field(FLAGS_OTHER, "i32"),
    ];
    return b.extendU(low.reduce((all, flag) => b.or(all, flag)));
  }

  /**
   * Writes the arithmetic flags, and the other bits of `otherMask`, from an RFLAGS value (i64).
   * @param moreMask bits besides, known only when the instruction is executed (i32)
   */
  writeAll(value: Value, otherMask: number, moreMask?: Value): void {
    const b = this.b;
    const low = b.wrap(value);
    const bit = (position: number) => b.and(b.shr(low, b.const32(position)), b.const32(1));
    this.setAll({
      carry: bit(0),
      parity: bit(2),
      adjust: bit(4),
      zero: bit(6),
      sign: bit(7),
      overflow: bit(11),
    });
    if (otherMask !== 0) {
      const fixed = b.const32(otherMask);
      const mask = moreMask === undefined ? fixed : b.or(fixed, moreMask);
      const kept = b.and(b.field(FLAGS_OTHER, "i32"), b.not(mask));
      b.setField(FLAGS_OTHER, "i32", b.or(kept, b.and(low, mask)));
    }
  }

  /** DF as i32: 0, or 0x400. */
  direction(): Value {
    return this.b.and(this.b.field(FLAGS_OTHER, "i32"), this.b.const32(Flag.DF));
  }
}
