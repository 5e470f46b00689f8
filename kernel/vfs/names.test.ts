import { describe, expect, it } from "vitest";
import { random } from "../fs/testing/scenario.ts";
import { decodeName, encodeName, nameLength } from "./names.ts";

describe("names", () => {
  it("are the text that UTF-8 stands for", () => {
    for (const text of [
      "",
      "plain",
      "naïve",
      "日本語",
      "🙂",
      "mixed ä 日 🙂 end",
      "\u{10ffff}",
      "\ufeffbom",
    ]) {
      const bytes = new TextEncoder().encode(text);
      expect(decodeName(bytes)).toBe(text);
      expect(encodeName(text)).toEqual(bytes);
      expect(nameLength(text)).toBe(bytes.length);
    }
  });

  it("keep bytes that are not UTF-8, as Python's surrogateescape does", () => {
    const name = decodeName(Uint8Array.of(0x61, 0xff, 0xc3, 0x28, 0xe2, 0x82));
    expect(name).toBe("a\udcff\udcc3(\udce2\udc82");
    expect([...encodeName(name)]).toEqual([0x61, 0xff, 0xc3, 0x28, 0xe2, 0x82]);
  });

  it("do not take surrogates, overlong forms and numbers beyond Unicode for UTF-8", () => {
    for (const bytes of [
      [0xed, 0xa0, 0x80],
      [0xc0, 0xaf],
      [0xe0, 0x80, 0xaf],
      [0xf4, 0x90, 0x80, 0x80],
      [0xf5, 0x80, 0x80, 0x80],
    ]) {
      const name = decodeName(Uint8Array.from(bytes));
      expect(name).toHaveLength(bytes.length);
      expect([...encodeName(name)]).toEqual(bytes);
    }
  });

  it("survive the way in and out, whatever the bytes", () => {
    const below = random(7);
    for (let round = 0; round < 20_000; round++) {
      const pool = below(2) === 0 ? [0x41, 0x80, 0xbf, 0xc3, 0xe2, 0xed, 0xf0, 0x9f, 0x99, 0x82] : undefined;
      const bytes = Uint8Array.from({ length: below(12) }, () => pool?.[below(pool.length)] ?? below(256));
      const name = decodeName(bytes);
      expect(encodeName(name)).toEqual(bytes);
      expect(nameLength(name)).toBe(bytes.length);
    }
  });

  it("are decoded the same when they are long", () => {
    const bytes = new Uint8Array(1000).fill(0x61);
    expect(decodeName(bytes)).toBe("a".repeat(1000));
    bytes[700] = 0xff;
    expect(encodeName(decodeName(bytes))).toEqual(bytes);
    expect(decodeName(bytes, 10, 20)).toBe("a".repeat(10));
  });
});
