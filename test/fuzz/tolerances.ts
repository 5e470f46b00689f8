/** Instructions whose result the manual gives only approximately, and how far it may be off. */

import { hostVendor } from "./host-cpu.ts";

/** How two results may differ. */
export interface Tolerance {
  /**
   * `f32`: relative error of single-precision lanes. `f80`: units in the last place of x87 registers. `nan`: where both are
   * NaNs, which.
   */
  readonly kind: "f32" | "f80" | "nan";
  readonly amount: number;
  readonly source: string;
}

const RECIPROCAL: Tolerance = {
  kind: "f32",
  // Both results are within 1.5 × 2^-12 of the true value.
  amount: 3 * 2 ** -12,
  source: "Intel SDM vol. 2, RCPPS and RSQRTPS: |relative error| ≤ 1.5 × 2^-12",
};

const TRANSCENDENTAL: Tolerance = {
  kind: "f80",
  // Each is within one unit.
  amount: 2,
  source: "Intel SDM vol. 1, 8.3.10: less than 1 ulp when rounding to nearest",
};

/** Of several products that are NaNs each lane of Intel's processors prefers another, and we do as they do. */
const DOT_PRODUCT: Tolerance = {
  kind: "nan",
  amount: 0,
  source: "Intel SDM vol. 2, DPPS: horizontal propagation of NaNs is implementation dependent",
};

const isIntel = hostVendor() === "GenuineIntel";

const TOLERANCES: ReadonlyMap<string, Tolerance> = new Map([
  ...["rcpps", "rcpss", "rsqrtps", "rsqrtss", "vrcpps", "vrcpss", "vrsqrtps", "vrsqrtss"].map(
    (name) => [name, RECIPROCAL] as const,
  ),
  ...["f2xm1", "fyl2x", "fyl2xp1", "fptan", "fpatan", "fsin", "fcos", "fsincos"].map(
    (name) => [name, TRANSCENDENTAL] as const,
  ),
  ...(isIntel ? [] : ["dpps", "dppd", "vdpps", "vdppd"]).map((name) => [name, DOT_PRODUCT] as const),
]);

export function toleranceOf(mnemonic: string): Tolerance | undefined {
  return TOLERANCES.get(mnemonic);
}
