/** How two numbers relate: shared by the SSE and x87 comparisons. */

import { Kind, type Unpacked } from "./format.ts";

/** The values are bits, so that a predicate can be a set of relations. */
export const Relation = { Less: 1, Equal: 2, Greater: 4, Unordered: 8 } as const;
export type Relation = (typeof Relation)[keyof typeof Relation];

/** Zeros are equal; NaNs and unsupported encodings are unordered to everything. Reports nothing. */
export function relate(a: Unpacked, b: Unpacked): Relation {
  if (a.kind >= Kind.QuietNaN || b.kind >= Kind.QuietNaN) return Relation.Unordered;
  if (a.isZero && b.isZero) return Relation.Equal;
  const signA = a.isZero ? 0 : a.negative ? -1 : 1;
  const signB = b.isZero ? 0 : b.negative ? -1 : 1;
  if (signA !== signB) return signA < signB ? Relation.Less : Relation.Greater;
  return signA > 0 ? relateMagnitudes(a, b) : relateMagnitudes(b, a);
}

/** |a| to |b|, neither zero. */
function relateMagnitudes(a: Unpacked, b: Unpacked): Relation {
  if (a.kind !== b.kind) return a.isInfinity ? Relation.Greater : Relation.Less;
  if (a.isInfinity) return Relation.Equal;
  if (a.exponent !== b.exponent) return a.exponent < b.exponent ? Relation.Less : Relation.Greater;
  if (a.significand === b.significand) return Relation.Equal;
  return a.significand < b.significand ? Relation.Less : Relation.Greater;
}
