/** What a thread is and keeps about itself. */

import { EINVAL, EPERM } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import type { SyscallDefinition } from "./definition.ts";

function setTidAddress(thread: Thread, address: number): number {
  thread.clearChildTid = address;
  return thread.tid;
}

/** Addresses that a segment base may have: TASK_SIZE_MAX. */
const BASE_LIMIT = 2 ** 47;
const Arch = { SET_GS: 0x1001, SET_FS: 0x1002, GET_FS: 0x1003, GET_GS: 0x1004 } as const;

function archPrctl(thread: Thread, code: number, address: number): number {
  const registers = thread.kernel.scheduler.registersOf(thread);
  switch (code) {
    case Arch.SET_FS:
    case Arch.SET_GS:
      if (!(address >= 0 && address < BASE_LIMIT)) return -EPERM;
      if (code === Arch.SET_FS) registers.fsBase = address;
      else registers.gsBase = address;
      return 0;
    case Arch.GET_FS:
      thread.memory.writeI64(address, registers.fsBase);
      return 0;
    case Arch.GET_GS:
      thread.memory.writeI64(address, registers.gsBase);
      return 0;
    default:
      return -EINVAL;
  }
}

export const THREAD_SYSCALLS: readonly SyscallDefinition[] = [
  {
    number: 218,
    name: "set_tid_address",
    state: "done",
    arguments: [["tidptr", "pointer"]],
    call: setTidAddress,
  },
  { number: 186, name: "gettid", state: "done", arguments: [], call: (thread) => thread.tid },
  {
    number: 158,
    name: "arch_prctl",
    state: "partial",
    note: "segment bases only",
    arguments: [
      [
        "code",
        { oneOf: { ARCH_SET_GS: 0x1001, ARCH_SET_FS: 0x1002, ARCH_GET_FS: 0x1003, ARCH_GET_GS: 0x1004 } },
      ],
      ["addr", "hex"],
    ],
    call: archPrctl,
  },
];
