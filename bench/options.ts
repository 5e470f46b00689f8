/** The benchmark's command line. */

import { parseArgs } from "node:util";

export interface Options {
  /** Names of groups; empty for all. */
  groups: readonly string[];
  rounds: number;
  /** Beginnings of names of cases; empty for all. */
  only: readonly string[];
  runners: readonly string[];
  isQuick: boolean;
  isStrict: boolean;
  isByCpu: boolean;
}

export class UsageError extends Error {}

export const USAGE = `npm run bench -- [GROUP…] [--runs N] [--only NAME,…] [--runners NAME,…] [--quick] [--cpu] [--strict]

  --runs N       runs under every runner, of which the median counts (default 5)
  --only a,b     cases whose name is this or begins with it: c, c_sha256, esbuild
  --runners a,b  native, qemu, jit, interp (default: all)
  --quick        one run of small versions: shows that everything works
  --cpu          tables' ratios and speeds are of processor time: for a machine that is busy otherwise
  --strict       the exit status is 1 if a criterion is missed`;

/** Fewer say nothing about a machine that does other things as well. */
const DEFAULT_RUNS = "5";

const list = (text: string) => text.split(",").filter((name) => name !== "");

/**
 * @param known names of groups
 * @throws UsageError
 */
export function parseOptions(parameters: readonly string[], known: readonly string[]): Options {
  const { values, positionals } = (() => {
    try {
      return parseArgs({
        args: [...parameters],
        allowPositionals: true,
        options: {
          runs: { type: "string" },
          only: { type: "string", default: "" },
          runners: { type: "string", default: "" },
          quick: { type: "boolean", default: false },
          strict: { type: "boolean", default: false },
          cpu: { type: "boolean", default: false },
        },
      });
    } catch (error) {
      throw new UsageError(error instanceof Error ? error.message : String(error));
    }
  })();
  const unknown = positionals.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`no such group: ${unknown}; there are: ${known.join(", ")}`);
  }
  const runs = values.runs ?? (values.quick ? "1" : DEFAULT_RUNS);
  if (!/^[1-9]\d*$/.test(runs)) throw new UsageError(`--runs ${runs}: must be a whole number from 1`);
  return {
    groups: positionals,
    rounds: Number(runs),
    only: list(values.only),
    runners: list(values.runners),
    isQuick: values.quick,
    isStrict: values.strict,
    isByCpu: values.cpu,
  };
}

/** Is this case wanted? `c` and `c_sha256` both mean c_sha256, `esbuild` every one of esbuild's. */
export function isWanted(name: string, only: readonly string[]): boolean {
  return (
    only.length === 0 ||
    only.some(
      (wanted) => name === wanted || (/^[_ ]/.test(name.slice(wanted.length)) && name.startsWith(wanted)),
    )
  );
}
