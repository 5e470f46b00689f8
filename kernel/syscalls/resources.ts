/** What programs may use and have used: limits, times, priorities. */

import { PAGE_SIZE } from "../../mmu/translator.ts";
import { EFAULT, EINVAL, EPERM, ESRCH } from "../errno.ts";
import type { Application } from "../sched/application.ts";
import { LIMIT_COUNT, Limit, type ResourceLimit } from "../sched/resource-limits.ts";
import type { Thread } from "../sched/thread.ts";
import { NR_OPEN } from "../vfs/file-table.ts";
import type { SyscallDefinition } from "./definition.ts";
import { targetApplication } from "./process.ts";
import { applicationTime } from "./time.ts";
import { timeOf, writeTimeval } from "./timespec.ts";

/** struct rusage: times first, most other fields zero. */
const RUSAGE_SIZE = 144;

export function writeRusage(
  thread: Thread,
  address: number,
  time: number,
  residentKib: number,
  voluntary = 0,
  involuntary = 0,
) {
  const { memory } = thread;
  memory.fill(address, RUSAGE_SIZE, 0);
  writeTimeval(memory, address, timeOf(time));
  memory.writeI64(address + 32, residentKib);
  memory.writeI64(address + 128, voluntary);
  memory.writeI64(address + 136, involuntary);
}

const RUSAGE = { SELF: 0, CHILDREN: -1, THREAD: 1 } as const;

function getrusage(thread: Thread, who: number, address: number): number {
  const { application, kernel } = thread;
  let time: number;
  switch (who | 0) {
    case RUSAGE.SELF:
      time = applicationTime(kernel, application);
      break;
    case RUSAGE.CHILDREN:
      time = application.childrenTime;
      break;
    case RUSAGE.THREAD:
      kernel.scheduler.chargeTime(thread);
      time = thread.cpuTime;
      break;
    default:
      return -EINVAL;
  }
  const peak = ((application.image?.peakResidentPages ?? 0) * PAGE_SIZE) / 1024;
  writeRusage(thread, address, time, peak, thread.voluntarySwitches, thread.involuntarySwitches);
  return 0;
}

/** Clock ticks per second that times(2) counts in (USER_HZ). */
const TICKS = 100;

function times(thread: Thread, address: number): number {
  const { application, kernel, memory } = thread;
  const ticks = (ns: number): number => Math.floor(ns / (1e9 / TICKS));
  if (address !== 0) {
    if (!memory.check(address, 32, true)) return -EFAULT;
    memory.writeI64(address, ticks(applicationTime(kernel, application)));
    memory.writeI64(address + 8, 0);
    memory.writeI64(address + 16, ticks(application.childrenTime));
    memory.writeI64(address + 24, 0);
  }
  return ticks(kernel.host.clock.monotonic());
}

const INFINITY = 0xffffffffffffffffn;

function encodeLimit(value: number): bigint {
  return value === Number.POSITIVE_INFINITY ? INFINITY : BigInt(value);
}

function decodeLimit(value: bigint): number {
  return value === INFINITY || value > BigInt(Number.MAX_SAFE_INTEGER)
    ? Number.POSITIVE_INFINITY
    : Number(value);
}

function setLimit(application: Application, resource: number, limit: ResourceLimit): number {
  if (limit.soft > limit.hard) return -EINVAL;
  if (resource === Limit.NOFILE && limit.hard > NR_OPEN) return -EPERM;
  application.limits[resource] = limit;
  if (resource === Limit.NOFILE) application.files.limit = limit.soft;
  return 0;
}

/** Unlike for prlimit64, NULL is no way to ask for nothing. */
function getrlimit(thread: Thread, resource: number, address: number): number {
  const result = prlimit64(thread, 0, resource, 0, address);
  return result === 0 && address === 0 ? -EFAULT : result;
}

function prlimit64(
  thread: Thread,
  pid: number,
  resource: number,
  newAddress: number,
  oldAddress: number,
): number {
  const { memory } = thread;
  const application = targetApplication(thread, pid);
  if (application === undefined) return -ESRCH;
  if (!(resource >= 0 && resource < LIMIT_COUNT)) return -EINVAL;
  const old = { ...application.limits[resource] };
  if (newAddress !== 0) {
    const limit = {
      soft: decodeLimit(memory.readU64(newAddress)),
      hard: decodeLimit(memory.readU64(newAddress + 8)),
    };
    const result = setLimit(application, resource, limit);
    if (result < 0) return result;
  }
  if (oldAddress !== 0) {
    memory.writeU64(oldAddress, encodeLimit(old.soft));
    memory.writeU64(oldAddress + 8, encodeLimit(old.hard));
  }
  return 0;
}

function getpriority(thread: Thread, which: number, who: number): number {
  if (which < 0 || which > 2) return -EINVAL;
  const application = which === 0 ? targetApplication(thread, who) : thread.application;
  return application === undefined ? -ESRCH : 20 - application.nice;
}

function setpriority(thread: Thread, which: number, who: number, value: number): number {
  if (which < 0 || which > 2) return -EINVAL;
  const application = which === 0 ? targetApplication(thread, who) : thread.application;
  if (application === undefined) return -ESRCH;
  application.nice = Math.max(-20, Math.min(19, value | 0));
  return 0;
}

const RESOURCE = {
  oneOf: Object.fromEntries(Object.entries(Limit).map(([name, number]) => [`RLIMIT_${name}`, number])),
} as const;

export const RESOURCE_SYSCALLS: readonly SyscallDefinition[] = [
  {
    number: 97,
    name: "getrlimit",
    state: "done",
    arguments: [
      ["resource", RESOURCE],
      ["rlim", "pointer"],
    ],
    call: getrlimit,
  },
  {
    number: 160,
    name: "setrlimit",
    state: "partial",
    note: "NOFILE, AS and DATA have effects",
    arguments: [
      ["resource", RESOURCE],
      ["rlim", "pointer"],
    ],
    call: (thread, resource, address) =>
      address === 0 ? -EFAULT : prlimit64(thread, 0, resource, address, 0),
  },
  {
    number: 302,
    name: "prlimit64",
    state: "partial",
    note: "NOFILE, AS and DATA have effects",
    arguments: [
      ["pid", "pid"],
      ["resource", RESOURCE],
      ["new_limit", "pointer"],
      ["old_limit", "pointer"],
    ],
    call: prlimit64,
  },
  {
    number: 98,
    name: "getrusage",
    state: "partial",
    note: "times, maximum resident size and switches",
    arguments: [
      ["who", { oneOf: { RUSAGE_SELF: 0, RUSAGE_CHILDREN: -1, RUSAGE_THREAD: 1 } }],
      ["usage", "pointer"],
    ],
    call: getrusage,
  },
  { number: 100, name: "times", state: "done", arguments: [["buf", "pointer"]], call: times },
  {
    number: 140,
    name: "getpriority",
    state: "done",
    arguments: [
      ["which", "int"],
      ["who", "int"],
    ],
    call: getpriority,
  },
  {
    number: 141,
    name: "setpriority",
    state: "partial",
    note: "remembered; threads have no priorities",
    arguments: [
      ["which", "int"],
      ["who", "int"],
      ["prio", "int"],
    ],
    call: setpriority,
  },
];
