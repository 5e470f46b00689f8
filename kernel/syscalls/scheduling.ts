/** Scheduling, as programs can influence it: one processor, no priorities. */

import { EINVAL, EPERM, ESRCH } from "../errno.ts";
import { type Thread, YIELD } from "../sched/thread.ts";
import type { SyscallDefinition } from "./definition.ts";

/** The affinity mask: this machine has one processor. */
const CPU_MASK_BYTES = 8;

function targetThread(thread: Thread, tid: number): Thread | undefined {
  return (tid | 0) === 0 ? thread : thread.kernel.threads.get(tid | 0);
}

function schedGetaffinity(thread: Thread, tid: number, size: number, mask: number): number {
  if (size < CPU_MASK_BYTES || size % 8 !== 0) return -EINVAL;
  if (targetThread(thread, tid) === undefined) return -ESRCH;
  thread.memory.writeI64(mask, 1);
  return CPU_MASK_BYTES;
}

function schedSetaffinity(thread: Thread, tid: number, size: number, mask: number): number {
  if (targetThread(thread, tid) === undefined) return -ESRCH;
  const bytes = thread.memory.read(mask, Math.min(size, 1024));
  return bytes.length > 0 && (bytes[0] & 1) !== 0 ? 0 : -EINVAL;
}

const SCHED_POLICIES = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
};

function isRealtimePolicy(policy: number): boolean {
  return policy === SCHED_POLICIES.SCHED_FIFO || policy === SCHED_POLICIES.SCHED_RR;
}

function schedSetscheduler(thread: Thread, tid: number, policy: number, parameter: number): number {
  if (parameter === 0 || (tid | 0) < 0) return -EINVAL;
  if (targetThread(thread, tid) === undefined) return -ESRCH;
  const priority = thread.memory.readI32(parameter);
  const kind = policy & ~0x40000000;
  if (isRealtimePolicy(kind)) return priority >= 1 && priority <= 99 ? -EPERM : -EINVAL;
  return kind === 0 || kind === 3 || kind === 5 ? (priority === 0 ? 0 : -EINVAL) : -EINVAL;
}

function schedGetscheduler(thread: Thread, tid: number): number {
  return targetThread(thread, tid) === undefined ? -ESRCH : 0;
}

function schedGetparam(thread: Thread, tid: number, parameter: number): number {
  if (parameter === 0 || (tid | 0) < 0) return -EINVAL;
  if (targetThread(thread, tid) === undefined) return -ESRCH;
  thread.memory.writeU32(parameter, 0);
  return 0;
}

function schedSetparam(thread: Thread, tid: number, parameter: number): number {
  if (parameter === 0 || (tid | 0) < 0) return -EINVAL;
  if (targetThread(thread, tid) === undefined) return -ESRCH;
  return thread.memory.readI32(parameter) === 0 ? 0 : -EINVAL;
}

function getcpu(thread: Thread, cpu: number, node: number): number {
  if (cpu !== 0) thread.memory.writeU32(cpu, 0);
  if (node !== 0) thread.memory.writeU32(node, 0);
  return 0;
}

/** membarrier(2): with one processor every barrier has been passed. */
const Membarrier = {
  QUERY: 0,
  GLOBAL: 1,
  PRIVATE_EXPEDITED: 8,
  REGISTER_PRIVATE_EXPEDITED: 16,
  SYNC_CORE: 32,
  REGISTER_SYNC_CORE: 64,
} as const;
const MEMBARRIER_ALL =
  1 |
  2 |
  4 |
  Membarrier.PRIVATE_EXPEDITED |
  Membarrier.REGISTER_PRIVATE_EXPEDITED |
  Membarrier.SYNC_CORE |
  Membarrier.REGISTER_SYNC_CORE;

function membarrier(_thread: Thread, command: number, flags: number): number {
  if (flags !== 0) return -EINVAL;
  if (command === Membarrier.QUERY) return MEMBARRIER_ALL;
  const single = command > 0 && (command & (command - 1)) === 0;
  return single && (command & MEMBARRIER_ALL) !== 0 ? 0 : -EINVAL;
}

const SCHED = { oneOf: SCHED_POLICIES } as const;

export const SCHEDULING_SYSCALLS: readonly SyscallDefinition[] = [
  { number: 24, name: "sched_yield", state: "done", arguments: [], call: () => YIELD },
  {
    number: 203,
    name: "sched_setaffinity",
    state: "partial",
    note: "there is one processor",
    arguments: [
      ["pid", "tid"],
      ["len", "size"],
      ["mask", "pointer"],
    ],
    call: schedSetaffinity,
  },
  {
    number: 204,
    name: "sched_getaffinity",
    state: "done",
    arguments: [
      ["pid", "tid"],
      ["len", "size"],
      ["mask", "pointer"],
    ],
    call: schedGetaffinity,
  },
  {
    number: 142,
    name: "sched_setparam",
    state: "partial",
    note: "threads have no priorities",
    arguments: [
      ["pid", "tid"],
      ["param", "pointer"],
    ],
    call: schedSetparam,
  },
  {
    number: 143,
    name: "sched_getparam",
    state: "done",
    arguments: [
      ["pid", "tid"],
      ["param", "pointer"],
    ],
    call: schedGetparam,
  },
  {
    number: 144,
    name: "sched_setscheduler",
    state: "partial",
    note: "real-time policies fail with EPERM",
    arguments: [
      ["pid", "tid"],
      ["policy", SCHED],
      ["param", "pointer"],
    ],
    call: schedSetscheduler,
  },
  {
    number: 145,
    name: "sched_getscheduler",
    state: "done",
    arguments: [["pid", "tid"]],
    call: schedGetscheduler,
  },
  {
    number: 146,
    name: "sched_get_priority_max",
    state: "done",
    arguments: [["policy", SCHED]],
    call: (_thread, policy) => (isRealtimePolicy(policy) ? 99 : [0, 3, 5, 6].includes(policy) ? 0 : -EINVAL),
  },
  {
    number: 147,
    name: "sched_get_priority_min",
    state: "done",
    arguments: [["policy", SCHED]],
    call: (_thread, policy) => (isRealtimePolicy(policy) ? 1 : [0, 3, 5, 6].includes(policy) ? 0 : -EINVAL),
  },
  {
    number: 309,
    name: "getcpu",
    state: "done",
    arguments: [
      ["cpu", "pointer"],
      ["node", "pointer"],
    ],
    call: getcpu,
  },
  {
    number: 324,
    name: "membarrier",
    state: "done",
    arguments: [
      ["cmd", "int"],
      ["flags", "uint"],
    ],
    call: membarrier,
  },
];
