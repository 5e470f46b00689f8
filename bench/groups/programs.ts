/** Real programs, cold: what a person waits for. */

import { formatCases } from "../case-table.ts";
import { type Case, compare, ratioOf } from "../comparison.ts";
import type { Bench, GroupReport } from "../group.ts";
import { programRoot } from "../program-root.ts";

const MIB = 2 ** 20;
const QUICK_INPUT = 2 * MIB;
const FULL_INPUT = 20 * MIB;

const ESBUILD = ["--bundle", "--minify", "--platform=node", "--log-level=error"];
const BIOME = ["--colors=off", "--max-diagnostics=none"];

/** Per word of the second column: how often, and the sum of the third. */
const AWK = "{ count[$2]++; sum[$2] += $3 } END { for (word in count) print word, count[word], sum[word] }";

/** Threads find things in any order, and take their time. */
const withoutOrder = (output: string) =>
  output
    .replaceAll(/ in \d+(\.\d+)?(µ|m)?s/g, " in TIME")
    .split("\n")
    .sort()
    .join("\n");

/** A Go program of 10 MB bundles one package and minifies it. */
export function esbuildCase(root: string, name: string, entry: string): Case {
  return {
    name: `esbuild ${name}`,
    program: "/bin/esbuild",
    parameters: [...ESBUILD, `node_modules/${entry}`],
    root,
    cwd: "/work",
  };
}

function programCases(root: string): Case[] {
  const busybox = (name: string, ...parameters: string[]): Case => ({
    name,
    program: "/bin/busybox",
    parameters,
    root,
    cwd: "/work",
  });
  const biome = (name: string): Case => ({
    name: `biome ${name}`,
    program: "/bin/biome",
    parameters: [name, ...BIOME, "."],
    root,
    cwd: "/sources",
    comparable: withoutOrder,
    memory: "1G",
    status: 1, // it finds something
  });
  return [
    esbuildCase(root, "acorn", "acorn/dist/acorn.js"),
    esbuildCase(root, "iced-x86", "iced-x86/iced_x86.js"),
    { ...esbuildCase(root, "typescript", "typescript/lib/typescript.js"), memory: "2G" },
    biome("format"),
    biome("lint"),
    busybox("gzip -9", "gzip", "-9", "-c", "lines"),
    busybox("sha256sum", "sha256sum", "lines"),
    busybox("sort", "sort", "lines"),
    busybox("awk", "awk", AWK, "lines"),
  ];
}

/** The greatest part of QEMU's time that a program may take. */
const MOST = 1.5;

export function programs(bench: Bench): GroupReport {
  const root = programRoot(bench.isQuick ? QUICK_INPUT : FULL_INPUT);
  const results = programCases(root)
    .filter((job) => bench.wants(job.name))
    .map((job) => compare(job, bench.runners, bench.rounds, bench.say));
  return {
    text: formatCases("program", results, bench),
    results,
    criteria: results.map((result) => ({
      issue: 3,
      what: `programs: ${result.name}, jit/qemu`,
      value: ratioOf(result, "jit", "qemu"),
      limit: { most: MOST },
      unit: "×",
    })),
  };
}
