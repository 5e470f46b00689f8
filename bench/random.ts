/** Chance that is the same on every machine. */

/** xorshift32 (Marsaglia 2003): numbers from 1 to 2^32 - 1. */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
