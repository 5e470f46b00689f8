/** Instructions without an effect on what a program can see: NOP, PAUSE, ENDBR, prefetches, cache and fence hints. */

import { define } from "../registry.ts";

// Operands of hints are not accessed: they cannot fault.
for (const mnemonic of [
  "nop",
  "pause",
  "endbr64",
  "endbr32",
  "prefetchw",
  "prefetchnta",
  "prefetcht0",
  "prefetcht1",
  "prefetcht2",
  "lfence",
  "sfence",
  "mfence",
]) {
  define(mnemonic, () => undefined);
}

// These fault as a load of one byte does (SDM vol. 2, CLFLUSH).
for (const mnemonic of ["clflush", "clflushopt", "clwb"]) {
  define(mnemonic, (b, line) => {
    b.load(line.address(), "u8");
  });
}
