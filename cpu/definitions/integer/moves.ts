/** Moves, extensions and exchanges: Intel SDM vol. 2, MOV, MOVSX, MOVZX, LEA, XCHG, BSWAP, MOVBE, XLAT, CBW … */

import { Exit } from "../../engine.ts";
import type { Builder } from "../../ir/builder.ts";
import { linearAddress } from "../../ir/operand.ts";
import type { Value } from "../../ir/value.ts";
import { Register } from "../../state.ts";
import { define, defineWithContext } from "../registry.ts";
import { loadSelector, readSelector } from "./segments.ts";

define("mov", (b, dst, src) => {
  if (src.kind === "control" || src.kind === "debug") {
    b.helper(src.kind === "control" ? "readControl" : "readDebug", [b.registerNumber(src.register)]);
    dst.write(b.helperResult(0, "i64"));
  } else if (dst.kind === "control" || dst.kind === "debug") {
    const helper = dst.kind === "control" ? "writeControl" : "writeDebug";
    b.helper(helper, [b.registerNumber(dst.register), src.read()]);
    b.exit(Exit.Attention);
  } else if (dst.kind === "segment") {
    loadSelector(b, dst, src.read());
  } else {
    dst.write(src.kind === "segment" ? readSelector(b, src) : src.read());
  }
});

define("movzx", (_b, dst, src) => dst.write(src.read()));
define("movsx", (b, dst, src) => dst.write(b.sext(src.read(), src.bits)));
define("movsxd", (b, dst, src) => dst.write(b.sext(src.read(), src.bits)));
define("movnti", (_b, dst, src) => dst.write(src.read()));

define("lea", (_b, dst, src) => dst.write(src.effectiveAddress()));

define("xchg", (_b, dst, src) => {
  const x = dst.read();
  const y = src.read();
  dst.write(y);
  src.write(x);
});

/** The bytes of the low `bits` of an i64 in opposite order. */
function swapBytes(b: Builder, x: Value, bits: number): Value {
  // Within 16, then 32 bits, by masks; the outermost step is a rotation.
  const swap = (value: Value, mask: bigint, by: number) =>
    b.or(b.and(b.shrBy(value, by), b.const64(mask)), b.shlBy(b.and(value, b.const64(mask)), by));
  const bytes = swap(x, 0x00ff00ff00ff00ffn, 8);
  if (bits === 16) return bytes;
  const words = swap(bytes, 0x0000ffff0000ffffn, 16);
  if (bits === 32) return words;
  return b.rotl(words, b.const64(32));
}

define("bswap", (b, dst) => {
  // The result for 16 bits is undefined; Intel's processors give 0.
  dst.write(dst.bits === 16 ? b.const64(0) : swapBytes(b, dst.read(), dst.bits));
});

define("movbe", (b, dst, src) => dst.write(swapBytes(b, src.read(), dst.bits)));

defineWithContext("xlat", (b, _operands, { addressSize, codeSize }) => {
  const offset = b.zext(b.add(b.gpr(Register.RBX), b.gpr(Register.RAX, 8)), addressSize);
  const segment = b.encoded("segmentBase");
  const isLong = codeSize === 64 || addressSize === 64;
  const address = isLong ? b.add(segment, offset) : linearAddress(b, segment, offset, addressSize);
  b.setGpr(Register.RAX, b.load(address, "u8"), 8);
});

/** CBW, CWDE, CDQE: rAX from its lower half. */
defineWithContext("cbw", (b, _operands, { operandSize }) => {
  switch (operandSize) {
    case 16:
      b.setGpr(Register.RAX, b.sext(b.gpr(Register.RAX, 8), 8), 16);
      break;
    case 32:
      b.setGpr(Register.RAX, b.sext(b.gpr(Register.RAX, 16), 16), 32);
      break;
    default:
      b.setGpr(Register.RAX, b.sext(b.gpr(Register.RAX, 32), 32));
  }
});

/** CWD, CDQ, CQO: rDX from the sign of rAX. */
defineWithContext("cwd", (b, _operands, { operandSize }) => {
  const bits = operandSize === 16 ? 16 : operandSize === 32 ? 32 : 64;
  b.setGpr(Register.RDX, b.sarBy(b.sext(b.gpr(Register.RAX, bits), bits), 63), bits);
});
