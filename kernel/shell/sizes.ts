/** Sizes for people: "512", "1.5K", "20M" (powers of 1024, as `ls -h`). */

const UNITS = ["", "K", "M", "G", "T", "P"];

export function humanSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  // Rounded up, as coreutils do: nothing is smaller than it says.
  const rounded = value < 10 && unit > 0 ? (Math.ceil(value * 10) / 10).toFixed(1) : String(Math.ceil(value));
  return rounded + UNITS[unit];
}

/** Rows of cells as a table; `right` are the columns whose cells stand at the right. */
export function table(rows: readonly (readonly string[])[], right: ReadonlySet<number>): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  return rows
    .map((row) => {
      const cells = row.map((cell, i) => (right.has(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i])));
      return `${cells.join(" ").trimEnd()}\n`;
    })
    .join("");
}
