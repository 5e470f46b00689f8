import { describe, expect, it } from "vitest";
import { Waiter, WaitQueue } from "./wait-queue.ts";

describe("a wait queue", () => {
  it("wakes exactly as many as asked, longest first", async () => {
    const queue = new WaitQueue();
    const order: number[] = [];
    const waiters = [0, 1, 2].map((index) => {
      const waiter = new Waiter();
      waiter.join(queue);
      void waiter.done.then(() => order.push(index));
      return waiter;
    });
    expect(queue.wake(2)).toBe(2);
    await Promise.resolve();
    expect(order).toEqual([0, 1]);
    expect(waiters[2].waiting).toBe(true);
    expect(queue.length).toBe(1);
  });

  it("lets a waiter stand in several queues and leave all at once", async () => {
    const queues = [new WaitQueue(), new WaitQueue()];
    const waiter = new Waiter();
    for (const queue of queues) waiter.join(queue);
    expect(queues[1].wake()).toBe(1);
    expect(queues[0].length).toBe(0);
    expect(queues[0].wake()).toBe(0);
    expect(await waiter.done).toBe("woken");
    expect(waiter.end("timeout")).toBe(false);
  });

  it("tells listeners of every wake until they have had enough", () => {
    const queue = new WaitQueue();
    let heard = 0;
    const stop = queue.listen(() => heard++);
    queue.wake();
    queue.wake();
    stop();
    queue.wake();
    expect(heard).toBe(2);
  });
});
