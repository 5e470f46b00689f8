/** Disassembly with names, and lines of source. */

import { type DisassembledInstruction, disassemble } from "../disassembly.ts";
import { hexAddress } from "../numbers.ts";
import type { LoadedFiles } from "../symbols/loaded-files.ts";
import type { Target } from "../target.ts";
import type { Style } from "./style.ts";

/** Longest instruction. */
const LONGEST = 15;
/** How far back the beginning of a function is looked for, to read instructions before an address. */
const FUNCTION_REACH = 4096;
/** Without one: so many bytes back, something makes sense most of the time. */
const BLIND_REACH = 40;
const BYTES_SHOWN = 8;
/** Numbers below are no addresses that anybody wants named. */
const LOWEST_NAMED = 0x1000n;

export interface CodeViewOptions {
  readonly target: Target;
  readonly files: LoadedFiles;
  readonly style: Style;
  /** A line of a source file; undefined if there is none. */
  readonly sourceLine: (file: string, line: number) => string | undefined;
  readonly hasBreakpoint: (address: number) => boolean;
}

export class CodeView {
  constructor(private readonly options: CodeViewOptions) {}

  /** Instructions from an address on; fewer where memory ends. */
  instructionsAt(address: number, count: number): DisassembledInstruction[] {
    const { target } = this.options;
    const bytes = target.readMemory(address, count * LONGEST);
    const found: DisassembledInstruction[] = [];
    for (const instruction of disassemble(bytes, BigInt(address), target.bitness)) {
      if (found.length === count) break;
      found.push(instruction);
    }
    return found;
  }

  /** The last instructions that end exactly at an address. */
  private instructionsBefore(address: number, count: number): DisassembledInstruction[] {
    if (count === 0) return [];
    const symbol = this.options.files.at(address);
    const isNear = symbol?.isCode === true && address - symbol.address <= FUNCTION_REACH;
    const starts = isNear
      ? [symbol.address]
      : Array.from({ length: BLIND_REACH }, (_, index) => address - BLIND_REACH + index);
    for (const start of starts) {
      const bytes = this.options.target.readMemory(start, address - start);
      if (bytes.length < address - start) continue;
      const all = [...disassemble(bytes, BigInt(start), this.options.target.bitness)];
      if (all.every(({ text }) => text !== "(bad)")) return all.slice(-count);
    }
    return [];
  }

  /** Lines around an address, the one at it marked. */
  around(address: number, before: number, behind: number): string {
    const above = this.instructionsBefore(address, before);
    const list = [...above, ...this.instructionsAt(address, behind)];
    if (list.length === 0) return `${hexAddress(address)}: no memory there\n`;
    return this.lines(list, address);
  }

  from(address: number, count: number, current: number): string {
    const list = this.instructionsAt(address, count);
    return list.length === 0 ? `${hexAddress(address)}: no memory there\n` : this.lines(list, current);
  }

  private lines(list: readonly DisassembledInstruction[], current: number): string {
    const { files, style } = this.options;
    let text = "";
    let source = "";
    for (const instruction of list) {
      const address = Number(BigInt.asIntN(64, instruction.address));
      const symbol = files.at(address);
      if (symbol?.address === address) text += `${style.paint(`<${symbol.name}>:`, "green")}\n`;
      const line = files.sourceAt(address);
      const place = line === undefined ? "" : `${line.file}:${line.line}`;
      if (line !== undefined && place !== source) {
        const code = this.options.sourceLine(line.file, line.line);
        if (code !== undefined)
          text += `${style.paint(style.cut(`${String(line.line).padStart(6)}  ${code}`), "dim")}\n`;
      }
      source = place;
      text += this.line(instruction, address, address === current);
    }
    return text;
  }

  private line({ bytes, text }: DisassembledInstruction, address: number, isCurrent: boolean): string {
    const { style, hasBreakpoint } = this.options;
    const hex = Array.from(bytes.subarray(0, BYTES_SHOWN), (byte) => byte.toString(16).padStart(2, "0")).join(
      " ",
    );
    const more = bytes.length > BYTES_SHOWN ? "+" : " ";
    const marks = `${hasBreakpoint(address) ? style.paint("●", "red") : " "}${isCurrent ? "→" : " "}`;
    const digits = hexAddress(address, address < 0 || address >= 2 ** 32 ? 16 : 8);
    const wide = style.width >= 100;
    const code = wide ? `${hex.padEnd(BYTES_SHOWN * 3 - 1)}${more} ` : "";
    const plain = `${digits}  ${code}${text}`;
    const named = this.nameOperand(text);
    const room = style.width - plain.length - 4;
    const comment = named === "" || named.length + 3 > room ? "" : style.paint(`  ; ${named}`, "blue");
    const line = plain.slice(0, style.width - 3);
    return `${marks} ${isCurrent ? style.paint(line, "bold") : line}${comment}\n`;
  }

  /** The name of an address that an instruction mentions. */
  private nameOperand(text: string): string {
    const match = /0x[0-9a-f]{4,16}/.exec(text);
    if (match === null) return "";
    const value = BigInt(match[0]);
    if (value < LOWEST_NAMED) return "";
    const name = this.options.files.describe(Number(BigInt.asIntN(64, value)));
    return name === undefined ? "" : name;
  }

  /** "main+0x1c at file.c:12" */
  place(address: number): string {
    const { files } = this.options;
    const name = files.describe(address);
    const line = files.sourceAt(address);
    const where = name === undefined ? "" : ` <${name}>`;
    const source = line === undefined ? "" : ` at ${line.file.replace(/^.*\//, "")}:${line.line}`;
    return `0x${hexAddress(address)}${where}${source}`;
  }
}
