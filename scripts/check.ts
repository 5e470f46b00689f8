/**
 * `npm test`: everything that must hold before a commit, one step after the other, and at the end a summary. A step that
 * fails does not stop the others. `npm run test:full` has what takes longer, CI runs it too; `npm run test:exhaustive`
 * what takes hours.
 *
 *   node scripts/run-ts.mjs scripts/check.ts [--full | --exhaustive] [STEP…]
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { CACHE, REPOSITORY } from "./repository.ts";

interface Step {
  name: string;
  command: string[];
  /** Tests run by vitest are counted one by one; any other step counts as one. */
  vitest?: true;
  env?: Record<string, string>;
}

const FOLDERS = "mmu,cpu,devices,virtio,zfs,tcpip,kernel,debug,web,cli,bench,test,scripts";

function vitest(name: string, ...parameters: string[]): Step {
  return { name, command: ["vitest", "run", ...parameters], vitest: true };
}

/** Two engines side by side: everything is compiled, and as it is by default. */
const LOCKSTEP_HOT = { OSV_VM_OPTIONS: "--engine check=interp,jit --jit-thresholds 2,4,16,0" };
const LOCKSTEP_FIRST = { OSV_VM_OPTIONS: "--engine check=interp,jit --jit-thresholds 2,4,16,1000000" };
const LOCKSTEP = { OSV_VM_OPTIONS: "--engine check=interp,jit" };
/** Tests whose time limits allow for two engines. */
const LONG_TESTS = ["--testTimeout", "900000"];

const quick: Step[] = [
  { name: "build", command: ["npm", "run", "--silent", "build"] },
  { name: "lint", command: ["biome", "check", "--error-on-warnings"] },
  { name: "types", command: ["tsc", "-p", "tsconfig.json"] },
  { name: "portable", command: ["tsc", "-p", "tsconfig.portable.json"] },
  {
    name: "arrows",
    command: ["depcruise", "--config", ".dependency-cruiser.cjs", `{${FOLDERS}}/**/*.{ts,mjs}`],
  },
  vitest("rules", "--project", "rules"),
  vitest("unit", "--project", "unit"),
  vitest("hostile", "--project", "hostile"),
  vitest("fuzz harness", "--project", "fuzz"),
  vitest("system", "--project", "system"),
  vitest(
    "machines",
    "--project",
    "machines",
    "test/machines/boot.test.ts",
    "test/machines/small-kernels.test.ts",
  ),
  vitest("timing", "--project", "timing"),
  { name: "fuzz", command: ["npm", "run", "--silent", "fuzz", "--", "--cases", "20000", "--seed", "1"] },
  {
    ...vitest("lockstep", "--project", "system", ...LONG_TESTS, "test/system/guests.test.ts"),
    env: LOCKSTEP_HOT,
  },
  {
    name: "fuzz, compiled",
    command: [
      ...["npm", "run", "--silent", "fuzz", "--", "--oracle", "interp", "--engine", "jit,jit-first"],
      ...["--length", "40", "--cases", "2000", "--seed", "1"],
    ],
  },
];

const full: Step[] = [
  vitest("machines, all", "--project", "machines"),
  {
    name: "fuzz, long",
    command: ["npm", "run", "--silent", "fuzz", "--", "--cases", "60000", "--seed", "2"],
  },
];

const exhaustive: Step[] = [
  {
    ...vitest(
      "programs, long",
      "--project",
      "system",
      "test/system/esbuild.test.ts",
      "test/system/biome.test.ts",
    ),
    env: { OSV_TEST_FULL: "1" },
  },
  {
    name: "fuzz, longest",
    command: ["npm", "run", "--silent", "fuzz", "--", "--cases", "500000", "--seed", "3"],
  },
  { ...vitest("lockstep, default", "--project", "system", ...LONG_TESTS), env: LOCKSTEP },
  { ...vitest("lockstep, all compiled", "--project", "system", ...LONG_TESTS), env: LOCKSTEP_HOT },
  { ...vitest("lockstep, first tier", "--project", "system", ...LONG_TESTS), env: LOCKSTEP_FIRST },
  {
    name: "fuzz, all engines, long",
    command: [
      ...["npm", "run", "--silent", "fuzz", "--", "--engine", "all", "--length", "40"],
      ...["--cases", "100000", "--seed", "3"],
    ],
  },
];

interface Result {
  name: string;
  seconds: number;
  passed: number;
  failed: number;
  skipped: number;
}

interface VitestReport {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numFailedTestSuites: number;
}

function run(step: Step): Result {
  const report = join(CACHE, "vitest.json");
  rmSync(report, { force: true });
  const options = [
    ...["--reporter=default", "--reporter=json", `--outputFile.json=${report}`],
    // Left to itself vitest keeps one processor free, which is half of two.
    ...["--maxWorkers", String(availableParallelism())],
  ];
  const [program = "", ...parameters] = step.vitest ? [...step.command, ...options] : step.command;
  console.log(`\n=== ${step.name}: ${step.command.join(" ")}`);
  const started = performance.now();
  const { status, error } = spawnSync(program, parameters, {
    cwd: REPOSITORY,
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      ...process.env,
      ...step.env,
      PATH: `${join(REPOSITORY, "node_modules/.bin")}:${process.env.PATH}`,
    },
  });
  if (error) console.error(`${program}: ${error.message}`);
  const seconds = (performance.now() - started) / 1000;
  const result = { name: step.name, seconds, passed: 0, failed: 0, skipped: 0 };
  if (step.vitest && existsSync(report)) {
    const counts: VitestReport = JSON.parse(readFileSync(report, "utf8"));
    result.passed = counts.numPassedTests;
    result.failed = counts.numFailedTests;
    result.skipped = counts.numPendingTests;
    // A suite that fails before its first test, or a crash, is a failure too.
    if (status !== 0 && result.failed === 0) result.failed = Math.max(1, counts.numFailedTestSuites);
  } else if (status === 0) {
    result.passed = 1;
  } else {
    result.failed = 1;
  }
  return result;
}

const wanted = process.argv.slice(2).filter((text) => !text.startsWith("--"));
const list = process.argv.includes("--full")
  ? full
  : process.argv.includes("--exhaustive")
    ? exhaustive
    : quick;
const steps = list.filter((step) => wanted.length === 0 || wanted.includes(step.name));
mkdirSync(CACHE, { recursive: true });
const results = steps.map(run);
const sum = (key: "seconds" | "passed" | "failed" | "skipped") =>
  results.reduce((total, result) => total + result[key], 0);

console.log("\n=== summary");
for (const { name, seconds, passed, failed, skipped } of results) {
  const verdict = failed > 0 ? `${failed} FAILED` : "ok";
  const count = `${passed} passed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
  console.log(`${name.padEnd(14)} ${seconds.toFixed(1).padStart(7)} s   ${verdict.padEnd(10)} ${count}`);
}
console.log(`${"".padEnd(14)} ${sum("seconds").toFixed(1).padStart(7)} s`);
console.log(`${sum("passed")} passed, ${sum("failed")} failed, ${sum("skipped")} skipped`);
process.exitCode = sum("failed") > 0 || results.length === 0 ? 1 : 0;
