import { describe, expect, it } from "vitest";
import { FlatMemory } from "../fs/testing/guest.ts";
import { ElfError } from "./elf.ts";
import { Auxiliary, buildStack, checkArguments } from "./stack.ts";

const TOP = FlatMemory.BASE + 0x8000;

function build(argv: string[], environment: string[]) {
  const memory = new FlatMemory();
  const stack = buildStack(memory, TOP, {
    path: "/bin/program",
    argv,
    environment,
    random: Uint8Array.from({ length: 16 }, (_, index) => index),
    auxiliary: [
      [Auxiliary.PAGESZ, 4096],
      [Auxiliary.ENTRY, 0x555555554000],
    ],
  });
  return { memory, stack };
}

describe("the initial stack", () => {
  it.each([0, 1, 2, 3])("is aligned to 16 bytes with %d arguments", (count) => {
    const { stack } = build(new Array<string>(count).fill("x"), ["A=1"]);
    expect(stack.pointer % 16).toBe(0);
  });

  it("has the count, the arguments, the environment and the auxiliary vector in order", () => {
    const { memory, stack } = build(["program", "ärger"], ["A=1", "B=2"]);
    let at = stack.pointer;
    const next = (): number => {
      at += 8;
      return memory.readI64(at - 8);
    };
    expect(next()).toBe(2);
    expect(memory.readString(next())).toBe("program");
    expect(memory.readString(next())).toBe("ärger");
    expect(next()).toBe(0);
    expect(memory.readString(next())).toBe("A=1");
    expect(memory.readString(next())).toBe("B=2");
    expect(next()).toBe(0);
    const vector = new Map<number, number>();
    for (;;) {
      const key = next();
      const value = next();
      if (key === Auxiliary.NULL) break;
      vector.set(key, value);
    }
    expect(vector.get(Auxiliary.PAGESZ)).toBe(4096);
    expect(vector.get(Auxiliary.ENTRY)).toBe(0x555555554000);
    expect(memory.readString(vector.get(Auxiliary.EXECFN) ?? 0)).toBe("/bin/program");
    expect(memory.readString(vector.get(Auxiliary.PLATFORM) ?? 0)).toBe("x86_64");
    expect([...memory.read(vector.get(Auxiliary.RANDOM) ?? 0, 16)]).toEqual([...Array(16).keys()]);
    expect(stack.auxiliaryVector).toEqual(
      memory.read(at - stack.auxiliaryVector.length, stack.auxiliaryVector.length),
    );
  });

  it("keeps arguments and environment together at the top, as /proc/self/cmdline needs", () => {
    const { memory, stack } = build(["a", "bc"], ["A=1"]);
    expect(memory.read(stack.argStart, stack.argEnd - stack.argStart)).toEqual(
      new TextEncoder().encode("a\0bc\0"),
    );
    expect(memory.read(stack.environmentStart, stack.environmentEnd - stack.environmentStart)).toEqual(
      new TextEncoder().encode("A=1\0"),
    );
    expect(stack.argEnd).toBe(stack.environmentStart);
  });

  it("is not built from too many or too long arguments", () => {
    expect(() => checkArguments("/x", ["a".repeat(131072)], [])).toThrow(ElfError);
    expect(() => checkArguments("/x", new Array<string>(40).fill("a".repeat(60_000)), [])).toThrow(
      /arguments and environ/,
    );
    expect(() => checkArguments("/x", ["a".repeat(131071)], ["B=2"])).not.toThrow();
  });
});
