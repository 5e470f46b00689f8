import { describe, expect, it } from "vitest";
import { isWanted, parseOptions, UsageError } from "./options.ts";

const GROUPS = ["workloads", "programs"];
const parse = (...parameters: string[]) => parseOptions(parameters, GROUPS);

describe("the benchmark's command line", () => {
  it("asks for everything, five times, by default", () => {
    expect(parse()).toEqual({
      groups: [],
      rounds: 5,
      only: [],
      runners: [],
      isQuick: false,
      isStrict: false,
      isByCpu: false,
    });
  });

  it("names groups, cases and runners", () => {
    const options = parse("programs", "--only", "sort,awk", "--runners=qemu,jit", "--runs", "7", "--strict");
    expect(options.groups).toEqual(["programs"]);
    expect(options.only).toEqual(["sort", "awk"]);
    expect(options.runners).toEqual(["qemu", "jit"]);
    expect(options.rounds).toBe(7);
    expect(options.isStrict).toBe(true);
  });

  it("--quick means one round unless --runs says otherwise", () => {
    expect(parse("--quick").rounds).toBe(1);
    expect(parse("--quick", "--runs", "3").rounds).toBe(3);
  });

  it.each([
    [["boot"], "there are: workloads, programs"],
    [["--runs", "0"], "--runs 0"],
    [["--runs", "2.5"], "--runs 2.5"],
    [["--fast"], "--fast"],
  ])("refuses %j", (parameters, reason) => {
    expect(() => parse(...parameters)).toThrow(reason);
    expect(() => parse(...parameters)).toThrow(UsageError);
  });
});

describe("--only", () => {
  it("wants all if it names none", () => expect(isWanted("sort", [])).toBe(true));

  it("names a case or the words that it begins with", () => {
    expect(isWanted("c_sha256", ["c"])).toBe(true);
    expect(isWanted("c_sha256", ["c_sha256"])).toBe(true);
    expect(isWanted("esbuild acorn", ["esbuild"])).toBe(true);
    expect(isWanted("esbuild acorn", ["es"])).toBe(false);
    expect(isWanted("sort", ["awk", "sort"])).toBe(true);
  });
});
