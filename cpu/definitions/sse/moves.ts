/** Moves between vector registers, memory and general registers. */

import type { Builder } from "../../ir/builder.ts";
import type { Operand } from "../../ir/operand.ts";
import type { Value } from "../../ir/value.ts";
import { X87_TAGS } from "../../state.ts";
import { define } from "../registry.ts";
import { enterMmx, isMmx, readPacked, writeMmx } from "./packed.ts";

function moveVector(aligned: boolean) {
  return (_b: Builder, dst: Operand, src: Operand): void => dst.writeVector(src.readVector(aligned), aligned);
}
for (const mnemonic of ["movaps", "movapd", "movdqa", "movntps", "movntpd", "movntdq", "movntdqa"]) {
  define(mnemonic, moveVector(true));
}
for (const mnemonic of ["movups", "movupd", "movdqu", "lddqu"]) define(mnemonic, moveVector(false));

/** A quadword in an otherwise zero vector. */
function lowQuad(b: Builder, value: Value): Value {
  return b.lane("i64x2.replace_lane", 0, b.const128(new Uint8Array(16)), value);
}

/** Loads clear the rest of the register; register moves and stores touch only the low part. */
function moveScalar(part: "d0" | "q0") {
  return (b: Builder, dst: Operand, src: Operand): void => {
    if (src.isMemory) dst.writeVector(lowQuad(b, src.readPart(part)));
    else dst.writePart(part, src.readPart(part));
  };
}
define("movss", moveScalar("d0"));
define("movsd", moveScalar("q0"));

/** MOVD and MOVQ between MMX, XMM, general registers and memory: into a vector register they zero the rest. */
function moveInteger(b: Builder, dst: Operand, src: Operand): void {
  if (isMmx(src)) enterMmx(b);
  const value = src.kind === "xmm" ? src.readPart(dst.bits === 32 ? "d0" : "q0") : src.read();
  if (isMmx(dst)) writeMmx(b, dst, value);
  else if (dst.kind === "xmm") dst.writeVector(lowQuad(b, value));
  else dst.write(value);
}
define("movd", moveInteger);
define("movq", moveInteger);
define("movntq", moveInteger);
define("movq2dq", moveInteger);
define("movdq2q", moveInteger);

for (const mnemonic of ["movlps", "movlpd"]) {
  define(mnemonic, (_b, dst, src) => dst.writePart("q0", src.readPart("q0")));
}
for (const mnemonic of ["movhps", "movhpd"]) {
  define(mnemonic, (b, dst, src) => {
    if (dst.isMemory) dst.writePart("q0", src.readPart("q1"));
    else b.setXmm(dst.register, src.readPart("q0"), "q1");
  });
}
define("movhlps", (_b, dst, src) => dst.writePart("q0", src.readPart("q1")));
define("movlhps", (_b, dst, src) => dst.writePart("q1", src.readPart("q0")));

define("movddup", (b, dst, src) => dst.writeVector(b.op("i64x2.splat", src.readPart("q0"))));
define("movsldup", (b, dst, src) => {
  const x = src.readVector(true);
  dst.writeVector(b.shuffle(x, x, [0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11]));
});
define("movshdup", (b, dst, src) => {
  const x = src.readVector(true);
  dst.writeVector(b.shuffle(x, x, [4, 5, 6, 7, 4, 5, 6, 7, 12, 13, 14, 15, 12, 13, 14, 15]));
});

/** MASKMOVDQU, MASKMOVQ: stores the selected bytes at DS:RDI, one by one. */
for (const mnemonic of ["maskmovdqu", "maskmovq"]) {
  define(mnemonic, (b, src, mask) => {
    const bytes = isMmx(src) ? 8 : 16;
    if (isMmx(src)) enterMmx(b);
    const data = readPacked(b, src);
    const selected = b.op("i8x16.bitmask", readPacked(b, mask));
    const address = b.gpr(7);
    for (let lane = 0; lane < bytes; lane++) {
      const wanted = b.ne(b.and(selected, b.const32(1 << lane)), b.const32(0));
      b.if(wanted, () => {
        const byte = b.extendU(b.lane("i8x16.extract_lane_u", lane, data));
        b.store(b.add(address, b.const64(lane)), "u8", byte);
      });
    }
  });
}

/** EMMS: all x87 registers are free again. */
define("emms", (b) => b.setField(X87_TAGS, "i32", b.const32(0)));
