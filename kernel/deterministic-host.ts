/** A host whose time and chance are the same in every run: only input from outside can make a difference. */

import type { Entropy, Host } from "./host.ts";
import { InstructionClock } from "./sched/instruction-clock.ts";

/** xorshift32 (G. Marsaglia, "Xorshift RNGs", 2003): good enough to look random, and never to be used for secrets. */
export class SeededEntropy implements Entropy {
  /** 32 bits, never zero. Whoever sets it goes on from there. */
  state = 0x9e3779b9;

  fill(bytes: Uint8Array): void {
    for (let index = 0; index < bytes.length; index++) {
      this.state ^= this.state << 13;
      this.state ^= this.state >>> 17;
      this.state ^= this.state << 5;
      bytes[index] = this.state >>> 11;
    }
  }
}

/** The same streams, with a clock of instructions and seeded chance. Everything on the machine has to use this host. */
export function deterministicHost(host: Host): Host {
  return {
    clock: new InstructionClock(host.clock),
    entropy: new SeededEntropy(),
    stdin: host.stdin,
    stdout: host.stdout,
    stderr: host.stderr,
  };
}
