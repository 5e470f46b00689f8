/**
 * Rotations: Intel SDM vol. 2, RCL/RCR/ROL/ROR. They change CF and OF only, and not those for a count of 0. As with
 * shifts, OF is that of a rotation by 1, whatever the count.
 */

import type { Builder } from "../../ir/builder.ts";
import type { Value } from "../../ir/value.ts";
import { define } from "../registry.ts";
import { lowBit, shiftCount, unlessZero } from "./shifts.ts";

const bitOf = (b: Builder, x: Value, bit: number): Value => lowBit(b, b.shrBy(x, bit));

/** x (zero-extended from `bits`) rotated left; a negative count rotates right. */
function rotate(b: Builder, bits: number, x: Value, count: Value, left: boolean): Value {
  if (bits === 64) return left ? b.rotl(x, count) : b.rotr(x, count);
  if (bits === 32) {
    const narrow = b.wrap(x);
    return b.extendU(left ? b.rotl(narrow, b.wrap(count)) : b.rotr(narrow, b.wrap(count)));
  }
  const within = b.and(count, b.const64(bits - 1));
  const rest = b.sub(b.const64(bits), within);
  const turned = left ? b.or(b.shl(x, within), b.shr(x, rest)) : b.or(b.shr(x, within), b.shl(x, rest));
  return b.zext(turned, bits);
}

define("rol", (b, dst, by) => {
  const { bits } = dst;
  const x = dst.read();
  const count = shiftCount(b, bits, by);
  const result = rotate(b, bits, x, count, true);
  unlessZero(b, count, () => {
    const overflow = b.xor(bitOf(b, x, bits - 1), bitOf(b, x, bits - 2));
    b.flags.setCarryOverflow(lowBit(b, result), overflow);
  });
  dst.write(result);
});

define("ror", (b, dst, by) => {
  const { bits } = dst;
  const x = dst.read();
  const count = shiftCount(b, bits, by);
  const result = rotate(b, bits, x, count, false);
  unlessZero(b, count, () => {
    const overflow = b.xor(bitOf(b, x, bits - 1), lowBit(b, x));
    b.flags.setCarryOverflow(bitOf(b, result, bits - 1), overflow);
  });
  dst.write(result);
});

/** The count of a rotation through CF: of 9 or 17 bits, for 8 and 16. */
function modulo(b: Builder, bits: number, count: Value): Value {
  return bits < 32 ? b.op("i64.rem_u", count, b.const64(bits + 1)) : count;
}

define("rcl", (b, dst, by) => {
  const { bits } = dst;
  const x = dst.read();
  const count = modulo(b, bits, shiftCount(b, bits, by));
  const carryIn = b.extendU(b.flags.carry());
  let result: Value;
  let carry: Value;
  if (bits < 64) {
    const all = b.or(x, b.shlBy(carryIn, bits));
    const turned = b.or(b.shl(all, count), b.shr(all, b.sub(b.const64(bits + 1), count)));
    result = b.zext(turned, bits);
    carry = b.shrBy(turned, bits);
  } else {
    const before = b.sub(count, b.const64(1));
    const low = b.or(b.shl(carryIn, before), b.shr(b.shrBy(x, 1), b.sub(b.const64(64), count)));
    result = b.select(b.eqz(count), x, b.or(b.shl(x, count), low));
    carry = b.rotl(x, count);
  }
  unlessZero(b, count, () => {
    const overflow = b.xor(bitOf(b, x, bits - 1), bitOf(b, x, bits - 2));
    b.flags.setCarryOverflow(lowBit(b, carry), overflow);
  });
  dst.write(result);
});

define("rcr", (b, dst, by) => {
  const { bits } = dst;
  const x = dst.read();
  const count = modulo(b, bits, shiftCount(b, bits, by));
  const carryIn = b.flags.carry();
  let result: Value;
  let carry: Value;
  if (bits < 64) {
    const all = b.or(x, b.shlBy(b.extendU(carryIn), bits));
    const turned = b.or(b.shr(all, count), b.shl(all, b.sub(b.const64(bits + 1), count)));
    result = b.zext(turned, bits);
    carry = b.shrBy(turned, bits);
  } else {
    const after = b.sub(b.const64(64), count);
    const high = b.or(b.shl(b.extendU(carryIn), after), b.shl(b.shlBy(x, 1), after));
    result = b.select(b.eqz(count), x, b.or(b.shr(x, count), high));
    carry = b.shr(x, b.sub(count, b.const64(1)));
  }
  unlessZero(b, count, () => {
    b.flags.setCarryOverflow(lowBit(b, carry), b.xor(bitOf(b, x, bits - 1), carryIn));
  });
  dst.write(result);
});
