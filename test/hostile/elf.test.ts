/** Programs that no linker has made: the kernel starts them or refuses them in a sentence, and nothing is left of them. */

import { expect, it } from "vitest";
import { missingCompiler } from "../harness/compiler.ts";
import { describeWith } from "../harness/requirements.ts";
import { fuzz } from "./fuzz.ts";

const FILES = 100_000;
/** Processor time for all of them, s, on a busy machine; memory, MiB. */
const TIME = 80;
const MEMORY = 700;

describeWith([missingCompiler("glibc"), missingCompiler("musl")], "mutated ELF files", () => {
  it(`start or are refused: ${FILES} of them`, async () => {
    const report = await fuzz("elf", "--cases", String(FILES));
    expect(report.figure("files")).toBe(FILES);
    // A test that only ever sees one or the other sees little.
    expect(report.figure("started")).toBeGreaterThan(FILES / 3);
    expect(report.figure("refused")).toBeGreaterThan(FILES / 10);
    expect(report.figure("sentences")).toBeGreaterThan(40);
    expect(report.figure("run")).toBeGreaterThan(FILES / 20);
    expect(report.figure("seconds")).toBeLessThan(TIME);
    expect(report.figure("MiB")).toBeLessThan(MEMORY);
  });
});
