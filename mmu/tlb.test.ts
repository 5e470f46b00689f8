import { describe, expect, it } from "vitest";
import { TLB_ADDEND, TLB_BYTES, TLB_ENTRIES, TLB_ENTRY_SHIFT, TLB_READ, TLB_WRITE, Tlb } from "./tlb.ts";
import { Access, PAGE_SIZE } from "./translator.ts";

/** The inline lookup of generated code, in TypeScript. */
function hit(buffer: ArrayBuffer, address: number, bytes: number, tag: number): number | undefined {
  const view = new DataView(buffer);
  const entry = ((address >>> 12) % TLB_ENTRIES) << TLB_ENTRY_SHIFT;
  const page = BigInt.asUintN(64, (BigInt(address) + BigInt(bytes - 1)) & ~0xfffn);
  if (view.getBigUint64(entry + tag, true) !== page) return undefined;
  return ((address | 0) + view.getInt32(entry + TLB_ADDEND, true)) >>> 0;
}

describe("the TLB", () => {
  const make = () => {
    const buffer = new ArrayBuffer(TLB_BYTES);
    return { buffer, tlb: new Tlb(buffer, 0) };
  };

  it("misses everything when empty, page 0 included", () => {
    const { buffer, tlb } = make();
    expect(hit(buffer, 0, 1, TLB_READ)).toBeUndefined();
    // From the last page of all into page 0.
    expect(hit(buffer, -4, 8, TLB_READ)).toBeUndefined();
    for (let page = 0; page < TLB_ENTRIES; page++)
      expect(hit(buffer, page * PAGE_SIZE, 1, TLB_READ)).toBeUndefined();
    expect([...tlb.entries()]).toEqual([]);
  });

  it("translates within a page, for user and upper-half addresses", () => {
    const { buffer, tlb } = make();
    for (const page of [0x7fff_ffff_e000, 0x40_0000, -0x8000_0000]) {
      tlb.fill(page, 0x12_3000, Access.Read);
      expect(hit(buffer, page + 0x10, 8, TLB_READ)).toBe(0x12_3010);
      expect(hit(buffer, page + 0x10, 8, TLB_WRITE)).toBeUndefined();
      tlb.flush();
    }
  });

  it("misses an access that crosses into the next page even if that page is entered too", () => {
    const { buffer, tlb } = make();
    tlb.fill(0x1000, 0x5000, Access.Read);
    tlb.fill(0x2000, 0x6000, Access.Read);
    expect(hit(buffer, 0x1ffc, 4, TLB_READ)).toBe(0x5ffc);
    expect(hit(buffer, 0x1ffd, 4, TLB_READ)).toBeUndefined();
  });

  it("keeps the right to read when the same page is entered for writing", () => {
    const { buffer, tlb } = make();
    tlb.fill(0x1000, 0x5000, Access.Read);
    tlb.fill(0x1000, 0x5000, Access.Write);
    expect(hit(buffer, 0x1000, 1, TLB_READ)).toBe(0x5000);
    expect(hit(buffer, 0x1000, 1, TLB_WRITE)).toBe(0x5000);
  });

  it("forgets the old page's rights when another page takes the entry", () => {
    const { buffer, tlb } = make();
    tlb.fill(0x1000, 0x5000, Access.Read | Access.Write);
    const other = 0x1000 + TLB_ENTRIES * PAGE_SIZE;
    tlb.fill(other, 0x9000, Access.Read);
    expect(hit(buffer, 0x1000, 1, TLB_WRITE)).toBeUndefined();
    expect(hit(buffer, other, 1, TLB_READ)).toBe(0x9000);
  });

  it("flushes ranges and leaves the rest", () => {
    const { buffer, tlb } = make();
    for (let page = 0; page < 8; page++) tlb.fill(page * PAGE_SIZE, page * PAGE_SIZE, Access.Read);
    tlb.flushRange(2 * PAGE_SIZE, 3 * PAGE_SIZE);
    const left = [...Array(8).keys()].filter(
      (page) => hit(buffer, page * PAGE_SIZE, 1, TLB_READ) !== undefined,
    );
    expect(left).toEqual([0, 1, 5, 6, 7]);
  });

  it("flushes all there is, wherever it stands, and again after it has been filled again", () => {
    const { buffer, tlb } = make();
    const pages = [0, 1, 127, 128, TLB_ENTRIES >> 1, TLB_ENTRIES - 1].map((page) => page * PAGE_SIZE);
    for (let round = 0; round < 2; round++) {
      for (const page of pages) tlb.fill(page, page + PAGE_SIZE, Access.Read | Access.Write);
      for (const page of pages) expect(hit(buffer, page, 1, TLB_WRITE)).toBe(page + PAGE_SIZE);
      expect([...tlb.entries()].map(({ page }) => page)).toEqual(pages);
      tlb.flush();
      for (const page of pages) {
        expect(hit(buffer, page, 1, TLB_READ)).toBeUndefined();
        expect(hit(buffer, page, 1, TLB_WRITE)).toBeUndefined();
      }
      expect([...tlb.entries()]).toEqual([]);
    }
  });

  it("takes the right to write from every alias of a page that holds code", () => {
    const { buffer, tlb } = make();
    tlb.fill(0x1000, 0x5000, Access.Read | Access.Write);
    tlb.fill(0x7000, 0x5000, Access.Read | Access.Write);
    tlb.fill(0x8000, 0x6000, Access.Read | Access.Write);
    tlb.protectLinearPage(0x5000);
    expect(hit(buffer, 0x1000, 1, TLB_WRITE)).toBeUndefined();
    expect(hit(buffer, 0x7000, 1, TLB_WRITE)).toBeUndefined();
    expect(hit(buffer, 0x1000, 1, TLB_READ)).toBe(0x5000);
    expect(hit(buffer, 0x8000, 1, TLB_WRITE)).toBe(0x6000);
  });
});
