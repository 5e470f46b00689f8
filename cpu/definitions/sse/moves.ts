/** Moves between vector registers, memory and general registers. */

import type { Builder } from "../../ir/builder.ts";
import { linearAddress, type Operand } from "../../ir/operand.ts";
import type { Value } from "../../ir/value.ts";
import { Register, X87_TAGS, X87_TOP } from "../../state.ts";
import { define, defineWithContext, type InstructionContext } from "../registry.ts";
import { defineWaiting } from "../x87/wait.ts";
import { defineVector, defineVectorWithContext, isMmx, readPacked, writeMmx } from "./packed.ts";

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
  // A store that faults has reset the stack top already, as on silicon.
  if (isMmx(src) && dst.isMemory) {
    const moved = b.ne(b.field(X87_TOP, "i32"), b.const32(0));
    b.if(moved, () => b.setField(X87_TOP, "i32", b.const32(0)));
  }
  const value = src.kind === "xmm" ? src.readPart(dst.bits === 32 ? "d0" : "q0") : src.read();
  if (isMmx(dst)) writeMmx(b, dst, value);
  else if (dst.kind === "xmm") dst.writeVector(lowQuad(b, value));
  else dst.write(value);
}
defineVector("movd", moveInteger);
defineVector("movq", moveInteger);
defineVector("movntq", moveInteger);
defineVector("movq2dq", moveInteger);
defineVector("movdq2q", moveInteger);

for (const mnemonic of ["movlps", "movlpd"]) {
  define(mnemonic, (_b, dst, src) => dst.writePart("q0", src.readPart("q0")));
}
for (const mnemonic of ["movhps", "movhpd"]) {
  define(mnemonic, (_b, dst, src) => {
    if (dst.isMemory) dst.writePart("q0", src.readPart("q1"));
    else dst.writePart("q1", src.readPart("q0"));
  });
}
define("movhlps", (_b, dst, src) => dst.writePart("q0", src.readPart("q1")));
define("movlhps", (_b, dst, src) => dst.writePart("q1", src.readPart("q0")));

define("movddup", (b, dst, src) => {
  // VMOVDDUP of 256 bits reads all of its memory operand, also what it does not use.
  const isWhole = src.isMemory && src.bits === 128;
  const low = isWhole ? b.lane("i64x2.extract_lane", 0, src.readVector(false)) : src.readPart("q0");
  dst.writeVector(b.op("i64x2.splat", low));
});
define("movsldup", (b, dst, src) => {
  const x = src.readVector(true);
  dst.writeVector(b.shuffle(x, x, [0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11]));
});
define("movshdup", (b, dst, src) => {
  const x = src.readVector(true);
  dst.writeVector(b.shuffle(x, x, [4, 5, 6, 7, 4, 5, 6, 7, 12, 13, 14, 15, 12, 13, 14, 15]));
});

/** DS:RDI, of the address size. */
function destinationIndex(b: Builder, { addressSize, codeSize }: InstructionContext): Value {
  const segment = b.encoded("segmentBase");
  const offset = b.gpr(Register.RDI, addressSize);
  return codeSize === 64 || addressSize === 64
    ? b.add(segment, offset)
    : linearAddress(b, segment, offset, addressSize);
}

/** MASKMOVDQU, MASKMOVQ: the selected bytes at DS:RDI. All bytes must be writable, selected or not. */
defineWithContext("maskmovdqu", (b, [src, mask], context) => {
  const memory = b.modify(destinationIndex(b, context), "v128");
  memory.write(selectBytes(b, src.readVector(), memory.value, mask.readVector()));
});
defineVectorWithContext("maskmovq", (b, [src, mask], context) => {
  const memory = b.modify(destinationIndex(b, context), "u64");
  const selected = selectBytes(b, readPacked(b, src), b.op("i64x2.splat", memory.value), readPacked(b, mask));
  memory.write(b.lane("i64x2.extract_lane", 0, selected));
});

/** Bytes of x where the byte of the mask is negative, else bytes of y. */
function selectBytes(b: Builder, x: Value, y: Value, mask: Value): Value {
  return b.op("v128.bitselect", x, y, b.op("i8x16.shr_s", mask, b.const32(7)));
}

/** EMMS: all x87 registers are free again. */
defineWaiting("emms", (b) => {
  b.setField(X87_TAGS, "i32", b.const32(0));
  b.setField(X87_TOP, "i32", b.const32(0));
});
