/** Kernels as ELF files, 32 or 64 bits: what to put at which physical address. System V ABI "gABI" 4.1, chapters 4, 5. */

import { BootError } from "./boot-error.ts";
import type { LoaderMemory } from "./loader-memory.ts";

const PT_LOAD = 1;
const PT_NOTE = 4;
const EM_386 = 3;
const EM_X86_64 = 62;
const ET_EXEC = 2;
const ET_DYN = 3;
/** More program headers than any kernel has. */
const MOST_HEADERS = 512;

const MACHINES: Readonly<Record<number, string>> = {
  8: "MIPS",
  20: "PowerPC",
  21: "PowerPC64",
  22: "s390",
  40: "32-bit ARM",
  183: "aarch64",
  243: "RISC-V",
  258: "LoongArch",
};

interface ProgramHeader {
  readonly type: number;
  readonly offset: number;
  readonly physical: number;
  readonly virtual: number;
  readonly fileSize: number;
  readonly memorySize: number;
}

export interface ElfNote {
  readonly name: string;
  readonly type: number;
  readonly descriptor: Uint8Array;
}

export function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

export class ElfImage {
  readonly is64Bit: boolean;
  readonly entry: number;
  private readonly headers: ProgramHeader[] = [];
  private readonly view: DataView;

  /** @throws BootError if it is not an x86 program of a kind that can be loaded */
  constructor(
    readonly subject: string,
    private readonly bytes: Uint8Array,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (!isElf(bytes)) throw new BootError(subject, "is not an ELF file");
    if (bytes.length < 52) throw new BootError(subject, "is cut off inside its ELF header");
    if (bytes[5] !== 1) throw new BootError(subject, "is an ELF file of a big-endian machine");
    this.is64Bit = bytes[4] === 2;
    const [type, machine] = [this.view.getUint16(16, true), this.view.getUint16(18, true)];
    if (machine !== EM_386 && machine !== EM_X86_64) {
      throw new BootError(
        subject,
        `is for ${MACHINES[machine] ?? `machine ${machine}`}, this machine is x86-64`,
      );
    }
    if (type !== ET_EXEC && type !== ET_DYN)
      throw new BootError(subject, "is an ELF file, but not a program");
    this.entry = this.address(24);
    this.readHeaders();
  }

  /** A word of the file's class. */
  private address(offset: number): number {
    if (!this.is64Bit) return this.view.getUint32(offset, true);
    return Number(this.view.getBigUint64(offset, true));
  }

  private readHeaders(): void {
    const { is64Bit, view, bytes, subject } = this;
    if (is64Bit && bytes.length < 64) throw new BootError(subject, "is cut off inside its ELF header");
    const table = this.address(is64Bit ? 32 : 28);
    const size = view.getUint16(is64Bit ? 54 : 42, true);
    const count = view.getUint16(is64Bit ? 56 : 44, true);
    if (size < (is64Bit ? 56 : 32) || count > MOST_HEADERS || table + size * count > bytes.length) {
      throw new BootError(subject, "has damaged ELF program headers");
    }
    for (let index = 0; index < count; index++) {
      const at = table + index * size;
      const header = is64Bit
        ? {
            type: view.getUint32(at, true),
            offset: this.address(at + 8),
            virtual: this.address(at + 16),
            physical: this.address(at + 24),
            fileSize: this.address(at + 32),
            memorySize: this.address(at + 40),
          }
        : {
            type: view.getUint32(at, true),
            offset: view.getUint32(at + 4, true),
            virtual: view.getUint32(at + 8, true),
            physical: view.getUint32(at + 12, true),
            fileSize: view.getUint32(at + 16, true),
            memorySize: view.getUint32(at + 20, true),
          };
      if (header.offset + header.fileSize > bytes.length) {
        if (header.type === PT_LOAD)
          throw new BootError(subject, "is cut off: a part to be loaded is missing");
        continue;
      }
      this.headers.push(header);
    }
    if (!this.headers.some(({ type }) => type === PT_LOAD)) {
      throw new BootError(subject, "has nothing to be loaded");
    }
  }

  /** Copies every segment to its physical address. @throws BootError */
  load(memory: LoaderMemory): void {
    for (const { type, offset, physical, fileSize, memorySize } of this.headers) {
      if (type !== PT_LOAD || memorySize === 0) continue;
      const content = this.bytes.subarray(offset, offset + Math.min(fileSize, memorySize));
      memory.place(this.subject, "the kernel", physical, content, memorySize);
    }
  }

  /** Is this physical address inside a segment? */
  covers(physical: number): boolean {
    return this.headers.some(
      (header) =>
        header.type === PT_LOAD &&
        physical >= header.physical &&
        physical < header.physical + header.memorySize,
    );
  }

  /** Physical address of a virtual one that a segment covers; undefined if none does. */
  physicalOf(virtual: number): number | undefined {
    const header = this.headers.find(
      ({ type, virtual: start, memorySize }) =>
        type === PT_LOAD && virtual >= start && virtual < start + memorySize,
    );
    return header === undefined ? undefined : virtual - header.virtual + header.physical;
  }

  /** One past the highest physical byte that is loaded. */
  get end(): number {
    return Math.max(
      ...this.headers
        .filter(({ type }) => type === PT_LOAD)
        .map(({ physical, memorySize }) => physical + memorySize),
    );
  }

  notes(): ElfNote[] {
    return this.headers.filter(({ type }) => type === PT_NOTE).flatMap((header) => this.notesOf(header));
  }

  /** Notes: name size, descriptor size, type, both padded to four bytes. Damage ends the list. */
  private notesOf({ offset, fileSize }: ProgramHeader): ElfNote[] {
    const notes: ElfNote[] = [];
    const end = offset + fileSize;
    for (let at = offset; at + 12 <= end; ) {
      const nameSize = this.view.getUint32(at, true);
      const descriptorSize = this.view.getUint32(at + 4, true);
      const type = this.view.getUint32(at + 8, true);
      const descriptor = at + 12 + padded(nameSize);
      if (descriptor + descriptorSize > end) break;
      const name = String.fromCharCode(
        ...this.bytes.subarray(at + 12, at + 12 + Math.max(0, Math.min(nameSize, 64) - 1)),
      );
      notes.push({ name, type, descriptor: this.bytes.subarray(descriptor, descriptor + descriptorSize) });
      at = descriptor + padded(descriptorSize);
    }
    return notes;
  }
}

function padded(size: number): number {
  return Math.ceil(size / 4) * 4;
}
