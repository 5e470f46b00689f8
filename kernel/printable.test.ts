import { describe, expect, it } from "vitest";
import { printable } from "./printable.ts";
import { decodeName } from "./vfs/names.ts";

describe("text for a terminal", () => {
  it.each([
    ["/bin/sh: not found", "/bin/sh: not found"],
    ["häß 日本 🎉", "häß 日本 🎉"],
    ["two\nlines\r\tx", "two\\nlines\\r\\tx"],
    ["\x1b]0;owned\x07", "\\x1b]0;owned\\x07"],
    ["\u009b31m", "\\x9b31m"],
    ["a\u2028b", "a\\u2028b"],
    [decodeName(Uint8Array.of(0x61, 0xff, 0x80)), "a\\xff\\x80"],
    ["\ud800", "\\ud800"],
  ])("%j becomes %j", (text, shown) => expect(printable(text)).toBe(shown));
});
