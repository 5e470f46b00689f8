import { describe, expect, it } from "vitest";
import { generator } from "../testing/qtest.ts";
import { type BlockBackend, MemoryDisk } from "./block-backend.ts";
import { SnapshotOverlay } from "./snapshot-overlay.ts";

const SIZE = 5 * 4096 + 512;
const content = () => Uint8Array.from({ length: SIZE }, (_, index) => index * 7);

/** Answers later, as a disk behind a network does. */
class SlowDisk implements BlockBackend {
  readonly isReadOnly = true;
  readonly size = SIZE;
  constructor(private readonly bytes: Uint8Array) {}
  async read(offset: number, into: Uint8Array): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    into.set(this.bytes.subarray(offset, offset + into.length));
  }
  write(): void {
    throw new Error("the base is only read");
  }
  flush(): void {}
}

describe("a snapshot of a disk", () => {
  for (const [name, make] of [
    ["at once", (bytes: Uint8Array) => new MemoryDisk(bytes, true)],
    ["later", (bytes: Uint8Array) => new SlowDisk(bytes)],
  ] as const) {
    it(`reads what was written, and leaves its base alone, which answers ${name}`, async () => {
      const base = content();
      const expected = content();
      const overlay = new SnapshotOverlay(make(base));
      const random = generator(11);
      for (let step = 0; step < 200; step++) {
        const offset = 512 * random(SIZE / 512);
        const length = 512 * (1 + random((SIZE - offset) / 512));
        if (random(2) === 0) {
          const bytes = Uint8Array.from({ length }, () => random(256));
          await overlay.write(offset, bytes);
          expected.set(bytes, offset);
        } else {
          const bytes = new Uint8Array(length);
          await overlay.read(offset, bytes);
          expect(Buffer.compare(bytes, expected.subarray(offset, offset + length))).toBe(0);
        }
      }
      expect(Buffer.compare(base, content())).toBe(0);
    });
  }

  it("restores what it saved, and refuses what is of another disk", async () => {
    const first = new SnapshotOverlay(new MemoryDisk(content()));
    await first.write(4096 * 5, new Uint8Array(512).fill(1));
    await first.write(1024, new Uint8Array(8192).fill(2));
    const second = new SnapshotOverlay(new MemoryDisk(content()));
    second.restore(first.save());
    const [ours, theirs] = [new Uint8Array(SIZE), new Uint8Array(SIZE)];
    await first.read(0, ours);
    await second.read(0, theirs);
    expect(theirs).toEqual(ours);
    const other = new SnapshotOverlay(new MemoryDisk(new Uint8Array(512)));
    expect(() => other.restore(first.save())).toThrow(/another size/);
  });
});
