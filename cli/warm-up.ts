/** V8's options for the start, which osv-vm.js sets, and for the time after. */

import { setFlagsFromString } from "node:v8";

/** A program that ends before has gained; one that runs longer has lost at most this. */
const START_MS = 40;

/**
 * From now on a program runs: soon V8 may optimise. The start itself runs most code once, and optimising the dozen functions
 * that do run often takes 35 ms of processor time on a thread of its own.
 */
export function endOfStart(): void {
  setTimeout(() => {
    setFlagsFromString("--opt");
    setFlagsFromString("--parallel-scavenge");
  }, START_MS).unref();
}
