import { describe, expect, it } from "vitest";
import { ExpressionError, evaluate, type Names } from "./expression.ts";

const names: Names = {
  register: (name) => (name === "rsp" ? 0x1000n : undefined),
  symbol: (name) => ({ main: 0x401000n, "a.b": 7n, rsp: 1n })[name],
  line: (file, line) => (file === "src/file.c" && line === 12 ? 0x401234n : undefined),
  size: (name) => ({ "a.b": 4, main: 100 })[name],
  load: (address, bytes) =>
    address < 0x2000n ? BigInt.asUintN(8 * bytes, address * 2n + 0x1234567800000000n) : undefined,
};

describe("expressions of the prompt", () => {
  it.each([
    ["0x10 + 2 * 3", 0x16n],
    ["(0x10 + 2) * 3", 0x36n],
    ["main+8", 0x401008n],
    ["$rsp - 8", 0xff8n],
    ["*$rsp", 0x1234567800002000n],
    ["d:*$rsp", 0x2000n],
    ["w:*($rsp + 0x800)", 0x3000n],
    ["*a.b", 14n],
    ["*a.b == 14 && !0", 1n],
    ["-1 < 1", 1n],
    ["1 <= 0 || $rsp >= 0x1001 || 2 != 2", 0n],
    ["1 == 1 & 2 == 2", 1n],
    ["*($rsp + 8) & 0xff", 0x10n],
    ["1 << 4 | 1", 0x11n],
    ["0b101 ^ 1", 4n],
    ["-1", 0xffffffffffffffffn],
    ["~0 >> 60", 15n],
    ["7 % 4 - 1", 2n],
    ["10 - 2 - 3", 5n],
    ["a.b", 7n],
    ["src/file.c:12", 0x401234n],
    ["&main", 0x401000n],
  ])("%s", (text, value) => {
    expect(evaluate(text, names)).toBe(value);
  });

  it.each([
    "",
    "1 +",
    "(1",
    "1)",
    "nobody",
    "$nobody",
    "1 / 0",
    "*0x3000",
    "0x",
    "main main",
    "file.c:1",
    "\0",
    `${"(".repeat(5000)}1`,
  ])("refuses %j with a sentence", (text) => {
    expect(() => evaluate(text, names)).toThrow(ExpressionError);
  });
});
