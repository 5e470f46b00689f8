/** Expressions that are shown at every stop. */

import type { Debugger } from "./debugger.ts";
import { examine, type Format, formatValue, parseFormat } from "./memory-format.ts";

interface Display {
  readonly number: number;
  readonly format: string;
  readonly text: string;
}

const USUAL: Format = { count: 1, size: 8, letter: "x" };

export class Displays {
  private readonly list: Display[] = [];
  private next = 1;

  constructor(private readonly debug: Debugger) {}

  /** @throws CommandFailure, ExpressionError for what could never be shown */
  check(format: string, text: string): void {
    parseFormat(format, USUAL);
    this.debug.check(text);
  }

  add(format: string, text: string): void {
    this.list.push({ number: this.next++, format, text });
  }

  /** @returns whether there was one */
  remove(number: string | undefined): boolean {
    const index = this.list.findIndex((display) => String(display.number) === number);
    if (number !== undefined && index < 0) return false;
    if (number === undefined) this.list.length = 0;
    else this.list.splice(index, 1);
    return true;
  }

  show(): void {
    for (const display of this.list) this.showOne(display);
  }

  private showOne({ number, format: text, text: expression }: Display): void {
    const { debug } = this;
    const name = debug.style.paint(`${number}: ${expression}`, "blue");
    try {
      const format = parseFormat(text, USUAL);
      const value = debug.evaluate(expression);
      const address = Number(BigInt.asIntN(64, value));
      if (format.letter === "i")
        debug.print(`${name}\n${debug.code.from(address, format.count, debug.control.rip)}`);
      else if (format.letter === "s" || /\d|[bhwg]/.test(text)) {
        debug.print(`${name}\n`);
        examine(debug, address, format);
      } else debug.print(`${name} = ${formatValue(debug, value, format)}\n`);
    } catch (error) {
      // It may be there again at the next stop.
      debug.print(`${name}: ${error instanceof Error ? error.message : error}\n`);
    }
  }
}
