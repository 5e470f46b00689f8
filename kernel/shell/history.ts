/** The lines that were typed, oldest first. */

const LIMIT = 1000;

export class History {
  private readonly lines: string[] = [];

  /** Blank lines and repetitions of the last one are not worth remembering. */
  add(line: string): void {
    if (line.trim() === "" || line === this.lines[this.lines.length - 1]) return;
    this.lines.push(line);
    if (this.lines.length > LIMIT) this.lines.shift();
  }

  get length(): number {
    return this.lines.length;
  }

  /** The line with an index from 0, the oldest. */
  at(index: number): string | undefined {
    return this.lines[index];
  }

  clear(): void {
    this.lines.length = 0;
  }

  /** The newest line before `before` that contains `text`. */
  search(text: string, before = this.lines.length): number | undefined {
    for (let i = before - 1; i >= 0; i--) if (this.lines[i].includes(text)) return i;
    return undefined;
  }

  entries(): readonly string[] {
    return this.lines;
  }
}
