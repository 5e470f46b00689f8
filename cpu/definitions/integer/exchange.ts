/** Compare and exchange: Intel SDM vol. 2, CMPXCHG, CMPXCHG8B, CMPXCHG16B. Memory is written in either case. */

import { Register } from "../../state.ts";
import { define } from "../registry.ts";

define("cmpxchg", (b, dst, src) => {
  const old = dst.read();
  const replacement = src.read();
  const bits = dst.bits === 8 ? 8 : dst.bits === 16 ? 16 : dst.bits === 32 ? 32 : 64;
  const accumulator = b.gpr(Register.RAX, bits);
  const difference = b.sub(accumulator, old);
  const equal = b.eq(accumulator, old);
  b.flags.sub(bits, accumulator, old, difference);
  // A 32-bit register that is not written keeps its upper half.
  const whole = bits === 32 ? 64 : bits;
  b.setGpr(Register.RAX, b.select(equal, b.gpr(Register.RAX, whole), old), whole);
  if (dst.isMemory || bits !== 32) dst.write(b.select(equal, replacement, old));
  else b.setGpr(dst.register, b.select(equal, replacement, b.gpr(dst.register)));
});

define("cmpxchg8b", (b, dst) => {
  const { value: old, write } = b.modify(dst.address(), "u64");
  const pair = (high: number, low: number) => b.or(b.shlBy(b.gpr(high), 32), b.gpr(low, 32));
  const equal = b.eq(old, pair(Register.RDX, Register.RAX));
  write(b.select(equal, pair(Register.RCX, Register.RBX), old));
  b.setGpr(Register.RAX, b.select(equal, b.gpr(Register.RAX), b.zext(old, 32)));
  b.setGpr(Register.RDX, b.select(equal, b.gpr(Register.RDX), b.shrBy(old, 32)));
  b.flags.setZero(equal);
});

define("cmpxchg16b", (b, dst) => {
  const address = dst.address();
  b.requireAligned(address, 16);
  const { value: old, write } = b.modify(address, "v128");
  const low = b.lane("i64x2.extract_lane", 0, old);
  const high = b.lane("i64x2.extract_lane", 1, old);
  const rax = b.gpr(Register.RAX);
  const rdx = b.gpr(Register.RDX);
  const equal = b.and(b.eq(low, rax), b.eq(high, rdx));
  const replacement = b.lane(
    "i64x2.replace_lane",
    1,
    b.op("i64x2.splat", b.gpr(Register.RBX)),
    b.gpr(Register.RCX),
  );
  write(b.select(equal, replacement, old));
  b.setGpr(Register.RAX, b.select(equal, rax, low));
  b.setGpr(Register.RDX, b.select(equal, rdx, high));
  b.flags.setZero(equal);
});
