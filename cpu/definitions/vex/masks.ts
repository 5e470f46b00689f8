/** Tests of vectors, sign masks, and memory accesses under a mask. */

import type { Builder } from "../../ir/builder.ts";
import type { Operand } from "../../ir/operand.ts";
import type { Value } from "../../ir/value.ts";
import { define } from "../registry.ts";
import { mapHalves, readWide, type Wide, writeWide, zero } from "./wide.ts";

// ---- tests ----

/** ZF = no bit of x & y within `bits` is set, CF = none of ~x & y. */
function defineTest(mnemonic: string, bits?: (b: Builder) => Value): void {
  define(mnemonic, (b, first, second) => {
    const x = readWide(first);
    const y = readWide(second);
    const any = (operation: string): Value => {
      const [low, high] = mapHalves(x, (half, index) => b.op(operation, y[index] ?? y[0], half));
      const all = high === undefined ? low : b.op("v128.or", low, high);
      return b.op("v128.any_true", bits === undefined ? all : b.op("v128.and", all, bits(b)));
    };
    b.flags.setAll({ zero: b.eqz(any("v128.and")), carry: b.eqz(any("v128.andnot")) });
  });
}
defineTest("vptest");
defineTest("vtestps", (b) => b.op("i32x4.splat", b.const32(-0x80000000)));
defineTest("vtestpd", (b) => b.op("i64x2.splat", b.const64(-1n << 63n)));

for (const [mnemonic, operation, lanes] of [
  ["vpmovmskb", "i8x16.bitmask", 16],
  ["vmovmskps", "i32x4.bitmask", 4],
  ["vmovmskpd", "i64x2.bitmask", 2],
] as const) {
  define(mnemonic, (b, dst, src) => dst.write(b.extendU(signMask(b, readWide(src), operation, lanes))));
}

/** One bit for each lane (i32): its sign. */
function signMask(b: Builder, [low, high]: Wide, operation: string, lanes: number): Value {
  const mask = b.op(operation, low);
  if (high === undefined) return mask;
  return b.or(mask, b.shl(b.op(operation, high), b.const32(lanes)));
}

// ---- memory under a mask: what is masked out is not accessed (Intel SDM vol. 2, VMASKMOV, VPMASKMOV) ----

const ELEMENTS = {
  d: { bytes: 4, kind: "u32", signs: "i32x4.bitmask", lanes: 4 },
  q: { bytes: 8, kind: "u64", signs: "i64x2.bitmask", lanes: 2 },
} as const;
type Element = (typeof ELEMENTS)[keyof typeof ELEMENTS];

/** A vector that is taken apart from below, or put together from above, element by element: a shift register. */
class ShiftRegister {
  private readonly halves: readonly ReturnType<Builder["variable"]>[];

  constructor(
    private readonly b: Builder,
    private readonly element: Element,
    start: Wide,
  ) {
    this.halves = start.map((half) => b.variable(half));
  }

  get value(): Wide {
    const [low, high] = this.halves;
    return high === undefined ? [low.get()] : [low.get(), high.get()];
  }

  /** The lowest element, as an i64. */
  get lowest(): Value {
    const low = this.halves[0].get();
    if (this.element === ELEMENTS.q) return this.b.lane("i64x2.extract_lane", 0, low);
    return this.b.extendU(this.b.lane("i32x4.extract_lane", 0, low));
  }

  /** Moves every element down by one; the highest becomes `entering`. */
  shift(entering: Value): void {
    const { b } = this;
    const { bytes } = this.element;
    const lanes = [...Array(16).keys()].map((byte) => byte + bytes);
    const top = bytes === 8 ? b.op("i64x2.splat", entering) : b.op("i32x4.splat", b.wrap(entering));
    const values = [...this.value, top];
    this.halves.forEach((half, index) => {
      half.set(b.shuffle(values[index] ?? top, values[index + 1] ?? top, lanes));
    });
  }
}

/** Runs the body for each element; `selected` says whether the mask has its bit set. */
function forEachElement(
  b: Builder,
  mask: Wide,
  element: Element,
  body: (selected: Value, offset: Value) => void,
): void {
  const bits = b.variable(signMask(b, mask, element.signs, element.lanes));
  const offset = b.variable(b.const64(0));
  b.loop(() => {
    body(b.and(bits.get(), b.const32(1)), offset.get());
    bits.set(b.shr(bits.get(), b.const32(1)));
    const next = b.add(offset.get(), b.const64(element.bytes));
    offset.set(next);
    return b.ltU(next, b.const64(16 * mask.length));
  });
}

function maskedLoad(b: Builder, dst: Operand, mask: Wide, src: Operand, element: Element): void {
  const address = src.address();
  const result = new ShiftRegister(
    b,
    element,
    mapHalves(mask, () => zero(b)),
  );
  forEachElement(b, mask, element, (selected, offset) => {
    const loaded = b.variable(b.const64(0));
    b.if(selected, () => loaded.set(b.load(b.add(address, offset), element.kind)));
    result.shift(loaded.get());
  });
  writeWide(b, dst, result.value);
}

function maskedStore(b: Builder, dst: Operand, mask: Wide, src: Operand, element: Element): void {
  const address = dst.address();
  // All of it or nothing.
  forEachElement(b, mask, element, (selected, offset) => {
    b.if(selected, () => b.probeWrite(b.add(address, offset), element.bytes));
  });
  const source = new ShiftRegister(b, element, readWide(src));
  forEachElement(b, mask, element, (selected, offset) => {
    const value = source.lowest;
    b.if(selected, () => b.store(b.add(address, offset), element.kind, value));
    source.shift(b.const64(0));
  });
}

for (const [mnemonic, element] of [
  ["vmaskmovps", ELEMENTS.d],
  ["vmaskmovpd", ELEMENTS.q],
  ["vpmaskmovd", ELEMENTS.d],
  ["vpmaskmovq", ELEMENTS.q],
] as const) {
  define(mnemonic, (b, dst, mask, src) => {
    const move = dst.isMemory ? maskedStore : maskedLoad;
    move(b, dst, readWide(mask), src, element);
  });
}
