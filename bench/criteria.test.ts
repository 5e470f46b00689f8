import { describe, expect, it } from "vitest";
import { type Criterion, formatCriteria, judge } from "./criteria.ts";

const most = (value: number | undefined): Criterion => ({
  issue: 3,
  what: "ratio",
  value,
  limit: { most: 1.5 },
  unit: "×",
});
const least = (value: number | undefined): Criterion => ({ ...most(value), limit: { least: 60 } });

describe("a criterion", () => {
  it("is met up to its limit, which belongs to it", () => {
    expect([1.4, 1.5, 1.51].map((value) => judge(most(value)))).toEqual(["met", "met", "MISSED"]);
    expect([61, 60, 59.9].map((value) => judge(least(value)))).toEqual(["met", "met", "MISSED"]);
  });

  it("is missed if its program failed", () => {
    expect(judge(most(Number.NaN))).toBe("MISSED");
    expect(judge(least(Number.NaN))).toBe("MISSED");
  });

  it("is neither if this run did not measure it", () => expect(judge(most(undefined))).toBe("not measured"));

  it("prints as a line with number, limit and verdict", () => {
    const lines = formatCriteria([most(1.234), least(Number.NaN), least(undefined), most(412.6)]).split("\n");
    expect(lines.slice(2).map((line) => line.split(/ {2,}/))).toEqual([
      ["3", "ratio", "1.23", "≤ 1.5", "×", "met"],
      ["3", "ratio", "failed", "≥ 60", "×", "MISSED"],
      ["3", "ratio", "-", "≥ 60", "×", "not measured"],
      ["3", "ratio", "413", "≤ 1.5", "×", "MISSED"],
    ]);
  });
});
