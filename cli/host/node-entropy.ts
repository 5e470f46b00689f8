/** Randomness from the host. */

import * as fs from "node:fs";
import type { Entropy } from "../../kernel/host.ts";

/**
 * Reads /dev/urandom where there is one: node:crypto, which is asked elsewhere, takes 10 ms to load, and every program wants
 * some random bytes (AT_RANDOM).
 */
export async function createNodeEntropy(): Promise<Entropy> {
  const fd = openRandomDevice();
  if (fd === undefined) {
    const { randomFillSync } = await import("node:crypto");
    return { fill: (bytes) => void randomFillSync(bytes) };
  }
  return {
    fill: (bytes) => {
      // A read of a device may give less than what was asked for.
      for (let done = 0; done < bytes.length; )
        done += fs.readSync(fd, bytes, done, bytes.length - done, null);
    },
  };
}

function openRandomDevice(): number | undefined {
  try {
    const fd = fs.openSync("/dev/urandom", "r");
    if (fs.fstatSync(fd).isCharacterDevice()) return fd;
    fs.closeSync(fd);
  } catch {
    // A host without it.
  }
  return undefined;
}
