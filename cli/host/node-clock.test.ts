import { expect, it, vi } from "vitest";
import { NodeClock } from "./node-clock.ts";

const clock = new NodeClock();

function later(ns: number): Promise<number> {
  const start = clock.monotonic();
  return new Promise((resolve) => {
    clock.after(ns, () => resolve(clock.monotonic() - start));
  });
}

it("never goes backwards, and counts nanoseconds from its start", () => {
  let last = clock.monotonic();
  expect(last).toBeLessThan(60e9);
  for (let i = 0; i < 10_000; i++) {
    const now = clock.monotonic();
    expect(now).toBeGreaterThanOrEqual(last);
    expect(Number.isInteger(now)).toBe(true);
    last = now;
  }
});

it("tells the time of day that the host has", () => {
  for (let i = 0; i < 100; i++) {
    const { seconds, nanoseconds } = clock.realtime();
    expect(Math.abs(seconds * 1000 + nanoseconds / 1e6 - Date.now())).toBeLessThan(10);
    expect(nanoseconds).toBeGreaterThanOrEqual(0);
    expect(nanoseconds).toBeLessThan(1e9);
  }
});

it("does not go back after its thread had to wait for a processor between the two clocks of the host", () => {
  const asked = Date.now;
  let calls = 0;
  const spy = vi.spyOn(Date, "now").mockImplementation(() => {
    const until = clock.monotonic() + (++calls % 20 === 0 ? 12e6 : 0);
    while (clock.monotonic() < until);
    return asked();
  });
  try {
    const start = clock.realtime();
    let last = 0;
    for (let i = 0; i < 100; i++) {
      const { seconds, nanoseconds } = clock.realtime();
      const now = (seconds - start.seconds) * 1e9 + nanoseconds - start.nanoseconds;
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
    }
  } finally {
    spy.mockRestore();
  }
});

it("is never early, and late by little for short times", async () => {
  for (const ns of [0, 1000, 50_000, 900_000, 1_100_000, 5_000_000, 20_000_000]) {
    expect(await later(ns)).toBeGreaterThanOrEqual(ns);
  }
  const shortest = Math.min(...(await Promise.all(Array.from({ length: 20 }, () => later(100_000)))));
  expect(shortest).toBeLessThan(1_000_000);
});

it("forgets what was cancelled, also from within another callback", async () => {
  const fired: string[] = [];
  clock.after(1_000_000, () => fired.push("a"))();
  const cancel = clock.after(2_000_000, () => fired.push("b"));
  clock.after(1_500_000, () => {
    fired.push("c");
    cancel();
  });
  clock.after(10_000, () => fired.push("d"))();
  await later(5_000_000);
  expect(fired).toEqual(["c"]);
});
