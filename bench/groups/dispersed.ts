/** Code without hot loops: 2,000 functions called in random order, and 50,000 called twice each. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BENCH_CACHE } from "../cache.ts";
import { formatCases } from "../case-table.ts";
import { compare, speedOf } from "../comparison.ts";
import { compileIfOlder, MUSL, makeIfOlder, WORKLOAD_FLAGS } from "../compiler.ts";
import { functionsSource, mainSource } from "../dispersed-source.ts";
import type { Bench, GroupReport } from "../group.ts";

/** Different functions; the second program has them 25 times. */
const FUNCTIONS = 2_000;
const COPIES = 25;
/** About 200 M instructions. */
const CALLS = 4_000_000;
const QUICK_CALLS = 200_000;

const LEAST_SPEED = 60;

function writeIfChanged(file: string, text: string): string {
  if (!existsSync(file) || readFileSync(file, "utf8") !== text) writeFileSync(file, text);
  return file;
}

/**
 * The functions are the same in every copy, at other addresses: gcc would take ten minutes for so many different ones.
 */
function build(copies: number): string {
  const folder = join(BENCH_CACHE, "dispersed");
  mkdirSync(folder, { recursive: true });
  const file = (name: string) => join(folder, name);
  const source = writeIfChanged(file("functions.c"), functionsSource(FUNCTIONS));
  const object = compileIfOlder(MUSL, [...WORKLOAD_FLAGS, "-c"], [source], file("functions.o"));
  const objects = Array.from({ length: copies }, (_, copy) =>
    makeIfOlder(file(`copy${copy}.o`), [object], (target) => [
      "objcopy",
      `--prefix-symbols=copy${copy}_`,
      object,
      target,
    ]),
  );
  const names = objects.flatMap((_, copy) =>
    Array.from({ length: FUNCTIONS }, (_, index) => `copy${copy}_f${index}`),
  );
  const main = writeIfChanged(file(`main${copies}.c`), mainSource(names));
  return compileIfOlder(MUSL, WORKLOAD_FLAGS, [main, ...objects], file(`dispersed${copies}`));
}

export function dispersed(bench: Bench): GroupReport {
  const calls = bench.isQuick ? QUICK_CALLS : CALLS;
  const random = { name: `${FUNCTIONS} at random`, copies: 1, parameters: [String(calls)] };
  const many = FUNCTIONS * COPIES;
  const twice = { name: `${many} twice`, copies: COPIES, parameters: [String(2 * many), "once"] };
  const results = [random, twice]
    .filter(({ name }) => bench.wants(name))
    .map(({ name, copies, parameters }) =>
      compare({ name, program: build(copies), parameters }, bench.runners, bench.rounds, bench.say),
    );
  const judged = results.find(({ name }) => name === random.name);
  return {
    text: formatCases("functions", results, bench),
    results,
    criteria: [
      {
        issue: 3,
        what: `dispersed: ${random.name}, jit`,
        value: judged && speedOf(judged, "jit"),
        limit: { least: LEAST_SPEED },
        unit: "M instr/s",
      },
    ],
  };
}
