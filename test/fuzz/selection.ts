/** Which rows a run generates: `--only`, minus what is excluded, absent on this host, or not defined. */

import type { OpcodeRow } from "../../cpu/decoder/instruction.ts";
import { ROWS } from "../../cpu/decoder/rows.ts";
import "../../cpu/definitions/index.ts";
import { definitionOf } from "../../cpu/definitions/registry.ts";
import { exclusionOf } from "./exclusions.ts";
import { missingOnHost, OUR_FEATURES } from "./features.ts";
import { GROUPS, planRow } from "./row-plan.ts";

export interface Selection {
  readonly rows: readonly OpcodeRow[];
  /** The others, by reason. */
  readonly skipped: ReadonlyMap<string, readonly OpcodeRow[]>;
}

const GROUP_NAMES: ReadonlySet<string> = new Set(GROUPS);

/**
 * @param only mnemonics and groups; empty for everything
 * @param host features of the host CPU
 * @throws RangeError for a name that is neither
 */
export function selectRows(only: readonly string[], host: ReadonlySet<string>): Selection {
  for (const name of only) {
    if (!GROUP_NAMES.has(name) && !ROWS.some(({ mnemonic }) => mnemonic === name)) {
      throw new RangeError(`--only: ${name} is neither a mnemonic nor one of ${GROUPS.join(", ")}`);
    }
  }
  const missing = missingOnHost(ROWS, host);
  const rows: OpcodeRow[] = [];
  const skipped = new Map<string, OpcodeRow[]>();
  for (const row of ROWS) {
    if (only.length > 0 && !only.includes(row.mnemonic) && !only.includes(planRow(row).group)) continue;
    const why = reasonToSkip(row, missing);
    if (why === undefined) {
      rows.push(row);
      continue;
    }
    const others = skipped.get(why) ?? [];
    others.push(row);
    skipped.set(why, others);
  }
  return { rows, skipped };
}

function reasonToSkip(row: OpcodeRow, missing: ReadonlySet<string>): string | undefined {
  const why = exclusionOf(row, OUR_FEATURES);
  if (why !== undefined) return why;
  if (row.feature !== undefined && missing.has(row.feature)) return `the host has no ${row.feature}`;
  return definitionOf(row.mnemonic) === undefined ? NOT_DEFINED : undefined;
}

/** Rows that should be defined and are not. */
export const NOT_DEFINED = "not defined yet";
