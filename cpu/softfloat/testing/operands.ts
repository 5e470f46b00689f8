/** Random operands for floating-point tests: seeded, and biased to where the special cases are. */

/** xorshift128+ over a seed: the same numbers in every run. */
export class Chance {
  private state0: bigint;
  private state1: bigint;

  constructor(seed: number) {
    this.state0 = BigInt.asUintN(64, BigInt(seed) * 0x9e37_79b9_7f4a_7c15n + 1n);
    this.state1 = BigInt.asUintN(64, ~this.state0 * 0xbf58_476d_1ce4_e5b9n + 1n);
    for (let n = 0; n < 8; n++) this.bits(64);
  }

  /** A uniform integer of at most 64 bits. */
  bits(count: number): bigint {
    let x = this.state0;
    const y = this.state1;
    this.state0 = y;
    x = BigInt.asUintN(64, x ^ (x << 23n));
    this.state1 = x ^ y ^ (x >> 17n) ^ (y >> 26n);
    return BigInt.asUintN(64, this.state1 + y) >> BigInt(64 - count);
  }

  /** 0 … limit − 1. */
  below(limit: number): number {
    return Number(this.bits(32)) % limit;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)];
  }

  /** A fraction of `width` bits: random, or with long runs of equal bits so that sums and products fall on halves. */
  fraction(width: number): bigint {
    const random = this.bits(width);
    const low = BigInt(this.below(width + 1));
    switch (this.below(6)) {
      case 0:
        return 0n;
      case 1:
        return (1n << BigInt(width)) - 1n;
      case 2:
        return BigInt.asUintN(width, (random >> low) << low);
      case 3:
        return BigInt.asUintN(width, (1n << low) + BigInt(this.below(3)) - 1n);
      case 4:
        return BigInt.asUintN(width, -(1n << low) + BigInt(this.below(3)) - 1n);
      default:
        return random;
    }
  }

  /** An exponent field: anything, near one, near the ends, or near `around`. */
  exponentField(width: number, around: number): number {
    const all = 2 ** width;
    const field = () => {
      switch (this.below(8)) {
        case 0:
          return this.below(all);
        case 1:
          return all - 1 - this.below(4);
        case 2:
          return this.below(4);
        case 3:
          return around + this.below(140) - 70;
        case 4:
          return 0;
        default:
          return all / 2 - 1 + this.below(12) - 6;
      }
    };
    return Math.min(Math.max(field(), 0), all - 1);
  }

  binary32(around = 127): number {
    const exponent = this.exponentField(8, around);
    return ((this.below(2) << 31) | (exponent << 23) | Number(this.fraction(23))) >>> 0;
  }

  binary64(around = 1023): bigint {
    const exponent = BigInt(this.exponentField(11, around));
    return (BigInt(this.below(2)) << 63n) | (exponent << 52n) | this.fraction(52);
  }

  /** 80 bits; one in 16 has an integer bit that contradicts the exponent. */
  extended(around = 0x3fff): bigint {
    const exponent = this.exponentField(15, around);
    const integerBit = (exponent !== 0) !== (this.below(16) === 0) ? 1n << 63n : 0n;
    return (BigInt((this.below(2) << 15) | exponent) << 64n) | integerBit | this.fraction(63);
  }

  /** A signed integer, small, large or near the ends. */
  integer(width: number): bigint {
    return (
      BigInt.asIntN(width, this.bits(width) >> BigInt(this.below(width))) * (this.below(2) === 0 ? 1n : -1n)
    );
  }
}
