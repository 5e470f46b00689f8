/** SSE conversions and SSE4.1 rounding; fast where the result is exact or MXCSR is in its usual state (float.ts). */

import type { Builder } from "../../ir/builder.ts";
import type { Operand } from "../../ir/operand.ts";
import type { Value } from "../../ir/value.ts";
import { define } from "../registry.ts";
import { fastOrExact, SHAPES, usualMode } from "./float.ts";
import { defineVector, isMmx, readPacked, writePacked } from "./packed.ts";

const [SINGLE, DOUBLE] = SHAPES;

define("cvtss2sd", (b, dst, src) => {
  const x = src.readPart("f32");
  // Exact, whatever MXCSR says; zeros included.
  const fast = SINGLE.normalOr(b, x, (test) => test.always());
  const write = (value: Value) => dst.writePart("f64", value);
  fastOrExact(b, fast, "sse.cvtss2sd", [x], write, b.op("f64.promote_f32", x), () =>
    b.helperResult(0, "f64"),
  );
});
define("cvtsd2ss", (b, dst, src) => {
  const x = src.readPart("f64");
  const result = b.op("f32.demote_f64", x);
  const fast = b.and(usualMode(b), b.and(DOUBLE.normal(b, x), SINGLE.normal(b, result)));
  const write = (value: Value) => dst.writePart("f32", value);
  fastOrExact(b, fast, "sse.cvtsd2ss", [x], write, result, () => b.helperResult(0, "f32"));
});

/** 32-bit integers are exact doubles. */
define("cvtsi2sd", (b, dst, src) => {
  const x = src.read();
  const write = (value: Value) => dst.writePart("f64", value);
  if (src.bits === 32) write(b.op("f64.convert_i32_s", b.wrap(x)));
  else {
    const fast = b.or(usualMode(b), fitsIn(b, x, 53));
    fastOrExact(b, fast, "sse.cvtsi2sd.64", [x], write, b.op("f64.convert_i64_s", x), () =>
      b.helperResult(0, "f64"),
    );
  }
});
define("cvtsi2ss", (b, dst, src) => {
  const x = b.sext(src.read(), src.bits);
  const fast = b.or(usualMode(b), fitsIn(b, x, 24));
  const write = (value: Value) => dst.writePart("f32", value);
  const result = b.op("f32.convert_i64_s", x);
  fastOrExact(b, fast, `sse.cvtsi2ss.${src.bits}`, [x], write, result, () => b.helperResult(0, "f32"));
});

/** |x| < 2^bits */
function fitsIn(b: Builder, x: Value, bits: number): Value {
  const limit = 1n << BigInt(bits);
  return b.ltU(b.add(x, b.const64(limit - 1n)), b.const64(2n * limit - 1n));
}

/** To a general register. Fast if the number is in range and MXCSR would not notice, or it is an integer already. */
for (const [name, shape, part] of [
  ["ss2si", SINGLE, "f32"],
  ["sd2si", DOUBLE, "f64"],
] as const) {
  for (const truncate of [true, false]) {
    const mnemonic = `cvt${truncate ? "t" : ""}${name}`;
    define(mnemonic, (b, dst, src) => {
      const x = src.readPart(part);
      const type = part;
      const whole = b.op(`${type}.${truncate ? "trunc" : "nearest"}`, x);
      const limit = dst.bits === 32 ? 2 ** 31 : 2 ** 63;
      const constant = (value: number) => (type === "f64" ? b.constF64(value) : b.constF32(value));
      // -limit itself is in range, but is also what is left over: let the exact path have it.
      const inRange = b.and(
        b.op(`${type}.lt`, whole, constant(limit)),
        b.op(`${type}.gt`, whole, constant(-limit)),
      );
      const exact = b.and(b.op(`${type}.eq`, whole, x), shape.noDenormal(b, x));
      const quiet = b.and(usualMode(b), shape.noDenormal(b, x));
      const fast = b.and(inRange, b.or(exact, quiet));
      const write = (value: Value) => dst.write(value);
      const result = b.op(`i64.trunc_sat_${type}_s`, whole);
      fastOrExact(b, fast, `sse.${mnemonic}.${dst.bits}`, [x], write, result, () => b.helperResult(0, "i64"));
    });
  }
}

// ---- packed ----

define("cvtdq2pd", (b, dst, src) => {
  const x = src.isMemory ? b.op("i64x2.splat", src.read()) : src.readVector();
  dst.writeVector(b.op("f64x2.convert_low_i32x4_s", x));
});
defineVector("cvtpi2pd", (b, dst, src) => {
  dst.writeVector(b.op("f64x2.convert_low_i32x4_s", readPacked(b, src)));
});
/** What conversions between MMX and XMM registers tell their helper: the state becomes that of MMX even if #XM follows. */
const usesMmx = (b: Builder, operand: Operand) => b.const32(isMmx(operand) ? 1 : 0);
defineVector("cvtpi2ps", (b, dst, src) => {
  b.helper("sse.cvtpi2ps", [readPacked(b, src), usesMmx(b, src)]);
  dst.writePart("q0", b.helperResult(0, "i64"));
});
define("cvtdq2ps", (b, dst, src) => {
  const x = src.readVector(true);
  const result = b.op("f32x4.convert_i32x4_s", x);
  const write = (value: Value) => dst.writeVector(value);
  fastOrExact(b, usualMode(b), "sse.cvtdq2ps", [x], write, result, () => b.helperResult(0, "v128"));
});
define("cvtps2pd", (b, dst, src) => {
  const x = src.isMemory ? b.op("i64x2.splat", src.read()) : src.readVector();
  const low = b.shuffle(x, x, [0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7]);
  const fast = SHAPES[2].normalOr(b, low, (test) => test.always());
  const write = (value: Value) => dst.writeVector(value);
  const result = b.op("f64x2.promote_low_f32x4", x);
  fastOrExact(b, fast, "sse.cvtps2pd", [x], write, result, () => b.helperResult(0, "v128"));
});

/** The exact path only. */
for (const mnemonic of ["cvtpd2ps", "cvtps2dq", "cvttps2dq", "cvtpd2dq", "cvttpd2dq"]) {
  define(mnemonic, (b, dst, src) => {
    b.helper(`sse.${mnemonic}`, [src.readVector(true)]);
    dst.writeVector(b.helperResult(0, "v128"));
  });
}
for (const [mnemonic, bits] of [
  ["cvtps2pi", 64],
  ["cvttps2pi", 64],
  ["cvtpd2pi", 128],
  ["cvttpd2pi", 128],
] as const) {
  defineVector(mnemonic, (b, dst, src) => {
    const x = bits === 64 && src.isMemory ? b.op("i64x2.splat", src.read()) : src.readVector(true);
    b.helper(`sse.${mnemonic}`, [x, usesMmx(b, dst)]);
    writePacked(b, dst, b.helperResult(0, "v128"));
  });
}

// ---- ROUNDSS and the like ----

for (const shape of SHAPES) {
  define(`round${shape.suffix}`, (b, dst, src, immediate) => {
    const y = shape.source(b, src);
    b.helper(`sse.round${shape.suffix}`, [y, y, b.wrap(immediate.read())]);
    shape.write(dst, shape.result(b));
  });
}
