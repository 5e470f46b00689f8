/** The general registers in columns; those that have changed since the last look are marked. */

import { describeFlags, type RegisterFile, type RegisterSpec, registerNamed } from "../registers.ts";
import type { Style } from "./style.ts";

const NAMES = "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15".split(" ");
const SPECS = [...NAMES, "rip"].flatMap((name) => registerNamed(name) ?? []);
const EFLAGS = registerNamed("eflags");
/** "rax 0123456789abcdef*", and two spaces between. */
const CELL = 4 + 16 + 1 + 2;

export class RegisterPane {
  private before = new Map<string, bigint>();

  constructor(private readonly style: Style) {}

  /** @returns lines of text, and remembers the values for the next time */
  render(file: RegisterFile): string {
    const columns = Math.max(1, Math.min(4, Math.floor((this.style.width + 2) / CELL)));
    const cells = SPECS.map((spec) => this.cell(spec, file));
    if (EFLAGS !== undefined) {
      const value = EFLAGS.read(file);
      const text = `flags ${describeFlags(Number(value))}`;
      cells.push(this.mark("eflags", value) ? this.style.paint(`${text}*`, "bold", "yellow") : text);
    }
    // Row by row of `columns`; the registers that belong together stay in one column.
    const rows = Math.ceil(16 / columns);
    let text = "";
    for (let row = 0; row < rows; row++) {
      const line: string[] = [];
      for (let column = 0; column < columns; column++) {
        const cell = cells[column * rows + row];
        if (column * rows + row < 16 && cell !== undefined) line.push(cell);
      }
      text += `${line.join("  ").trimEnd()}\n`;
    }
    return `${text}${cells.slice(16).join("  ")}\n`;
  }

  private cell(spec: RegisterSpec, file: RegisterFile): string {
    const value = spec.read(file);
    const digits = value.toString(16).padStart(16, "0");
    const name = this.style.paint(spec.name.padEnd(3), "cyan");
    if (this.mark(spec.name, value)) return `${name} ${this.style.paint(`${digits}*`, "bold", "yellow")}`;
    return `${name} ${digits} `;
  }

  private mark(name: string, value: bigint): boolean {
    const before = this.before.get(name);
    this.before.set(name, value);
    return before !== undefined && before !== value;
  }
}
