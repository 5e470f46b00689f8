/** Addition, subtraction and comparison: Intel SDM vol. 2, ADD … SBB, ADCX, ADOX, XADD. */

import type { Builder } from "../../ir/builder.ts";
import type { Value } from "../../ir/value.ts";
import { define } from "../registry.ts";

define("add", (b, dst, src) => {
  const x = dst.read();
  const y = src.read();
  const sum = b.add(x, y);
  b.flags.add(dst.bits, x, y, sum);
  dst.write(sum);
});

define("adc", (b, dst, src) => {
  const x = dst.read();
  const y = src.read();
  const carry = b.flags.carry();
  const sum = b.add(b.add(x, y), b.extendU(carry));
  b.flags.add(dst.bits, x, y, sum, carry);
  dst.write(sum);
});

define("sub", (b, dst, src) => {
  const x = dst.read();
  const y = src.read();
  const difference = b.sub(x, y);
  b.flags.sub(dst.bits, x, y, difference);
  dst.write(difference);
});

define("sbb", (b, dst, src) => {
  const x = dst.read();
  const y = src.read();
  const borrow = b.flags.carry();
  const difference = b.sub(b.sub(x, y), b.extendU(borrow));
  b.flags.sub(dst.bits, x, y, difference, borrow);
  dst.write(difference);
});

define("cmp", (b, first, second) => {
  const x = first.read();
  const y = second.read();
  b.flags.sub(first.bits, x, y, b.sub(x, y));
});

define("neg", (b, dst) => {
  const zero = b.const64(0);
  const x = dst.read();
  const result = b.sub(zero, x);
  b.flags.sub(dst.bits, zero, x, result);
  dst.write(result);
});

define("inc", (b, dst) => {
  const x = dst.read();
  const result = b.add(x, b.const64(1));
  const largest = b.const64((1n << BigInt(dst.bits - 1)) - 1n);
  b.flags.increment(dst.bits, x, result, b.eq(x, largest));
  dst.write(result);
});

define("dec", (b, dst) => {
  const x = dst.read();
  const result = b.sub(x, b.const64(1));
  const smallest = b.const64(1n << BigInt(dst.bits - 1));
  b.flags.increment(dst.bits, x, result, b.eq(x, smallest));
  dst.write(result);
});

define("xadd", (b, dst, src) => {
  const x = dst.read();
  const y = src.read();
  const sum = b.add(x, y);
  b.flags.add(dst.bits, x, y, sum);
  // The destination is written last: it wins if both are one register.
  src.write(x);
  dst.write(sum);
});

/** x + y + carry of `bits`, and the carry out of it (i32). */
function addWithCarry(
  b: Builder,
  bits: number,
  x: Value,
  y: Value,
  carry: Value,
): { sum: Value; carry: Value } {
  const sum = b.add(b.add(x, y), b.extendU(carry));
  if (bits < 64) return { sum, carry: b.and(b.wrap(b.shrBy(sum, bits)), b.const32(1)) };
  return { sum, carry: b.or(b.ltU(sum, x), b.and(carry, b.eq(sum, x))) };
}

define("adcx", (b, dst, src) => {
  const { sum, carry } = addWithCarry(b, dst.bits, dst.read(), src.read(), b.flags.carry());
  b.flags.setCarry(carry);
  dst.write(sum);
});

define("adox", (b, dst, src) => {
  const { sum, carry } = addWithCarry(b, dst.bits, dst.read(), src.read(), b.flags.overflow());
  b.flags.setOverflow(carry);
  dst.write(sum);
});
