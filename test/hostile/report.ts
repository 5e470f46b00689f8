/** What the fuzzers print: figures that the tests read too. */

import { SYSCALL_TABLE } from "../../kernel/syscalls/table.ts";
import type { ElfSummary } from "./elf-fuzzer.ts";
import type { SyscallSummary } from "./syscall-session.ts";

/** Largest first, on one line. */
function tally(counts: ReadonlyMap<string | number, number>, limit = 12): string {
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  const shown = sorted.slice(0, limit).map(([what, count]) => `${what}: ${count}`);
  return shown.join(", ") + (sorted.length > limit ? ` and ${sorted.length - limit} more` : "");
}

export function describeElf(summary: ElfSummary): string {
  const refused = summary.cases - summary.started;
  return [
    `${summary.cases} files: ${summary.started} started, ${refused} refused with ${summary.sentences.size} sentences`,
    `run: ${summary.run} (${tally(summary.ends)})`,
    `refused with errno ${tally(summary.refusals)}`,
    `slowest: ${Math.round(summary.slowest)} ms`,
  ].join("\n");
}

/** The implemented calls of which none has succeeded. */
export function neverSucceeded(summary: SyscallSummary): string[] {
  return SYSCALL_TABLE.filter(({ call }) => call !== undefined)
    .map(({ name }) => name)
    .filter((name) => (summary.byName.get(name)?.succeeded ?? 0) === 0);
}

export function describeSyscalls(summary: SyscallSummary): string {
  const slow = [...summary.byName].sort(([, a], [, b]) => b.slowest - a.slowest).slice(0, 6);
  const ends = new Map(
    [...summary.ends].map(([status, count]) => {
      if (status < 0) return ["waiting", count];
      return [(status & 0x7f) !== 0 ? `signal ${status & 0x7f}` : `exit ${status >> 8}`, count];
    }),
  );
  return [
    `${summary.calls} calls by ${summary.programs} programs, ${summary.instructions} instructions, ${summary.signals} waits interrupted`,
    `programs ended with ${tally(ends)}`,
    `slowest: ${slow.map(([name, { slowest }]) => `${name} ${slowest.toFixed(1)} ms`).join(", ")}`,
    `not ended by a signal: ${tally(summary.stubborn)}`,
    `never succeeded: ${neverSucceeded(summary).join(" ")}`,
  ].join("\n");
}
