/** Small kernels of every form that can be booted, as a start for damaged ones. */

const MIB = 2 ** 20;

export interface KernelSeed {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Where the headers are: what is worth damaging. */
  readonly headers: readonly (readonly [start: number, length: number])[];
}

/** A file with the set-up header of Linux 6.1 and a page of code. */
function bzImage(): KernelSeed {
  const bytes = new Uint8Array(1024 + 4096);
  const view = new DataView(bytes.buffer);
  bytes[0x1f1] = 1; // set-up sectors
  view.setUint32(0x1f4, 4096 / 16, true);
  view.setUint16(0x1fe, 0xaa55, true);
  bytes[0x201] = 0x66;
  view.setUint32(0x202, 0x53726448, true); // "HdrS"
  view.setUint16(0x206, 0x020f, true);
  bytes[0x211] = 1;
  view.setUint32(0x22c, 0x7fffffff, true);
  view.setUint16(0x236, 1, true);
  view.setUint32(0x238, 2047, true);
  view.setBigUint64(0x258, BigInt(2 * MIB), true);
  view.setUint32(0x260, MIB, true);
  bytes.fill(0xf4, 1024);
  return { name: "bzImage", bytes, headers: [[0x1f1, 0x77]] };
}

interface ElfForm {
  readonly name: string;
  readonly wide: boolean;
  /** Note: its name, type and descriptor. */
  readonly note?: readonly [name: string, type: number, value: number];
  readonly multiboot?: boolean;
}

function elf({ name, wide, note, multiboot }: ElfForm): KernelSeed {
  const bytes = new Uint8Array(0x1000);
  const view = new DataView(bytes.buffer);
  const word = (at: number, value: number) =>
    wide ? view.setBigUint64(at, BigInt(value), true) : view.setUint32(at, value, true);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, wide ? 62 : 3, true);
  word(24, MIB + 0x10);
  word(wide ? 32 : 28, 64);
  const entry = wide ? 56 : 32;
  view.setUint16(wide ? 54 : 42, entry, true);
  view.setUint16(wide ? 56 : 44, note === undefined ? 1 : 2, true);
  const header = (index: number, type: number, offset: number, address: number, size: number) => {
    const at = 64 + index * entry;
    view.setUint32(at, type, true);
    const places = wide ? [8, 16, 24, 32, 40] : [4, 8, 12, 16, 20];
    for (const [field, value] of [offset, address, address, size, size * 4].entries())
      word(at + places[field], value);
  };
  header(0, 1, 0x400, MIB, 0x400);
  bytes.fill(0xf4, 0x400, 0x800);
  if (note !== undefined) {
    const [owner, type, value] = note;
    header(1, 4, 0x300, 0, 12 + 8 + 8);
    view.setUint32(0x300, owner.length + 1, true);
    view.setUint32(0x304, 8, true);
    view.setUint32(0x308, type, true);
    bytes.set(new TextEncoder().encode(owner), 0x30c);
    view.setUint32(0x30c + Math.ceil((owner.length + 1) / 4) * 4, value, true);
  }
  if (multiboot) {
    view.setUint32(0x200, 0x1badb002, true);
    view.setUint32(0x204, 3, true);
    view.setUint32(0x208, -(0x1badb002 + 3), true);
  }
  return {
    name,
    bytes,
    headers: [
      [0, 64 + 2 * entry],
      [0x200, 32],
      [0x300, 40],
    ],
  };
}

/** Multiboot with load addresses in its header instead of a format. */
function loadAddresses(): KernelSeed {
  const bytes = new Uint8Array(0x800).fill(0xf4);
  const view = new DataView(bytes.buffer);
  const flags = 3 | (1 << 16);
  const words = [
    0x1badb002,
    flags,
    -(0x1badb002 + flags),
    MIB + 0x40,
    MIB,
    MIB + 0x700,
    MIB + 0x2000,
    MIB + 0x100,
  ];
  for (const [index, value] of words.entries()) view.setUint32(0x40 + index * 4, value, true);
  return { name: "multiboot with load addresses", bytes, headers: [[0x40, 32]] };
}

export function kernelSeeds(): KernelSeed[] {
  return [
    bzImage(),
    elf({ name: "vmlinux", wide: true, note: ["Linux", 0x101, 0] }),
    elf({ name: "PVH", wide: true, note: ["Xen", 18, MIB + 0x20] }),
    elf({ name: "PVH of 32 bits", wide: false, note: ["Xen", 18, MIB + 0x20] }),
    elf({ name: "multiboot ELF", wide: false, multiboot: true }),
    elf({ name: "multiboot ELF of 64 bits", wide: true, multiboot: true }),
    loadAddresses(),
  ];
}
