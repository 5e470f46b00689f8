/**
 * RCPSS and RSQRTSS as Intel processors compute them: piecewise constant, 12 bits of result. (The architecture only
 * bounds the relative error by 1.5 × 2^−12: Intel SDM vol. 2, RCPPS; AMD's differ.) The pieces, found by reading all 2^23
 * significands of a binade from silicon, are the correctly rounded value at the middle of 2048 (RCP) or of 1024 (RSQRT)
 * equal intervals. Denormals count as zeros and tiny results become zeros whatever MXCSR says; nothing is reported.
 */

const SIGN = 0x8000_0000;
const INFINITY = 0x7f80_0000;
const QUIET = 0x0040_0000;
const INDEFINITE = 0xffc0_0000;

/** A result `units` × 2^−13 × 2^scale with 4096 ≤ units < 8192; below the normal numbers it is zero. */
function pack(sign: number, units: number, scale: number): number {
  const biased = scale + 126;
  return biased <= 0 ? sign : (sign | (biased << 23) | ((units - 0x1000) << 11)) >>> 0;
}

/** 1 ÷ a, approximately; RCPPS applies it to each lane. */
export function rcpss(a: number): number {
  const sign = (a & SIGN) >>> 0;
  const magnitude = a & ~SIGN;
  if (magnitude > INFINITY) return (a | QUIET) >>> 0;
  if (magnitude === INFINITY) return sign;
  const field = magnitude >> 23;
  if (field === 0) return (sign | INFINITY) >>> 0;
  const index = (magnitude >> 12) & 0x7ff;
  // 2^13 ÷ (1 + (index + ½) ÷ 2^11); never halfway, for the divisor is odd.
  return pack(sign, Math.round(2 ** 25 / (4097 + 2 * index)), 127 - field);
}

/** 1 ÷ √a, approximately; RSQRTPS applies it to each lane. */
export function rsqrtss(a: number): number {
  const sign = (a & SIGN) >>> 0;
  const magnitude = a & ~SIGN;
  if (magnitude > INFINITY) return (a | QUIET) >>> 0;
  const field = magnitude >> 23;
  if (field === 0) return (sign | INFINITY) >>> 0;
  if (sign !== 0) return INDEFINITE;
  if (magnitude === INFINITY) return 0;
  const odd = (field - 127) & 1;
  const index = (magnitude >> 13) & 0x3ff;
  // 2^13 ÷ √(1 + (index + ½) ÷ 2^10), in an odd binade of twice that; at least 10^−4 from halfway.
  const middle = (1 + odd) * (1 + (2 * index + 1) / 2048);
  return pack(0, Math.round(8192 / Math.sqrt(middle)), -(field - 127 - odd) / 2);
}
