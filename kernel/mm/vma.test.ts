import { describe, expect, it } from "vitest";
import { Prot, type Vma, type VmaAttributes, VmaSet } from "./vma.ts";

const PAGE = 4096;

function attributes(prot: number): VmaAttributes {
  return {
    prot,
    shared: false,
    growsDown: false,
    growLimit: 0,
    mayWrite: true,
    file: undefined,
    name: "",
    owner: undefined,
  };
}

function area(start: number, end: number, prot: number = Prot.Read): Vma {
  return { ...attributes(prot), start: start * PAGE, end: end * PAGE };
}

function shape(set: VmaSet): string {
  return [...set].map((vma) => `${vma.start / PAGE}-${vma.end / PAGE}:${vma.prot}`).join(" ");
}

describe("the set of areas", () => {
  it("keeps order and joins neighbours that look the same", () => {
    const set = new VmaSet();
    set.insert(area(10, 12));
    set.insert(area(2, 4));
    set.insert(area(12, 14, Prot.Write));
    set.insert(area(8, 10));
    expect(shape(set)).toBe("2-4:1 8-12:1 12-14:2");
    set.insert(area(4, 8));
    expect(shape(set)).toBe("2-12:1 12-14:2");
  });

  it("finds the area of an address, and none in holes", () => {
    const set = new VmaSet();
    set.insert(area(2, 4));
    set.insert(area(8, 10));
    expect(set.find(2 * PAGE)?.start).toBe(2 * PAGE);
    expect(set.find(4 * PAGE - 1)?.start).toBe(2 * PAGE);
    expect(set.find(4 * PAGE)).toBeUndefined();
    expect(set.find(0)).toBeUndefined();
    expect(set.find(10 * PAGE)).toBeUndefined();
  });

  it("cuts a piece out of the middle", () => {
    const set = new VmaSet();
    set.insert(area(0, 10));
    const whole = set.find(0);
    if (whole === undefined) throw new Error("not found");
    const piece = set.cut(whole, 3 * PAGE, 5 * PAGE);
    expect([piece.start, piece.end]).toEqual([3 * PAGE, 5 * PAGE]);
    expect(shape(set)).toBe("0-3:1 5-10:1");
  });

  it("finds the highest and the lowest gap that is large enough", () => {
    const set = new VmaSet();
    set.insert(area(10, 20));
    set.insert(area(25, 30));
    set.insert(area(95, 110));
    const gap = (pages: number): number => set.highestGap(pages * PAGE, 1 * PAGE, 100 * PAGE) / PAGE;
    expect(gap(1)).toBe(94);
    expect(gap(65)).toBe(30);
    expect(gap(66)).toBe(-1 / PAGE);
    expect(set.highestGap(5 * PAGE, 1 * PAGE, 26 * PAGE) / PAGE).toBe(20);
    expect(set.lowestGap(3 * PAGE, 12 * PAGE, 100 * PAGE) / PAGE).toBe(20);
    expect(set.lowestGap(6 * PAGE, 12 * PAGE, 100 * PAGE) / PAGE).toBe(30);
    expect(set.lowestGap(70 * PAGE, 12 * PAGE, 100 * PAGE)).toBe(-1);
  });

  it("agrees with an array of pages over random operations", () => {
    const PAGES = 64;
    const set = new VmaSet();
    const model = new Int8Array(PAGES).fill(-1);
    let seed = 7;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    for (let step = 0; step < 1000; step++) {
      const from = random(PAGES);
      const to = from + 1 + random(PAGES - from);
      for (const vma of set.overlapping(from * PAGE, to * PAGE)) set.cut(vma, from * PAGE, to * PAGE);
      model.fill(-1, from, to);
      if (random(3) > 0) {
        const prot = random(3);
        set.insert(area(from, to, prot));
        model.fill(prot, from, to);
      }
      for (let page = 0; page < PAGES; page++) expect(set.find(page * PAGE)?.prot ?? -1).toBe(model[page]);
      // No two neighbours that look the same stay apart.
      const all = [...set];
      for (let index = 1; index < all.length; index++) {
        expect(all[index - 1].end < all[index].start || all[index - 1].prot !== all[index].prot).toBe(true);
      }
      const wanted = 1 + random(20);
      let highest = -1;
      for (let start = 0; start + wanted <= PAGES; start++) {
        if (model.subarray(start, start + wanted).every((prot) => prot === -1)) highest = start;
      }
      const found = set.highestGap(wanted * PAGE, 0, PAGES * PAGE);
      expect(found < 0 ? -1 : found / PAGE).toBe(highest);
    }
  });
});
