/** ROUNDSS, ROUNDSD, ROUNDPS, ROUNDPD: to an integer that stays a floating-point number. */

import { define } from "../registry.ts";
import { all, fastOrExact, inexactIsSilent, roundingMode } from "./fast-path.ts";
import { SHAPES } from "./float-shape.ts";

/** The immediate: bits 0…1 rounding mode, or MXCSR's with bit 2; bit 3: PE is not reported. */
const USE_MXCSR = 4;
const SUPPRESS_PRECISION = 8;

for (const shape of SHAPES) {
  define(`round${shape.suffix}`, (b, dst, src, immediate) => {
    const x = shape.source(b, src);
    const selector = b.wrap(immediate.read());
    const mode = b.select(b.and(selector, b.const32(USE_MXCSR)), roundingMode(b), selector);
    const odd = b.and(mode, b.const32(1));
    const upOrZero = b.select(odd, shape.op(b, "trunc", x), shape.op(b, "ceil", x));
    const nearestOrDown = b.select(odd, shape.op(b, "floor", x), shape.op(b, "nearest", x));
    const result = b.select(b.and(mode, b.const32(2)), upOrZero, nearestOrDown);
    const suppressed = b.ne(b.and(selector, b.const32(SUPPRESS_PRECISION)), b.const32(0));
    const silent = b.or(b.or(suppressed, inexactIsSilent(b)), shape.all(b, "eq", result, x));
    // Denormals are zeros under DAZ.
    const fast = all(b, silent, shape.all(b, "eq", x, x), shape.noDenormal(b, x));
    fastOrExact(b, fast, (value) => shape.write(dst, value), result, {
      helper: `sse.round${shape.suffix}`,
      args: [x, x, selector],
      result: shape.type,
    });
  });
}
