/**
 * Gathers: Intel SDM vol. 2, VGATHERDPS …, VPGATHERDD …. Elements are loaded from the lowest on. Each one that is there is
 * written at once and its mask cleared (as is that of one which is not wanted), so that after a fault, or whatever interrupts, the instruction goes on with the others.
 */

import type { Builder } from "../../ir/builder.ts";
import { MemoryOperand, type Operand, partOf } from "../../ir/operand.ts";
import type { RegisterRef, Value } from "../../ir/value.ts";
import { define } from "../registry.ts";
import { zero } from "./wide.ts";

interface Lanes {
  readonly bytes: 4 | 8;
  readonly shape: "i32x4" | "i64x2";
}
const DWORDS: Lanes = { bytes: 4, shape: "i32x4" };
const QUADWORDS: Lanes = { bytes: 8, shape: "i64x2" };

/** Where lane `index` is: in which half of a register, and in which lane of that. */
function place({ bytes }: Lanes, index: number): { part: "v128" | "high"; lane: number } {
  const lanes = 16 / bytes;
  return { part: index < lanes ? "v128" : "high", lane: index % lanes };
}

function laneOf(b: Builder, register: RegisterRef, lanes: Lanes, index: number): Value {
  const { part, lane } = place(lanes, index);
  return b.lane(`${lanes.shape}.extract_lane`, lane, b.xmm(register, part));
}

function setLane(b: Builder, register: RegisterRef, lanes: Lanes, index: number, value: Value): void {
  const { part, lane } = place(lanes, index);
  b.setXmm(register, b.lane(`${lanes.shape}.replace_lane`, lane, b.xmm(register, part), value), part);
}

/** An i64 as a lane. */
const narrow = (b: Builder, { bytes }: Lanes, value: Value) => (bytes === 4 ? b.wrap(value) : value);

function gather(
  b: Builder,
  dst: Operand,
  src: Operand,
  mask: Operand,
  elements: Lanes,
  indices: Lanes,
): void {
  if (!(src instanceof MemoryOperand) || src.vectorIndex === undefined)
    throw new Error("a gather needs an index");
  const { vectorIndex } = src;
  // As many as the wider of the two kinds has room for; of the other a part is used.
  const bits = indices.bytes > elements.bytes ? vectorIndex.bits : dst.bits;
  const count = bits / 8 / Math.max(elements.bytes, indices.bytes);
  for (let index = 0; index < count; index++) {
    const selected = b.op(
      elements.bytes === 4 ? "i32.lt_s" : "i64.lt_s",
      laneOf(b, mask.register, elements, index),
      elements.bytes === 4 ? b.const32(0) : b.const64(0),
    );
    const clear = () => setLane(b, mask.register, elements, index, narrow(b, elements, b.const64(0)));
    const load = () => {
      const raw = laneOf(b, vectorIndex.register, indices, index);
      const address = src.addressAt(indices.bytes === 4 ? b.extendS(raw) : raw);
      const value = b.load(address, elements.bytes === 4 ? "u32" : "u64");
      setLane(b, dst.register, elements, index, narrow(b, elements, value));
      clear();
    };
    b.if(selected, load, clear);
  }
  finish(b, dst.register, mask.register, count * elements.bytes);
}

/** The mask becomes zero, and the destination beyond its elements. */
function finish(b: Builder, dst: RegisterRef, mask: RegisterRef, bytes: number): void {
  b.setXmm(mask, zero(b));
  b.setXmm(mask, zero(b), "high");
  if (bytes === 8) {
    const low = partOf(b, b.xmm(dst), "q0");
    b.setXmm(dst, b.lane("i64x2.replace_lane", 0, zero(b), low));
  }
  if (bytes < 32) b.setXmm(dst, zero(b), "high");
}

for (const [mnemonic, elements, indices] of [
  ["vpgatherdd", DWORDS, DWORDS],
  ["vpgatherdq", QUADWORDS, DWORDS],
  ["vpgatherqd", DWORDS, QUADWORDS],
  ["vpgatherqq", QUADWORDS, QUADWORDS],
  ["vgatherdps", DWORDS, DWORDS],
  ["vgatherdpd", QUADWORDS, DWORDS],
  ["vgatherqps", DWORDS, QUADWORDS],
  ["vgatherqpd", QUADWORDS, QUADWORDS],
] as const) {
  define(mnemonic, (b, dst, src, mask) => gather(b, dst, src, mask, elements, indices));
}
