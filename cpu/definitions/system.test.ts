import { describe, expect, it } from "vitest";
import { Exit } from "../engine.ts";
import { MODELS } from "../model.ts";
import { Flag, Register, Segment, Vector } from "../state.ts";
import { CODE, FlatMachine } from "./testing/flat-machine.ts";

const { RAX, RCX, RDX, RBX, RSP, R11 } = Register;

/** A machine that has run this. */
function execute(code: string, prepare: (machine: FlatMachine) => void = () => undefined) {
  const machine = new FlatMachine();
  machine.cpu.setGpr(RSP, 0x8000);
  prepare(machine);
  const exit = machine.run(code);
  return { machine, cpu: machine.cpu, exit, exception: machine.exception };
}

const { v2, v3 } = MODELS;

describe("cpuid", () => {
  it("returns the four registers of the model, zero-extended", () => {
    const { cpu } = execute("0f a2", ({ cpu }) => {
      for (const register of [RAX, RBX, RCX, RDX]) cpu.setGpr64(register, 0xffffffff00000000n);
    });
    const expected = v3.cpuid(0, 0);
    expect([RAX, RBX, RCX, RDX].map((register) => cpu.gpr64(register))).toEqual(
      [expected.eax, expected.ebx, expected.ecx, expected.edx].map((value) => BigInt(value >>> 0)),
    );
  });

  it("names the vendor and the brand", () => {
    const text = (leaf: number, ...order: ("eax" | "ebx" | "ecx" | "edx")[]) => {
      const result = v3.cpuid(leaf, 0);
      const words = Int32Array.from(order, (register) => result[register]);
      return new TextDecoder().decode(new Uint8Array(words.buffer)).replaceAll("\0", "");
    };
    expect(text(0, "ebx", "edx", "ecx")).toBe("GenuineIntel");
    const brand = [0x80000002, 0x80000003, 0x80000004].map((leaf) => text(leaf, "eax", "ebx", "ecx", "edx"));
    expect(brand.join("")).toBe("osv-vm x86-64-v3");
  });

  it.each([
    [v2, 0],
    [v3, 1],
  ])("has all of x86-64-v2, and what v3 adds only in model v3", (model, third) => {
    const { ecx, edx } = model.cpuid(1, 0);
    const second = [0, 9, 13, 19, 20, 23]; // SSE3 SSSE3 CMPXCHG16B SSE4.1 SSE4.2 POPCNT
    for (const bit of second) expect((ecx >>> bit) & 1).toBe(1);
    for (const bit of [12, 28, 29]) expect((ecx >>> bit) & 1).toBe(third); // FMA AVX F16C
    for (const bit of [25, 26]) expect((edx >>> bit) & 1).toBe(1); // SSE SSE2
    const extended = model.cpuid(0x80000001, 0).ecx;
    expect(extended & 1).toBe(1); // LAHF
    expect((extended >>> 5) & 1).toBe(third); // LZCNT
    const { ebx } = model.cpuid(7, 0);
    for (const bit of [3, 5, 8]) expect((ebx >>> bit) & 1).toBe(third); // BMI1 AVX2 BMI2
  });

  it("describes the state that XSAVE saves", () => {
    expect(v2.cpuid(0xd, 0)).toEqual({ eax: 3, ebx: 576, ecx: 576, edx: 0 });
    expect(v2.cpuid(0xd, 2)).toEqual({ eax: 0, ebx: 0, ecx: 0, edx: 0 });
    expect(v3.cpuid(0xd, 0)).toEqual({ eax: 7, ebx: 832, ecx: 832, edx: 0 });
    expect(v3.cpuid(0xd, 2)).toEqual({ eax: 256, ebx: 576, ecx: 0, edx: 0 });
  });

  it("answers beyond the last leaf as for the last basic one", () => {
    expect(v3.cpuid(0x40000000, 0)).toEqual(v3.cpuid(0xd, 0));
  });
});

describe("time and chance", () => {
  it("RDTSC splits the counter", () => {
    const { cpu, machine } = execute("0f 31");
    expect(cpu.gpr(RDX) * 2 ** 32 + cpu.gpr(RAX)).toBe(machine.timeStampCounter);
  });

  it("RDTSCP tells the processor number too", () => {
    const { cpu, machine } = execute("0f 01 f9", ({ cpu }) => cpu.setGpr(RCX, -1));
    expect(cpu.gpr(RDX) * 2 ** 32 + cpu.gpr(RAX)).toBe(machine.timeStampCounter);
    expect(cpu.gpr(RCX)).toBe(0);
  });

  it("RDRAND and RDSEED set CF alone", () => {
    for (const code of ["48 0f c7 f0", "48 0f c7 f8"]) {
      const { cpu } = execute(code, ({ cpu }) => {
        cpu.rflags = 0x8d7;
      });
      expect(cpu.gpr64(RAX)).toBe(0xa5a5a5a5a5a5a5a5n);
      expect(cpu.rflags & 0x8d5).toBe(Flag.CF);
    }
  });
});

describe("segment bases", () => {
  it("WRFSBASE and RDFSBASE move the base", () => {
    const { cpu } = execute("f3 48 0f ae d0", ({ cpu }) => cpu.setGpr(RAX, 0x7123456789ab));
    expect(cpu.segmentBase(Segment.FS)).toBe(0x7123456789ab);
    const { cpu: reader } = execute("f3 48 0f ae c8", ({ cpu }) =>
      cpu.setSegmentBase(Segment.GS, 0x7123456789ab),
    );
    expect(reader.gpr(RAX)).toBe(0x7123456789ab);
  });

  it("WRGSBASE refuses addresses that are not canonical", () => {
    const { exit, exception } = execute("f3 48 0f ae d8", ({ cpu }) => cpu.setGpr64(RAX, 1n << 47n));
    expect(exit).toBe(Exit.Exception);
    expect(exception).toEqual({ vector: Vector.GP, error: 0 });
  });

  it("a null selector clears the base", () => {
    const { cpu, exit } = execute("8e e0", ({ cpu }) => cpu.setSegmentBase(Segment.FS, 0x1000)); // mov fs, eax
    expect(exit).toBe(Exit.Budget);
    expect(cpu.segmentBase(Segment.FS)).toBe(0);
  });
});

describe("selectors", () => {
  // Expected values: what these instructions do in a program on Linux.
  it.each([
    ["8c c8", 0x33n], // mov eax, cs
    ["8c d0", 0x2bn], // mov eax, ss
    ["8c d8", 0n], // mov eax, ds
  ])("%s reads Linux's", (code, selector) => {
    expect(execute(code).cpu.gpr64(RAX)).toBe(selector);
  });

  it.each([
    ["LAR", "0f 02 c1", 0x33, 0x00affb00],
    ["LAR", "0f 02 c1", 0x2b, 0x00cff300],
    ["LAR", "0f 02 c1", 0x7b, 0x0040f500],
    ["LAR", "0f 02 c1", 0x10, undefined], // the kernel's
    ["LAR", "0f 02 c1", 0, undefined],
    ["LSL", "0f 03 c1", 0x2b, 0xffffffff],
    ["LSL", "0f 03 c1", 0x43, undefined],
  ])("%s (%s) of %i", (_name, code, selector, expected) => {
    const { cpu } = execute(code, ({ cpu }) => {
      cpu.setGpr64(RAX, 0x1234567812345678n);
      cpu.setGpr(RCX, selector);
    });
    expect(cpu.gpr64(RAX)).toBe(expected === undefined ? 0x1234567812345678n : BigInt(expected));
    expect((cpu.rflags & Flag.ZF) !== 0).toBe(expected !== undefined);
  });

  it.each([
    ["verr", "0f 00 e1", 0x33, true],
    ["verr", "0f 00 e1", 0, false],
    ["verw", "0f 00 e9", 0x33, false],
    ["verw", "0f 00 e9", 0x2b, true],
  ])("%s (%s) of %i", (_name, code, selector, expected) => {
    const { cpu } = execute(code, ({ cpu }) => cpu.setGpr(RCX, selector));
    expect((cpu.rflags & Flag.ZF) !== 0).toBe(expected);
  });

  it("loads only what Linux would", () => {
    const load = (code: string, selector: number) => execute(code, ({ cpu }) => cpu.setGpr(RAX, selector));
    expect(load("8e d8", 0x2b).exit).toBe(Exit.Budget); // mov ds, eax
    expect(load("8e d0", 0x2b).exit).toBe(Exit.Budget); // mov ss, eax
    expect(load("8e d0", 0).exception).toEqual({ vector: Vector.GP, error: 0 });
    expect(load("8e d8", 0x1b).exception).toEqual({ vector: Vector.GP, error: 0x18 });
  });
});

describe("ways into the operating system", () => {
  it("SYSCALL saves RIP and RFLAGS", () => {
    const { cpu, exit } = execute("0f 05", ({ cpu }) => {
      cpu.rflags = 0x2d7;
    });
    expect(exit).toBe(Exit.Syscall);
    expect(cpu.gpr(RCX)).toBe(CODE + 2);
    expect(cpu.rip).toBe(CODE + 2);
    expect(cpu.gpr(R11)).toBe(0x2d7);
  });

  it.each([
    ["INT3", "cc", Vector.BP, 1],
    ["INT 3", "cd 03", Vector.BP, 2],
    ["INT 4", "cd 04", Vector.OF, 2],
    ["INT1", "f1", Vector.DB, 1],
  ])("%s (%s) traps behind itself", (_name, code, vector, length) => {
    const { cpu, exit, exception } = execute(code);
    expect(exit).toBe(Exit.Exception);
    expect(exception).toEqual({ vector, error: 0 });
    expect(cpu.rip).toBe(CODE + length);
  });

  it("INT 80H is a general protection fault that names the gate", () => {
    const { cpu, exception } = execute("cd 80");
    expect(exception).toEqual({ vector: Vector.GP, error: 0x80 * 8 + 2 });
    expect(cpu.rip).toBe(CODE);
  });

  it.each(["0f 0b", "0f b9 c0", "0f ff c0", "0f aa"])("%s is undefined", (code) => {
    expect(execute(code).exception.vector).toBe(Vector.UD);
  });

  it.each([
    ["hlt", "f4"],
    ["cli", "fa"],
    ["in al, dx", "ec"],
    ["rep insb", "f3 6c"],
    ["mov rax, cr0", "0f 20 c0"],
    ["mov dr7, rax", "0f 23 f8"],
    ["wrmsr", "0f 30"],
    ["lgdt [rax]", "0f 01 10"],
    ["sgdt [rax]", "0f 01 00"],
    ["invlpg [rax]", "0f 01 38"],
    ["iretq", "48 cf"],
    ["swapgs", "0f 01 f8"],
    ["xsetbv", "0f 01 d1"],
  ])("%s (%s) is privileged", (_name, code) => {
    const { cpu, exit, exception } = execute(code);
    expect(exit).toBe(Exit.Exception);
    expect(exception).toEqual({ vector: Vector.GP, error: 0 });
    expect(cpu.rip).toBe(CODE);
  });

  it("XGETBV reads XCR0 and has no other register", () => {
    expect(execute("0f 01 d0").cpu.gpr(RAX)).toBe(7);
    expect(execute("0f 01 d0", ({ cpu }) => cpu.setGpr(RCX, 1)).exception.vector).toBe(Vector.GP);
  });
});
