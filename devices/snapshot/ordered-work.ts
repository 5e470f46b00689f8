/** Work that is done a few pieces at once, with the results in the order in which the pieces came. */

/** Pieces at once: two processors are busy while others are read or written. */
const PIECES = 4;

export class OrderedWork<Result> {
  private readonly waiting: Promise<Result>[] = [];

  /** @param take gets every result, in order */
  constructor(private readonly take: (result: Result) => Promise<void> | void) {}

  /** Adds a piece, when there is room for it. @throws what an earlier piece has failed with */
  async add(piece: Promise<Result>): Promise<void> {
    piece.catch(() => undefined); // it is looked at when its turn comes
    this.waiting.push(piece);
    if (this.waiting.length >= PIECES) await this.takeFirst();
  }

  /** Waits for all pieces. @throws what one has failed with */
  async finish(): Promise<void> {
    while (this.waiting.length > 0) await this.takeFirst();
  }

  private async takeFirst(): Promise<void> {
    const first = this.waiting.shift();
    if (first !== undefined) await this.take(await first);
  }
}
