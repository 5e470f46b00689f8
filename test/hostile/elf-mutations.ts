/** Changes to ELF files that a linker would never make. */

import type { Random } from "../fuzz/random.ts";
import { EHDR_SIZE, PHDR_SIZE, ProgramHeaderType } from "./elf-image.ts";

type Field = readonly [offset: number, size: 2 | 4 | 8];

/** Elf64_Ehdr behind e_ident (gABI 4, "ELF Header"). */
const HEADER_FIELDS: readonly Field[] = [
  [16, 2],
  [18, 2],
  [20, 4],
  [24, 8],
  [32, 8],
  [40, 8],
  [48, 4],
  [52, 2],
  [54, 2],
  [56, 2],
  [58, 2],
  [60, 2],
  [62, 2],
];
const E_ENTRY: Field = [24, 8];
const E_PHOFF: Field = [32, 8];
const E_PHNUM: Field = [56, 2];

/** Elf64_Phdr (gABI 5, "Program Header"). */
const PROGRAM_HEADER_FIELDS: readonly Field[] = [
  [0, 4],
  [4, 4],
  [8, 8],
  [16, 8],
  [24, 8],
  [32, 8],
  [40, 8],
  [48, 8],
];
const P_OFFSET: Field = [8, 8];
const P_VADDR: Field = [16, 8];
const P_FILESZ: Field = [32, 8];
const P_MEMSZ: Field = [40, 8];
const P_ALIGN: Field = [48, 8];

const TYPES: readonly number[] = Object.values(ProgramHeaderType);

/** Sizes, offsets and addresses at the edges of what they mean. */
const EDGES: readonly bigint[] = [
  ...[0n, 1n, 2n, 3n, 7n, 8n, 16n, 55n, 56n, 57n, 64n, 100n, 0xfffn, 0x1000n, 0x1001n, 0x2000n, 0xffffn],
  ...[0x10000n, 0x3ff000n, 0x400000n, 0x401000n, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0x100000000n],
  ...[0x555555554000n, 0x7ffff7ffe000n, 0x7fffffffe000n, 0x7ffffffff000n, 0x7fffffffffffn],
  ...[1n << 24n, 1n << 30n, 1n << 40n, 1n << 46n, 1n << 47n, (1n << 47n) - 4096n, 1n << 52n, 1n << 53n],
  ...[(1n << 53n) + 1n, 1n << 62n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n, (1n << 64n) - 4096n],
];

const NAMES = [
  "/",
  "",
  "/image",
  "/loader",
  "/nothing",
  "/dev/null",
  "/dev",
  "/proc/self/exe",
  "relative",
  "\n",
];

const encoder = new TextEncoder();

class Image {
  constructor(
    public bytes: Uint8Array,
    private readonly random: Random,
  ) {}

  private get view(): DataView {
    return new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
  }

  get(base: number, [offset, size]: Field): bigint {
    if (base + offset + size > this.bytes.length) return 0n;
    const at = base + offset;
    if (size === 8) return this.view.getBigUint64(at, true);
    return BigInt(size === 4 ? this.view.getUint32(at, true) : this.view.getUint16(at, true));
  }

  set(base: number, [offset, size]: Field, value: bigint): void {
    if (base + offset + size > this.bytes.length) return;
    const at = base + offset;
    if (size === 8) this.view.setBigUint64(at, BigInt.asUintN(64, value), true);
    else if (size === 4) this.view.setUint32(at, Number(BigInt.asUintN(32, value)), true);
    else this.view.setUint16(at, Number(BigInt.asUintN(16, value)), true);
  }

  /** Headers as the linker left them: mutations of e_phoff and e_phnum come on top. */
  header(): number {
    const count = Math.min(16, Math.max(1, Number(this.get(0, E_PHNUM))));
    return EHDR_SIZE + this.random.below(count) * PHDR_SIZE;
  }

  value(): bigint {
    const { random } = this;
    switch (random.below(5)) {
      case 0:
        return random.pick(EDGES) + BigInt(random.between(-1, 1));
      case 1:
        return BigInt(this.bytes.length) + BigInt(random.between(-2, 2));
      case 2:
        // Something that is right elsewhere.
        return this.get(this.header(), random.pick(PROGRAM_HEADER_FIELDS)) + BigInt(random.between(-1, 1));
      case 3:
        return random.u64() >> BigInt(random.below(64));
      default:
        return random.pick(EDGES);
    }
  }
}

type Mutation = (image: Image, random: Random) => void;

/** By name, so that a report can say what was done. */
const MUTATIONS: Readonly<Record<string, Mutation>> = {
  "a byte of the headers"(image, random) {
    const at = random.below(Math.min(image.bytes.length, EHDR_SIZE + 12 * PHDR_SIZE));
    if (at < image.bytes.length)
      image.bytes[at] = random.pick([0, 1, 2, 0x7f, 0x80, 0xff, random.below(256)]);
  },
  "a field of the ELF header"(image, random) {
    image.set(0, random.pick(HEADER_FIELDS), image.value());
  },
  "a field of a program header"(image, random) {
    image.set(image.header(), random.pick(PROGRAM_HEADER_FIELDS), image.value());
  },
  "the type of a program header"(image, random) {
    image.set(image.header(), PROGRAM_HEADER_FIELDS[0], BigInt(random.pick(TYPES)));
  },
  "a segment's address, moved by pages"(image, random) {
    const header = image.header();
    const pages = BigInt(random.pick([-16, -2, -1, 1, 2, 16, 1 << 20, 2 ** 34, 2 ** 35 - 1025]));
    image.set(header, P_VADDR, image.get(header, P_VADDR) + pages * 4096n);
  },
  "a segment over another one"(image) {
    const from = image.header();
    const to = image.header();
    image.set(to, P_VADDR, image.get(from, P_VADDR));
    image.set(to, P_OFFSET, image.get(from, P_OFFSET));
  },
  "a segment's size in memory"(image, random) {
    const header = image.header();
    const size = random.chance(50)
      ? image.get(header, P_FILESZ) + BigInt(random.below(1 << random.below(30)))
      : image.value();
    image.set(header, P_MEMSZ, size);
  },
  "a segment's size in the file"(image, random) {
    const header = image.header();
    const size = random.chance(50) ? image.get(header, P_MEMSZ) : image.value();
    image.set(header, P_FILESZ, size);
  },
  "an alignment"(image, random) {
    const value = random.chance(60) ? 1n << BigInt(random.below(64)) : image.value();
    image.set(image.header(), P_ALIGN, value);
  },
  "an offset"(image) {
    image.set(image.header(), P_OFFSET, image.value());
  },
  "two program headers, exchanged"(image) {
    const one = image.header();
    const other = image.header();
    const copy = image.bytes.slice(one, one + PHDR_SIZE);
    if (Math.max(one, other) + PHDR_SIZE > image.bytes.length) return;
    image.bytes.copyWithin(one, other, other + PHDR_SIZE);
    image.bytes.set(copy, other);
  },
  "a program header, twice"(image) {
    const from = image.header();
    const to = image.header();
    if (Math.max(from, to) + PHDR_SIZE <= image.bytes.length) {
      image.bytes.copyWithin(to, from, from + PHDR_SIZE);
    }
  },
  "the number of program headers"(image, random) {
    image.set(0, E_PHNUM, BigInt(random.pick([0, 1, 2, 3, 5, 100, 1170, 1171, 0xfffe, 0xffff])));
  },
  "the place of the program headers"(image) {
    image.set(0, E_PHOFF, image.value());
  },
  "a table of a thousand program headers"(image, random) {
    const count = random.pick([200, 1000, 1170]);
    const at = image.bytes.length;
    const longer = new Uint8Array(at + count * PHDR_SIZE);
    longer.set(image.bytes);
    const header = image.bytes.slice(EHDR_SIZE, EHDR_SIZE + PHDR_SIZE);
    for (let index = 0; index < count; index++) longer.set(header, at + index * PHDR_SIZE);
    image.bytes = longer;
    image.set(0, E_PHOFF, BigInt(at));
    image.set(0, E_PHNUM, BigInt(count));
    // Each of them a page further than the one before.
    for (let index = 0; index < count; index++) {
      const header = at + index * PHDR_SIZE;
      image.set(header, P_VADDR, image.get(header, P_VADDR) + BigInt(index) * 4096n);
    }
  },
  "the entry point"(image) {
    image.set(0, E_ENTRY, image.value());
  },
  "the end of the file"(image, random) {
    const { length } = image.bytes;
    const cut = random.pick([
      0,
      1,
      4,
      63,
      64,
      100,
      EHDR_SIZE + PHDR_SIZE,
      4095,
      4096,
      length - 1,
      random.below(length + 1),
    ]);
    image.bytes = image.bytes.slice(0, Math.min(cut, length));
  },
  "the name of the interpreter"(image, random) {
    const header = image.header();
    const name = random.chance(80)
      ? random.pick(NAMES)
      : "x".repeat(random.pick([1, 255, 256, 4094, 4095, 4096]));
    const bytes = encoder.encode(random.chance(85) ? `${name}\0` : name);
    const at = Math.min(image.bytes.length, random.pick([0x800, 0x2000]));
    if (at + bytes.length > image.bytes.length) return;
    image.bytes.set(bytes, at);
    image.set(header, PROGRAM_HEADER_FIELDS[0], BigInt(ProgramHeaderType.INTERP));
    image.set(header, P_OFFSET, BigInt(at));
    image.set(header, P_FILESZ, BigInt(bytes.length));
  },
  "bytes of the code"(image, random) {
    for (let count = random.between(1, 40); count > 0 && image.bytes.length > 0; count--) {
      image.bytes[random.below(image.bytes.length)] = random.below(256);
    }
  },
  "a script instead"(image, random) {
    const interpreter = random.pick([...NAMES, "/image -x", " \t/loader  a b ", "x".repeat(300), "\0"]);
    const script = encoder.encode(`#!${interpreter}${random.chance(70) ? "\n" : ""}`);
    if (random.chance(20)) image.bytes = script;
    else if (script.length <= image.bytes.length) image.bytes.set(script);
  },
};

const MUTATION_NAMES = Object.keys(MUTATIONS);
/** Of a hundred times that such a change is drawn, it is made so often: they leave little to look at, or take long. */
const RARE: Readonly<Record<string, number>> = {
  "a script instead": 30,
  "the end of the file": 30,
  "a table of a thousand program headers": 4,
};

/** @returns the changed file, and what was changed */
export function mutate(original: Uint8Array, random: Random): { bytes: Uint8Array; changes: string[] } {
  const image = new Image(original.slice(), random);
  const changes: string[] = [];
  for (let count = random.pick([1, 1, 1, 2, 2, 3, 4]); count > 0; count--) {
    const name = random.pick(MUTATION_NAMES);
    if (!random.chance(RARE[name] ?? 100)) continue;
    MUTATIONS[name](image, random);
    changes.push(name);
  }
  return { bytes: image.bytes, changes };
}
