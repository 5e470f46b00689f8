import { describe, expect, it } from "vitest";
import { PlainMemory } from "../guest-memory.ts";
import { KvmStealTime } from "./steal-time.ts";

const PLACE = 0x2000;

function create() {
  const memory = new PlainMemory(new Uint8Array(65536));
  const view = new DataView(memory.bytes.buffer);
  return {
    time: new KvmStealTime(memory),
    memory,
    steal: () => view.getBigUint64(PLACE, true),
    version: () => view.getUint32(PLACE + 8, true),
  };
}

describe("steal time", () => {
  it("adds up what was stolen since the guest has asked, with a version that is even and changes", () => {
    const { time, steal, version } = create();
    time.update(5_000);
    time.update(6_000);
    expect(time.write(BigInt(PLACE) | 1n)).toBe(true);
    expect(steal()).toBe(0n);
    let last = version();
    for (const [stolen, sum] of [
      [6_500, 500n],
      [10_000.75, 4_000n],
      [2 ** 40, BigInt(2 ** 40 - 10_001) + 4_000n],
    ] as const) {
      time.update(stolen);
      expect(steal()).toBe(sum);
      expect(version() % 2).toBe(0);
      expect(version()).not.toBe(last);
      last = version();
    }
    time.update(2 ** 40);
    expect(version()).toBe(last);
  });

  it("goes on from what is in the guest's memory, as KVM does: so a restored machine needs no more", () => {
    const { time, memory, steal } = create();
    time.write(BigInt(PLACE) | 1n);
    time.update(1_000);
    time.update(1_700);
    const copy = new KvmStealTime(memory);
    copy.restore(time.save());
    copy.update(900_000); // another process, which counts from somewhere else
    copy.update(900_011);
    expect(steal()).toBe(711n);
  });

  it("refuses reserved bits, and leaves memory alone that is not RAM or not meant any more", () => {
    const { time, memory, steal } = create();
    expect(time.write(BigInt(PLACE) | 3n)).toBe(false);
    time.write(0xfffffffffffffc1n);
    time.update(0);
    time.update(10);
    time.write(BigInt(PLACE));
    time.update(20);
    expect(steal()).toBe(0n);
    expect(memory.bytes.every((byte) => byte === 0)).toBe(true);
  });
});
