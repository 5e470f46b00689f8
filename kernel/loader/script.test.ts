import { describe, expect, it } from "vitest";
import { parseScript } from "./script.ts";

const parse = (text: string) => parseScript(new TextEncoder().encode(text));

describe('a "#!" line', () => {
  it.each([
    ["#!/bin/sh\necho", "/bin/sh", undefined],
    ["#! /bin/sh -e\n", "/bin/sh", "-e"],
    ["#!/usr/bin/env -S  node  --flag \t\n", "/usr/bin/env", "-S  node  --flag"],
    ["#!/bin/sh", "/bin/sh", undefined],
    ["#!\t/bin/sh\0garbage", "/bin/sh", undefined],
  ])("is understood: %j", (text, interpreter, argument) => {
    expect(parse(text)).toEqual({ interpreter, argument });
  });

  it("needs a name", () => {
    expect(parse("#!\n")).toBe("malformed");
    expect(parse("#!   \n/bin/sh")).toBe("malformed");
  });

  it("needs a name that is not cut off", () => {
    expect(parse(`#!${"/x".repeat(200)}\n`)).toBe("malformed");
    expect(parse(`#!/bin/sh ${"a".repeat(300)}\n`)).toEqual({
      interpreter: "/bin/sh",
      argument: "a".repeat(245),
    });
  });

  it("is not in other files", () => {
    expect(parse("")).toBeUndefined();
    expect(parse("#")).toBeUndefined();
    expect(parse("\x7fELF")).toBeUndefined();
  });
});
