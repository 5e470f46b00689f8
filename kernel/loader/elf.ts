/**
 * ELF64 headers: read, checked field by field, and turned into a plan of what to map. Nothing here touches memory.
 *
 * Sources: System V ABI "gABI" 4.1 chapters 4 and 5; x86-64 psABI; Linux fs/binfmt_elf.c for what is tolerated.
 */

import { ENOEXEC } from "../errno.ts";
import { printable } from "../printable.ts";
import { decodeName } from "../vfs/names.ts";

/** Why a program cannot be loaded, as a sentence. `errno` is what execve(2) returns for it. */
export class ElfError extends Error {
  constructor(
    readonly path: string,
    readonly reason: string,
    readonly errno: number = ENOEXEC,
  ) {
    super(printable(`${path}: ${reason}`));
    this.name = "ElfError";
  }
}

/** e_type */
const ET_REL = 1;
const ET_EXEC = 2;
const ET_DYN = 3;
const ET_CORE = 4;
const EM_X86_64 = 62;
/** p_type */
const PT_LOAD = 1;
const PT_INTERP = 3;
const PT_PHDR = 6;
const PT_GNU_STACK = 0x6474e551;

const PF_X = 1;

export const EHDR_SIZE = 64;
export const PHDR_SIZE = 56;
/** Linux reads at most this much of program headers (ELF_MIN_ALIGN). */
const PHDRS_LIMIT = 65536;
const PATH_MAX = 4096;
const PAGE_SIZE = 4096;
/** One past the highest address that a program header may name. */
const ADDRESS_LIMIT = 2 ** 47;

/** e_machine of other worlds, for the error message (gABI, "Machine Information"). */
const MACHINES: Readonly<Record<number, string>> = {
  2: "SPARC",
  3: "32-bit x86 (i386)",
  4: "m68k",
  8: "MIPS",
  20: "PowerPC",
  21: "PowerPC64",
  22: "s390",
  40: "32-bit ARM",
  43: "SPARC V9",
  50: "IA-64",
  183: "aarch64",
  243: "RISC-V",
  247: "BPF",
  258: "LoongArch",
};

/** One PT_LOAD. Addresses are as in the file, before the load bias. */
export interface Segment {
  readonly address: number;
  readonly memorySize: number;
  readonly offset: number;
  readonly fileSize: number;
  /** PF_R 4, PF_W 2, PF_X 1 */
  readonly flags: number;
}

export interface ElfImage {
  readonly path: string;
  /** ET_DYN: may be loaded anywhere. */
  readonly positionIndependent: boolean;
  readonly entry: number;
  readonly segments: readonly Segment[];
  /** Range of all segments, page-aligned. */
  readonly start: number;
  readonly end: number;
  /** Largest p_align. */
  readonly alignment: number;
  /** Where the program headers are in memory (before the bias). */
  readonly programHeaders: number;
  readonly programHeaderCount: number;
  /** PT_INTERP: the dynamic loader that has to be loaded too. */
  readonly interpreter: string | undefined;
  /** PT_GNU_STACK asks for an executable stack. */
  readonly executableStack: boolean;
}

/** Reads bytes of the file: fewer than asked for at its end. */
export type ReadFile = (position: number, length: number) => Uint8Array;

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Does this file begin as ELF files do? */
export function isElf(head: Uint8Array): boolean {
  return head.length >= 4 && head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46;
}

/** An unsigned 64-bit field as a number; anything of 2^53 and more is far out of every range that is allowed. */
function u64(data: DataView, offset: number): number {
  return data.getUint32(offset + 4, true) * 2 ** 32 + data.getUint32(offset, true);
}

/**
 * @param fileSize bytes that the file has
 * @throws ElfError
 */
export function parseElf(path: string, read: ReadFile, fileSize: number): ElfImage {
  const fail = (reason: string): never => {
    throw new ElfError(path, reason);
  };
  const head = read(0, EHDR_SIZE);
  if (!isElf(head)) return fail("is not an ELF program");
  if (head.length < EHDR_SIZE) return fail(`is truncated: ${head.length} bytes are no ELF header`);
  const header = view(head);
  const elfClass = head[4];
  const machine = header.getUint16(18, true);
  if (head[5] === 2) return fail(`is for a big-endian machine, this machine is x86-64`);
  if (machine !== EM_X86_64) {
    return fail(
      `is for ${MACHINES[machine] ?? `an unknown machine (e_machine ${machine})`}, this machine is x86-64`,
    );
  }
  if (elfClass !== 2) return fail("is a 32-bit (x32) program, this kernel runs 64-bit ones");
  if (head[5] !== 1) return fail(`has a bad ELF header (byte order ${head[5]})`);
  const type = header.getUint16(16, true);
  if (type === ET_REL) return fail("is an object file, not a program: it has not been linked");
  if (type === ET_CORE) return fail("is a core dump, not a program");
  if (type !== ET_EXEC && type !== ET_DYN) return fail(`is not a program (e_type ${type})`);

  const count = header.getUint16(56, true);
  const entrySize = header.getUint16(54, true);
  const tableOffset = u64(header, 32);
  if (entrySize !== PHDR_SIZE)
    return fail(`has program headers of ${entrySize} bytes instead of ${PHDR_SIZE}`);
  if (count === 0) return fail("has no program headers");
  const tableSize = count * PHDR_SIZE;
  if (tableSize > PHDRS_LIMIT) return fail(`has too many program headers (${count})`);
  if (tableOffset + tableSize > fileSize) return fail("is truncated: its program headers are behind its end");
  const table = read(tableOffset, tableSize);
  if (table.length < tableSize) return fail("is truncated: its program headers are behind its end");
  const headers = view(table);

  const segments: Segment[] = [];
  let interpreter: string | undefined;
  let executableStack = false;
  let alignment = PAGE_SIZE;
  let programHeaders: number | undefined;
  for (let at = 0; at < tableSize; at += PHDR_SIZE) {
    const segmentType = headers.getUint32(at, true);
    const flags = headers.getUint32(at + 4, true);
    const offset = u64(headers, at + 8);
    const address = u64(headers, at + 16);
    const fileBytes = u64(headers, at + 32);
    const memoryBytes = u64(headers, at + 40);
    if (segmentType === PT_GNU_STACK) executableStack = (flags & PF_X) !== 0;
    if (segmentType === PT_PHDR) programHeaders = address;
    if (segmentType === PT_INTERP && interpreter === undefined) {
      if (fileBytes < 2 || fileBytes > PATH_MAX) return fail(`has an interpreter name of ${fileBytes} bytes`);
      const name = read(offset, fileBytes);
      if (name.length < fileBytes) return fail("is truncated: its interpreter's name is behind its end");
      if (name[fileBytes - 1] !== 0) return fail("has an interpreter name without an end");
      interpreter = decodeName(name.subarray(0, name.indexOf(0)));
    }
    if (segmentType !== PT_LOAD) continue;
    const index = at / PHDR_SIZE;
    if (fileBytes > memoryBytes)
      return fail(`has a segment (${index}) that is longer in the file than in memory`);
    if (memoryBytes === 0) continue;
    if (address + memoryBytes > ADDRESS_LIMIT) return fail(`has a segment (${index}) outside of user memory`);
    if (offset + fileBytes > fileSize)
      return fail(`is truncated: segment ${index} ends behind the end of the file`);
    if (offset % PAGE_SIZE !== address % PAGE_SIZE)
      return fail(`has a segment (${index}) that cannot be mapped by pages`);
    const align = u64(headers, at + 48);
    if (align > 1 && align <= ADDRESS_LIMIT && Number.isInteger(Math.log2(align)))
      alignment = Math.max(alignment, align);
    segments.push({ address, memorySize: memoryBytes, offset, fileSize: fileBytes, flags });
  }
  if (segments.length === 0) return fail("has nothing to load (no PT_LOAD program header)");
  let start = ADDRESS_LIMIT;
  let end = 0;
  for (const segment of segments) {
    start = Math.min(start, segment.address - (segment.address % PAGE_SIZE));
    end = Math.max(end, Math.ceil((segment.address + segment.memorySize) / PAGE_SIZE) * PAGE_SIZE);
    // Without PT_PHDR the headers are where the segment that contains them puts them.
    if (
      programHeaders === undefined &&
      tableOffset >= segment.offset &&
      tableOffset < segment.offset + segment.fileSize
    ) {
      programHeaders = segment.address + (tableOffset - segment.offset);
    }
  }
  return {
    path,
    positionIndependent: type === ET_DYN,
    entry: u64(header, 24),
    segments,
    start,
    end,
    alignment,
    programHeaders: programHeaders ?? 0,
    programHeaderCount: count,
    interpreter,
    executableStack,
  };
}
