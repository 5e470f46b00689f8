import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { disassembleBody, disassembleModule } from "./disassemble.ts";
import { ModuleBuilder, type Signature, type WasmType } from "./module-builder.ts";
import { numericOpcodes } from "./opcodes.ts";

const missing =
  spawnSync("wat2wasm", ["--version"]).status === 0
    ? undefined
    : "no wat2wasm here (Debian: apt-get install wabt)";
if (missing !== undefined && process.env.CI === "true") throw new Error(missing);
if (missing !== undefined) console.log(`skipped: ${missing}`);

const NOTHING: Signature = { parameters: [], results: [] };

/** Pushes a constant of a type that exercises its notation. */
function push(code: ByteWriter, type: WasmType, round: number): void {
  const integers = [0n, -1n, 0x7fffffffn, -0x80000000n];
  const floats = [0, -0, 0.1, -1e300, Infinity, -Infinity, Number.NaN];
  switch (type) {
    case "i32":
      code.byte(0x41).s32(Number(integers[round % 4]));
      break;
    case "i64":
      code.byte(0x42).s64(round % 5 === 4 ? 1n << 63n : integers[round % 5]);
      break;
    case "f32":
      code.byte(0x43).f32(Math.fround(floats[round % 7]));
      break;
    case "f64":
      code.byte(0x44).f64(floats[round % 7]);
      break;
    case "v128":
      code.bytes([0xfd, 0x0c]).bytes(Uint8Array.from({ length: 16 }, (_, byte) => 17 * byte + round));
  }
}

/** A module with every numeric instruction, every access, and control in all its forms. */
function everything(): Uint8Array {
  const module = new ModuleBuilder();
  const pair = module.importFunction("env", "two words", { parameters: ["i32", "i64"], results: ["i32"] });
  const code = new ByteWriter();
  let round = 0;
  for (const [, { code: opcode, operands, lanes }] of numericOpcodes()) {
    for (const type of operands) push(code, type, round++);
    code.bytes(opcode);
    if (lanes !== undefined) code.byte(round % lanes);
    code.byte(0x1a);
  }
  // i32.load … i64.load32_u, i32.store … i64.store32, v128.load, v128.store.
  for (let opcode = 0x28; opcode <= 0x35; opcode++)
    code.byte(0x41).s32(8).bytes([opcode, 0]).u32(opcode).byte(0x1a);
  const stored: WasmType[] = ["i32", "i64", "f32", "f64", "i32", "i32", "i64", "i64", "i64"];
  stored.forEach((type, index) => {
    code.byte(0x41).s32(8);
    push(code, type, round++);
    code.bytes([0x36 + index, 0]).u32(index * 1000);
  });
  code.byte(0x41).s32(0).byte(0x41).s32(0).bytes([0xfd, 0, 4, 0]).bytes([0xfd, 11, 0, 1]);
  // block, loop, if with results, br_table, select, calls.
  code.bytes([0x02, 0x40, 0x03, 0x40, 0x41, 1, 0x0d, 1, 0x41, 2, 0x0e, 1, 0, 1, 0x0b, 0x0b]);
  code.bytes([0x41, 1, 0x04, 0x7f, 0x41, 2, 0x05, 0x41, 3, 0x0b, 0x41, 4, 0x41, 5, 0x1b, 0x1a]);
  code.bytes([0x20, 0, 0x22, 0, 0x42, 7, 0x10, pair, 0x1a, 0x20, 1, 0x21, 1, 0x0f, 0x0b]);
  const everyOne = module.addFunction("every one", NOTHING, ["i32", "v128", "v128"], code.toBytes());
  const jump = new ByteWriter().bytes([0x41, 0, 0x13, module.type(NOTHING), 0, 0x0b]);
  module.exportFunction("jump", module.addFunction("jump", NOTHING, [], jump.toBytes()));
  module.defineTable(4);
  module.fillTable(0, [everyOne]);
  module.addCustomSection("name", module.nameSection());
  return module.toBytes();
}

/** The sections of a module but for custom ones. */
function sections(bytes: Uint8Array): Map<number, string> {
  const reader = new ByteReader(bytes);
  reader.bytes(8);
  const found = new Map<number, string>();
  while (!reader.atEnd) {
    const id = reader.byte();
    const content = reader.bytes(reader.u32());
    if (id !== 0) found.set(id, Buffer.from(content).toString("hex"));
  }
  return found;
}

describe("the WebAssembly disassembler", () => {
  it.skipIf(missing !== undefined)("prints text of which an assembler makes the same module", () => {
    const folder = mkdtempSync(join(tmpdir(), "osv-vm-wat-"));
    try {
      const module = everything();
      expect(WebAssembly.validate(module as Uint8Array<ArrayBuffer>)).toBe(true);
      writeFileSync(join(folder, "m.wat"), disassembleModule(module, { alignment: true }));
      execFileSync("wat2wasm", ["--enable-all", join(folder, "m.wat"), "-o", join(folder, "m.wasm")]);
      expect(sections(readFileSync(join(folder, "m.wasm")))).toEqual(sections(module));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("puts a statement on a line, indents blocks and uses names", () => {
    const code = [0x20, 0, 0x29, 0, 8, 0x42, 1, 0x7c, 0x21, 1, 0x02, 0x40, 0x20, 2, 0x0d, 0, 0x0b, 0x0b];
    const names = {
      local: (index: number) => ["state", "rax"][index],
      offset: (offset: number) => (offset === 8 ? "rip" : undefined),
    };
    expect(disassembleBody(Uint8Array.from(code), { names })).toEqual([
      "local.get $state i64.load offset=8 (;rip;) i64.const 1 i64.add local.set $rax",
      "block $1",
      "  local.get 2 br_if $1",
      "end",
    ]);
  });
});
