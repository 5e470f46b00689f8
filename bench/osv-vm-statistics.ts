/** What `osv-vm run --stats` adds to the program's own error output. */

export interface OsvVmOutput {
  /** What the program wrote itself. */
  stderr: string;
  /** The statistics by name, as printed. */
  statistics: Record<string, string>;
  instructions?: number;
}

/** Splits them: the statistics are the last lines, and the first of those is the number of instructions. */
export function splitStatistics(text: string): OsvVmOutput {
  const [last] = [...text.matchAll(/^instructions +([\d,]+)$/gm)].slice(-1);
  if (last === undefined) return { stderr: text, statistics: {} };
  const lines = [...text.slice(last.index).matchAll(/^(\S.*?) {2,}(.+)$|^(.{17}\S*) (.+)$/gm)];
  return {
    stderr: text.slice(0, last.index),
    statistics: Object.fromEntries(lines.map(([, a, b, c, d]) => [(a ?? c).trim(), (b ?? d).trim()])),
    instructions: Number(last[1].replaceAll(",", "")),
  };
}
