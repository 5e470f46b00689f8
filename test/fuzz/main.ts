/** `npm run fuzz`: compares our engines with the host CPU on generated instructions. */

import { parseArgs } from "node:util";
import { ROWS } from "../../cpu/decoder/rows.ts";
import { buildInterpreter } from "../../cpu/engines/interp/build.ts";
import { InterpreterEngine } from "../../cpu/engines/interp/engine.ts";
import { JitEngine } from "../../cpu/engines/jit/engine.ts";
import { EngineTarget } from "./engine-target.ts";
import { type Failure, Fuzzer, Pair } from "./fuzzer.ts";
import { Generator } from "./generate.ts";
import {
  decodeCase,
  describeCoverage,
  describeFailure,
  describeSummary,
  neverHit,
  rowName,
} from "./report.ts";
import { NOT_DEFINED, selectRows } from "./selection.ts";
import { hostFeatures, Silicon, SiliconUnavailable } from "./silicon.ts";
import type { Target } from "./target.ts";

const USAGE = `usage: npm run fuzz -- [options]
  --cases N         how many cases (100000)
  --seed S          a number; the same seed makes the same cases (the day's date)
  --first N         number of the first case (0)
  --only NAMES      mnemonics and groups, separated by commas: int, x87, mmx, sse, crypto
  --length N        longest sequence; 1: single instructions only (24)
  --engine NAME     interp; jit and jit-first, the two ways in which regions are compiled, with every piece of code
                    compiled the first time it is met
  --stop-after N    end after N different failures (20)
  --report          print how often each instruction ran, and fail if one never did
  --case TEXT       repeat one case that an earlier run printed`;

/** With fewer cases a row not hit means nothing. */
const CASES_PER_ROW_FOR_COVERAGE = 8;

class UsageError extends Error {}

async function createSubject(engine: string): Promise<Target> {
  if (!["interp", "jit", "jit-first"].includes(engine)) throw new UsageError(`--engine: there is no engine ${engine}`);
  const module = new WebAssembly.Module(await buildInterpreter());
  if (engine === "interp") return new EngineTarget((cpu) => new InterpreterEngine(cpu, module));
  const samples = engine === "jit" ? 0 : Number.POSITIVE_INFINITY;
  return new EngineTarget((cpu) => new JitEngine(cpu, module, { warm: 1, hot: 1, batch: 1, samples }));
}

function integerOption(name: string, text: string, minimum: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < minimum) {
    throw new UsageError(`--${name} takes a whole number from ${minimum}, not ${text}`);
  }
  return value;
}

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
  const verdict = await new Pair(oracle, subject).verdict(initial);
  if (verdict === undefined) {
    console.log(`silicon and ${subject.name} agree`);
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
  const seed = integerOption("seed", options.seed, 0);
  const length = integerOption("length", options.length, 1);
  const only = options.only.split(",").filter((name) => name !== "");
  const selection = selectRows(only, hostFeatures());
  if (selection.rows.length === 0) {
    const reasons = [...selection.skipped.keys()].join("; ");
    throw new UsageError(`--only ${options.only}: nothing to generate (${reasons})`);
  }
  const oracle = new Silicon();
  try {
    const subject = await createSubject(options.engine);
    if (options.case !== undefined) return await repeatCase(options.case, oracle, subject);

    const fuzzer = new Fuzzer({
      oracle,
      subject,
      generator: new Generator({ seed, rows: selection.rows, length }),
      cases: integerOption("cases", options.cases, 1),
      first: integerOption("first", options.first, 0),
      stopAfter: integerOption("stop-after", options["stop-after"], 1),
      rowCount: ROWS.length,
      onFailure: (failure) => {
        console.log(`\n${failure.instructions}: ${failure.kind}  (seed ${seed}, case ${failure.index})`);
        console.log(describeFailure(failure));
      },
    });
    const start = performance.now();
    const summary = await fuzzer.run();
    console.log(`\n${describeSummary(summary, (performance.now() - start) / 1000)}`);

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
  } finally {
    oracle.close();
  }
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
