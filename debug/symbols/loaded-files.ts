/** The files whose symbols a debugger knows: those that the program has mapped, and those that somebody has named. */

import { ElfCodeError } from "../elf-code.ts";
import type { Target } from "../target.ts";
import type { LineTable, SourceLine } from "./dwarf-line.ts";
import { readElfSymbols } from "./elf-symbols.ts";
import { type ProgramSymbol, SymbolTable } from "./symbol-table.ts";
import { isSystemMap, readSystemMap } from "./system-map.ts";

/** Larger files are not read by themselves. */
const MOST_BYTES = 256 << 20;

interface Lines {
  readonly table: LineTable;
  /** Added to addresses as linked. */
  readonly bias: number;
}

export class LoadedFiles {
  readonly symbols = new SymbolTable();
  private readonly lines: Lines[] = [];
  private readonly known = new Set<string>();

  constructor(private readonly target: Target) {}

  /** Looks what the program has mapped since. */
  refresh(): void {
    for (const { path, address } of this.target.mappedFiles?.() ?? []) {
      const key = `${path} ${address}`;
      if (this.known.has(key)) continue;
      this.known.add(key);
      const file = this.target.openFile?.(path);
      if (file === undefined || file.size > MOST_BYTES) continue;
      try {
        this.addElf(file.read(0, file.size), (start) => address - (start - (start % 4096)));
      } catch (error) {
        if (!(error instanceof ElfCodeError)) throw error; // data, or damaged
      }
    }
  }

  /**
   * Adds an ELF file, or a System.map.
   * @param offset added to all addresses
   * @returns how many symbols there are in it
   * @throws ElfCodeError
   */
  add(bytes: Uint8Array, offset: number): number {
    const head = new TextDecoder("latin1").decode(bytes.subarray(0, 256));
    const before = this.symbols.size;
    // What Debian puts in its place (linux-image's /boot/System.map).
    const stub = /^f+ B (The real System\.map is in .*)$/m.exec(head);
    if (stub !== null) throw new ElfCodeError(stub[1]);
    if (isSystemMap(head)) {
      const symbols = readSystemMap(new TextDecoder("latin1").decode(bytes));
      this.symbols.add(symbols.map((symbol) => ({ ...symbol, address: symbol.address + offset })));
    } else this.addElf(bytes, () => offset);
    return this.symbols.size - before;
  }

  private addElf(bytes: Uint8Array, biasOf: (start: number) => number): void {
    const { symbols, lines, start } = readElfSymbols(bytes);
    const bias = biasOf(start);
    this.symbols.add(symbols.map((symbol) => ({ ...symbol, address: symbol.address + bias })));
    if (lines !== undefined) this.lines.push({ table: lines, bias });
  }

  describe(address: number): string | undefined {
    return this.symbols.describe(address);
  }

  at(address: number): ProgramSymbol | undefined {
    return this.symbols.at(address);
  }

  sourceAt(address: number): SourceLine | undefined {
    for (const { table, bias } of this.lines) {
      const line = table.at(address - bias);
      if (line !== undefined) return line;
    }
    return undefined;
  }

  /** Addresses of the source line that an address belongs to. */
  lineRange(address: number): { start: number; end: number } | undefined {
    for (const { table, bias } of this.lines) {
      const range = table.rangeAt(address - bias);
      if (range !== undefined) return { start: range.start + bias, end: range.end + bias };
    }
    return undefined;
  }

  addressOfLine(file: string, line: number): number | undefined {
    for (const { table, bias } of this.lines) {
      const address = table.addressOf(file, line);
      if (address !== undefined) return address + bias;
    }
    return undefined;
  }

  /** Where a breakpoint on a function belongs: behind what sets up its frame, as far as one knows. */
  bodyOf(symbol: ProgramSymbol): number {
    for (const { table, bias } of this.lines) {
      const start = symbol.address - bias;
      const body = table.behindPrologue(start, start + symbol.size);
      if (body !== undefined) return body + bias;
    }
    return symbol.address;
  }
}
