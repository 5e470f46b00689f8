/** An interrupt line that remembers what was done to it. */

import type { InterruptLine } from "../interrupt-line.ts";

export class RecordedLine implements InterruptLine {
  level = false;
  /** How often the level went from low to high. */
  edges = 0;

  set(level: boolean): void {
    if (level && !this.level) this.edges++;
    this.level = level;
  }
}
