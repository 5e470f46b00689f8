import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { SYSCALL_NAMES } from "./numbers.ts";
import { SYSCALL_TABLE } from "./table.ts";

const HEADER = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h";

describe("the table of system calls", () => {
  it("has every number once, under Linux' name", () => {
    const numbers = SYSCALL_TABLE.map(({ number }) => number);
    expect(new Set(numbers).size).toBe(numbers.length);
    for (const { number, name } of SYSCALL_TABLE) expect(name).toBe(SYSCALL_NAMES[number]);
    expect(numbers.length).toBe(Object.keys(SYSCALL_NAMES).length);
  });

  it("says what is missing of every partial call, and has a function for every call that is there", () => {
    for (const { name, state, note, call } of SYSCALL_TABLE) {
      if (state === "partial") expect(note, name).toBeTruthy();
      if (state !== "absent") expect(call, name).toBeTypeOf("function");
    }
  });

  it.runIf(existsSync(HEADER))("knows all names of the host's headers", () => {
    const names = [...readFileSync(HEADER, "utf8").matchAll(/#define __NR_(\w+) (\d+)/g)];
    expect(names.length).toBeGreaterThan(300);
    for (const [, name, number] of names) expect(SYSCALL_NAMES[Number(number)]).toBe(name);
  });
});
