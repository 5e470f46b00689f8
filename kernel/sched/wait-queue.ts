/**
 * Wait queues: where blocked threads wait. A blocked thread is a Promise; waking resolves it.
 *
 * One `Waiter` may stand in several queues at once (poll); the first wake takes it out of all of them.
 */

export class Waiter {
  private settle: ((value: "woken" | "interrupted" | "timeout") => void) | undefined;
  private readonly queues: WaitQueue[] = [];
  readonly done: Promise<"woken" | "interrupted" | "timeout">;

  constructor() {
    this.done = new Promise((resolve) => {
      this.settle = resolve;
    });
  }

  /** Has not been woken yet. */
  get waiting(): boolean {
    return this.settle !== undefined;
  }

  join(queue: WaitQueue): void {
    this.queues.push(queue);
    queue.add(this);
  }

  /** Ends the wait; later calls do nothing. */
  end(how: "woken" | "interrupted" | "timeout"): boolean {
    const settle = this.settle;
    if (settle === undefined) return false;
    this.settle = undefined;
    for (const queue of this.queues) queue.remove(this);
    settle(how);
    return true;
  }
}

export class WaitQueue {
  private readonly waiters = new Set<Waiter>();
  private readonly listeners = new Set<(events: number) => void>();

  get length(): number {
    return this.waiters.size;
  }

  add(waiter: Waiter): void {
    this.waiters.add(waiter);
  }

  remove(waiter: Waiter): void {
    this.waiters.delete(waiter);
  }

  /**
   * Wakes up to `count` waiters, longest first. Returns how many. Listeners (epoll) hear every wake, with the poll bits
   * that came up where the caller knows them: an edge-triggered reader does not care that there is room to write.
   */
  wake(count = Number.POSITIVE_INFINITY, events = -1): number {
    // Nobody is there, as with most writes to most pipes.
    if (this.waiters.size === 0 && this.listeners.size === 0) return 0;
    let woken = 0;
    for (const waiter of this.waiters) {
      if (woken >= count) break;
      if (waiter.end("woken")) woken++;
    }
    if (this.listeners.size > 0) for (const listener of [...this.listeners]) listener(events);
    return woken;
  }

  /** Calls back on every wake until the returned function is called: how epoll watches a file. */
  listen(listener: (events: number) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
