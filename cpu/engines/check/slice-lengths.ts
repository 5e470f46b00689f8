/** How many instructions to run before the engines are compared: short and long stretches, the same in every run. */
export class SliceLengths {
  constructor(private state = 0x2545f491) {}

  /** xorshift32 (G. Marsaglia, "Xorshift RNGs", 2003). */
  private random(): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return this.state >>> 0;
  }

  /**
   * A few instructions, so that every entry and exit of compiled code is met; some hundred, so that budgets end inside
   * loops; and many, so that compiled code is what runs most of the time.
   */
  next(): number {
    const kind = this.random() % 8;
    if (kind < 2) return 1 + (this.random() % 8);
    if (kind < 4) return 1 + (this.random() % 100);
    if (kind < 6) return 1 + (this.random() % 3000);
    return 1 + (this.random() % 150_000);
  }

  /** One of these, at random. */
  below(limit: number): number {
    return this.random() % limit;
  }
}
