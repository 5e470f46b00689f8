/** `npm run fuzz`: compares our engines with the host CPU on generated instructions. */

import { parseArgs } from "node:util";
import { ROWS } from "../../cpu/decoder/rows.ts";
import { createTarget, FUZZ_ENGINES } from "./engines.ts";
import { type Failure, Fuzzer, Pair } from "./fuzzer.ts";
import { Generator } from "./generate.ts";
import { hostVendor } from "./host-cpu.ts";
import {
  decodeCase,
  describeCoverage,
  describeFailure,
  describeSummary,
  describeVendorDifferences,
  neverHit,
  rowName,
} from "./report.ts";
import { NOT_DEFINED, type Selection, selectRows } from "./selection.ts";
import { hostFeatures, Silicon, SiliconUnavailable } from "./silicon.ts";
import type { Target } from "./target.ts";
import { VendorDifferences } from "./vendor-differences.ts";

const USAGE = `usage: npm run fuzz -- [options]
  --cases N         how many cases (100000)
  --seed S          a number; the same seed makes the same cases (the day's date)
  --first N         number of the first case (0)
  --only NAMES      mnemonics and groups, separated by commas: int, x87, mmx, sse, crypto
  --length N        longest sequence; 1: single instructions only (24)
  --engine NAME     one of ${Object.keys(FUZZ_ENGINES).join(", ")}; or all, one after the other (interp)
  --oracle NAME     what they are compared with: silicon, the host CPU; or another engine (silicon)
  --stop-after N    end after N different failures (20)
  --report          print how often each instruction ran, and fail if one never did
  --case TEXT       repeat one case that an earlier run printed`;

/** With fewer cases a row not hit means nothing. */
const CASES_PER_ROW_FOR_COVERAGE = 8;

class UsageError extends Error {}

async function createSubjects(text: string): Promise<Target[]> {
  const names = text === "all" ? Object.keys(FUZZ_ENGINES) : text.split(",");
  const unknown = names.find((name) => !Object.hasOwn(FUZZ_ENGINES, name));
  if (unknown !== undefined) throw new UsageError(`--engine: there is no engine ${unknown}`);
  return Promise.all(names.map(createTarget));
}

function integerOption(name: string, text: string, minimum: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < minimum) {
    throw new UsageError(`--${name} takes a whole number from ${minimum}, not ${text}`);
  }
  return value;
}

type Options = ReturnType<typeof parse>;

function parse() {
  const today = new Date().toISOString().slice(0, 10).replaceAll("-", "");
  try {
    return parseArgs({
      options: {
        cases: { type: "string", default: "100000" },
        seed: { type: "string", default: today },
        first: { type: "string", default: "0" },
        only: { type: "string", default: "" },
        length: { type: "string", default: "24" },
        engine: { type: "string", default: "interp" },
        oracle: { type: "string", default: "silicon" },
        "stop-after": { type: "string", default: "20" },
        report: { type: "boolean", default: false },
        case: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function repeatCase(text: string, oracle: Target, subject: Target): Promise<number> {
  const initial = decodeCase(text);
  const verdict = await new Pair(oracle, subject, differencesOf(oracle)).verdict(initial);
  if (verdict === undefined) {
    console.log(`${oracle.name} and ${subject.name} agree`);
    return 0;
  }
  const failure: Failure = { index: -1, case: initial, ...verdict, instructions: "", kind: "", count: 1 };
  console.log(describeFailure(failure));
  return 1;
}

async function main(): Promise<number> {
  const options = parse();
  if (options.help) {
    console.log(USAGE);
    return 0;
  }
  const only = options.only.split(",").filter((name) => name !== "");
  const selection = selectRows(only, hostFeatures());
  if (selection.rows.length === 0) {
    const reasons = [...selection.skipped.keys()].join("; ");
    throw new UsageError(`--only ${options.only}: nothing to generate (${reasons})`);
  }
  const [oracle] = options.oracle === "silicon" ? [new Silicon()] : await createSubjects(options.oracle);
  try {
    let status = 0;
    for (const subject of await createSubjects(options.engine)) {
      if (options.case !== undefined) status |= await repeatCase(options.case, oracle, subject);
      else status |= await fuzz(oracle, subject, selection, options);
    }
    return status;
  } finally {
    oracle.close();
  }
}

/** The host CPU may be another vendor's; our engines are all the same processor. */
function differencesOf(oracle: Target): VendorDifferences {
  return new VendorDifferences(oracle instanceof Silicon ? hostVendor() : "GenuineIntel");
}

async function fuzz(
  oracle: Target,
  subject: Target,
  selection: Selection,
  options: Options,
): Promise<number> {
  const seed = integerOption("seed", options.seed, 0);
  const length = integerOption("length", options.length, 1);
  const host = differencesOf(oracle);
  const fuzzer = new Fuzzer({
    oracle,
    subject,
    host,
    generator: new Generator({ seed, rows: selection.rows, length, host }),
    cases: integerOption("cases", options.cases, 1),
    first: integerOption("first", options.first, 0),
    stopAfter: integerOption("stop-after", options["stop-after"], 1),
    rowCount: ROWS.length,
    onFailure: (failure) => {
      console.log(
        `\n${failure.instructions}: ${failure.kind}  (${subject.name}, seed ${seed}, case ${failure.index})`,
      );
      console.log(describeFailure(failure));
    },
  });
  const start = performance.now();
  const summary = await fuzzer.run();
  console.log(`\n${subject.name}: ${describeSummary(summary, (performance.now() - start) / 1000)}`);

  for (const line of describeVendorDifferences(host)) console.log(line);
  let complete = true;
  if (options.report) {
    console.log(describeCoverage(summary, selection));
    const missed = neverHit(summary, selection.rows);
    if (missed.length > 0) console.log(`never executed: ${missed.map(rowName).join(", ")}`);
    const undefinedRows = selection.skipped.get(NOT_DEFINED) ?? [];
    const isEnough = summary.cases >= CASES_PER_ROW_FOR_COVERAGE * selection.rows.length;
    complete = !isEnough || (missed.length === 0 && undefinedRows.length === 0);
  }
  return summary.failed === 0 && summary.encodingMismatches.size === 0 && complete ? 0 : 1;
}

main().then(
  (status) => {
    process.exitCode = status;
  },
  (error) => {
    if (error instanceof UsageError || error instanceof RangeError || error instanceof SiliconUnavailable) {
      console.error(`fuzz: ${error.message}`);
      process.exitCode = error instanceof SiliconUnavailable && process.env.CI !== "true" ? 0 : 2;
      return;
    }
    throw error;
  },
);
