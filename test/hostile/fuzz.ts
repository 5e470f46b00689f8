/** Runs main.ts in a process of its own: a kernel that hangs must not take the tests with it. */

import { expect } from "vitest";
import { REPOSITORY } from "../../scripts/repository.ts";
import { runProcess } from "../harness/process.ts";

/** Far more than it needs, ms. */
const PATIENCE = 110_000;

export interface FuzzReport {
  /** "12 sentences" or "slowest: 12" in what was printed. */
  figure(name: string): number;
  /** What follows "name: " on a line. */
  words(name: string): string[];
}

/** Expects success. A failure's message has the command that repeats it. */
export async function fuzz(...parameters: string[]): Promise<FuzzReport> {
  const command = [process.execPath, "scripts/run-ts.mjs", "test/hostile/main.ts", ...parameters];
  const outcome = await runProcess(command, { cwd: REPOSITORY, timeout: PATIENCE });
  const said = outcome.stdout.toString();
  expect(outcome.status, said + outcome.stderr).toBe(0);
  return {
    figure: (name) =>
      Number(
        new RegExp(`(\\d+)(?:\\.\\d+)? ${name}\\b|\\b${name}: (\\d+)`).exec(said)?.slice(1).find(Boolean),
      ),
    words: (name) => (new RegExp(`^${name}: (.*)$`, "m").exec(said)?.[1] ?? "").split(" ").filter(Boolean),
  };
}
