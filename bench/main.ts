/**
 * `npm run bench`: how fast osv-vm is, beside the host itself and QEMU user mode. Prints tables and what of the issues'
 * criteria is met; writes everything to .cache/bench/results.json. docs/benchmarks.md tells about the method.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { BENCH_CACHE } from "./cache.ts";
import { type Criterion, formatCriteria, judge } from "./criteria.ts";
import type { Bench, Group } from "./group.ts";
import { boot } from "./groups/boot.ts";
import { dispersed } from "./groups/dispersed.ts";
import { memory } from "./groups/memory.ts";
import { programs } from "./groups/programs.ts";
import { system } from "./groups/system.ts";
import { workloads } from "./groups/workloads.ts";
import { isWanted, type Options, parseOptions, USAGE, UsageError } from "./options.ts";
import { findRunners } from "./runners.ts";

const GROUPS: Record<string, Group> = { workloads, programs, dispersed, system, memory, boot };

/** Above this, something else is running. */
const QUIET_LOAD = 0.5;

function describeMachine() {
  return {
    processor: cpus()[0]?.model,
    processors: cpus().length,
    memory: totalmem(),
    load: loadavg()[0],
    node: process.version,
  };
}

/** @returns the exit status */
async function bench(options: Options): Promise<number> {
  const setting: Bench = {
    runners: findRunners(options.runners),
    rounds: options.rounds,
    isQuick: options.isQuick,
    quantity: options.isByCpu ? "cpuMilliseconds" : "milliseconds",
    wants: (name) => isWanted(name, options.only),
    say: (text) => process.stderr.write(text),
  };
  const machine = describeMachine();
  if (machine.load > QUIET_LOAD) {
    console.log(`load average ${machine.load.toFixed(1)}: other work on this machine disturbs the numbers`);
  }
  const groups: Record<string, unknown> = {};
  const criteria: Criterion[] = [];
  for (const [name, group] of Object.entries(GROUPS)) {
    if (options.groups.length > 0 && !options.groups.includes(name)) continue;
    setting.say(`${name}: `);
    try {
      const report = await group(setting);
      setting.say("\n");
      console.log(`\n${report.text}`);
      groups[name] = report.results;
      criteria.push(...report.criteria);
    } catch (error) {
      // The others can be measured all the same.
      const reason = error instanceof Error ? error.message : String(error);
      console.log(`\n${name}: cannot be measured: ${reason}`);
      groups[name] = { error: reason };
    }
  }
  if (options.isQuick) console.log("\n--quick: small versions, in which starting up outweighs everything");
  console.log(`\n${formatCriteria(criteria)}`);
  const { rounds, isQuick } = options;
  const results = { date: new Date().toISOString(), machine, rounds, isQuick, groups, criteria };
  const file = join(BENCH_CACHE, "results.json");
  mkdirSync(BENCH_CACHE, { recursive: true });
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
  console.log(`\nwritten to ${file}`);
  const isMissed = criteria.some((criterion) => judge(criterion) === "MISSED");
  return options.isStrict && isMissed ? 1 : 0;
}

try {
  process.exitCode = await bench(parseOptions(process.argv.slice(2), Object.keys(GROUPS)));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`bench: ${error.message}\n\n${USAGE}`);
  process.exitCode = 125;
}
