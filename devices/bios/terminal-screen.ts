/**
 * The BIOS's text screen on a terminal: what programs write becomes ECMA-48 sequences. Lines that are only printed stay
 * plain; the cursor is moved by relative motions, so that what was on the terminal before stays where it is.
 */

import { codePage437 } from "./code-page-437.ts";

const ROWS = 25;
/** Light grey on black: what a terminal's default stands for. */
export const NORMAL_ATTRIBUTE = 0x07;
/** CGA's colours are numbered blue, green, red; ECMA-48's red, green, blue. */
const COLOURS = [0, 4, 2, 6, 1, 5, 3, 7] as const;

export interface ScreenPosition {
  row: number;
  column: number;
}

export class TerminalScreen {
  /** Where the terminal's cursor is, on our screen. */
  readonly position: ScreenPosition = { row: 0, column: 0 };
  private attribute = NORMAL_ATTRIBUTE;

  /** @param output takes what goes to the terminal */
  constructor(
    private readonly output: (text: string) => void,
    private readonly columns: number,
  ) {}

  reset(): void {
    this.position.row = 0;
    this.position.column = 0;
    this.attribute = NORMAL_ATTRIBUTE;
  }

  /** A printable character at a place. */
  put(row: number, column: number, character: number, attribute: number): void {
    this.moveTo(row, column);
    this.useAttribute(attribute);
    this.output(codePage437(character));
    const { position } = this;
    position.column = column + 1;
    // A terminal stays in the last column until more is printed: its cursor is not where ours is.
    if (position.column >= this.columns) {
      this.output("\r");
      position.column = 0;
    }
  }

  bell(): void {
    this.output("\x07");
  }

  moveTo(row: number, column: number): void {
    const { position } = this;
    if (row !== position.row) {
      const distance = row - position.row;
      if (distance === 1 && column === 0) {
        this.newLine();
        return;
      }
      this.output(`\x1b[${Math.abs(distance)}${distance < 0 ? "A" : "B"}`);
      position.row = row;
    }
    if (column === position.column) return;
    this.output(column === 0 ? "\r" : column === position.column - 1 ? "\b" : `\x1b[${column + 1}G`);
    position.column = column;
  }

  private newLine(): void {
    const { position } = this;
    this.useAttribute(NORMAL_ATTRIBUTE);
    this.output(position.column === 0 ? "\n" : "\r\n");
    position.row = Math.min(position.row + 1, ROWS - 1);
    position.column = 0;
  }

  /** Everything moves up by a line; the cursor goes to the new one. */
  scroll(): void {
    this.moveTo(ROWS - 1, this.position.column);
    this.newLine();
  }

  clear(): void {
    this.useAttribute(NORMAL_ATTRIBUTE);
    this.output("\x1b[H\x1b[2J");
    this.position.row = 0;
    this.position.column = 0;
  }

  private useAttribute(attribute: number): void {
    if (attribute === this.attribute) return;
    this.attribute = attribute;
    const codes = [0];
    if (attribute !== NORMAL_ATTRIBUTE) {
      if ((attribute & 0x08) !== 0) codes.push(1);
      if ((attribute & 0x80) !== 0) codes.push(5);
      codes.push(30 + COLOURS[attribute & 7], 40 + COLOURS[(attribute >> 4) & 7]);
    }
    this.output(`\x1b[${codes.join(";")}m`);
  }
}
