import { expect, it } from "vitest";
import { generateLines } from "./lines.ts";

it("generated lines are always the same, and as many bytes as wanted", () => {
  const lines = generateLines(10_000);
  expect(lines).toBe(generateLines(10_000));
  expect(lines.length).toBeGreaterThanOrEqual(10_000);
  expect(lines.length).toBeLessThan(10_100);
  expect(lines).toMatch(/^([0-9a-z]{7} [a-z]+ \d+( [a-z]+){1,5}\n)+$/);
});
