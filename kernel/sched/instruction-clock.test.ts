import { describe, expect, it } from "vitest";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { InstructionClock } from "./instruction-clock.ts";

describe("a clock of instructions", () => {
  it("counts them as nanoseconds, and nothing else", () => {
    const clock = new InstructionClock(new VirtualClock());
    expect(clock.monotonic()).toBe(0);
    clock.advance(1_500_000_000);
    expect(clock.monotonic()).toBe(1_500_000_000);
    expect(clock.realtime()).toEqual({ seconds: 1_704_067_201, nanoseconds: 500_000_000 });
  });

  it("calls back in the order of time, and of setting for equal times, but not what was cancelled", () => {
    const clock = new InstructionClock(new VirtualClock());
    const order: string[] = [];
    clock.after(20, () => order.push("b"));
    clock.after(10, () => order.push("a"));
    clock.after(20, () => order.push("c"));
    clock.after(15, () => order.push("never"))();
    clock.fireDue();
    expect(order).toEqual([]);
    clock.advance(12);
    clock.fireDue();
    expect(order).toEqual(["a"]);
    expect(clock.skipToNext()).toBe(true);
    expect(clock.monotonic()).toBe(20);
    expect(order).toEqual(["a", "b", "c"]);
    expect(clock.skipToNext()).toBe(false);
  });
});
