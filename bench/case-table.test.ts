import { describe, expect, it } from "vitest";
import { formatCases, meanRatio } from "./case-table.ts";
import { type CaseResult, medianOf, ratioOf, speedOf } from "./comparison.ts";
import type { Runner } from "./runners.ts";

const runner = (name: string, isOsvVm = false): Runner => ({ name, isOsvVm, command: () => ({ words: [] }) });
const runners = [runner("native"), runner("qemu"), runner("jit", true)];

const sample = (milliseconds: number, cpuMilliseconds = milliseconds) => ({
  milliseconds,
  cpuMilliseconds,
  peakMiB: 50,
});

const fast: CaseResult = {
  name: "fast",
  samples: {
    native: [sample(10), sample(12), sample(11)],
    qemu: [sample(110), sample(100), sample(120)],
    jit: [sample(55, 80), sample(54, 79), sample(60, 90)],
  },
  failures: {},
  instructions: 11_000_000,
  statistics: {},
};
const wrong: CaseResult = {
  name: "wrong",
  samples: { native: [sample(10)], qemu: [sample(100)] },
  failures: { jit: "WRONG output" },
  instructions: 1_000_000,
  statistics: {},
};

describe("a case's numbers", () => {
  it("are medians, and ratios of medians", () => {
    expect(medianOf(fast, "qemu", "milliseconds")).toBe(110);
    expect(ratioOf(fast, "jit", "qemu")).toBe(0.5);
    expect(ratioOf(fast, "jit", "qemu", "cpuMilliseconds")).toBeCloseTo(80 / 110);
    expect(speedOf(fast, "jit")).toBe(200);
  });

  it("are NaN for a runner that failed and undefined for one that did not run", () => {
    expect(ratioOf(wrong, "jit", "qemu")).toBeNaN();
    expect(ratioOf(wrong, "interp", "qemu")).toBeUndefined();
    expect(meanRatio([fast, wrong], "jit", "qemu")).toBeNaN();
    expect(meanRatio([fast, wrong], "interp", "qemu")).toBeUndefined();
    expect(meanRatio([fast], "jit", "qemu")).toBeCloseTo(0.5);
  });
});

describe("the table of cases", () => {
  const lines = formatCases("case", [fast, wrong], { runners, quantity: "milliseconds" }).split("\n");
  const cells = (line: string) => line.split(/ {2,}/);

  it("has time, processor time, ratios, speed and spread", () => {
    expect(cells(lines[0])).toEqual([
      ...["case", "native ms", "cpu", "qemu ms", "cpu", "jit ms", "cpu"],
      ...["qemu/native", "jit/native", "jit/qemu", "M instr", "jit M/s", "spread"],
    ]);
    expect(cells(lines[2])).toEqual([
      ...["fast", "11", "11", "110", "110", "55", "80"],
      ...["10.00", "5.00", "0.50", "11", "200", "18%"],
    ]);
  });

  it("says what failed, and has no mean over the rest", () => {
    expect(cells(lines[3]).slice(0, 10)).toEqual([
      ...["wrong", "10", "10", "100", "100", "failed", "-"],
      ...["10.00", "-", "-"],
    ]);
    expect(cells(lines[4])).toEqual(["geometric mean", "10.00", "-", "-"]);
    expect(lines[5]).toBe("wrong, jit: WRONG output");
  });
});
