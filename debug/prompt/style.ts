/** How text looks: colours where there is a terminal that has them, and its width. */

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36 } as const;
export type Colour = keyof typeof CODES;

export class Style {
  constructor(
    /** Are there colours? */
    public hasColours: boolean,
    /** Columns of the terminal now. */
    private readonly columns: () => number,
  ) {}

  get width(): number {
    return Math.max(40, this.columns());
  }

  paint(text: string, ...colours: readonly Colour[]): string {
    if (!this.hasColours || text === "") return text;
    return `\x1b[${colours.map((colour) => CODES[colour]).join(";")}m${text}\x1b[0m`;
  }

  /** Cuts a line without escape sequences to the width. */
  cut(line: string): string {
    return line.length <= this.width ? line : `${line.slice(0, this.width - 1)}…`;
  }
}
