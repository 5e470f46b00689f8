import { describe, expect, it } from "vitest";
import { PageMap } from "./page-map.ts";

const PAGE = 4096;
const FAR = 0x7fff_ffff_0000;

describe("the page map", () => {
  it("knows nothing at first", () => {
    const map = new PageMap();
    expect(map.get(0)).toBe(0);
    expect(map.get(FAR)).toBe(0);
  });

  it("finds what was entered, near and far, whatever the offset in the page", () => {
    const map = new PageMap();
    map.set(0x400000, 0xffffff0f);
    map.set(FAR, 77);
    expect(map.get(0x400abc)).toBe(0xffffff0f);
    expect(map.get(FAR + 4095)).toBe(77);
    expect(map.get(0x401000)).toBe(0);
  });

  it("forgets what was removed, also the last entry of a leaf that was just looked at", () => {
    const map = new PageMap();
    map.set(FAR, 1);
    map.set(FAR, 0);
    expect(map.get(FAR)).toBe(0);
    map.set(FAR, 2);
    expect(map.get(FAR)).toBe(2);
  });

  it("updates only the pages of a range that exist, however long the range is", () => {
    const map = new PageMap();
    const pages = [0x10000, 0x3ff000, 0x400000, 0x7f_0000_0000, FAR];
    for (const [index, page] of pages.entries()) map.set(page, index + 1);
    const seen: number[] = [];
    map.update(0x11000, FAR, (address, entry) => {
      seen.push(address);
      return entry === 3 ? 0 : entry + 100;
    });
    expect(seen.sort((a, b) => a - b)).toEqual([0x3ff000, 0x400000, 0x7f_0000_0000]);
    expect(pages.map((page) => map.get(page))).toEqual([1, 102, 0, 104, 5]);
  });

  it("agrees with a plain Map over random operations", () => {
    const map = new PageMap();
    const model = new Map<number, number>();
    let seed = 1;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    for (let step = 0; step < 20_000; step++) {
      const page = (random(4) * 0x1_0000_0000 + random(3000)) * PAGE;
      if (random(3) === 0) {
        map.set(page, 0);
        model.delete(page);
      } else {
        map.set(page, step + 1);
        model.set(page, step + 1);
      }
      const probe = (random(4) * 0x1_0000_0000 + random(3000)) * PAGE;
      expect(map.get(probe)).toBe(model.get(probe) ?? 0);
    }
    const found = new Map<number, number>();
    map.update(0, 2 ** 47, (address, entry) => {
      found.set(address, entry);
      return entry;
    });
    expect(found).toEqual(model);
  });
});
