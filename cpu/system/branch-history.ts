/**
 * Where control came from lately, for the report of a triple fault: interrupts, exceptions, and those branches that engines
 * have to look up, which are the ones taken for the first time. Branches that run from trace to trace leave no mark, so that
 * keeping the list costs nothing.
 */

/** A transfer of control; addresses as RIP has them. */
export interface NotedTransfer {
  readonly from: number;
  readonly to: number;
  /** An exception's or interrupt's vector; -1 for a branch. */
  readonly vector: number;
  /** It came from outside: vector 8 is a timer's in real mode, not a double fault. */
  readonly isInterrupt: boolean;
  readonly errorCode: number | undefined;
}

const CAPACITY = 32;

export class BranchHistory {
  private readonly from = new Float64Array(CAPACITY);
  private readonly to = new Float64Array(CAPACITY);
  private readonly vectors = new Int32Array(CAPACITY);
  private readonly interrupts: boolean[] = new Array(CAPACITY).fill(false);
  private readonly errors: (number | undefined)[] = new Array(CAPACITY).fill(undefined);
  private count = 0;

  note(from: number, to: number, vector = -1, errorCode?: number, isInterrupt = false): void {
    const at = this.count++ % CAPACITY;
    this.from[at] = from;
    this.to[at] = to;
    this.vectors[at] = vector;
    this.errors[at] = errorCode;
    this.interrupts[at] = isInterrupt;
  }

  clear(): void {
    this.count = 0;
  }

  /** The latest ones, oldest first. */
  latest(most: number = CAPACITY): NotedTransfer[] {
    const length = Math.min(most, this.count, CAPACITY);
    return Array.from({ length }, (_, index) => {
      const at = (this.count - length + index) % CAPACITY;
      const { from, to, vectors, errors, interrupts } = this;
      return {
        ...{ from: from[at], to: to[at], vector: vectors[at] },
        ...{ isInterrupt: interrupts[at], errorCode: errors[at] },
      };
    });
  }
}
