/**
 * A group of measurements is one file in groups/ with one function of type {@link Group}, listed in main.ts.
 */

import type { TimeQuantity } from "./comparison.ts";
import type { Criterion } from "./criteria.ts";
import type { Runner } from "./runners.ts";

/** What the command line asks for. */
export interface Bench {
  runners: readonly Runner[];
  /** Runs of everything under every runner. */
  rounds: number;
  /** A small version of everything: shows that it works, and no more. */
  isQuick: boolean;
  /** What ratios and speeds in tables are of; criteria are always judged by wall-clock time. */
  quantity: TimeQuantity;
  /** Is this one wanted (`--only`)? */
  wants(name: string): boolean;
  /** Tells about progress, on stderr. */
  say(text: string): void;
}

export interface GroupReport {
  /** Tables and what went wrong, for people. */
  text: string;
  /** Everything measured, for results.json. */
  results: unknown;
  criteria: readonly Criterion[];
}

export type Group = (bench: Bench) => GroupReport | Promise<GroupReport>;
