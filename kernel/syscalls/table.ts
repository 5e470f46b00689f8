/** All system calls: what is there, from the files of this folder, and by name what is not. */

import { ATTRIBUTE_SYSCALLS } from "./attributes.ts";
import { CLONE_SYSCALLS } from "./clone.ts";
import { CREDENTIAL_SYSCALLS } from "./credentials.ts";
import type { SyscallDefinition } from "./definition.ts";
import { DIRECTORY_SYSCALLS } from "./directories.ts";
import { EPOLL_SYSCALLS } from "./epoll.ts";
import { EXEC_SYSCALLS } from "./exec.ts";
import { DESCRIPTOR_SYSCALLS } from "./fcntl.ts";
import { FILE_SPACE_SYSCALLS } from "./file-space.ts";
import { FILE_SYSCALLS } from "./files.ts";
import { FUTEX_SYSCALLS } from "./futex.ts";
import { IPC_SYSCALLS } from "./ipc.ts";
import { MEMORY_SYSCALLS } from "./memory.ts";
import { MEMORY_ADVICE_SYSCALLS } from "./memory-advice.ts";
import { MOUNT_SYSCALLS } from "./mounts.ts";
import { SYSCALL_NAMES } from "./numbers.ts";
import { PIDFD_SYSCALLS } from "./pidfd.ts";
import { POLL_SYSCALLS } from "./poll.ts";
import { PROCESS_SYSCALLS } from "./process.ts";
import { PROCESS_MEMORY_SYSCALLS } from "./process-memory.ts";
import { READ_WRITE_SYSCALLS } from "./read-write.ts";
import { RESOURCE_SYSCALLS } from "./resources.ts";
import { SCHEDULING_SYSCALLS } from "./scheduling.ts";
import { SIGNAL_SYSCALLS } from "./signals.ts";
import { SOCKET_SYSCALLS } from "./sockets.ts";
import { SPLICE_SYSCALLS } from "./splice.ts";
import { STAT_SYSCALLS } from "./stat.ts";
import { SYSTEM_SYSCALLS } from "./system.ts";
import { THREAD_SYSCALLS } from "./threads.ts";
import { TIME_SYSCALLS } from "./time.ts";
import { TIMER_SYSCALLS } from "./timers.ts";
import { WAIT_SYSCALLS } from "./wait.ts";
import { XATTR_SYSCALLS } from "./xattr.ts";

const PRESENT: readonly SyscallDefinition[] = [
  ...ATTRIBUTE_SYSCALLS,
  ...CLONE_SYSCALLS,
  ...CREDENTIAL_SYSCALLS,
  ...DESCRIPTOR_SYSCALLS,
  ...DIRECTORY_SYSCALLS,
  ...EPOLL_SYSCALLS,
  ...EXEC_SYSCALLS,
  ...FILE_SPACE_SYSCALLS,
  ...FILE_SYSCALLS,
  ...FUTEX_SYSCALLS,
  ...IPC_SYSCALLS,
  ...MEMORY_ADVICE_SYSCALLS,
  ...MEMORY_SYSCALLS,
  ...MOUNT_SYSCALLS,
  ...PIDFD_SYSCALLS,
  ...POLL_SYSCALLS,
  ...PROCESS_MEMORY_SYSCALLS,
  ...PROCESS_SYSCALLS,
  ...READ_WRITE_SYSCALLS,
  ...RESOURCE_SYSCALLS,
  ...SCHEDULING_SYSCALLS,
  ...SIGNAL_SYSCALLS,
  ...SOCKET_SYSCALLS,
  ...SPLICE_SYSCALLS,
  ...STAT_SYSCALLS,
  ...SYSTEM_SYSCALLS,
  ...THREAD_SYSCALLS,
  ...TIME_SYSCALLS,
  ...TIMER_SYSCALLS,
  ...WAIT_SYSCALLS,
  ...XATTR_SYSCALLS,
];

function absentCalls(): SyscallDefinition[] {
  const present = new Set(PRESENT.map(({ number }) => number));
  return Object.entries(SYSCALL_NAMES)
    .map(([number, name]) => ({ number: Number(number), name, arguments: [], state: "absent" as const }))
    .filter(({ number }) => !present.has(number));
}

/** By number. */
export const SYSCALL_TABLE: readonly SyscallDefinition[] = [...PRESENT, ...absentCalls()].sort(
  (a, b) => a.number - b.number,
);
