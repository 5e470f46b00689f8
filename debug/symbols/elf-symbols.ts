/** The symbols and source lines of an ELF64 file (System V ABI, "ProgramSymbol Table"; DWARF). */

import { checkHeader, ElfReader, readSections, type SectionHeader, stringAt } from "../elf-code.ts";
import { type LineTable, readLineTable } from "./dwarf-line.ts";
import type { ProgramSymbol } from "./symbol-table.ts";

const SHT_SYMTAB = 2;
const SHT_NOBITS = 8;
const SHT_DYNSYM = 11;
const SHF_COMPRESSED = 1n << 11n;
const SHN_LORESERVE = 0xff00;
const SYM_SIZE = 24;
const STT_NOTYPE = 0;
const STT_OBJECT = 1;
const STT_FUNC = 2;
const STT_GNU_IFUNC = 10;
const TYPES = new Set([STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_GNU_IFUNC]);
const PT_LOAD = 1;
const PHDR_SIZE = 56;

export interface ElfSymbols {
  /** Addresses as linked. */
  readonly symbols: readonly ProgramSymbol[];
  readonly lines: LineTable | undefined;
  /** Entry point, and address of the first loaded byte. */
  readonly entry: number;
  readonly start: number;
}

const signed = (value: bigint): number => Number(BigInt.asIntN(64, value));

/** @throws ElfCodeError */
export function readElfSymbols(bytes: Uint8Array): ElfSymbols {
  const elf = new ElfReader(bytes);
  checkHeader(bytes, elf);
  const sections = readSections(elf);
  const symbols: ProgramSymbol[] = [];
  const seen = new Set<string>();
  for (const section of sections) {
    if (section.type !== SHT_SYMTAB && section.type !== SHT_DYNSYM) continue;
    for (const symbol of symbolsOf(elf, sections, section)) {
      const key = `${symbol.name} ${symbol.address}`;
      if (seen.has(key)) continue;
      seen.add(key);
      symbols.push(symbol);
    }
  }
  let start = Number.POSITIVE_INFINITY;
  for (const header of elf.table(elf.position(32), elf.u16(56), PHDR_SIZE, "the program header table"))
    if (elf.u32(header) === PT_LOAD) start = Math.min(start, signed(elf.u64(header + 16)));
  return {
    symbols,
    lines: linesOf(elf, sections),
    entry: signed(elf.u64(24)),
    start: Number.isFinite(start) ? start : 0,
  };
}

function* symbolsOf(
  elf: ElfReader,
  sections: SectionHeader[],
  table: SectionHeader,
): Generator<ProgramSymbol> {
  const stringTable = sections[table.link];
  if (stringTable === undefined) return;
  const strings = elf.slice(stringTable.offset, stringTable.size, "a string table");
  const count = Math.floor(table.size / SYM_SIZE);
  for (const entry of elf.table(table.offset, count, SYM_SIZE, "a symbol table")) {
    const information = elf.u32(entry + 4);
    const type = information & 0xf;
    const section = information >>> 16;
    // Undefined ones, and numbers that are no addresses (SHN_ABS and its like).
    if (!TYPES.has(type) || section === 0 || section >= SHN_LORESERVE) continue;
    const name = stringAt(strings, elf.u32(entry));
    if (name === "" || name.startsWith(".L")) continue;
    const address = signed(elf.u64(entry + 8));
    const size = Math.min(elf.position(entry + 16), Number.MAX_SAFE_INTEGER);
    const home = sections[section];
    const room = home === undefined ? 0 : signed(home.address) + home.size - address;
    yield {
      name,
      address,
      // Labels of unknown size do not reach beyond their section.
      size: size === 0 && table.type === SHT_SYMTAB && room > 0 ? room : size,
      isCode: type === STT_FUNC || type === STT_GNU_IFUNC,
    };
  }
}

function linesOf(elf: ElfReader, sections: SectionHeader[]): LineTable | undefined {
  const names = sections[elf.u16(62)];
  if (names === undefined) return undefined;
  const nameStrings = elf.slice(names.offset, names.size, "the section names");
  const contentOf = (name: string): Uint8Array => {
    const section = sections.find(({ nameOffset }) => stringAt(nameStrings, nameOffset) === name);
    if (section === undefined || section.type === SHT_NOBITS || (section.flags & SHF_COMPRESSED) !== 0n)
      return new Uint8Array(0);
    return elf.slice(section.offset, section.size, "debug information");
  };
  const program = contentOf(".debug_line");
  if (program.length === 0) return undefined;
  return readLineTable(program, contentOf(".debug_line_str"), contentOf(".debug_str"));
}
