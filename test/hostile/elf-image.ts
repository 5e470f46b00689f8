/** Writes small ELF64 programs: a header, program headers, and bytes at page offsets (gABI chapters 4 and 5). */

export const EHDR_SIZE = 64;
export const PHDR_SIZE = 56;
const PAGE_SIZE = 4096;

export const ET_EXEC = 2;
export const ET_DYN = 3;
const EM_X86_64 = 62;

/** p_type */
export const ProgramHeaderType = {
  NULL: 0,
  LOAD: 1,
  DYNAMIC: 2,
  INTERP: 3,
  NOTE: 4,
  PHDR: 6,
  TLS: 7,
  GNU_STACK: 0x6474e551,
  GNU_RELRO: 0x6474e552,
  GNU_PROPERTY: 0x6474e553,
} as const;

/** p_flags */
export const PF_X = 1;
export const PF_W = 2;
export const PF_R = 4;

export interface ImageSegment {
  readonly type?: number;
  readonly flags: number;
  readonly address: number;
  readonly contents?: Uint8Array;
  /** Bytes in memory; default: those of the contents. */
  readonly memorySize?: number;
}

export interface ImageOptions {
  readonly type?: number;
  readonly entry: number;
  readonly segments: readonly ImageSegment[];
}

/** Contents of the segments follow the headers, each on a page of its own. */
export function writeElf({ type = ET_EXEC, entry, segments }: ImageOptions): Uint8Array {
  let size = PAGE_SIZE;
  const offsets = segments.map(({ contents }) => {
    const offset = contents === undefined ? 0 : size;
    size += Math.ceil((contents?.length ?? 0) / PAGE_SIZE) * PAGE_SIZE;
    return offset;
  });
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  // e_ident: magic, ELFCLASS64, ELFDATA2LSB, EV_CURRENT
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, type, true);
  view.setUint16(18, EM_X86_64, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, BigInt(entry), true);
  view.setBigUint64(32, BigInt(EHDR_SIZE), true);
  view.setUint16(52, EHDR_SIZE, true);
  view.setUint16(54, PHDR_SIZE, true);
  view.setUint16(56, segments.length, true);
  for (const [index, segment] of segments.entries()) {
    const at = EHDR_SIZE + index * PHDR_SIZE;
    const length = segment.contents?.length ?? 0;
    view.setUint32(at, segment.type ?? ProgramHeaderType.LOAD, true);
    view.setUint32(at + 4, segment.flags, true);
    view.setBigUint64(at + 8, BigInt(offsets[index]), true);
    view.setBigUint64(at + 16, BigInt(segment.address), true);
    view.setBigUint64(at + 24, BigInt(segment.address), true);
    view.setBigUint64(at + 32, BigInt(length), true);
    view.setBigUint64(at + 40, BigInt(segment.memorySize ?? length), true);
    view.setBigUint64(at + 48, BigInt(PAGE_SIZE), true);
    if (segment.contents !== undefined) bytes.set(segment.contents, offsets[index]);
  }
  return bytes;
}
