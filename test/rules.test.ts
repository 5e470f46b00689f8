/**
 * The rules of docs/ARCHITECTURE.md are enforced by tools, and this proves that the tools catch what they should: a
 * miniature of this repository, with our real configuration files, holds one violation of each kind (and code that
 * keeps the rules, which must not be reported).
 */

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";

const repository = resolve(import.meta.dirname, "..");
const CONFIGURATION = [
  "biome.json",
  ".dependency-cruiser.cjs",
  "tsconfig.json",
  "tsconfig.portable.json",
  "package.json",
  "types",
];
const PORTABLE = ["mmu", "cpu", "devices", "virtio", "zfs", "tcpip", "kernel", "debug"];

/** What the tools printed about the miniature, and whether they failed. */
interface Report {
  lines: string[];
  failed: boolean;
}

/** Writes the files, runs a tool over them, removes them again. */
function check(tool: string, parameters: string[], files: Record<string, string>): Report {
  const miniature = mkdtempSync(join(tmpdir(), "osv-vm-rules-"));
  try {
    for (const name of CONFIGURATION) {
      cpSync(join(repository, name), join(miniature, name), { recursive: true });
    }
    symlinkSync(join(repository, "node_modules"), join(miniature, "node_modules"));
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(miniature, dirname(path)), { recursive: true });
      writeFileSync(join(miniature, path), text);
    }
    const result = spawnSync(join(repository, "node_modules/.bin", tool), parameters, {
      cwd: miniature,
      encoding: "utf8",
    });
    return { lines: (result.stdout + result.stderr).split("\n"), failed: result.status !== 0 };
  } finally {
    rmSync(miniature, { recursive: true, force: true });
  }
}

const folders = (files: Record<string, string>) => [
  ...new Set(Object.keys(files).map((path) => path.split("/")[0] ?? path)),
];
const cruise = (files: Record<string, string>) =>
  check("depcruise", ["--config", ".dependency-cruiser.cjs", ...folders(files)], files);
const lint = (files: Record<string, string>) =>
  check(
    "biome",
    ["lint", "--error-on-warnings", "--reporter=github", "--max-diagnostics=none", ...folders(files)],
    files,
  );
const compilePortable = (files: Record<string, string>) =>
  check("tsc", ["-p", "tsconfig.portable.json"], files);

const value = "export const value = 1;\n";
const uses = (path: string) => `import { value } from "${path}";\nexport const used = value;\n`;
const readsFile = 'import { readFileSync } from "node:fs";\nexport const read = readFileSync;\n';

describe("import arrows", () => {
  const FORBIDDEN = [
    ["mmu", "cpu"],
    ["cpu", "devices"],
    ["cpu", "kernel"],
    ["devices", "kernel"],
    ["virtio", "kernel"],
    ["zfs", "kernel"],
    ["zfs", "mmu"],
    ["tcpip", "devices"],
    ["kernel", "debug"],
    ["kernel", "cli"],
    ["debug", "cli"],
    ["cli", "test"],
  ] as const;
  const ALLOWED = [
    ["cpu", "mmu"],
    ["devices", "cpu"],
    ["kernel", "cpu"],
    ["kernel", "tcpip"],
    ["debug", "kernel"],
    ["cli", "kernel"],
    ["test", "cli"],
  ] as const;
  let report: Report;

  beforeAll(() => {
    const files: Record<string, string> = {};
    for (const [from, to] of [...FORBIDDEN, ...ALLOWED]) {
      files[`${to}/thing.ts`] = value;
      files[`${from}/uses-${to}.ts`] = uses(`../${to}/thing.ts`);
    }
    files["cpu/type.ts"] = "export type Thing = number;\n";
    files["mmu/uses-type.ts"] =
      'import type { Thing } from "../cpu/type.ts";\nexport const used: Thing = 1;\n';
    files["mmu/a.ts"] = 'import { b } from "./b.ts";\nexport const a = () => b;\n';
    files["mmu/b.ts"] = 'import { a } from "./a.ts";\nexport const b = () => a;\n';
    files["zfs/a.ts"] = 'import type { B } from "./b.ts";\nexport interface A { b: B }\n';
    files["zfs/b.ts"] = 'import { type A } from "./a.ts";\nexport interface B { a: A }\n';
    files["mmu/lost.ts"] = uses("./nowhere.ts");
    files["mmu/case.test.ts"] = value;
    files["mmu/uses-case.ts"] = uses("./case.test.ts");
    files["mmu/testing/oracle.ts"] = value;
    files["mmu/uses-oracle.ts"] = uses("./testing/oracle.ts");
    report = cruise(files);
  });

  it.each(FORBIDDEN)("%s must not import %s", (from, to) => {
    expect(report.failed).toBe(true);
    expect(report.lines).toContain(`  error arrows-of-${from}: ${from}/uses-${to}.ts → ${to}/thing.ts`);
  });

  it.each(ALLOWED)("%s may import %s", (from, to) => {
    expect(report.lines.filter((line) => line.includes(`${from}/uses-${to}.ts`))).toEqual([]);
  });

  it("hold for types as well", () => {
    expect(report.lines).toContain("  error arrows-of-mmu: mmu/uses-type.ts → cpu/type.ts");
  });

  it("must not run in a circle, unless of types only", () => {
    const circles = report.lines.filter((line) => line.includes("error no-cycles"));
    expect(circles.join("\n")).toMatch(/mmu\/(a|b)\.ts/);
    expect(circles.join("\n")).not.toContain("zfs");
  });

  it("must lead to a file", () => {
    expect(report.lines).toContain("  error resolvable: mmu/lost.ts → ./nowhere.ts");
  });

  it("must not lead from code to a test", () => {
    expect(report.lines).toContain("  error no-tests-in-code: mmu/uses-case.ts → mmu/case.test.ts");
    expect(report.lines).toContain("  error no-tests-in-code: mmu/uses-oracle.ts → mmu/testing/oracle.ts");
  });

  it("that are all right are not reported", () => {
    const clean = cruise({ "mmu/tlb.ts": value, "cpu/cpu.ts": uses("../mmu/tlb.ts") });
    expect(clean.failed).toBe(false);
  });
});

describe("portable folders", () => {
  const AMBIENT = [
    ["Date.now()", "noRestrictedGlobals"],
    ["new Date()", "noRestrictedGlobals"],
    ["performance.now()", "noRestrictedGlobals"],
    ["setTimeout(() => undefined, 1)", "noRestrictedGlobals"],
    ["setImmediate(() => undefined)", "noRestrictedGlobals"],
    ["crypto.getRandomValues(new Uint8Array(1))", "noRestrictedGlobals"],
    ["process.env.HOME", "noRestrictedGlobals"],
    ['Buffer.from("a")', "noRestrictedGlobals"],
    ["globalThis.Math", "noRestrictedGlobals"],
    ["Math.random()", "noJsRestrictedProperties"],
    ['Math["random"]()', "noJsRestrictedProperties"],
  ] as const;
  let cruised: Report;
  let linted: Report;

  beforeAll(() => {
    const files: Record<string, string> = {};
    for (const folder of [...PORTABLE, "web"]) files[`${folder}/reader.ts`] = readsFile;
    files["kernel/reader.test.ts"] = readsFile;
    files["kernel/testing/reader.ts"] = readsFile;
    files["cli/reader.ts"] = readsFile;
    files["cpu/decode.ts"] = 'import { Decoder } from "iced-x86";\nexport const decoder = Decoder;\n';
    files["debug/disassembly.ts"] = files["cpu/decode.ts"];
    files["kernel/bundle.ts"] = 'import { build } from "esbuild";\nexport const use = build;\n';
    cruised = cruise(files);
    for (const folder of [...PORTABLE, "cli"]) {
      AMBIENT.forEach(([expression], row) => {
        files[`${folder}/ambient${row}.ts`] = `export const f = () => ${expression};\n`;
      });
    }
    linted = lint(files);
  });

  const lintedAt = (file: string) => linted.lines.filter((line) => line.includes(`/${file},line`)).join("\n");

  it.each([...PORTABLE, "web"])("%s must not import a Node module", (folder) => {
    expect(cruised.failed).toBe(true);
    expect(cruised.lines).toContain(`  error no-node-in-portable-folders: ${folder}/reader.ts → fs`);
    expect(lintedAt(`${folder}/reader.ts`)).toContain("noNodejsModules");
  });

  it("may use Node in their tests, as cli/ may everywhere", () => {
    for (const file of ["kernel/reader.test.ts", "kernel/testing/reader.ts", "cli/reader.ts"]) {
      expect(cruised.lines.filter((line) => line.includes(file))).toEqual([]);
      expect(lintedAt(file)).toBe("");
    }
  });

  it("must not import packages, but debug/ may use iced-x86", () => {
    const text = cruised.lines.join("\n");
    expect(text).toContain("error iced-only-in-debug: cpu/decode.ts");
    expect(text).toContain("error no-packages-in-portable-folders: kernel/bundle.ts");
    expect(text).not.toContain("debug/disassembly.ts");
  });

  it.each(AMBIENT.map(([expression, rule], row) => [expression, rule, row] as const))(
    "must not use %s",
    (_expression, rule, row) => {
      expect(linted.failed).toBe(true);
      for (const folder of PORTABLE) expect(lintedAt(`${folder}/ambient${row}.ts`)).toContain(rule);
      expect(lintedAt(`cli/ambient${row}.ts`)).not.toContain(rule);
    },
  );

  it("are compiled without Node's types", () => {
    const compiled = compilePortable({
      "kernel/chance.ts": "export const f = () => setTimeout(() => undefined, 1);\n",
      "kernel/good.ts": 'export const f = () => new TextEncoder().encode("a");\n',
    });
    expect(compiled.failed).toBe(true);
    expect(compiled.lines.join("\n")).toMatch(
      /kernel\/chance\.ts.*error TS2304: Cannot find name 'setTimeout'/,
    );
    expect(compiled.lines.join("\n")).not.toContain("kernel/good.ts");
  });
});

describe("everywhere", () => {
  const VIOLATIONS = [
    ["an explicit any", "export const f = (x: any) => x;\n", "noExplicitAny"],
    ["a non-null assertion", "export const f = (x?: number[]) => x!.length;\n", "noNonNullAssertion"],
    ["@ts-ignore", "// @ts-ignore\nexport const f: number = 1;\n", "noTsIgnore"],
    ["an unused variable", "export const f = () => {\n  const x = 1;\n};\n", "noUnusedVariables"],
    ["an unused import", 'import { t } from "./t.ts";\nexport const f = 1;\n', "noUnusedImports"],
    [
      "a value import of a type",
      'import { T } from "./t.ts";\nexport const f = (x: T) => x;\n',
      "useImportType",
    ],
    ["an import without extension", 'import { t } from "./t";\nexport const f = t;\n', "useImportExtensions"],
    ["a default export", "export default 1;\n", "noDefaultExport"],
    [
      "a promise nobody awaits",
      "async function g() {}\nexport const f = () => {\n  g();\n};\n",
      "noFloatingPromises",
    ],
    [
      "an undeclared package",
      'import { expect } from "chai";\nexport const f = expect;\n',
      "noUndeclaredDependencies",
    ],
  ] as const;
  let linted: Report;

  beforeAll(() => {
    const files: Record<string, string> = { "kernel/t.ts": "export type T = number;\nexport const t = 1;\n" };
    VIOLATIONS.forEach(([, text], row) => {
      files[`kernel/x${row}.ts`] = text;
    });
    linted = lint(files);
  });

  it.each(VIOLATIONS.map(([what, , rule], row) => [what, rule, row] as const))(
    "%s is an error",
    (_what, rule, row) => {
      expect(linted.failed).toBe(true);
      const lines = linted.lines.filter((line) => line.includes(`/kernel/x${row}.ts,line`));
      expect(lines.join("\n")).toContain(rule);
    },
  );

  it("code without violations is not reported", () => {
    expect(lint({ "kernel/t.ts": "export const t = 1;\n" }).failed).toBe(false);
  });
});
