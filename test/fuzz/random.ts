/** A seeded random number generator (sfc32, PractRand by Chris Doty-Humphrey): the same seed gives the same cases. */

export class Random {
  private a = 0;
  private b = 0;
  private c = 0;
  private counter = 1;

  /** Numbers from two seeds, such as those of a run and the index of a case. */
  constructor(seed: number, stream: number) {
    this.reseed(seed, stream);
  }

  reseed(seed: number, stream: number): void {
    this.a = seed | 0;
    this.b = stream | 0;
    this.c = 0x9e37_79b9 | 0;
    this.counter = 1;
    for (let round = 0; round < 12; round++) this.u32();
  }

  /** 0…2^32-1. */
  u32(): number {
    const result = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + result) | 0;
    return result >>> 0;
  }

  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  /** 0…limit-1. */
  below(limit: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * limit);
  }

  /** From `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True in `percent` of a hundred calls. */
  chance(percent: number): boolean {
    return this.u32() < percent * 42_949_672.96;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)];
  }
}
