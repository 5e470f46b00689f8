/**
 * Shifts: Intel SDM vol. 2, SAL/SAR/SHL/SHR, SHLD, SHRD. The count is taken modulo 32, or 64 for 64-bit operands; with a
 * count of 0 no flag changes. OF is defined for a count of 1 only; Intel's processors compute it from the operand as if
 * the count were 1, whatever it is, and so do we.
 */

import type { Builder } from "../../ir/builder.ts";
import type { Operand } from "../../ir/operand.ts";
import type { Value } from "../../ir/value.ts";
import { define } from "../registry.ts";

/** The count as i64: 0…31, or 0…63 for 64-bit operands. */
export function shiftCount(b: Builder, bits: number, count: Operand): Value {
  return b.and(count.read(), b.const64(bits === 64 ? 63 : 31));
}

/** Runs `write`, which sets flags, unless the count is 0. */
export function unlessZero(b: Builder, count: Value, write: () => void): void {
  b.if(b.ne(count, b.const64(0)), write);
}

/** Bit 0 of an i64 as i32. */
export function lowBit(b: Builder, x: Value): Value {
  return b.and(b.wrap(x), b.const32(1));
}

/** The last bit that a left shift of `bits` moves out. @param shifted x << count, not truncated */
function carryOfLeftShift(b: Builder, bits: number, x: Value, count: Value, shifted: Value): Value {
  return lowBit(b, bits === 64 ? b.rotl(x, count) : b.shrBy(shifted, bits));
}

/** The last bit that a right shift moves out; the count is not 0. */
function carryOfRightShift(b: Builder, x: Value, count: Value, arithmetic: boolean): Value {
  const before = b.sub(count, b.const64(1));
  return lowBit(b, arithmetic ? b.sar(x, before) : b.shr(x, before));
}

define("shl", (b, dst, by) => {
  const { bits } = dst;
  const x = dst.read();
  const count = shiftCount(b, bits, by);
  const result = b.shl(x, count);
  unlessZero(b, count, () => {
    const carry = carryOfLeftShift(b, bits, x, count, result);
    b.flags.shift(bits, result, carry, b.xor(x, b.shlBy(x, 1)));
  });
  dst.write(result);
});

define("shr", (b, dst, by) => {
  const { bits } = dst;
  const x = dst.read();
  const count = shiftCount(b, bits, by);
  const result = b.shr(x, count);
  unlessZero(b, count, () => {
    b.flags.shift(bits, result, carryOfRightShift(b, x, count, false), x);
  });
  dst.write(result);
});

define("sar", (b, dst, by) => {
  const { bits } = dst;
  const x = b.sext(dst.read(), bits);
  const count = shiftCount(b, bits, by);
  const result = b.sar(x, count);
  unlessZero(b, count, () => {
    b.flags.shift(bits, result, carryOfRightShift(b, x, count, true), b.const64(0));
  });
  dst.write(result);
});

// 16-bit double shifts by more than 16 are undefined; Intel's processors shift dst:src:dst, 48 bits.

define("shld", (b, dst, src, by) => {
  const { bits } = dst;
  const x = dst.read();
  const y = src.read();
  const count = shiftCount(b, bits, by);
  let result: Value;
  let carry: Value;
  if (bits === 16) {
    const all = b.or(b.or(b.shlBy(x, 32), b.shlBy(y, 16)), x);
    const shifted = b.shl(all, count);
    result = b.zext(b.shrBy(shifted, 32), 16);
    carry = b.shrBy(shifted, 48);
  } else if (bits === 32) {
    const all = b.or(b.shlBy(x, 32), y);
    result = b.shrBy(b.shl(all, count), 32);
    carry = b.rotl(all, count);
  } else {
    // A right shift by 64 - count, in two steps because 64 is no shift at all.
    const low = b.shr(b.shrBy(y, 1), b.xor(count, b.const64(63)));
    result = b.or(b.shl(x, count), low);
    carry = b.rotl(x, count);
  }
  unlessZero(b, count, () => {
    b.flags.shift(bits, result, lowBit(b, carry), b.xor(x, b.shlBy(x, 1)));
  });
  dst.write(result);
});

define("shrd", (b, dst, src, by) => {
  const { bits } = dst;
  const x = dst.read();
  const y = src.read();
  const count = shiftCount(b, bits, by);
  const before = b.sub(count, b.const64(1));
  let result: Value;
  let carry: Value;
  if (bits < 64) {
    let all = b.or(b.shlBy(y, bits), x);
    if (bits === 16) all = b.or(all, b.shlBy(x, 32));
    result = b.zext(b.shr(all, count), bits);
    carry = b.shr(all, before);
  } else {
    const high = b.shl(b.shlBy(y, 1), b.xor(count, b.const64(63)));
    result = b.or(b.shr(x, count), high);
    carry = b.shr(x, before);
  }
  // The bit that comes in first, bit 0 of the source, meets the old sign.
  const overflow = b.xor(x, b.shlBy(y, bits - 1));
  unlessZero(b, count, () => {
    b.flags.shift(bits, result, lowBit(b, carry), overflow);
  });
  dst.write(result);
});
