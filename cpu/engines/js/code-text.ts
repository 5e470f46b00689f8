/** The text of generated JavaScript as it grows: lines, and names that are free. */

import { type Expression, Level } from "./expression.ts";

export const INDENT = "  ";

export class CodeText {
  readonly lines: string[] = [];
  protected depth = 0;
  /** How often each stem of a name is in use. */
  protected readonly names = new Map<string, number>();

  line(text: string): void {
    this.lines.push(INDENT.repeat(this.depth) + text);
  }

  open(text: string): void {
    this.line(text);
    this.depth++;
  }

  close(text = "}"): void {
    this.depth--;
    this.line(text);
  }

  protected name(stem: string): string {
    const count = (this.names.get(stem) ?? 0) + 1;
    this.names.set(stem, count);
    if (count === 1) return stem;
    // The second `oldXmm1` is not XMM12.
    return /\d$/.test(stem) ? `${stem}_${count}` : `${stem}${count}`;
  }

  protected keep(stem: string, expression: Expression): Expression {
    const name = this.name(stem);
    this.line(`const ${name} = ${expression.text};`);
    return { ...expression, text: name, level: Level.Primary };
  }
}

/** Stands where registers are read again after a helper; which ones is known at the end of the block. */
export const RELOAD = "/* reload */";

export function address(rip: number): string {
  return rip < 0 ? `-0x${(-rip).toString(16)}` : `0x${rip.toString(16)}`;
}
