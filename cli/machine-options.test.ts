import { Command, CommanderError } from "commander";
import { describe, expect, it } from "vitest";
import { DEFAULT_OPTIONS } from "./default-options.ts";
import { addMachineOptions, type MachineOptions, parseSize } from "./machine-options.ts";

function parse(...parameters: string[]): MachineOptions {
  const command = addMachineOptions(new Command())
    .exitOverride()
    .configureOutput({ outputError: () => undefined });
  return command.parse(parameters, { from: "user" }).opts();
}

describe("parseSize", () => {
  it.each([
    ["4096", 4096],
    ["64K", 65536],
    ["512M", 512 * 2 ** 20],
    ["2G", 2 ** 31],
    ["2g", 2 ** 31],
    ["1.5GiB", 1.5 * 2 ** 30],
    ["1MB", 2 ** 20],
  ])("reads %s", (text, bytes) => expect(parseSize(text)).toBe(bytes));

  it.each(["", "M", "-1M", "1X", "1 M", "0x10", "1e3", "9999999999999999T"])("refuses %j", (text) => {
    expect(() => parseSize(text)).toThrow("512M");
  });
});

describe("machine options", () => {
  it("are the default options where nothing is given", () => {
    // What is there to choose later changes nothing now.
    const { cpus, net, ...options } = parse() as MachineOptions & { cpus: number; net: string };
    expect([cpus, net]).toEqual([1, "none"]);
    expect(options).toEqual(DEFAULT_OPTIONS);
  });

  it("have defaults", () => {
    expect(parse()).toMatchObject({ ro: false, env: [], memory: 512 * 2 ** 20, trace: [] });
    expect(parse().engine.engines).toHaveLength(1);
  });

  it("repeat --env and --trace", () => {
    const options = parse("--env", "A=1", "--env=B=x=y", "--trace", "syscalls", "--trace=syscalls");
    expect(options.env).toEqual(["A=1", "B=x=y"]);
    expect(options.trace).toEqual(["syscalls", "syscalls"]);
  });

  it("choose an engine, or two in lockstep", () => {
    expect(parse("--engine", "jit").engine).toEqual({ engines: ["jit"] });
    expect(parse("--engine", "check=jit,interp").engine).toEqual({ engines: ["jit", "interp"] });
    expect(parse("--jit-thresholds", "1,2,3,4").jitThresholds).toEqual({
      warm: 1,
      hot: 2,
      batch: 3,
      samples: 4,
      free: Number.POSITIVE_INFINITY,
    });
  });

  it("give memory in whole pages", () => expect(parse("--memory", "5000000").memory).toBe(4_997_120));

  it.each([
    [["--engine", "native"], "not available in this version"],
    [["--engine", "check=jit"], "two in lockstep"],
    [["--engine", "check=jit,qemu"], "two in lockstep"],
    [["--jit-thresholds", "0,1,1,1"], "compiles all"],
    [["--cpus", "2"], "one processor"],
    [["--net", "user"], "no network"],
    [["--forward", "tcp:1:2"], "not available in this version"],
    [["--memory", "1M"], "from 4M"],
  ])("%j is refused with a reason", (parameters, reason) => {
    expect(() => parse(...parameters)).toThrow(reason);
    expect(() => parse(...parameters)).toThrow(CommanderError);
  });
});
