import { describe, expect, it } from "vitest";
import { createPagingState, PageTableWalker } from "./page-table-walker.ts";
import { TlbAttribute } from "./tlb.ts";
import { Access, PageFaultBit, type Translation } from "./translator.ts";

const RAM = 1 << 20;
const { Read, Write, Execute } = Access;
const { Present, User, Reserved, Instruction } = PageFaultBit;
/** Entry bits: SDM vol. 3, table 4-19. */
const P = 1n;
const RW = 2n;
const US = 4n;
const A = 0x20n;
const D = 0x40n;
const PS = 0x80n;
const G = 0x100n;
const XD = 1n << 63n;

/** Tables at 1000H (PML4), 2000H, 3000H and 4000H; the entry under test maps virtual 0. */
class Tables {
  readonly ram = new Uint8Array(RAM);
  readonly view = new DataView(this.ram.buffer);
  readonly state = createPagingState();
  readonly walker = new PageTableWalker(this.ram, this.state);
  readonly out: Translation = { physicalPage: 0, rights: 0, errorCode: 0, attributes: 0 };

  constructor(pte: bigint, upper = P | RW | US) {
    this.state.mode = "4-level";
    this.state.root = 0x1000;
    this.state.writeProtect = true;
    this.state.noExecute = true;
    this.state.globalPages = true;
    for (const table of [1n, 2n, 3n]) this.set(Number(table) * 0x1000, ((table + 1n) << 12n) | upper);
    this.set(0x4000, pte);
  }

  set(address: number, entry: bigint): void {
    this.view.setBigUint64(address, entry, true);
  }

  entry(address: number): bigint {
    return this.view.getBigUint64(address, true);
  }

  /** The error code, or the rights of the page. */
  walk(access: Access, virtual = 0): { error: number } | { rights: number } {
    return this.walker.translate(virtual, access, this.out)
      ? { rights: this.out.rights }
      : { error: this.out.errorCode };
  }
}

describe("page-table walks", () => {
  it("that only look ahead set no flag, and refuse where one would have to be set", () => {
    const leaf = 0x10_0000n | P | US;
    const fresh = new Tables(leaf);
    const { out } = fresh;
    expect(fresh.walker.peek(0, Execute, out)).toBe(false);
    expect([0x1000, 0x2000, 0x3000, 0x4000].map((at) => fresh.entry(at) & A)).toEqual([0n, 0n, 0n, 0n]);
    expect(fresh.walk(Execute)).toEqual({ rights: Read | Execute });
    expect(fresh.walker.peek(0, Execute, out)).toBe(true);
    expect(out.physicalPage).toBe(0x10_0000);
    const forbidden = new Tables(leaf | A | XD, P | US | A);
    expect(forbidden.walker.peek(0, Execute, out)).toBe(false);
    expect(forbidden.walker.peek(0, Read, out)).toBe(true);
  });

  it("say that a reserved bit is set in a page that is present", () => {
    for (const bit of [39n, 45n, 51n]) {
      expect(new Tables((1n << bit) | P | RW).walk(Read)).toEqual({ error: Present | Reserved });
    }
    // Bits 52 to 62 are the operating system's.
    expect(new Tables((0x7ffn << 52n) | P | RW).walk(Read)).toEqual({ rights: Read | Execute });
  });

  it("refuse the no-execute bit as reserved where it does not exist", () => {
    const tables = new Tables(XD | P | RW);
    expect(tables.walk(Execute)).toEqual({ error: Present | Instruction });
    tables.state.noExecute = false;
    expect(tables.walk(Read)).toEqual({ error: Present | Reserved });
  });

  it("refuse large pages in the top level, and misaligned ones", () => {
    const top = new Tables(P);
    top.set(0x1000, 0x2000n | P | PS);
    expect(top.walk(Read)).toEqual({ error: Present | Reserved });
    const large = new Tables(P);
    large.set(0x3000, 0x2000n | P | PS);
    expect(large.walk(Read)).toEqual({ error: Present | Reserved });
    const huge = new Tables(P);
    huge.set(0x2000, 0x200000n | P | PS);
    expect(huge.walk(Read)).toEqual({ error: Present | Reserved });
  });

  it("map large pages piece by piece", () => {
    const tables = new Tables(P);
    tables.set(0x3000, (0x1234n << 21n) | P | RW | PS | G);
    expect(tables.walk(Write, 0x12_3456)).toEqual({ rights: Read | Write | Execute });
    expect(tables.out.physicalPage).toBe(0x1234 * 0x200000 + 0x12_3000);
    expect(tables.out.attributes).toBe(TlbAttribute.Large | TlbAttribute.Global);
    const huge = new Tables(P);
    huge.set(0x2000, (5n << 30n) | P | RW | PS);
    expect(huge.walk(Read, 0x1234_5678)).toEqual({ rights: Read | Execute });
    expect(huge.out.physicalPage).toBe(5 * 2 ** 30 + 0x1234_5000);
  });

  it("set accessed on the way and dirty for writes, and nothing when they fail", () => {
    const tables = new Tables(0x5000n | P | RW);
    tables.state.user = true;
    expect(tables.walk(Read)).toEqual({ error: Present | User });
    expect([0x1000, 0x2000, 0x3000, 0x4000].some((at) => (tables.entry(at) & (A | D)) !== 0n)).toBe(false);
    tables.state.user = false;
    // The right to write is not given before the page is dirty.
    expect(tables.walk(Read)).toEqual({ rights: Read | Execute });
    expect([0x1000, 0x2000, 0x3000, 0x4000].map((at) => tables.entry(at) & (A | D))).toEqual([A, A, A, A]);
    expect(tables.walk(Write)).toEqual({ rights: Read | Write | Execute });
    expect([0x3000, 0x4000].map((at) => tables.entry(at) & (A | D))).toEqual([A, A | D]);
  });

  it("take the rights of all levels together", () => {
    const user = new Tables(0x5000n | P | RW | US, P | RW);
    user.state.user = true;
    expect(user.walk(Read)).toEqual({ error: Present | User });
    const readOnly = new Tables(0x5000n | P | RW | US, P | US);
    expect(readOnly.walk(Write)).toEqual({ error: Present | PageFaultBit.Write });
    readOnly.state.writeProtect = false;
    expect(readOnly.walk(Write)).toEqual({ rights: Read | Write | Execute });
  });

  it("let the supervisor use user pages as SMEP, SMAP and EFLAGS.AC say", () => {
    const tables = new Tables(0x5000n | P | RW | US | D);
    tables.state.smep = true;
    expect(tables.walk(Read)).toEqual({ rights: Read | Write });
    expect(tables.walk(Execute)).toEqual({ error: Present | Instruction });
    tables.state.smap = true;
    expect(tables.walk(Read)).toEqual({ error: Present });
    tables.state.alignmentCheckFlag = () => true;
    expect(tables.walk(Read)).toEqual({ rights: Read | Write });
    // The processor's own accesses do not look at AC.
    expect(tables.walker.translateImplicit(0, Read, tables.out)).toBe(false);
  });

  it("find nothing in tables outside of RAM", () => {
    const tables = new Tables(P);
    tables.set(0x1000, (1n << 38n) | P | RW);
    expect(tables.walk(Read)).toEqual({ error: 0 });
  });

  it("translate the upper half", () => {
    const tables = new Tables(0x7000n | P | RW);
    tables.set(0x1000 + 511 * 8, 0x2000n | P | RW);
    tables.set(0x2000 + 510 * 8, 0x3000n | P | RW);
    expect(tables.walk(Read, -0x80000000)).toEqual({ rights: Read | Execute });
    expect(tables.out.physicalPage).toBe(0x7000);
  });
});
