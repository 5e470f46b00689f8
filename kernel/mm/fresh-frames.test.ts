import { describe, expect, it } from "vitest";
import { FreshFrames } from "./fresh-frames.ts";

const PAGE = 4096;
const TOTAL = 8192;

/** Memory that is prepared when a test says so, with what is no zero in it. */
class Host {
  readonly ram = new Uint8Array(TOTAL * PAGE);
  readonly prepared: Uint8Array[] = [];
  private finish: (() => void) | undefined;

  readonly prepareMemory = async (memory: Uint8Array): Promise<void> => {
    this.prepared.push(memory);
    await new Promise<void>((resolve) => {
      this.finish = resolve;
    });
    memory.fill(0xaa);
  };

  async complete(): Promise<void> {
    this.finish?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function isZero(ram: Uint8Array, frame: number): boolean {
  return ram.subarray(frame * PAGE, (frame + 1) * PAGE).every((byte) => byte === 0);
}

describe("fresh frames", () => {
  it("are each handed out once, zero, until there are no more", async () => {
    const host = new Host();
    const frames = new FreshFrames(host.ram, TOTAL, host.prepareMemory);
    const taken = new Set<number>();
    for (let left = TOTAL; left > 0; left--) {
      if (left % 100 === 0) await host.complete();
      const { count } = frames;
      let frame = frames.take(true);
      // Nobody is promised what is under way; it can be had when it is done.
      expect(frame < 0).toBe(count === 0);
      if (frame < 0) {
        await host.complete();
        expect(frames.count).toBe(left);
        frame = frames.take(true);
      }
      expect(taken.has(frame)).toBe(false);
      expect(isZero(host.ram, frame)).toBe(true);
      host.ram[frame * PAGE + 5] = 1;
      taken.add(frame);
    }
    expect(frames.take(true)).toBe(-1);
    expect(host.prepared.length).toBeGreaterThan(2);
  });

  it("are not prepared for small programs, nor all of memory for large ones", async () => {
    const host = new Host();
    const frames = new FreshFrames(host.ram, TOTAL, host.prepareMemory);
    for (let count = 0; count < 1000; count++) frames.take(false);
    expect(host.prepared).toEqual([]);
    for (let count = 1000; count < TOTAL; count++) {
      frames.take(false);
      await host.complete();
    }
    for (const { byteOffset, length } of host.prepared)
      expect(byteOffset + length).toBeLessThanOrEqual((TOTAL / 2) * PAGE);
  });

  it("are as they were where the host cannot prepare them after all", async () => {
    const ram = new Uint8Array(TOTAL * PAGE);
    let asked = 0;
    const frames = new FreshFrames(ram, TOTAL, () => {
      asked++;
      return Promise.reject(new Error("no threads"));
    });
    const taken = new Set<number>();
    for (let count = 0; count < TOTAL; count++) {
      taken.add(frames.take(true));
      await undefined;
    }
    expect(taken.size).toBe(TOTAL);
    expect(taken.has(-1)).toBe(false);
    expect(asked).toBe(1);
  });
});
