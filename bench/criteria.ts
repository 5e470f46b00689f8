/** What must be reached: each number that an issue demands, beside its limit. */

import { formatTable } from "./table.ts";

export interface Criterion {
  /** Where it is demanded. */
  issue: number;
  what: string;
  /** Undefined if this run did not measure it; NaN if it could not, because something failed. */
  value: number | undefined;
  limit: { most: number } | { least: number };
  unit: string;
}

export type Verdict = "met" | "MISSED" | "not measured";

export function judge({ value, limit }: Criterion): Verdict {
  if (value === undefined) return "not measured";
  const isMet = "most" in limit ? value <= limit.most : value >= limit.least;
  return isMet ? "met" : "MISSED";
}

function formatValue(value: number | undefined): string {
  if (value === undefined) return "-";
  if (Number.isNaN(value)) return "failed";
  return value < 100 ? value.toFixed(2) : value.toFixed(0);
}

export function formatCriteria(criteria: readonly Criterion[]): string {
  const rows = criteria.map((criterion) => {
    const { issue, what, value, limit, unit } = criterion;
    const bound = "most" in limit ? `≤ ${limit.most}` : `≥ ${limit.least}`;
    return [`${issue}  ${what}`, formatValue(value), bound, unit, judge(criterion)];
  });
  return formatTable([["issue, criterion", "value", "limit", "unit", ""], ...rows]);
}
