/**
 * DPPS and DPPD: products and their sums in the order of the manual (Intel SDM vol. 2, DPPS, DPPD). Every lane holds the
 * same sum, but if several products are NaNs each lane of Intel silicon prefers another one, because each adds its
 * neighbours in an order of its own. An unmasked exception of one step keeps the next from happening.
 */

import type { SseControl } from "./control.ts";
import { addsd, addss, mulsd, mulss } from "./sse.ts";

/** Lane i of DPPS adds (first + second) + (third + fourth) of these products, so that NaNs win in this order. */
const SUMMANDS = [
  [1, 0, 3, 2],
  [0, 1, 2, 3],
  [3, 2, 1, 0],
  [2, 3, 0, 1],
] as const;

function isNaN32(bits: number): boolean {
  return (bits & 0x7fff_ffff) > 0x7f80_0000;
}

type Lanes = readonly [number, number, number, number];

/**
 * @param operands one pair of vectors, or two of one instruction: an exception in one keeps the other's next step away too
 * @param immediate bits 4…7 choose the products, bits 0…3 the lanes that receive the sum; the others become +0
 */
export function dpps(
  operands: readonly (readonly [a: readonly number[], b: readonly number[]])[],
  immediate: number,
  control: SseControl,
): Lanes[] {
  const products = operands.map(([a, b]) =>
    [0, 1, 2, 3].map((lane) =>
      ((immediate >> (4 + lane)) & 1) === 1 ? mulss(a[lane], b[lane], control) : 0,
    ),
  );
  const sums = ([first, second, third, fourth]: Lanes): number[] => {
    control.settle();
    if (control.unmasked !== 0) return operands.map(() => 0);
    const halves = products.map((lanes) => [
      addss(lanes[first], lanes[second], control),
      addss(lanes[third], lanes[fourth], control),
    ]);
    control.settle();
    return halves.map(([left, right]) => (control.unmasked !== 0 ? 0 : addss(left, right, control)));
  };
  const common = sums(SUMMANDS[0]);
  const hasNaN = common.some(isNaN32);
  const byLane = SUMMANDS.map((order) => (hasNaN ? sums(order) : common));
  return operands.map((_, vector): Lanes => {
    const lane = (index: 0 | 1 | 2 | 3) => (((immediate >> index) & 1) === 0 ? 0 : byLane[index][vector]);
    return [lane(0), lane(1), lane(2), lane(3)];
  });
}

/**
 * @param immediate bits 4…5 choose the products, bits 0…1 the lanes that receive the sum; the others become +0
 */
export function dppd(
  a: readonly bigint[],
  b: readonly bigint[],
  immediate: number,
  control: SseControl,
): [bigint, bigint] {
  const product = (lane: number) =>
    ((immediate >> (4 + lane)) & 1) === 1 ? mulsd(a[lane], b[lane], control) : 0n;
  const products = [product(0), product(1)];
  control.settle();
  if (control.unmasked !== 0) return [0n, 0n];
  const low = addsd(products[0], products[1], control);
  const high = addsd(products[1], products[0], control);
  return [(immediate & 1) !== 0 ? low : 0n, (immediate & 2) !== 0 ? high : 0n];
}
