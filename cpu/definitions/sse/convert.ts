/** SSE conversions; fast where the result is exact or MXCSR is in its usual state (fast-path.ts). */

import type { Builder } from "../../ir/builder.ts";
import type { Operand } from "../../ir/operand.ts";
import type { Value } from "../../ir/value.ts";
import { define } from "../registry.ts";
import { all, fastOrExact, inexactIsSilent, nearestIsSilent, silentOrExact, usualMode } from "./fast-path.ts";
import { DOUBLE, PACKED_DOUBLE, PACKED_SINGLE, SINGLE } from "./float-shape.ts";
import { defineVector, isMmx, readPacked, writePacked } from "./packed.ts";

// ---- between single and double ----

define("cvtss2sd", (b, dst, src) => {
  const x = src.readPart("f32");
  // Exact, whatever MXCSR says; zeros included.
  const fast = SINGLE.normalOr(b, x, (test) => test.always());
  fastOrExact(b, fast, (value) => dst.writePart("f64", value), b.op("f64.promote_f32", x), {
    helper: "sse.cvtss2sd",
    args: [x],
    result: "f64",
  });
});
define("cvtps2pd", (b, dst, src) => {
  const x = src.isMemory ? b.op("i64x2.splat", src.read()) : src.readVector();
  const low = b.shuffle(x, x, [0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7]);
  const fast = PACKED_SINGLE.normalOr(b, low, (test) => test.always());
  fastOrExact(b, fast, (value) => dst.writeVector(value), b.op("f64x2.promote_low_f32x4", x), {
    helper: "sse.cvtps2pd",
    args: [x],
    result: "v128",
  });
});

/** 2^-126: no smaller number is normal in single precision, so results from here on are neither tiny nor denormal. */
const SMALLEST_SINGLE = 2 ** -126;
for (const [mnemonic, shape, demote, promote] of [
  ["cvtsd2ss", DOUBLE, "f32.demote_f64", "f64.promote_f32"],
  ["cvtpd2ps", PACKED_DOUBLE, "f32x4.demote_f64x2_zero", "f64x2.promote_low_f32x4"],
] as const) {
  define(mnemonic, (b, dst, src) => {
    const x = shape.source(b, src);
    const result = b.op(demote, x);
    const back = b.op(promote, result);
    const magnitude = shape.op(b, "abs", x);
    const inRange = b.and(
      shape.all(b, "lt", shape.op(b, "abs", back), shape.constant(b, Number.POSITIVE_INFINITY)),
      shape.all(b, "ge", magnitude, shape.constant(b, SMALLEST_SINGLE)),
    );
    const isZero = shape.all(b, "eq", x, shape.constant(b, 0));
    silentOrExact(
      b,
      {
        silent: () => b.and(usualMode(b), b.or(inRange, isZero)),
        isExact: () => shape.all(b, "eq", back, x),
      },
      (value) => (shape === DOUBLE ? dst.writePart("f32", value) : dst.writeVector(value)),
      result,
      { helper: `sse.${mnemonic}`, args: [x], result: result.type },
    );
  });
}

// ---- from integers ----

/** 32-bit integers are exact doubles. */
define("cvtsi2sd", (b, dst, src) => {
  const x = src.read();
  const write = (value: Value) => dst.writePart("f64", value);
  if (src.bits === 32) {
    write(b.op("f64.convert_i32_s", b.wrap(x)));
    return;
  }
  const fast = b.or(nearestIsSilent(b), fitsIn(b, x, 53));
  fastOrExact(b, fast, write, b.op("f64.convert_i64_s", x), {
    helper: "sse.cvtsi2sd.64",
    args: [x],
    result: "f64",
  });
});
define("cvtsi2ss", (b, dst, src) => {
  const x = b.sext(src.read(), src.bits);
  const fast = b.or(nearestIsSilent(b), fitsIn(b, x, 24));
  fastOrExact(b, fast, (value) => dst.writePart("f32", value), b.op("f32.convert_i64_s", x), {
    helper: `sse.cvtsi2ss.${src.bits}`,
    args: [x],
    result: "f32",
  });
});

/** |x| < 2^bits */
function fitsIn(b: Builder, x: Value, bits: number): Value {
  const limit = 1n << BigInt(bits);
  return b.ltU(b.add(x, b.const64(limit - 1n)), b.const64(2n * limit - 1n));
}

define("cvtdq2pd", (b, dst, src) => {
  const x = src.isMemory ? b.op("i64x2.splat", src.read()) : src.readVector();
  dst.writeVector(b.op("f64x2.convert_low_i32x4_s", x));
});
defineVector("cvtpi2pd", (b, dst, src) => {
  dst.writeVector(b.op("f64x2.convert_low_i32x4_s", readPacked(b, src)));
});
define("cvtdq2ps", (b, dst, src) => {
  const x = src.readVector(true);
  const result = b.op("f32x4.convert_i32x4_s", x);
  // The largest integer is not exact, but comes back from beyond the range.
  const largest = b.op("i32x4.splat", b.const32(0x7fffffff));
  const same = b.op("i32x4.eq", b.op("i32x4.trunc_sat_f32x4_s", result), x);
  const isExact = b.op("i32x4.all_true", b.op("v128.and", same, b.op("i32x4.ne", x, largest)));
  fastOrExact(b, b.or(nearestIsSilent(b), isExact), (value) => dst.writeVector(value), result, {
    helper: "sse.cvtdq2ps",
    args: [x],
    result: "v128",
  });
});

// ---- to integers: fast if in range, and whole or nobody would notice. Denormals are merely inexact. ----

for (const truncate of [true, false]) {
  const prefix = truncate ? "cvtt" : "cvt";
  const rounding = truncate ? "trunc" : "nearest";
  const isSilent = truncate ? inexactIsSilent : nearestIsSilent;

  for (const [name, shape, type] of [
    ["ss2si", SINGLE, "f32"],
    ["sd2si", DOUBLE, "f64"],
  ] as const) {
    define(`${prefix}${name}`, (b, dst, src) => {
      const x = shape.source(b, src);
      const whole = shape.op(b, rounding, x);
      // -limit itself is in range, but is also the answer to what is not: let the exact path have it.
      const limit = shape.constant(b, dst.bits === 32 ? 2 ** 31 : 2 ** 63);
      const inRange = shape.all(b, "lt", shape.op(b, "abs", whole), limit);
      const fast = b.and(inRange, b.or(isSilent(b), shape.all(b, "eq", whole, x)));
      fastOrExact(b, fast, (value) => dst.write(value), b.op(`i64.trunc_sat_${type}_s`, whole), {
        helper: `sse.${prefix}${name}.${dst.bits}`,
        args: [x],
        result: "i64",
      });
    });
  }

  for (const [name, shape, convert] of [
    ["ps2dq", PACKED_SINGLE, "i32x4.trunc_sat_f32x4_s"],
    ["pd2dq", PACKED_DOUBLE, "i32x4.trunc_sat_f64x2_s_zero"],
  ] as const) {
    define(`${prefix}${name}`, (b, dst, src) => {
      const x = src.readVector(true);
      const whole = shape.op(b, rounding, x);
      const inRange = shape.all(b, "lt", shape.op(b, "abs", whole), shape.constant(b, 2 ** 31));
      const fast = all(b, inRange, b.or(isSilent(b), shape.all(b, "eq", whole, x)));
      fastOrExact(b, fast, (value) => dst.writeVector(value), b.op(convert, whole), {
        helper: `sse.${prefix}${name}`,
        args: [x],
        result: "v128",
      });
    });
  }
}

// ---- between MMX and XMM registers: the exact path only ----

/** What the helpers are told: with an MMX register the x87 stack is in MMX state even if #XM follows. */
const usesMmx = (b: Builder, operand: Operand) => b.const32(isMmx(operand) ? 1 : 0);

defineVector("cvtpi2ps", (b, dst, src) => {
  b.helper("sse.cvtpi2ps", [readPacked(b, src), usesMmx(b, src)]);
  dst.writePart("q0", b.helperResult(0, "i64"));
});
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
