/** Values that make system calls stumble: the edges of what arguments mean, and what is right. */

import type { Random } from "../fuzz/random.ts";
import { CODE, DATA, DATA_SIZE, READ_ONLY } from "./guest.ts";

/** Sizes, counts, offsets, identifiers: signed 64-bit. */
const INTEGERS: readonly bigint[] = [
  ...[0n, 0n, 0n, 1n, 1n, 2n, 3n, 4n, 7n, 8n, 9n, 15n, 16n, 24n, 31n, 32n, 63n, 64n, 65n, 100n, 127n, 128n],
  ...[255n, 256n, 511n, 1000n, 1023n, 1024n, 1025n, 4095n, 4096n, 4097n, 8192n, 65535n, 65536n, 1_000_000n],
  ...[(1n << 24n) - 1n, 1n << 24n, 999_999_999n, 1_000_000_000n, (1n << 31n) - 4096n, (1n << 31n) - 1n],
  ...[1n << 31n, (1n << 32n) - 1n, 1n << 32n, (1n << 32n) + 1n, 1n << 40n, 1n << 46n, (1n << 47n) - 4096n],
  ...[(1n << 53n) - 1n, 1n << 53n, (1n << 53n) + 1n, 1n << 62n, (1n << 63n) - 4096n, (1n << 63n) - 1n],
  ...[-1n, -1n, -2n, -3n, -100n, -4095n, -4096n, -(1n << 31n), -(1n << 32n), -(1n << 53n), -(1n << 63n)],
];

/** Addresses where nothing is, or nothing that may be touched. */
const BAD_POINTERS: readonly bigint[] = [
  ...[0n, 1n, 8n, 4095n, 65535n].map((value) => value),
  BigInt(DATA + DATA_SIZE),
  BigInt(DATA + DATA_SIZE + 4096),
  BigInt(DATA - 8),
  BigInt(CODE),
  BigInt(READ_ONLY),
  BigInt(READ_ONLY + 4096 - 4),
  // The end of user space, the hole of non-canonical addresses, the kernel's half.
  0x7ffffffff000n - 8n,
  0x7ffffffff000n,
  0x7fffffffffffn,
  0x800000000000n,
  0x0001_0000_0000_0000n,
  -(1n << 47n) - 1n,
  -(1n << 47n),
  -4096n,
  -8n,
  -1n,
  1n << 53n,
  (1n << 53n) + 1n,
  (1n << 63n) - 1n,
  -(1n << 63n),
];

export function integer(random: Random): bigint {
  switch (random.below(8)) {
    case 0:
      return BigInt(random.below(64));
    case 1:
      return BigInt.asIntN(64, random.u64() >> BigInt(random.below(64)));
    case 2:
      return random.pick(INTEGERS) + BigInt(random.between(-1, 1));
    default:
      return random.pick(INTEGERS);
  }
}

/** Mostly sizes that fit into the guest's memory. */
export function size(random: Random): bigint {
  return random.chance(60) ? BigInt(random.below(1 << random.below(14))) : integer(random);
}

export function badPointer(random: Random): bigint {
  return random.chance(90) ? random.pick(BAD_POINTERS) : BigInt.asIntN(64, random.u64());
}

/** Page-aligned, for the calls that map. */
export function pageAddress(random: Random): bigint {
  switch (random.below(8)) {
    case 0:
      return 0n;
    case 1:
      return BigInt(random.pick([CODE, READ_ONLY, DATA]));
    case 2:
      return badPointer(random);
    case 3:
      return BigInt(DATA + 4096 * random.below(2 * (DATA_SIZE / 4096)));
    default:
      // A few pages of their own, so that calls meet.
      return BigInt(0x10000000 + 4096 * random.below(16));
  }
}
