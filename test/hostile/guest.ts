/** The smallest program that makes system calls: it asks for one, makes it, and asks again. */

import { PF_R, PF_W, PF_X, writeElf } from "./elf-image.ts";

export const CODE = 0x400000;
/** RIP behind the SYSCALL that only asks what to do next: see {@link import("./engine-gate.ts").EngineGate}. */
export const ASKED = CODE + 2;
/** A signal handler that returns, and what it returns to. */
export const HANDLER = CODE + 16;
export const RESTORER = CODE + 32;

/** Memory that may be written, one page that may only be read; nothing behind either. */
export const DATA = 0x500000;
export const DATA_SIZE = 0x40000;
export const READ_ONLY = 0x600000;

function code(): Uint8Array {
  const bytes = new Uint8Array(64).fill(0xcc);
  // syscall; syscall; jmp to the first
  bytes.set([0x0f, 0x05, 0x0f, 0x05, 0xeb, 0xfa]);
  bytes.set([0xc3], HANDLER - CODE);
  // mov eax, 15 (rt_sigreturn); syscall
  bytes.set([0xb8, 15, 0, 0, 0, 0x0f, 0x05], RESTORER - CODE);
  return bytes;
}

export function guestProgram(): Uint8Array {
  return writeElf({
    entry: CODE,
    segments: [
      { flags: PF_R | PF_X, address: CODE, contents: code() },
      { flags: PF_R | PF_W, address: DATA, memorySize: DATA_SIZE },
      { flags: PF_R, address: READ_ONLY, contents: new Uint8Array(4096).fill(0x41) },
    ],
  });
}
