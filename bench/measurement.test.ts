import { describe, expect, it } from "vitest";
import { readStampedLines, readUsage } from "./measurement.ts";

describe("readUsage", () => {
  it("adds user and system time, in the units of a sample", () => {
    expect(readUsage("1500000000 900000 350000 51200 0\n")).toEqual({
      milliseconds: 1500,
      cpuMilliseconds: 1250,
      peakMiB: 50,
      status: 0,
    });
  });

  it("reads wait statuses as a shell does", () => {
    expect(readUsage(`1 1 1 1 ${3 << 8}`).status).toBe(3);
    expect(readUsage("1 1 1 1 11").status).toBe(139);
    expect(readUsage(`1 1 1 1 ${11 | 0x80}`).status).toBe(139); // with a core file
  });
});

describe("readStampedLines", () => {
  it("tells stamps and lines apart, whatever ends these", () => {
    expect(readStampedLines("1500000 1000000 begin\r\n\n2000000 1250000 3 lines\n")).toEqual([
      { milliseconds: 1.5, cpuMilliseconds: 1, text: "begin" },
      { milliseconds: 2, cpuMilliseconds: 1.25, text: "3 lines" },
    ]);
  });
});
