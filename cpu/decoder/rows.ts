/**
 * All opcode rows as a list, for generators, tools and tests. (Importing this parses them all, 5 ms; who decodes and runs
 * programs takes rows from decoded instructions or from {@link ROW_TABLE}.)
 */

import type { OpcodeRow } from "./instruction.ts";
import { ROW_TABLE } from "./row-table.ts";

/** Every row of every table; a row's id is its index. */
export const ROWS: readonly OpcodeRow[] = Array.from({ length: ROW_TABLE.count }, (_, id) =>
  ROW_TABLE.row(id),
);

/** The rows of each mnemonic, in table order. */
export function rowsByMnemonic(): Map<string, OpcodeRow[]> {
  const byMnemonic = new Map<string, OpcodeRow[]>();
  for (const row of ROWS) {
    const rows = byMnemonic.get(row.mnemonic);
    if (rows) rows.push(row);
    else byMnemonic.set(row.mnemonic, [row]);
  }
  return byMnemonic;
}
