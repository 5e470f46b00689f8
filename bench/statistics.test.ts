import { describe, expect, it } from "vitest";
import { complete, geometricMean, median, spread } from "./statistics.ts";

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

  it("the spread is the whole range as a part of the median", () => {
    expect(spread([95, 100, 105])).toBeCloseTo(0.1);
    expect(spread([7])).toBe(0);
  });

  it("values are complete only if none is missing", () => {
    expect(complete([1, 2])).toEqual([1, 2]);
    expect(complete([1, undefined])).toBeUndefined();
  });
});
