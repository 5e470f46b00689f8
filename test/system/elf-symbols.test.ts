/** Symbols and lines of real programs, against what binutils say. */

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readElfSymbols } from "../../debug/symbols/elf-symbols.ts";
import { SymbolTable } from "../../debug/symbols/symbol-table.ts";
import { isSystemMap, readSystemMap } from "../../debug/symbols/system-map.ts";
import { REPOSITORY } from "../../scripts/repository.ts";
import { compile, missingCompiler } from "../harness/compiler.ts";
import { describeWith, missingTool } from "../harness/requirements.ts";

const source = join(REPOSITORY, "test/system/programs/debugged.c");

describeWith(
  [missingCompiler("glibc"), missingTool("addr2line", "binutils")],
  "a program compiled with -g",
  () => {
    it.each(["-gdwarf-4", "-gdwarf-5"])("has the lines that addr2line finds, with %s", (flag) => {
      const program = compile(source, "glibc", [flag, "-O1"]);
      const { symbols, lines } = readElfSymbols(readFileSync(program));
      const main = symbols.find(({ name }) => name === "main");
      if (main === undefined || lines === undefined) throw new Error("no main, or no lines");
      const addresses = Array.from({ length: main.size }, (_, index) => main.address + index);
      const text = execFileSync("addr2line", [
        "-e",
        program,
        ...addresses.map((address) => address.toString(16)),
      ]);
      const expected = text
        .toString()
        .trim()
        .split("\n")
        .map((line) => line.replace(/ \(discriminator \d+\)$/, ""));
      const ours = addresses.map((address) => {
        const line = lines.at(address);
        return line === undefined ? "??:0" : `${line.file}:${line.line}`;
      });
      const base = (line: string) => line.replace(/^.*\//, "");
      expect(ours.map(base)).toEqual(expected.map(base));
    });

    it("has the functions that nm finds", () => {
      const program = compile(source, "glibc", ["-gdwarf-5", "-O1"]);
      const table = new SymbolTable();
      table.add(readElfSymbols(readFileSync(program)).symbols);
      const listed = execFileSync("nm", [program])
        .toString()
        .matchAll(/^([0-9a-f]{16}) [Tt] (\S+)$/gm);
      let count = 0;
      for (const [, address, name] of listed) {
        if (table.named(name) === undefined) throw new Error(`${name} is missing`);
        expect(table.at(Number.parseInt(address, 16))?.address).toBe(Number.parseInt(address, 16));
        count++;
      }
      expect(count).toBeGreaterThan(500);
    });

    it("is understood or refused however it is damaged", () => {
      const bytes = readFileSync(compile(source, "glibc", ["-gdwarf-5", "-O1"]));
      let seed = 7;
      for (let turn = 0; turn < 60; turn++) {
        const damaged = new Uint8Array(bytes);
        for (let change = 0; change < 40; change++) {
          seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
          // The headers, or the section headers and names at the end, or anywhere.
          const where = [4096, bytes.length, 8192][change % 3];
          const at = change % 3 === 2 ? bytes.length - (seed % where) - 1 : seed % where;
          damaged[at] = seed >>> 24;
        }
        try {
          readElfSymbols(damaged);
        } catch (error) {
          expect(error).toHaveProperty("name", "ElfCodeError");
        }
      }
    });
  },
);

it("reads System.map and /proc/kallsyms, names and all", () => {
  const text =
    "0000000000000000 A fixed_percpu_data\nffffffff81000000 T startup_64\nffffffff81000123 t local\nffffffffc0000000 t module_call\t[module]\n";
  expect(isSystemMap(text)).toBe(true);
  const table = new SymbolTable();
  table.add(readSystemMap(text));
  expect(table.describe(-0x7f000000)).toBe("startup_64");
  expect(table.describe(-0x7effff00)).toBe("startup_64+0x100");
  expect(table.describe(-0x7efffedd)).toBe("local");
  expect(table.named("module_call")?.address).toBe(-0x40000000);
  expect(table.named("fixed_percpu_data")).toBeUndefined();
});
