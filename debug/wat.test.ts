import { describe, expect, it } from "vitest";
import { buildInterpreter } from "../cpu/engines/interp/build.ts";
import { ByteWriter } from "../cpu/wasm/byte-writer.ts";
import { ModuleBuilder } from "../cpu/wasm/module-builder.ts";
import { numericOpcode } from "../cpu/wasm/opcodes.ts";
import { printFunctions, tableNames } from "./wat.ts";

describe("the text of WebAssembly", () => {
  it("shows structure, names and numbers", () => {
    const module = new ModuleBuilder();
    const signature = { parameters: ["i32", "i64"], results: ["i32"] } as const;
    const imported = module.importFunction("env", "other", signature);
    module.importMemory(1);
    const code = new ByteWriter();
    code.byte(0x20).u32(0).byte(0x04).byte(0x7f); // local.get 0, if (result i32)
    code.byte(0x20).u32(0).byte(0x42).s64(-0x1000n).byte(0x10).u32(imported); // … i64.const, call
    code.byte(0x05).byte(0x20).u32(0).byte(0x28).byte(0).u32(0x90).byte(0x0b); // else, i32.load, end
    code.byte(0x20).u32(2).bytes(numericOpcode("i32x4.extract_lane").code).byte(3);
    code.bytes(numericOpcode("i32.add").code).byte(0x0b);
    module.addFunction("sum", signature, ["v128", "i64", "i64"], code.toBytes().slice());
    module.addCustomSection("name", module.nameSection());
    const [printed] = printFunctions(module.toBytes());
    expect(printed.name).toBe("sum");
    expect(printed.text.split("\n")).toEqual([
      "(func $sum (param i32 i64) (result i32)",
      "  (local v128)",
      "  (local i64 i64)",
      "  local.get 0",
      "  if (result i32)",
      "    local.get 0",
      "    i64.const -0x1000",
      "    call $env.other",
      "  else",
      "    local.get 0",
      "    i32.load offset=0x90",
      "  end",
      "  local.get 2",
      "  i32x4.extract_lane 3",
      "  i32.add",
      ")",
    ]);
  });

  it("knows every instruction of the interpreter, and which handler is which", () => {
    const parts = buildInterpreter();
    const printed = parts.flatMap((bytes) => printFunctions(bytes));
    const names = tableNames(parts);
    expect(names[0]).toBe("stale");
    // No place between the parts is empty.
    expect(Object.keys(names).length).toBe(names.length);
    expect(printed.length).toBeGreaterThan(names.length / 2);
    // Blocks are closed where they were opened: the last line of every function is at the margin.
    for (const { text } of printed)
      expect(
        text
          .split("\n")
          .slice(1, -1)
          .every((line) => line.startsWith("  ")),
      ).toBe(true);
  });
});
