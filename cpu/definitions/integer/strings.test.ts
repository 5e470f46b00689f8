import { describe, expect, it } from "vitest";
import { Exit } from "../../engine.ts";
import { Flag, Register, Vector } from "../../state.ts";
import { CODE, FlatMachine } from "../testing/flat-machine.ts";

const { RAX, RCX, RSI, RDI } = Register;

const MOVS = { 1: "f3 a4", 2: "f3 66 a5", 4: "f3 a5", 8: "f3 48 a5" } as const;
const STOS = { 1: "f3 aa", 2: "f3 66 ab", 4: "f3 ab", 8: "f3 48 ab" } as const;
const SIZES = [1, 2, 4, 8] as const;

const pattern = (length: number) =>
  Uint8Array.from({ length }, (_, index) => (index * 167 + (index >> 8)) & 0xff);

describe("rep movs", () => {
  const machine = new FlatMachine();
  const { cpu } = machine;

  /** Copies as the manual says, one element after the other, and compares. */
  function check(
    size: (typeof SIZES)[number],
    from: number,
    to: number,
    count: number,
    backwards = false,
  ): void {
    const area = 0x10000;
    const length = 0x10000;
    cpu.mmu.write(area, pattern(length));
    const expected = pattern(length);
    const step = backwards ? -size : size;
    for (let done = 0, source = from - area, target = to - area; done < count; done++) {
      expected.copyWithin(target, source, source + size);
      source += step;
      target += step;
    }
    cpu.setGpr(RSI, from);
    cpu.setGpr(RDI, to);
    cpu.setGpr(RCX, count);
    cpu.rflags = backwards ? Flag.DF : 0;
    expect(machine.run(MOVS[size])).toBe(Exit.Budget);
    const found = new Uint8Array(length);
    cpu.mmu.read(area, found);
    expect(Buffer.compare(found, expected)).toBe(0);
    expect([RSI, RDI, RCX].map((register) => cpu.gpr(register))).toEqual([
      from + count * step,
      to + count * step,
      0,
    ]);
  }

  it.each(SIZES)("of %i bytes copies over pages and repeats what it overlaps, in both directions", (size) => {
    const from = 0x12ff3;
    for (const count of [1, 15, 16, 17, 1000]) {
      for (const distance of [-9000, -4096, -8, -3, 0, 1, 3, 4, 5, 7, 8, 9, 13, 64, 4096, 5001, 9000]) {
        check(size, from, from + distance, count);
        check(size, from + 0x4000, from + 0x4000 + distance, count, true);
      }
    }
  });

  it("stops at a fault with the registers in front of the element", () => {
    cpu.rflags = 0;
    cpu.setGpr(RSI, 0x10000);
    cpu.setGpr(RDI, (1 << 20) - 100);
    cpu.setGpr(RCX, 50);
    expect(machine.run(MOVS[4])).toBe(Exit.Exception);
    expect(machine.exception.vector).toBe(Vector.PF);
    expect([RSI, RDI, RCX].map((register) => cpu.gpr(register))).toEqual([0x10000 + 100, 1 << 20, 25]);
    expect(cpu.rip).toBe(CODE);
  });
});

describe("rep stos", () => {
  const machine = new FlatMachine();
  const { cpu } = machine;

  it.each(SIZES)("of %i bytes fills over pages", (size) => {
    for (const value of [0n, 0x8877665544332211n, 0x5500000000n, 0xabababababababaan, 0x7777777777777777n]) {
      const element = new Uint8Array(new BigUint64Array([value]).buffer, 0, size);
      for (const start of [0x13000, 0x13ffd, 0x12345]) {
        for (const count of [0, 1, 15, 20, 2000]) {
          cpu.mmu.write(0x12000, new Uint8Array(0x8000).fill(0xcc));
          const expected = new Uint8Array(0x8000).fill(0xcc);
          for (let done = 0; done < count; done++) expected.set(element, start - 0x12000 + done * size);
          cpu.setGpr64(RAX, value);
          cpu.setGpr(RDI, start);
          cpu.setGpr(RCX, count);
          machine.run(STOS[size]);
          const found = new Uint8Array(0x8000);
          cpu.mmu.read(0x12000, found);
          expect(Buffer.compare(found, expected)).toBe(0);
          expect([cpu.gpr(RDI), cpu.gpr(RCX)]).toEqual([start + count * size, 0]);
        }
      }
    }
  });

  it("sees that it overwrites itself", () => {
    // Its first byte becomes a NOP with the first iteration, so it is another instruction from then on.
    cpu.setGpr(RAX, 0x90);
    cpu.setGpr(RDI, CODE);
    cpu.setGpr(RCX, 100);
    machine.run(STOS[1]);
    expect(cpu.gpr(RCX)).toBe(99);
    expect(cpu.gpr(RDI)).toBe(CODE + 1);
  });
});

describe("rep cmps and scas", () => {
  const machine = new FlatMachine();
  const { cpu } = machine;

  it("leave the flags alone if an element cannot be read", () => {
    cpu.rflags = Flag.ZF | Flag.CF;
    cpu.setGpr(RDI, (1 << 20) - 4);
    cpu.setGpr(RAX, 1);
    cpu.setGpr(RCX, 100);
    expect(machine.run("f2 ae")).toBe(Exit.Exception); // repne scasb
    expect(cpu.rflags & (Flag.ZF | Flag.CF)).toBe(Flag.ZF | Flag.CF);
    expect([cpu.gpr(RDI), cpu.gpr(RCX)]).toEqual([1 << 20, 96]);
  });
});
