/** The programs that the mutations start from: written by hand, compiled without a library, and real ones. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DIST, REPOSITORY } from "../../scripts/repository.ts";
import { compile, missingCompiler } from "../harness/compiler.ts";
import { ET_DYN, PF_R, PF_W, PF_X, ProgramHeaderType, writeElf } from "./elf-image.ts";

export interface Seed {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** mov edi, 42; mov eax, 231 (exit_group); syscall */
const EXIT_42 = Uint8Array.of(0xbf, 42, 0, 0, 0, 0xb8, 231, 0, 0, 0, 0x0f, 0x05);

const encoder = new TextEncoder();

/** Where the dynamic loader of the mutated programs is, in the root of the test. */
export const LOADER = "/loader";

function handmade(): Seed[] {
  const data = { flags: PF_R | PF_W, contents: Uint8Array.of(1, 2, 3), memorySize: 9000 };
  const tls = { type: ProgramHeaderType.TLS, flags: PF_R, contents: Uint8Array.of(9), memorySize: 64 };
  const stack = { type: ProgramHeaderType.GNU_STACK, flags: PF_R | PF_W, address: 0 };
  return [
    {
      name: "handmade",
      bytes: writeElf({
        entry: 0x400000,
        segments: [
          { flags: PF_R | PF_X, address: 0x400000, contents: EXIT_42 },
          { ...data, address: 0x402000 },
          { ...tls, address: 0x404000 },
          stack,
        ],
      }),
    },
    {
      name: "handmade-pie",
      bytes: writeElf({
        type: ET_DYN,
        entry: 0x1000,
        segments: [
          { flags: PF_R | PF_X, address: 0x1000, contents: EXIT_42 },
          { ...data, address: 0x3000 },
          stack,
        ],
      }),
    },
    {
      name: "handmade-interpreted",
      bytes: writeElf({
        type: ET_DYN,
        entry: 0x1000,
        segments: [
          {
            type: ProgramHeaderType.INTERP,
            flags: PF_R,
            address: 0x2000,
            contents: encoder.encode(`${LOADER}\0`),
          },
          { flags: PF_R | PF_X, address: 0x1000, contents: EXIT_42 },
          { ...data, address: 0x3000 },
        ],
      }),
    },
  ];
}

function compiled(): Seed[] {
  if (missingCompiler("glibc") !== undefined) return [];
  const source = join(REPOSITORY, "test/hostile/programs/seed.c");
  const flags = ["-nostdlib", "-fno-stack-protector", "-fno-asynchronous-unwind-tables"];
  const read = (more: string[]) =>
    new Uint8Array(readFileSync(compile(source, "glibc", [...flags, ...more])));
  return [
    { name: "seed", bytes: read([]) },
    { name: "seed-pie", bytes: read(["-static-pie"]) },
    { name: "seed-packed", bytes: read(["-Wl,-z,noseparate-code"]) },
  ];
}

function built(): Seed[] {
  const hello = join(DIST, "guests/hello");
  return existsSync(hello) ? [{ name: "hello", bytes: new Uint8Array(readFileSync(hello)) }] : [];
}

/** All there are here: without a compiler, only those that are written by hand. */
export function collectSeeds(): Seed[] {
  return [...handmade(), ...compiled(), ...built()];
}
