import { beforeEach, describe, expect, it } from "vitest";
import { Register } from "../../cpu/state.ts";
import { Access } from "../../mmu/translator.ts";
import { EACCES, ELOOP, ENOENT, ENOMEM } from "../errno.ts";
import { ScriptedKernel } from "../testing/scripted-kernel.ts";
import type { Inode } from "../vfs/inode.ts";
import { EHDR_SIZE, ElfError, PHDR_SIZE } from "./elf.ts";

interface Segment {
  readonly type?: number;
  readonly flags?: number;
  readonly offset?: number;
  readonly address?: number;
  readonly fileSize?: number;
  readonly memorySize?: number;
  readonly align?: number;
}

const PF_X = 1;
const PF_W = 2;
const PF_R = 4;

/** A program of the given segments; its code is one HLT, which kills it. */
function program(
  segments: readonly Segment[],
  more: { type?: number; entry?: number; interpreter?: string } = {},
) {
  const bytes = new Uint8Array(12288);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, more.type ?? 2, true);
  view.setUint16(18, 62, true);
  view.setBigUint64(24, BigInt(more.entry ?? 0x400100), true);
  view.setBigUint64(32, BigInt(EHDR_SIZE), true);
  view.setUint16(54, PHDR_SIZE, true);
  view.setUint16(56, segments.length, true);
  if (more.interpreter !== undefined) bytes.set(new TextEncoder().encode(`${more.interpreter}\0`), 1024);
  bytes[0x100] = 0xf4;
  bytes.fill(0xaa, 4096);
  for (const [index, segment] of segments.entries()) {
    const at = EHDR_SIZE + index * PHDR_SIZE;
    view.setUint32(at, segment.type ?? 1, true);
    view.setUint32(at + 4, segment.flags ?? PF_R | PF_X, true);
    const fields = [
      segment.offset ?? 0,
      segment.address ?? 0x400000,
      0,
      segment.fileSize ?? 4096,
      segment.memorySize ?? 4096,
    ];
    for (const [field, value] of [...fields, segment.align ?? 4096].entries()) {
      view.setBigUint64(at + 8 + field * 8, BigInt(value), true);
    }
  }
  return bytes;
}

let system: ScriptedKernel;
let root: Inode;

function file(name: string, contents: Uint8Array | string, mode = 0o755): void {
  const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
  if (root.lookup(name) !== undefined) root.unlink(name);
  const inode = root.create(name, 0o100000 | mode, 0, 0, 0);
  inode.setAttributes({ size: bytes.length });
  for (let position = 0; position < bytes.length; position += 4096) {
    const page = new Uint8Array(4096);
    page.set(bytes.subarray(position, position + 4096));
    inode.writePage?.(position, page, Math.min(4096, bytes.length - position));
  }
}

/** Starts /name and says how it looks when its first instruction is due. */
async function start(name: string, ...args: string[]) {
  const application = await system.kernel.spawn(`/${name}`, [name, ...args], ["A=1"]);
  const thread = application.mainThread;
  if (thread === undefined) throw new Error("no thread");
  const registers = system.kernel.scheduler.registersOf(thread);
  return { application, rip: registers.rip, sp: registers.get(Register.RSP), memory: system.kernel.memory };
}

async function failure(name: string): Promise<ElfError> {
  try {
    await start(name);
  } catch (error) {
    if (error instanceof ElfError) return error;
    throw error;
  }
  throw new Error("it started");
}

beforeEach(() => {
  system = new ScriptedKernel();
  // Nobody is there to run anything: the first instruction is the last.
  system.machine.engine.step = () => 4;
  root = system.kernel.mounts.root.inode;
});

describe("a program", () => {
  it("is mapped as its headers say, with zeroes behind its data", async () => {
    file(
      "x",
      program([
        {},
        { offset: 4096 + 0x100, address: 0x402100, fileSize: 0x200, memorySize: 0x3000, flags: PF_R | PF_W },
      ]),
    );
    const { rip, memory } = await start("x");
    expect(rip).toBe(0x400100);
    expect(memory.readU8(0x400100)).toBe(0xf4);
    expect(memory.readU32(0x402100)).toBe(0xaaaaaaaa);
    expect(memory.readU8(0x402300)).toBe(0);
    expect(memory.readU8(0x4050ff)).toBe(0);
    expect(memory.check(0x402100, 4, true)).toBe(true);
    expect(memory.check(0x400100, 4, true)).toBe(false);
    expect(system.kernel.space.fault(0x402100, Access.Execute)).toBe("forbidden");
  });

  it("that is position-independent goes where Linux puts it, a second one elsewhere", async () => {
    file("pie", program([{ address: 0 }], { type: 3, entry: 0x100 }));
    const first = await start("pie");
    const second = await start("pie");
    expect(first.rip).toBe(0x555555554100);
    expect(second.rip).toBeGreaterThan(first.rip);
    expect(second.sp).toBeLessThan(first.sp - (8 << 20));
  });

  it("with a fixed address cannot run twice, which is said", async () => {
    file("x", program([{}]));
    await start("x");
    const error = await failure("x");
    expect(error.errno).toBe(ENOMEM);
    expect(error.message).toMatch(/^\/x: has the fixed address 0x400000, where \/x runs already/);
  });

  it("gets its dynamic loader", async () => {
    file("ld.so", program([{ address: 0 }], { type: 3, entry: 0x180 }));
    const segments = [{ type: 3, offset: 1024, fileSize: 7, memorySize: 7 }, {}];
    file("x", program(segments, { interpreter: "/ld.so" }));
    const { rip } = await start("x");
    expect(rip % 4096).toBe(0x180);
    expect(rip).toBeGreaterThan(0x7f0000000000);
  });

  it("leaves nothing behind when it ends", async () => {
    file("x", program([{}, { address: 0x410000, fileSize: 0, memorySize: 100_000, flags: PF_R | PF_W }]));
    const { free } = system.kernel.space.frames;
    const { application } = await start("x");
    await application.exited;
    expect(system.kernel.space.frames.free).toBe(free);
    expect(system.kernel.space.areas.size).toBe(1);
  });
});

describe("what cannot be started is said in a sentence:", () => {
  it.each<[string, () => void, string, number]>([
    ["nothing there", () => {}, "/x: no such file or directory", ENOENT],
    [
      "not executable",
      () => file("x", program([{}]), 0o644),
      "/x: permission denied: not an executable file",
      EACCES,
    ],
    ["a directory", () => void root.mkdir("x", 0o755, 0, 0), "/x: is a directory, not a program", EACCES],
    ["an empty file", () => file("x", ""), "/x: is empty, not a program", 8],
    ["text", () => file("x", "hello"), '/x: is neither an ELF program nor a script with "#!"', 8],
    ["no interpreter", () => file("x", "#!/bin/none\n"), "/bin/none: no such file or directory", ENOENT],
    ["a circle", () => file("x", "#!/x\n"), "/x: is a script whose interpreter is a script, too deep", ELOOP],
    [
      "no dynamic loader",
      () =>
        file(
          "x",
          program([{ type: 3, offset: 1024, fileSize: 7, memorySize: 7 }, {}], { interpreter: "/ld.so" }),
        ),
      "/x: needs the dynamic loader /ld.so, which is not in the root file system",
      ENOENT,
    ],
    [
      "too large",
      () =>
        file(
          "x",
          program([{}, { address: 0x500000, fileSize: 0, memorySize: 64 << 20, flags: PF_R | PF_W }]),
        ),
      "/x: needs 65 MiB of memory, this machine has 4 MiB",
      ENOMEM,
    ],
    [
      "at the null page",
      () => file("x", program([{ address: 0 }])),
      "/x: wants to be loaded at address 0",
      22,
    ],
  ])("%s", async (_what, prepare, message, errno) => {
    prepare();
    const error = await failure("x");
    expect(error.message).toBe(message);
    expect(error.errno).toBe(errno);
  });
});

describe("scripts", () => {
  it("run their interpreter with the name of the script", async () => {
    file("sh", program([{}]));
    file("script", "#!/sh -x\necho");
    const { application } = await start("script", "one");
    expect(application.argv).toEqual(["/sh", "-x", "/script", "one"]);
  });
});

describe("memory that runs out", () => {
  it("kills the program with a clear word, and only that", async () => {
    file("x", program([{}, { address: 0x500000, fileSize: 0, memorySize: 3 << 20, flags: PF_R | PF_W }]));
    let address = 0x500000;
    const { application } = await start("x");
    // The engine stands in for a program that touches one page after the other.
    system.machine.engine.step = () => {
      const { cpu } = system.machine;
      for (;;) {
        const out = { physicalPage: 0, rights: 0, errorCode: 0 };
        if (cpu.translator.translate(address, Access.Write, out)) {
          address += 4096;
          if (address === 0x500000 + (3 << 20)) address = 0x7fffffffe000 - 4096 * 400;
          continue;
        }
        cpu.state.setInt32(0x408, 14, true);
        cpu.state.setInt32(0x40c, out.errorCode, true);
        cpu.state.setUint32(0x410, address >>> 0, true);
        cpu.state.setUint32(0x414, Math.floor(address / 2 ** 32), true);
        return 3;
      }
    };
    expect(await application.exited).toBe(9);
    expect(system.output.join()).toBe("Out of memory: killed x (pid 2): all 4 MiB of memory are in use");
  });
});

describe("hostile programs", () => {
  it("start or are refused, and never leave anything behind: 3000 of them", async () => {
    let seed = 99;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const pick = <T>(values: readonly T[]): T => values[random(values.length)];
    const { free } = system.kernel.space.frames;
    let started = 0;
    for (let round = 0; round < 3000; round++) {
      const segments = Array.from({ length: 1 + random(4) }, (): Segment => {
        const memorySize = pick([1, 100, 4096, 8192, 1 << 20, 2 ** 40]);
        return {
          type: pick([1, 1, 1, 1, 3, 6, 0x6474e551]),
          flags: random(8),
          offset: pick([0, 0, 0x100, 4096, 4096 + 0x100]),
          address: pick([
            0,
            0x100,
            0x10000,
            0x400000,
            0x400100,
            0x401000,
            0x401100,
            2 ** 32,
            0x7fff_f7ff_0000,
            2 ** 47 - 8192,
          ]),
          fileSize: pick([0, 1, 100, 4096, memorySize]),
          memorySize,
          align: pick([0, 1, 4096, 2 << 20, 3, 2 ** 40]),
        };
      });
      file(
        "x",
        program(segments, {
          type: pick([2, 3]),
          entry: pick([0, 0x400100, 2 ** 47, -1 >>> 0]),
          interpreter: "/x",
        }),
      );
      try {
        const { application } = await start("x");
        started++;
        await application.exited;
      } catch (error) {
        if (!(error instanceof ElfError)) throw error;
      }
      if (system.panic !== undefined) throw system.panic;
      expect(system.kernel.space.frames.free).toBe(free);
      expect(system.kernel.space.areas.size).toBe(1);
    }
    expect(started).toBeGreaterThan(100);
  });
});
