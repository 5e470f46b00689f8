import { SourceMap } from "node:module";
import { runInThisContext } from "node:vm";
import { beforeAll, describe, expect, it } from "vitest";
import { Access, type Translation, type Translator } from "../../../mmu/translator.ts";
import { Cpu } from "../../cpu.ts";
import { Exit } from "../../engine.ts";
import { generateInterpreter } from "../interp/build.ts";
import type { InterpreterCode } from "../interp/parts.ts";
import { JsEngine, type JsOptions } from "./engine.ts";

const RAM = 1 << 20;
const CODE = 0x1_0000;
// mov eax,5; again: add rbx,rax; dec eax; jnz again; int3
const LOOP = [0xb8, 5, 0, 0, 0, 0x48, 0x01, 0xc3, 0xff, 0xc8, 0x75, 0xf9, 0xcc];
const AGAIN = CODE + 5;

const identity: Translator = {
  translate(virtual: number, _access: Access, out: Translation): boolean {
    if (virtual < 4096 || virtual >= RAM) return false;
    out.physicalPage = virtual - (virtual % 4096);
    out.rights = Access.Read | Access.Write | Access.Execute;
    return true;
  },
};

let code: InterpreterCode;
beforeAll(() => {
  code = generateInterpreter();
}, 120_000);

/** Runs the loop. @returns the JavaScript of each block by address, and the engine */
function run(options: Partial<JsOptions> = {}) {
  const host = { timeStampCounter: () => 0, random: () => undefined };
  const cpu = new Cpu({ ramSize: RAM, translator: identity, host });
  cpu.ram.set(LOOP, CODE);
  cpu.rip = CODE;
  const texts = new Map<number, string>();
  const engine = new JsEngine(cpu, code, {
    evaluate: runInThisContext,
    observer: { onCode: ({ regions, content }) => texts.set(regions[0].rip, String(content)) },
    ...options,
  });
  expect(engine.run(100)).toBe(Exit.Exception);
  expect(cpu.gpr(3)).toBe(15);
  return { cpu, engine, texts };
}

describe("the JavaScript engine", () => {
  it("writes code that a person can read", () => {
    const { texts } = run({ disassemble: () => "add rbx, rax" });
    const text = texts.get(AGAIN) ?? "";
    expect(text).toContain("return function block_10005() {");
    expect(text).toContain("//    10005:  48 01 c3                       add rbx, rax\n");
    expect(text).toContain("const sum = rbx + rax;");
    expect(text).toContain("r64[RBX] = rbx = BigInt.asUintN(64, sum);");
    expect(text).toMatch(/return .* \? 0x10005 : 0x1000c;/);
    expect(text).toContain("//# sourceURL=osv-vm:///js/10005.js");
  });

  it("tells the halves of YMM1 from XMM12", () => {
    const host = { timeStampCounter: () => 0, random: () => undefined };
    const cpu = new Cpu({ ramSize: RAM, translator: identity, host });
    cpu.ram.set([0xc5, 0x1c, 0x5f, 0xe9, 0xcc], CODE); // vmaxps ymm13, ymm12, ymm1; int3
    cpu.rip = CODE;
    const engine = new JsEngine(cpu, code, { evaluate: runInThisContext });
    expect(engine.run(100)).toBe(Exit.Exception);
    expect(cpu.rip).toBe(CODE + 5);
  });

  it("has source maps that lead every line of an instruction's code to its line in the listing", () => {
    const text = run({ sourceMaps: true }).texts.get(AGAIN) ?? "";
    const url = /sourceMappingURL=data:[^,]*,(.*)$/.exec(text)?.[1] ?? "";
    const map = JSON.parse(decodeURIComponent(url));
    const listing: string[] = map.sourcesContent[0].trimEnd().split("\n");
    expect(listing.map((line) => Number.parseInt(line, 16))).toEqual([AGAIN, AGAIN + 3, AGAIN + 5]);
    const sourceMap = new SourceMap(map);
    const segments: string[] = map.mappings.split(";");
    let current = "";
    let mapped = 0;
    for (const [index, line] of text.split("\n").entries()) {
      const comment = /^\s*\/\/ (.*[0-9a-f]:.*)$/.exec(line);
      if (comment !== null) [, current] = comment;
      if (segments[index].length === 1) continue;
      const entry = sourceMap.findEntry(index, 0);
      expect("originalLine" in entry && listing[entry.originalLine]).toBe(current);
      mapped++;
    }
    expect(mapped).toBeGreaterThan(15);
  });

  it("stops a debugger at the addresses that it is told, in a block that begins there", () => {
    const { cpu, engine, texts } = run();
    expect([...texts.values()].some((text) => text.includes("debugger;"))).toBe(false);
    engine.stopAt(AGAIN + 3);
    cpu.rip = CODE;
    cpu.setGpr(3, 0);
    engine.run(100);
    expect(cpu.gpr(3)).toBe(15);
    expect(texts.get(AGAIN + 3)).toMatch(/dec|ff c8\s+debugger;/);
    expect(texts.get(AGAIN)).not.toContain("debugger;");
  });

  it("keeps flags that nobody reads", () => {
    const { texts } = run();
    expect(texts.get(AGAIN)?.match(/r64\[FLAG_ZERO\] = /g)?.length).toBe(2);
  });
});
