/**
 * Finds the code in an ELF64 file, and the names of places in it. (System V ABI, chapter 4 "Object Files"; the loader
 * that runs programs is in kernel/loader/ and needs neither sections nor symbols.)
 */

/** Why a file has no x86-64 code to show; the message says so to a person. */
export class ElfCodeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ElfCodeError";
  }
}

/** A run of code: an executable section, or an executable segment of a file without sections. */
export interface CodeRange {
  name: string;
  address: bigint;
  bytes: Uint8Array;
}

export interface ElfCode {
  ranges: CodeRange[];
  /** Function and label names by address. */
  symbols: Map<bigint, string>;
}

const ELFCLASS64 = 2;
const ELFDATA2LSB = 1;
const EM_X86_64 = 62;
const PT_LOAD = 1;
const PF_X = 1;
const SHT_PROGBITS = 1;
const SHT_SYMTAB = 2;
const SHT_DYNSYM = 11;
const SHF_EXECINSTR = 4;
const STT_NOTYPE = 0;
const STT_FUNC = 2;
const EHDR_SIZE = 64;
const PHDR_SIZE = 56;
const SHDR_SIZE = 64;
const SYM_SIZE = 24;

/** A section header (System V ABI, figure 4-8). */
export interface SectionHeader {
  nameOffset: number;
  type: number;
  flags: bigint;
  address: bigint;
  offset: number;
  size: number;
  link: number;
}

/** Little-endian fields of a file, checked against its length where tables are concerned. */
export class ElfReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u16 = (offset: number) => this.#view.getUint16(offset, true);
  u32 = (offset: number) => this.#view.getUint32(offset, true);
  u64 = (offset: number) => this.#view.getBigUint64(offset, true);

  /** A file offset or size; beyond 2^53 it is as wrong as any other that is past the end. */
  position = (offset: number) => Number(this.u64(offset));

  slice(offset: number, size: number, what: string): Uint8Array {
    if (offset + size > this.#bytes.length)
      throw new ElfCodeError(`is truncated: ${what} ends behind the file`);
    return this.#bytes.subarray(offset, offset + size);
  }

  /** The headers of a table, each checked to be inside the file. */
  *table(offset: number, count: number, entrySize: number, what: string): Generator<number> {
    this.slice(offset, count * entrySize, what);
    for (let index = 0; index < count; index++) yield offset + index * entrySize;
  }
}

/** @throws ElfCodeError if it is no ELF64 file for x86-64 */
export function checkHeader(bytes: Uint8Array, elf: ElfReader): void {
  if (bytes.length < 4 || elf.u32(0) !== 0x464c457f) throw new ElfCodeError("is not an ELF file");
  if (bytes.length < EHDR_SIZE) throw new ElfCodeError("is truncated: it ends inside the ELF header");
  if (bytes[4] !== ELFCLASS64 || bytes[5] !== ELFDATA2LSB || elf.u16(18) !== EM_X86_64) {
    throw new ElfCodeError("is an ELF file, but not for x86-64");
  }
}

export function readSections(elf: ElfReader): SectionHeader[] {
  const offset = elf.position(40);
  const count = elf.u16(60);
  if (offset === 0 || count === 0) return [];
  const sections: SectionHeader[] = [];
  for (const header of elf.table(offset, count, SHDR_SIZE, "the section header table")) {
    sections.push({
      nameOffset: elf.u32(header),
      type: elf.u32(header + 4),
      flags: elf.u64(header + 8),
      address: elf.u64(header + 16),
      offset: elf.position(header + 24),
      size: elf.position(header + 32),
      link: elf.u32(header + 40),
    });
  }
  return sections;
}

export function stringAt(strings: Uint8Array, offset: number): string {
  const end = strings.indexOf(0, offset);
  return new TextDecoder().decode(strings.subarray(offset, end < 0 ? strings.length : end));
}

function readSymbols(elf: ElfReader, sections: SectionHeader[]): Map<bigint, string> {
  const symbols = new Map<bigint, string>();
  for (const section of sections) {
    if (section.type !== SHT_SYMTAB && section.type !== SHT_DYNSYM) continue;
    const stringTable = sections[section.link];
    if (stringTable === undefined) continue;
    const strings = elf.slice(stringTable.offset, stringTable.size, "a string table");
    const count = Math.floor(section.size / SYM_SIZE);
    for (const entry of elf.table(section.offset, count, SYM_SIZE, "a symbol table")) {
      const information = elf.u32(entry + 4);
      const type = information & 0xf;
      const sectionIndex = information >>> 16;
      if ((type !== STT_FUNC && type !== STT_NOTYPE) || sectionIndex === 0) continue;
      const name = stringAt(strings, elf.u32(entry));
      const address = elf.u64(entry + 8);
      if (name !== "" && !symbols.has(address)) symbols.set(address, name);
    }
  }
  return symbols;
}

/**
 * @param bytes the whole file
 * @throws ElfCodeError if it is not an x86-64 ELF file with code
 */
export function readElfCode(bytes: Uint8Array): ElfCode {
  const elf = new ElfReader(bytes);
  checkHeader(bytes, elf);
  const sections = readSections(elf);
  const names = sections[elf.u16(62)];
  const nameStrings = names ? elf.slice(names.offset, names.size, "the section names") : new Uint8Array();
  const ranges: CodeRange[] = [];
  for (const section of sections) {
    if (section.type !== SHT_PROGBITS || (section.flags & BigInt(SHF_EXECINSTR)) === 0n) continue;
    ranges.push({
      name: stringAt(nameStrings, section.nameOffset),
      address: section.address,
      bytes: elf.slice(section.offset, section.size, "a section"),
    });
  }
  if (ranges.length === 0) {
    const programHeaders = elf.table(elf.position(32), elf.u16(56), PHDR_SIZE, "the program header table");
    for (const header of programHeaders) {
      if (elf.u32(header) !== PT_LOAD || (elf.u32(header + 4) & PF_X) === 0) continue;
      ranges.push({
        name: "LOAD",
        address: elf.u64(header + 16),
        bytes: elf.slice(elf.position(header + 8), elf.position(header + 32), "a segment"),
      });
    }
  }
  if (ranges.length === 0) throw new ElfCodeError("has no code");
  return { ranges, symbols: readSymbols(elf, sections) };
}
