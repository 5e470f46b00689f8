import { describe, expect, it } from "vitest";
import { geometricMean, median } from "./statistics.ts";

describe("statistics", () => {
  it("the median is the middle, or between the two in the middle", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  it("the geometric mean of a ratio and its inverse is one", () => {
    expect(geometricMean([4, 0.25])).toBeCloseTo(1);
    expect(geometricMean([2, 8])).toBeCloseTo(4);
  });
});
