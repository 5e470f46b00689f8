/** What a person reads when two engines differ (cpu/engines/check): the instruction, its inputs, both outcomes. */

import type { Difference, TraceStep } from "../cpu/engines/check/difference.ts";
import { memoryName } from "../cpu/engines/check/investigate.ts";
import { exitText, registersText } from "../cpu/engines/check/outcome.ts";
import { disassemble, formatInstruction } from "./disassembly.ts";

/** Instructions shown at the end of the stretch. */
const MOST_LINES = 60;

function instructionText({ rip, bytes }: TraceStep): string {
  const [instruction] = disassemble(bytes, BigInt(rip));
  return instruction === undefined ? `${rip.toString(16)}:\t(not readable)` : formatInstruction(instruction);
}

const address = (value: number) => (value < 0 ? `-${(-value).toString(16)}` : value.toString(16));
const bytes = (values: Uint8Array) =>
  Array.from(values, (byte) => byte.toString(16).padStart(2, "0")).join(" ");

/** The report, many lines. */
export function describeDifference(difference: Difference): string {
  const { engines, trace, writers, outcomes } = difference;
  const [one, other] = engines;
  const width = Math.max(one.length, other.length);
  const lines: string[] = [];
  const suspect = suspectOf(difference);
  lines.push(
    `engines ${one} and ${other} differ` +
      (suspect === undefined ? "" : ` at ${instructionText(suspect).trim().replace(/\s+/g, " ")}`),
  );
  lines.push(
    `after ${difference.agreed.toLocaleString("en-US")} instructions in agreement; ` +
      (difference.repeats
        ? `it shows in a run of ${difference.length} from ${address(difference.start)}${regionText(difference)}`
        : `it did not show again when the run of ${difference.length} from ${address(difference.start)} was repeated`),
  );

  const writerText = (name: string) => {
    const writer = writers.get(name);
    return writer === undefined
      ? `(${one} has not changed it)`
      : `set by ${instructionText(trace[writer]).trim()}`;
  };
  for (const { name, values } of difference.items) {
    lines.push(`  ${name}: ${name === "stopped by" ? "" : writerText(name)}`);
    lines.push(`    ${one.padEnd(width)}  ${values[0]}`, `    ${other.padEnd(width)}  ${values[1]}`);
  }
  for (const { virtual, physical, before, after, count } of difference.memory) {
    const name = memoryName(virtual);
    lines.push(`  ${name} (physical ${address(physical)}), ${count} bytes of this page: ${writerText(name)}`);
    lines.push(`    ${"before".padEnd(width)}  ${bytes(before)}`);
    lines.push(
      `    ${one.padEnd(width)}  ${bytes(after[0])}`,
      `    ${other.padEnd(width)}  ${bytes(after[1])}`,
    );
  }
  outcomes.forEach((outcome, index) => {
    if (outcome.crash !== undefined) lines.push(`  ${engines[index]}: ${exitText(outcome)}`);
  });

  if (difference.branches.length > 0) {
    lines.push("jumps on the way:");
    lines.push(`  ${difference.branches.map(([from, to]) => `${address(from)}→${address(to)}`).join(" ")}`);
  }
  if (trace.length > 0) {
    lines.push(`registers before the run${difference.repeats ? "" : " (as far as it was repeated)"}:`);
    lines.push(...columns(registersText(trace[0].context, trace[0].rflags)));
    lines.push(`the run, as ${one} executes it:`);
    const from = Math.max(0, trace.length - MOST_LINES);
    if (from > 0) lines.push(`  … ${from} more`);
    trace.slice(from).forEach((step, index) => {
      const isLast = from + index === trace.length - 1;
      lines.push(`${step === suspect ? ">" : " "} ${instructionText(step)}${isLast ? "   (next)" : ""}`);
    });
  }
  return lines.join("\n");
}

function regionText({ regionInstructions }: Difference): string {
  return regionInstructions === undefined ? "" : `, compiled in regions of at most ${regionInstructions}`;
}

/**
 * The instruction that most likely did it: the first one of the run, as one that begins behind it shows nothing; unless the
 * run had to be as long as a compiled region. Then it is the first of those that set what differs.
 */
function suspectOf({ trace, writers, repeats, regionInstructions }: Difference): TraceStep | undefined {
  if (!repeats || trace.length === 0) return undefined;
  if (regionInstructions !== undefined || trace.length === 2) return trace[0];
  if (writers.size > 0) return trace[Math.min(...writers.values())];
  return trace.at(-2) ?? trace[0];
}

function columns(registers: ReadonlyMap<string, string>): string[] {
  const short = [...registers].filter(([, value]) => value.length <= 32);
  const long = [...registers].filter(([, value]) => value.length > 32);
  const lines: string[] = [];
  for (let index = 0; index < short.length; index += 4) {
    const part = short.slice(index, index + 4).map(([name, value]) => `${name} ${value}`.padEnd(26));
    lines.push(`  ${part.join(" ").trimEnd()}`);
  }
  return [...lines, ...long.map(([name, value]) => `  ${name} ${value}`)];
}
