import { describe, expect, it } from "vitest";
import { fanOut, SharedLine } from "./interrupt-line.ts";
import { RecordedLine } from "./testing/recorded-line.ts";

describe("interrupt lines", () => {
  it("reach every controller they fan out to", () => {
    const [one, two] = [new RecordedLine(), new RecordedLine()];
    fanOut(one, two).set(true);
    expect([one.level, two.level]).toEqual([true, true]);
  });

  it("shared by devices are up while any device holds them up", () => {
    const wire = new RecordedLine();
    const shared = new SharedLine(wire);
    const [one, two] = [shared.input(), shared.input()];
    one.set(true);
    one.set(true);
    two.set(true);
    one.set(false);
    expect(wire.level).toBe(true);
    two.set(false);
    expect(wire.level).toBe(false);
    expect(wire.edges).toBe(1);
  });
});
