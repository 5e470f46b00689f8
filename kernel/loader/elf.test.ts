import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { EHDR_SIZE, ElfError, type ElfImage, PHDR_SIZE, parseElf } from "./elf.ts";

function parse(bytes: Uint8Array, path = "/x"): ElfImage {
  return parseElf(path, (position, length) => bytes.subarray(position, position + length), bytes.length);
}

function reasonOf(bytes: Uint8Array): string {
  try {
    parse(bytes);
  } catch (error) {
    if (error instanceof ElfError) return error.reason;
    throw error;
  }
  return "";
}

interface Header {
  type?: number;
  machine?: number;
  segments?: { type?: number; address?: number; offset?: number; fileSize?: number; memorySize?: number }[];
}

/** A small program, well formed unless told otherwise. */
function elf({ type = 2, machine = 62, segments = [{}] }: Header = {}): Uint8Array {
  const bytes = new Uint8Array(8192);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, type, true);
  view.setUint16(18, machine, true);
  view.setBigUint64(24, 0x400100n, true);
  view.setBigUint64(32, BigInt(EHDR_SIZE), true);
  view.setUint16(54, PHDR_SIZE, true);
  view.setUint16(56, segments.length, true);
  for (const [index, segment] of segments.entries()) {
    const at = EHDR_SIZE + index * PHDR_SIZE;
    view.setUint32(at, segment.type ?? 1, true);
    view.setUint32(at + 4, 5, true);
    view.setBigUint64(at + 8, BigInt(segment.offset ?? 0), true);
    view.setBigUint64(at + 16, BigInt(segment.address ?? 0x400000), true);
    view.setBigUint64(at + 32, BigInt(segment.fileSize ?? 4096), true);
    view.setBigUint64(at + 40, BigInt(segment.memorySize ?? 8192), true);
  }
  return bytes;
}

describe("ELF headers", () => {
  it("describe a small program", () => {
    const image = parse(elf());
    expect(image.entry).toBe(0x400100);
    expect([image.start, image.end]).toEqual([0x400000, 0x402000]);
    expect(image.programHeaders).toBe(0x400000 + EHDR_SIZE);
    expect(image.positionIndependent).toBe(false);
    expect(image.interpreter).toBeUndefined();
  });

  it.each([
    ["text", new TextEncoder().encode("hello, world"), "is not an ELF program"],
    ["nothing", new Uint8Array(0), "is not an ELF program"],
    ["half a header", elf().subarray(0, 40), "is truncated: 40 bytes are no ELF header"],
    ["an aarch64 program", elf({ machine: 183 }), "is for aarch64, this machine is x86-64"],
    ["a 32-bit program", elf({ machine: 3 }), "is for 32-bit x86 (i386), this machine is x86-64"],
    ["an object file", elf({ type: 1 }), "is an object file, not a program: it has not been linked"],
    ["a core dump", elf({ type: 4 }), "is a core dump, not a program"],
    ["no headers", elf({ segments: [] }), "has no program headers"],
    ["nothing to load", elf({ segments: [{ type: 4 }] }), "has nothing to load (no PT_LOAD program header)"],
    ["a cut file", elf().subarray(0, 2000), "is truncated: segment 0 ends behind the end of the file"],
    ["cut headers", elf().subarray(0, 80), "is truncated: its program headers are behind its end"],
    [
      "a segment in the kernel's half",
      elf({ segments: [{ address: 2 ** 47 }] }),
      "has a segment (0) outside of user memory",
    ],
    [
      "more in the file than in memory",
      elf({ segments: [{ fileSize: 4096, memorySize: 100 }] }),
      "has a segment (0) that is longer in the file than in memory",
    ],
    [
      "pages that do not fit",
      elf({ segments: [{ offset: 16, fileSize: 16 }] }),
      "has a segment (0) that cannot be mapped by pages",
    ],
    [
      "an empty interpreter",
      elf({ segments: [{ type: 3, fileSize: 0 }, {}] }),
      "has an interpreter name of 0 bytes",
    ],
    [
      "an endless interpreter",
      elf({ segments: [{ type: 3, offset: 0, fileSize: 5 }, {}] }),
      "has an interpreter name without an end",
    ],
  ])("refuse %s", (_what, bytes, reason) => {
    expect(reasonOf(bytes)).toBe(reason);
  });

  it("never do anything but parse or refuse, whatever is in the file", () => {
    let seed = 42;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const original = elf({ segments: [{ type: 6 }, { type: 3, offset: 4096, fileSize: 20 }, {}, {}] });
    let parsed = 0;
    for (let round = 0; round < 100_000; round++) {
      const bytes = original.slice(0, random(20) === 0 ? random(600) : 4200);
      for (let change = random(6); change >= 0; change--) {
        const at = random(Math.min(bytes.length, EHDR_SIZE + 4 * PHDR_SIZE));
        bytes[at] = random(3) === 0 ? random(256) : [0, 1, 2, 3, 0x7f, 0x80, 0xff][random(7)];
      }
      // reasonOf throws on what is not an ElfError.
      if (reasonOf(bytes) !== "") continue;
      parsed++;
      const image = parse(bytes);
      expect(image.end).toBeGreaterThan(image.start);
    }
    expect(parsed).toBeGreaterThan(100);
  });

  const programs = ["/bin/ls", "/bin/busybox", "/usr/bin/python3", "/usr/bin/gcc", process.execPath];
  it.each(programs.filter((path) => existsSync(path)))("of %s are what readelf says", (path) => {
    const image = parse(readFileSync(path), path);
    const listing = execFileSync("readelf", ["-lhW", path], { encoding: "utf8" });
    const loads = [...listing.matchAll(/^ +LOAD +0x(\w+) 0x(\w+) 0x\w+ 0x(\w+) 0x(\w+) (...) 0x/gm)].map(
      ([, ...fields]) => ({
        offset: Number.parseInt(fields[0], 16),
        address: Number.parseInt(fields[1], 16),
        fileSize: Number.parseInt(fields[2], 16),
        memorySize: Number.parseInt(fields[3], 16),
        flags:
          (fields[4][0] === "R" ? 4 : 0) | (fields[4][1] === "W" ? 2 : 0) | (fields[4][2] === "E" ? 1 : 0),
      }),
    );
    expect(image.segments).toEqual(loads);
    expect(image.entry).toBe(Number(/Entry point address: +(\w+)/.exec(listing)?.[1]));
    expect(image.interpreter).toBe(/interpreter: (.*)\]/.exec(listing)?.[1]);
    expect(image.positionIndependent).toBe(listing.includes("DYN ("));
  });
});
