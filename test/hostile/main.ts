/** Fuzzes the kernel with programs and system calls that mean harm; the tests of this folder run it too. */

import { parseArgs } from "node:util";
import { ElfFuzzer } from "./elf-fuzzer.ts";
import { HostileFailure, REPEAT } from "./hostile-failure.ts";
import { describeElf, describeSyscalls } from "./report.ts";
import { CALLS_PER_SESSION, fuzzSyscalls } from "./syscall-fuzzer.ts";

const USAGE = `usage: ${REPEAT} elf|syscalls [options]
  --seed S      a number; the same seed makes the same cases (1)
  --first N     number of the first ELF file, or of the first session of ${CALLS_PER_SESSION} system calls (0)
  --cases N     elf: how many files (100000)
  --calls N     syscalls: how many calls (100000)
  --trace       syscalls: print each call before it is made, and with its result
  --progress    name each session on standard error as it begins`;

class UsageError extends Error {}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        seed: { type: "string", default: "1" },
        first: { type: "string", default: "0" },
        cases: { type: "string", default: "100000" },
        calls: { type: "string", default: "100000" },
        trace: { type: "boolean", default: false },
        progress: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new UsageError(`--${name} takes a whole number, not ${text}`);
  return value;
}

async function main(): Promise<void> {
  const { values, positionals } = parse();
  if (values.help) {
    console.log(USAGE);
    return;
  }
  const seed = wholeNumber("seed", values.seed);
  const first = wholeNumber("first", values.first);
  const [what] = positionals;
  if (what === "elf") {
    const summary = await new ElfFuzzer(seed).run(first, wholeNumber("cases", values.cases));
    console.log(describeElf(summary));
  } else if (what === "syscalls") {
    const summary = await fuzzSyscalls({
      seed,
      first,
      calls: wholeNumber("calls", values.calls),
      ...(values.trace && { trace: (line: string) => process.stdout.write(`${line}\n`) }),
      ...(values.progress && {
        onSession: (session: number) => process.stderr.write(`session ${session}\n`),
      }),
    });
    console.log(describeSyscalls(summary));
  } else {
    throw new UsageError(what === undefined ? "what shall be fuzzed?" : `${what} cannot be fuzzed`);
  }
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const seconds = ((userCPUTime + systemCPUTime) / 1e6).toFixed(1);
  console.log(`seed ${seed}, ${seconds} seconds of processor time, at most ${Math.round(maxRSS / 1024)} MiB`);
}

try {
  await main();
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`${error.message}\n${USAGE}`);
    process.exitCode = 2;
  } else {
    console.error(error instanceof HostileFailure ? error.message : error);
    process.exitCode = 1;
  }
}
