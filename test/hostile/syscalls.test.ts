/** System calls with arbitrary arguments, on the whole kernel: a result or a signal, in time, and nothing is left behind. */

import { expect, it } from "vitest";
import { SYSCALL_TABLE } from "../../kernel/syscalls/table.ts";
import { fuzz } from "./fuzz.ts";

const CALLS = 100_000;
/** Processor time for all of them, s, on a busy machine; memory, MiB. */
const TIME = 60;
const MEMORY = 700;

/** Calls that have no success, and why. */
const NO_SUCCESS: Readonly<Record<string, string>> = {
  clock_settime: "the clock belongs to the host",
  exit: "does not return",
  exit_group: "does not return",
  fork: "is not possible in one address space",
  pause: "ends with EINTR",
  reboot: "does not return, or is refused",
  rt_sigreturn: "sets all registers",
  rt_sigsuspend: "ends with EINTR",
  settimeofday: "the clock belongs to the host",
};

it(`${CALLS} random system calls do no harm`, async () => {
  const report = await fuzz("syscalls", "--calls", String(CALLS), "--progress");
  expect(report.figure("calls")).toBe(CALLS);
  expect(report.figure("seconds")).toBeLessThan(TIME);
  expect(report.figure("MiB")).toBeLessThan(MEMORY);
  // Every call is made, and nearly every one gets past its checks at least once.
  const implemented = SYSCALL_TABLE.filter(({ call }) => call !== undefined).length;
  const never = report.words("never succeeded").filter((name) => NO_SUCCESS[name] === undefined);
  expect(never.length, never.join(" ")).toBeLessThan(implemented / 20);
});
