/** `osv-vm disasm`, against objdump: the same instructions at the same addresses. */

import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { compile, missingCompiler } from "../harness/compiler.ts";
import { OSV_VM } from "../harness/osv-vm.ts";
import { runProcess } from "../harness/process.ts";
import { describeWith, missingTool } from "../harness/requirements.ts";

const SOURCE = `
#include <stdio.h>
double scale(double x, int n) { for (int i = 0; i < n; i++) x = x * 1.5 + i; return x; }
int main(int argc, char **argv) { printf("%f %s\\n", scale(argc, 10), argv[0]); return 0; }
`;

describeWith([missingCompiler("glibc"), missingTool("objdump", "binutils")], "disasm", () => {
  let folder = "";
  let program = "";

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "osv-vm-"));
    writeFileSync(join(folder, "scale.c"), SOURCE);
    program = compile(join(folder, "scale.c"), "glibc");
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const disasm = async (...parameters: string[]) => {
    const outcome = await runProcess([...OSV_VM, "disasm", ...parameters]);
    return { ...outcome, text: outcome.stdout.toString() };
  };
  /** Address and bytes of each instruction. */
  const instructions = (text: string) =>
    [...text.matchAll(/^ *([0-9a-f]+):\t((?:[0-9a-f]{2} )*[0-9a-f]{2}) *\t/gm)].map(
      ([, address, bytes]) => `${address} ${bytes}`,
    );

  it("finds the instructions that objdump finds", async () => {
    const objdump = await runProcess(["objdump", "-d", "-w", "-j", ".text", program]);
    const expected = instructions(objdump.stdout.toString());
    expect(expected.length).toBeGreaterThan(10_000);
    const ours = new Set(instructions((await disasm(program)).text));
    const missing = expected.filter((line) => !ours.has(line));
    expect(missing).toEqual([]);
  });

  it("shows the names of functions, and text in Intel syntax", async () => {
    const { text, status } = await disasm(program);
    expect(status).toBe(0);
    expect(text).toContain("Disassembly of section .text:");
    expect(text).toMatch(/^[0-9a-f]{16} <main>:$/m);
    expect(text).toMatch(/^[0-9a-f]{16} <scale>:\n(.*\n)+?.*\tmulsd xmm0, /m);
  });

  it("keeps to --start and --end", async () => {
    const nm = await runProcess(["nm", program]);
    const start = /^([0-9a-f]+) T scale$/m.exec(nm.stdout.toString())?.[1] ?? "";
    const end = (BigInt(`0x${start}`) + 8n).toString();
    const { text } = await disasm("--start", `0x${start}`, "--end", end, program);
    expect(instructions(text)[0]).toMatch(new RegExp(`^${start.replace(/^0+/, "")} `));
    expect(instructions(text).length).toBeLessThan(9);
  });

  it("of a stripped file without sections shows its segments", async () => {
    const stripped = join(folder, "stripped");
    copyFileSync(program, stripped);
    await runProcess(["strip", stripped]);
    await runProcess(["objcopy", "--strip-section-headers", stripped]);
    const { text, status } = await disasm(stripped);
    expect(status).toBe(0);
    expect(text).toMatch(/Disassembly of section (LOAD|\.text)/);
  });
});
