/**
 * The stack that a program starts with: strings, auxiliary vector, environment, arguments (x86-64 psABI 3.4.1; Linux
 * fs/exec.c copy_strings(), fs/binfmt_elf.c create_elf_tables()).
 */

import { E2BIG } from "../errno.ts";
import type { UserMemory } from "../mm/user-memory.ts";
import { encodeName, nameLength } from "../vfs/names.ts";
import { ElfError } from "./elf.ts";

/** Auxiliary vector keys (uapi/linux/auxvec.h, asm/auxvec.h). */
export const Auxiliary = {
  NULL: 0,
  PHDR: 3,
  PHENT: 4,
  PHNUM: 5,
  PAGESZ: 6,
  BASE: 7,
  FLAGS: 8,
  ENTRY: 9,
  UID: 11,
  EUID: 12,
  GID: 13,
  EGID: 14,
  PLATFORM: 15,
  HWCAP: 16,
  CLKTCK: 17,
  SECURE: 23,
  RANDOM: 25,
  HWCAP2: 26,
  EXECFN: 31,
  SYSINFO_EHDR: 33,
  MINSIGSTKSZ: 51,
} as const;

/** MAX_ARG_STRLEN and the share of the stack that arguments may take (uapi/linux/binfmts.h, fs/exec.c). */
const STRING_LIMIT = 131072;
const TOTAL_LIMIT = 2 << 20;

export interface StackContents {
  readonly path: string;
  readonly argv: readonly string[];
  readonly environment: readonly string[];
  /** 16 random bytes for AT_RANDOM. */
  readonly random: Uint8Array;
  /** Entries that do not point into the stack; RANDOM, EXECFN and PLATFORM are added. */
  readonly auxiliary: readonly (readonly [key: number, value: number])[];
}

export interface BuiltStack {
  /** RSP at the entry point. */
  readonly pointer: number;
  readonly argStart: number;
  readonly argEnd: number;
  readonly environmentStart: number;
  readonly environmentEnd: number;
  readonly auxiliaryVector: Uint8Array;
}

function encodeString(text: string): Uint8Array {
  const bytes = encodeName(text);
  const terminated = new Uint8Array(bytes.length + 1);
  terminated.set(bytes);
  return terminated;
}

/** @throws ElfError (E2BIG) when arguments and environment do not fit */
export function checkArguments(path: string, argv: readonly string[], environment: readonly string[]): void {
  let total = 0;
  for (const text of [...argv, ...environment]) {
    // UTF-8 takes at most three bytes per UTF-16 unit: only long strings need to be measured.
    const bytes = text.length * 3 < STRING_LIMIT ? text.length : nameLength(text);
    if (bytes >= STRING_LIMIT)
      throw new ElfError(path, `cannot start: an argument has ${bytes} bytes`, E2BIG);
    total += bytes + 1 + 8;
  }
  if (total > TOTAL_LIMIT)
    throw new ElfError(path, `cannot start: arguments and environment take ${total} bytes`, E2BIG);
}

/** Fills the memory below `top` (page-aligned, mapped writable). */
export function buildStack(memory: UserMemory, top: number, contents: StackContents): BuiltStack {
  // Linux leaves a null word at the very top, then the file name, then the environment, then the arguments.
  let at = top - 8;
  const put = (bytes: Uint8Array): number => {
    at -= bytes.length;
    memory.write(at, bytes);
    return at;
  };
  const putStrings = (texts: readonly string[]): number[] => {
    const addresses: number[] = [];
    for (let index = texts.length - 1; index >= 0; index--)
      addresses[index] = put(encodeString(texts[index]));
    return addresses;
  };
  const execFn = put(encodeString(contents.path));
  const environmentEnd = at;
  const environmentAddresses = putStrings(contents.environment);
  const environmentStart = at;
  const argEnd = at;
  const argAddresses = putStrings(contents.argv);
  const argStart = at;
  at -= at % 16;
  const platform = put(encodeString("x86_64"));
  const random = put(contents.random);
  const auxiliary = [
    ...contents.auxiliary,
    [Auxiliary.RANDOM, random],
    [Auxiliary.EXECFN, execFn],
    [Auxiliary.PLATFORM, platform],
    [Auxiliary.NULL, 0],
  ] as const;
  const words = [contents.argv.length, ...argAddresses, 0, ...environmentAddresses, 0];
  const wordCount = words.length + auxiliary.length * 2;
  const pointer = Math.floor((at - wordCount * 8) / 16) * 16;
  for (const [key, value] of auxiliary) words.push(key, value);
  const table = new DataView(new ArrayBuffer(wordCount * 8));
  for (const [index, word] of words.entries()) {
    table.setUint32(index * 8, word >>> 0, true);
    table.setUint32(index * 8 + 4, Math.floor(word / 2 ** 32), true);
  }
  const bytes = new Uint8Array(table.buffer);
  memory.write(pointer, bytes);
  return {
    pointer,
    argStart,
    argEnd,
    environmentStart,
    environmentEnd,
    auxiliaryVector: bytes.slice(bytes.length - auxiliary.length * 16),
  };
}
