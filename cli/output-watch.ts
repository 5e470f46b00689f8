/** Waits for a text in a stream of bytes: D. Knuth, J. Morris, V. Pratt, "Fast Pattern Matching in Strings", 1977. */

export class OutputWatch {
  private readonly pattern: Uint8Array;
  /** How much of the pattern is still matched when the byte behind its first n does not fit. */
  private readonly borders: readonly number[];
  private matched = 0;

  constructor(
    text: string,
    private readonly found: () => void,
  ) {
    this.pattern = new TextEncoder().encode(text);
    const borders = [0];
    for (let index = 1, border = 0; index < this.pattern.length; index++) {
      while (border > 0 && this.pattern[index] !== this.pattern[border]) border = borders[border - 1];
      if (this.pattern[index] === this.pattern[border]) border++;
      borders.push(border);
    }
    this.borders = borders;
  }

  see(byte: number): void {
    const { pattern, borders } = this;
    while (this.matched > 0 && byte !== pattern[this.matched]) this.matched = borders[this.matched - 1];
    if (byte === pattern[this.matched]) this.matched++;
    if (this.matched < pattern.length) return;
    this.matched = borders[this.matched - 1];
    this.found();
  }
}
