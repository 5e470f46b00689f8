/** What a case can be run on: the host CPU ({@link Silicon}) or one of our engines ({@link EngineTarget}). */

import type { Case, FinalState } from "./case.ts";

export interface Target {
  readonly name: string;
  /** Runs `cases[i]` and fills in `results[i]`, for `count` cases. */
  run(cases: readonly Case[], results: readonly FinalState[], count: number): Promise<void>;
  close(): void;
}
