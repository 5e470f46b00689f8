import { describe, expect, it } from "vitest";
import { splitStatistics } from "./osv-vm-statistics.ts";

const STATISTICS = `instructions      33,414,085
time              2.611 s
translated        6407 traces of 109468 instructions
peak memory       94 MiB
`;

describe("splitStatistics", () => {
  it("tells the program's own error output from --stats", () => {
    const output = splitStatistics(`warning: none\n${STATISTICS}`);
    expect(output.stderr).toBe("warning: none\n");
    expect(output.instructions).toBe(33_414_085);
    expect(output.statistics).toEqual({
      instructions: "33,414,085",
      time: "2.611 s",
      translated: "6407 traces of 109468 instructions",
      "peak memory": "94 MiB",
    });
  });

  it("takes the last such line, as the program may print one itself", () => {
    expect(splitStatistics(`instructions  5\n${STATISTICS}`).stderr).toBe("instructions  5\n");
  });

  it("leaves an output without statistics alone", () => {
    expect(splitStatistics("no such file\n")).toEqual({ stderr: "no such file\n", statistics: {} });
  });
});
