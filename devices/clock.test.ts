import { describe, expect, it } from "vitest";
import { MachineClock } from "./clock.ts";
import { ManualClock } from "./testing/manual-clock.ts";

describe("the machine's clock", () => {
  it("fires timers at their deadlines, in that order", () => {
    const clock = new ManualClock();
    const fired: [string, number][] = [];
    clock.timer(() => fired.push(["late", clock.now()])).schedule(30);
    clock.timer(() => fired.push(["early", clock.now()])).schedule(10);
    clock.advance(20);
    expect(fired).toEqual([["early", 10]]);
    clock.advance(20);
    expect(fired).toEqual([
      ["early", 10],
      ["late", 30],
    ]);
  });

  it("fires once, and not after cancel", () => {
    const clock = new ManualClock();
    let count = 0;
    const timer = clock.timer(() => count++);
    timer.schedule(10);
    clock.advance(100);
    expect(count).toBe(1);
    expect(timer.deadline).toBeUndefined();
    timer.schedule(110);
    timer.cancel();
    clock.advance(100);
    expect(count).toBe(1);
  });

  it("tells when a deadline comes before all others", () => {
    const clock = new MachineClock(() => 0);
    const told: number[] = [];
    clock.onEarlier = (deadline) => told.push(deadline);
    const timer = clock.timer(() => {});
    timer.schedule(50);
    clock.timer(() => {}).schedule(60);
    timer.schedule(40);
    expect(told).toEqual([50, 40]);
    expect(clock.nextDeadline()).toBe(40);
  });

  it("returns from firing even if a callback is due again at once", () => {
    let now = 5;
    const clock = new MachineClock(() => now);
    let count = 0;
    const timer = clock.timer(() => {
      count++;
      timer.schedule(now);
    });
    timer.schedule(1);
    clock.fireDue();
    expect(count).toBe(1);
    now++;
    clock.fireDue();
    expect(count).toBe(2);
  });

  it("does not fire a timer that an earlier callback has moved", () => {
    const clock = new MachineClock(() => 20);
    let fired = false;
    const second = clock.timer(() => {
      fired = true;
    });
    clock.timer(() => second.schedule(1000)).schedule(10);
    second.schedule(11);
    clock.fireDue();
    expect(fired).toBe(false);
    expect(clock.nextDeadline()).toBe(1000);
  });
});
