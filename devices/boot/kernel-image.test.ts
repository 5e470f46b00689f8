import { describe, expect, it } from "vitest";
import { BootError } from "./boot-error.ts";
import { loadKernel } from "./kernel-image.ts";
import type { LinuxBoot } from "./linux-boot-params.ts";
import { LoaderMemory } from "./loader-memory.ts";
import { MemoryType } from "./memory-range.ts";

const MIB = 2 ** 20;
const RAM = 64 * MIB;

const BOOT: LinuxBoot = {
  commandLine: "console=ttyS0 quiet",
  initrd: { subject: "initrd.gz", bytes: new Uint8Array(10_000).fill(0xab) },
  memoryMap: [
    { start: 0, length: 0x9fc00, type: MemoryType.Ram },
    { start: MIB, length: RAM - MIB, type: MemoryType.Ram },
  ],
  rsdpAddress: 0xe0780,
  random: (bytes) => bytes.fill(0x5a),
};

function load(bytes: Uint8Array, boot: LinuxBoot = BOOT, size = RAM) {
  const memory = new LoaderMemory(new Uint8Array(size));
  const entry = loadKernel("kernel", bytes, memory, boot);
  const { ram } = memory;
  const view = new DataView(ram.buffer);
  const text = (at: number) => String.fromCharCode(...ram.subarray(at, ram.indexOf(0, at)));
  return { entry, ram, view, text };
}

/** A file with the set-up header of Linux 6.1 and `codeBytes` of kernel. */
function bzImage(codeBytes = 4096, change: (view: DataView) => void = () => {}): Uint8Array {
  const bytes = new Uint8Array(1024 + codeBytes);
  const view = new DataView(bytes.buffer);
  bytes[0x1f1] = 1; // set-up sectors
  view.setUint32(0x1f4, codeBytes / 16, true);
  view.setUint16(0x1fe, 0xaa55, true);
  bytes[0x201] = 0x66;
  view.setUint32(0x202, 0x53726448, true);
  view.setUint16(0x206, 0x020f, true);
  bytes[0x211] = 1;
  view.setUint32(0x22c, 0x7fffffff, true);
  view.setUint32(0x238, 2047, true);
  view.setUint16(0x236, 1, true);
  view.setBigUint64(0x258, 0x1000000n, true);
  view.setUint32(0x260, MIB, true);
  bytes.fill(0x90, 1024);
  change(view);
  return bytes;
}

interface ElfOptions {
  readonly class64?: boolean;
  readonly machine?: number;
  readonly entry?: number;
  readonly physical?: number;
  /** Note "name", type, descriptor. */
  readonly note?: readonly [string, number, readonly number[]];
}

/** An ELF file with one segment of 256 bytes at 1 MiB, which begins with `content`. */
function elf(content: readonly number[], options: ElfOptions = {}): Uint8Array {
  const { class64 = true, machine = 62, physical = MIB, entry = physical, note } = options;
  const bytes = new Uint8Array(0x400);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, class64 ? 2 : 1, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, machine, true);
  const headers = note === undefined ? 1 : 2;
  const word = (at: number, value: number) =>
    class64 ? view.setBigUint64(at, BigInt(value), true) : view.setUint32(at, value, true);
  word(24, entry);
  word(class64 ? 32 : 28, 64);
  view.setUint16(class64 ? 54 : 42, class64 ? 56 : 32, true);
  view.setUint16(class64 ? 56 : 44, headers, true);
  const header = (
    index: number,
    type: number,
    offset: number,
    address: number,
    size: number,
    memory: number,
  ) => {
    const at = 64 + index * (class64 ? 56 : 32);
    view.setUint32(at, type, true);
    for (const [place, value] of class64
      ? [
          [8, offset],
          [16, address],
          [24, address],
          [32, size],
          [40, memory],
        ]
      : [
          [4, offset],
          [8, address],
          [12, address],
          [16, size],
          [20, memory],
        ]) {
      word(at + place, value);
    }
  };
  header(0, 1, 0x200, physical, 256, 4096);
  bytes.set(content, 0x200);
  if (note !== undefined) {
    const [name, type, descriptor] = note;
    header(1, 4, 0x300, 0, 12 + 4 + 8 + descriptor.length, 0);
    view.setUint32(0x300, name.length + 1, true);
    view.setUint32(0x304, descriptor.length, true);
    view.setUint32(0x308, type, true);
    bytes.set(
      [...name].map((letter) => letter.charCodeAt(0)),
      0x30c,
    );
    bytes.set(descriptor, 0x30c + Math.ceil((name.length + 1) / 4) * 4);
  }
  return bytes;
}

describe("a bzImage", () => {
  it("is placed where it wants to be and entered in 64-bit mode with its boot parameters", () => {
    const { entry, ram, view, text } = load(bzImage());
    expect(entry).toMatchObject({ mode: "long", entry: 0x1000200, codeSelector: 0x10, dataSelector: 0x18 });
    expect([ram[0x1000000], ram[0x1000000 + 4095], ram[0x1000000 + 4096]]).toEqual([0x90, 0x90, 0]);
    const params = entry.mode === "long" ? entry.rsi : 0;
    expect(view.getUint32(params + 0x202, true)).toBe(0x53726448);
    expect(text(view.getUint32(params + 0x228, true))).toBe("console=ttyS0 quiet");
    expect(Number(view.getBigUint64(params + 0x70, true))).toBe(0xe0780);
    const [initrd, size] = [view.getUint32(params + 0x218, true), view.getUint32(params + 0x21c, true)];
    expect([size, initrd % 4096, ram[initrd], ram[initrd + size - 1]]).toEqual([10_000, 0, 0xab, 0xab]);
    expect(ram[params + 0x1e8]).toBe(2);
    expect(view.getBigUint64(params + 0x2d0 + 20, true)).toBe(BigInt(MIB));
    const seed = Number(view.getBigUint64(params + 0x250, true));
    expect([view.getUint32(seed + 8, true), view.getUint32(seed + 12, true), ram[seed + 16]]).toEqual([
      9, 32, 0x5a,
    ]);
  });

  it("finds the first 4 GiB mapped at their own addresses, and a flat descriptor table", () => {
    const { entry, view } = load(bzImage());
    if (entry.mode !== "long") throw new Error("not in long mode");
    const walk = (address: number): number => {
      let table = entry.cr3;
      for (const shift of [39, 30, 21]) {
        const at = table + (Math.floor(address / 2 ** shift) % 512) * 8;
        const word = Number(view.getBigUint64(at, true));
        expect(word % 2).toBe(1);
        if (shift === 21) return word - (word % 2 ** 21) + (address % 2 ** 21);
        table = word - (word % 4096);
      }
      return -1;
    };
    for (const address of [0, 0x1000200, 0x7fffffff, 0xfee00000, 0xffffffff])
      expect(walk(address)).toBe(address);
    expect(view.getBigUint64(entry.gdt.base + 0x10, true)).toBe(0x00af9b000000ffffn);
  });

  it("without a 64-bit entry point is entered in 32-bit protected mode", () => {
    const { entry, view } = load(bzImage(4096, (view) => view.setUint16(0x236, 0, true)));
    expect(entry).toMatchObject({ mode: "protected", entry: 0x1000000, codeSelector: 0x10, ebx: 0 });
    const params = entry.mode === "protected" ? entry.esi : 0;
    expect(view.getUint32(params + 0x202, true)).toBe(0x53726448);
    expect(view.getBigUint64(entry.gdt.base + 0x10, true)).toBe(0x00cf9b000000ffffn);
  });

  it("is refused with a sentence when it cannot be booted", () => {
    const reason = (bytes: Uint8Array, boot?: LinuxBoot, size?: number) => {
      try {
        load(bytes, boot, size);
      } catch (error) {
        if (error instanceof BootError) return error.message;
        throw error;
      }
      return "";
    };
    expect(reason(bzImage().subarray(0, 3000))).toMatch(
      /^kernel: is cut off: 4096 bytes of kernel are promised, 1976/,
    );
    expect(reason(bzImage(4096, (view) => view.setUint16(0x206, 0x209, true)))).toMatch(
      /before Linux 2.6.35/,
    );
    expect(reason(bzImage(), BOOT, 16 * MIB)).toMatch(
      /does not fit into the machine's 16 MiB of memory; it would take --memory/,
    );
    expect(reason(bzImage(), { ...BOOT, commandLine: "x".repeat(3000) })).toMatch(
      /command line of 2047 bytes/,
    );
    const initrd = { subject: "big.gz", bytes: new Uint8Array(50 * MIB) };
    expect(reason(bzImage(), { ...BOOT, initrd })).toMatch(/^big.gz: has 50 MiB, for which there is no room/);
    expect(reason(bzImage(), { ...BOOT, initrd: { subject: "e", bytes: new Uint8Array(0) } })).toBe(
      "e: is empty",
    );
  });
});

describe("other kernels", () => {
  it("are recognised: vmlinux by its note, in 64-bit mode", () => {
    const { entry, ram } = load(elf([1, 2, 3], { note: ["Linux", 0x100, [1, 0, 0, 0]] }));
    expect(entry).toMatchObject({ mode: "long", entry: MIB });
    expect([...ram.subarray(MIB, MIB + 3)]).toEqual([1, 2, 3]);
  });

  it("are recognised: PVH by its note, with the start information", () => {
    const note = ["Xen", 18, [0x10, 0, 0x10, 0]] as const;
    const { entry, view, text } = load(elf([1], { note }));
    expect(entry).toMatchObject({ mode: "protected", entry: 0x100010 });
    const info = entry.mode === "protected" ? entry.ebx : 0;
    expect(view.getUint32(info, true)).toBe(0x336ec578);
    expect(text(Number(view.getBigUint64(info + 24, true)))).toBe("console=ttyS0 quiet");
    const module = Number(view.getBigUint64(info + 16, true));
    expect(view.getBigUint64(module + 8, true)).toBe(10_000n);
    const map = Number(view.getBigUint64(info + 40, true));
    expect([view.getUint32(info + 48, true), view.getBigUint64(map + 24, true)]).toEqual([2, BigInt(MIB)]);
  });

  it("are recognised: multiboot in a 32-bit ELF file, with modules and a memory map", () => {
    const flags = 3;
    const header = new Uint8Array(12);
    new DataView(header.buffer).setUint32(0, 0x1badb002, true);
    new DataView(header.buffer).setUint32(4, flags, true);
    new DataView(header.buffer).setUint32(8, -(0x1badb002 + flags), true);
    const { entry, view, text, ram } = load(
      elf([...header], { class64: false, machine: 3, entry: MIB + 12 }),
    );
    expect(entry).toMatchObject({ mode: "protected", entry: MIB + 12, eax: 0x2badb002 });
    const info = entry.mode === "protected" ? entry.ebx : 0;
    expect([view.getUint32(info + 4, true), view.getUint32(info + 8, true)]).toEqual([
      639,
      (RAM - MIB) / 1024,
    ]);
    expect(text(view.getUint32(info + 16, true))).toBe("console=ttyS0 quiet");
    const module = view.getUint32(info + 24, true);
    expect(view.getUint32(info + 20, true)).toBe(1);
    expect(ram[view.getUint32(module, true)]).toBe(0xab);
    expect(text(view.getUint32(module + 8, true))).toBe("initrd.gz");
    expect(view.getUint32(info + 44, true)).toBe(48);
  });

  it("are recognised: multiboot with load addresses", () => {
    const bytes = new Uint8Array(8192);
    const view = new DataView(bytes.buffer);
    const flags = 0x10000;
    const fields = [
      0x1badb002,
      flags,
      -(0x1badb002 + flags),
      0x200010,
      0x200000,
      0x201000,
      0x205000,
      0x200040,
    ];
    for (const [index, value] of fields.entries()) view.setUint32(16 + index * 4, value, true);
    bytes[0x40] = 0xf4;
    const { entry, ram } = load(bytes);
    expect(entry).toMatchObject({ mode: "protected", entry: 0x200040 });
    expect(ram[0x200040]).toBe(0xf4);
  });

  it("are refused with what they are", () => {
    const reason = (bytes: ArrayLike<number>) => {
      try {
        load(new Uint8Array(bytes));
      } catch (error) {
        if (error instanceof BootError) return error.reason;
        throw error;
      }
      return "";
    };
    expect(reason([])).toBe("is empty");
    expect(reason([0x1f, 0x8b, 8, 0])).toMatch(/gzip/);
    expect(reason([..."070701"].map((letter) => letter.charCodeAt(0)))).toMatch(/cpio archive: an initrd/);
    expect(reason(new Uint8Array(4096).fill(0x41))).toMatch(/is no kernel/);
    expect(reason(elf([1], { machine: 183 }))).toBe("is for aarch64, this machine is x86-64");
    expect(reason(elf([1]))).toMatch(/without a multiboot header or a PVH entry point/);
    expect(reason(elf([1], { note: ["Xen", 18, [0, 0, 0, 0]] }))).toMatch(/PVH entry point outside/);
  });

  it("are loaded or refused, but nothing else, when any byte of their headers is changed or missing", () => {
    const flags = 3;
    const header = [0x02, 0xb0, 0xad, 0x1b, flags, 0, 0, 0, 0xfb, 0x4f, 0x52, 0xe4];
    const samples = [
      bzImage(512),
      elf([1], { note: ["Linux", 0x100, [1, 0, 0, 0]] }),
      elf([1], { note: ["Xen", 18, [0x10, 0, 0x10, 0]] }),
      elf(header, { class64: false, machine: 3 }),
    ];
    const memory = new Uint8Array(24 * MIB);
    const attempt = (bytes: Uint8Array) => {
      try {
        loadKernel("kernel", bytes, new LoaderMemory(memory), BOOT);
      } catch (error) {
        expect(error).toBeInstanceOf(BootError);
      }
    };
    for (const sample of samples) {
      for (let at = 0; at < Math.min(sample.length, 0x320); at += 1) {
        if (at > 0x50 && at < 0x1f0 && sample[0x1fe] === 0x55) continue; // the old boot sector: not looked at
        const changed = sample.slice();
        for (const value of [0, 0x7f, 0xff]) {
          changed[at] = value;
          attempt(changed);
        }
      }
      for (let length = 0; length < sample.length; length += 7) attempt(sample.subarray(0, length));
    }
  });
});
