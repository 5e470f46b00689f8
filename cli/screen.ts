/** A VGA text screen for a terminal. */

import type { TextScreen } from "../devices/vga-text.ts";

/** The rows in a frame; the cursor is a block if there is nothing under it. */
export function drawScreen({ rows, columns, cursor }: TextScreen): string {
  const line = "─".repeat(columns);
  const drawn = rows.map((text, row) => {
    const padded = text.padEnd(columns);
    const isHere = cursor?.row === row && padded[cursor.column] === " ";
    const shown = isHere ? `${padded.slice(0, cursor.column)}▂${padded.slice(cursor.column + 1)}` : padded;
    return `│${shown}│`;
  });
  return [`┌${line}┐`, ...drawn, `└${line}┘`].join("\n");
}
