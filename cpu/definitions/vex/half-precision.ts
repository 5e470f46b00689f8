/** F16C: conversions between half and single precision (Intel SDM vol. 2, VCVTPH2PS, VCVTPS2PH). */

import type { Value } from "../../ir/value.ts";
import { HALF_SLOTS } from "../../state.ts";
import { type Definition, define, defineWithContext } from "../registry.ts";
import { fastOrExact } from "../sse/fast-path.ts";
import { derived } from "./derive.ts";
import { readWide, writeWide } from "./wide.ts";

/** Half precision in units of single precision: its exponents are 112 smaller. */
const REBIAS = 2 ** 112;

/** Exact for all but NaNs: the fraction moves up, and a product corrects the exponent, of denormals too. */
const toSingle: Definition = (b, [dst, src]) => {
  const x = src.isMemory ? b.op("i64x2.splat", src.read()) : src.readVector();
  const wide = b.op("i32x4.extend_low_i16x8_u", x);
  const splat = (value: number) => b.op("i32x4.splat", b.const32(value));
  const magnitude = b.op("v128.and", wide, splat(0x7fff));
  const sign = b.op("i32x4.shl", b.op("v128.and", wide, splat(0x8000)), b.const32(16));
  const scaled = b.op(
    "f32x4.mul",
    b.op("i32x4.shl", magnitude, b.const32(13)),
    b.op("f32x4.splat", b.constF32(REBIAS)),
  );
  const isInfinite = b.op("i32x4.eq", magnitude, splat(0x7c00));
  const result = b.op("v128.or", b.op("v128.bitselect", splat(0x7f800000), scaled, isInfinite), sign);
  const fast = b.op("i32x4.all_true", b.op("i32x4.le_s", magnitude, splat(0x7c00)));
  fastOrExact(b, fast, (value) => dst.writeVector(value), result, {
    helper: "sse.cvtph2ps",
    args: [x],
    result: "v128",
  });
};
defineWithContext("vcvtph2ps", derived(toSingle, false, { widens: true }));

/**
 * Always the exact path; the immediate chooses the rounding as in ROUNDPS. The helper leaves four halves in 64 bits. Memory
 * must be writable before anything is reported in MXCSR.
 */
define("vcvtps2ph", (b, dst, src, immediate) => {
  if (dst.isMemory) b.probeWrite(dst.address(), dst.bits / 8);
  const [low, high] = readWide(src);
  const control = b.wrap(immediate.read());
  const half = (x: Value) => [x, b.const32(0), control];
  const wide = high !== undefined;
  b.helper(
    wide ? "sse.cvtps2ph.256" : "sse.cvtps2ph",
    wide ? [...half(low), b.const32(0), ...half(high)] : half(low),
  );
  const lower = b.helperResult(0, "i64");
  if (dst.isMemory && !wide) {
    dst.writePart("q0", lower);
    return;
  }
  const upper = wide ? b.helperResult(HALF_SLOTS, "i64") : b.const64(0);
  writeWide(b, dst, [b.lane("i64x2.replace_lane", 1, b.op("i64x2.splat", lower), upper)]);
});
