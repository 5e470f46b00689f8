/**
 * Multiplication: Intel SDM vol. 2, MUL, IMUL. CF and OF say whether the product needs more than the low half. The other
 * flags are undefined; Intel's processors set SF and PF from the low half and clear ZF and AF.
 */

import type { Builder } from "../../ir/builder.ts";
import type { OperandBits, Value } from "../../ir/value.ts";
import { Register } from "../../state.ts";
import { define } from "../registry.ts";

/** The high 64 bits of an unsigned product, by 32-bit halves. */
export function multiplyHighUnsigned(b: Builder, x: Value, y: Value): Value {
  const x0 = b.zext(x, 32);
  const x1 = b.shrBy(x, 32);
  const y0 = b.zext(y, 32);
  const y1 = b.shrBy(y, 32);
  const middle = b.add(b.mul(x1, y0), b.shrBy(b.mul(x0, y0), 32));
  const other = b.add(b.mul(x0, y1), b.zext(middle, 32));
  return b.add(b.add(b.mul(x1, y1), b.shrBy(middle, 32)), b.shrBy(other, 32));
}

/** The high 64 bits of a signed product. */
export function multiplyHighSigned(b: Builder, x: Value, y: Value): Value {
  const unsigned = multiplyHighUnsigned(b, x, y);
  return b.sub(b.sub(unsigned, b.and(b.sarBy(x, 63), y)), b.and(b.sarBy(y, 63), x));
}

function setFlags(b: Builder, bits: number, low: Value, overflow: Value): void {
  b.flags.setParts(b.const64(1), b.sext(low, bits), overflow, overflow);
}

/** Writes the double-width product of the one-operand forms: AX, or rDX:rAX. */
function writeProduct(b: Builder, bits: OperandBits, low: Value, high: Value): void {
  if (bits === 8) {
    b.setGpr(Register.RAX, low, 16);
  } else {
    b.setGpr(Register.RAX, low, bits);
    b.setGpr(Register.RDX, high, bits);
  }
}

function operandBits(bits: number): OperandBits {
  return bits === 8 ? 8 : bits === 16 ? 16 : bits === 32 ? 32 : 64;
}

define("mul", (b, src) => {
  const bits = operandBits(src.bits);
  const x = b.gpr(Register.RAX, bits);
  const y = src.read();
  const low = b.mul(x, y);
  const high = bits === 64 ? multiplyHighUnsigned(b, x, y) : b.shrBy(low, bits);
  setFlags(b, bits, low, b.ne(high, b.const64(0)));
  writeProduct(b, bits, low, high);
});

define("imul", (b, ...operands) => {
  const [first, second] = operands;
  const bits = operandBits(first.bits);
  const left =
    operands.length === 1 ? b.gpr(Register.RAX, bits) : operands.length === 2 ? first.read() : second.read();
  const right = operands[operands.length - 1].read();
  const x = b.sext(left, bits);
  const y = b.sext(right, bits);
  const low = b.mul(x, y);
  const high = bits === 64 ? multiplyHighSigned(b, x, y) : b.sarBy(low, bits);
  const overflow = bits === 64 ? b.ne(high, b.sarBy(low, 63)) : b.ne(low, b.sext(low, bits));
  setFlags(b, bits, low, overflow);
  if (operands.length === 1) writeProduct(b, bits, low, high);
  else first.write(low);
});
