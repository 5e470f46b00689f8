/** What the world answers to instructions that ask it: recorded for the engine that asks first, repeated for the other. */

import type { CpuHost } from "../../cpu.ts";

type Answer = number | Uint8Array;

export class Answers {
  private readonly log: Answer[] = [];
  private readonly askers: Asker[] = [];

  constructor(private readonly world: CpuHost) {}

  /** Another stretch begins, with answers of its own. */
  begin(): void {
    this.log.length = 0;
    for (const asker of this.askers) asker.position = 0;
  }

  /** The host of one of the processors. */
  asker(): Asker {
    const asker = new Asker(this);
    this.askers.push(asker);
    return asker;
  }

  timeStampCounter(position: number): number {
    const known = this.log[position];
    if (typeof known === "number") return known;
    const answer = this.world.timeStampCounter();
    this.log[position] = answer;
    return answer;
  }

  random(position: number, bytes: Uint8Array): void {
    const known = this.log[position];
    if (known instanceof Uint8Array && known.length === bytes.length) {
      bytes.set(known);
      return;
    }
    this.world.random(bytes);
    this.log[position] = bytes.slice();
  }
}

export class Asker implements CpuHost {
  /** How many questions of this stretch it has asked. */
  position = 0;

  constructor(private readonly answers: Answers) {}

  timeStampCounter(): number {
    return this.answers.timeStampCounter(this.position++);
  }

  random(bytes: Uint8Array): void {
    this.answers.random(this.position++, bytes);
  }
}
