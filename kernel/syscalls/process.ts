/** Applications as Linux' processes: ids, groups and sessions, waiting for children, limits, credentials. */

import { PAGE_SIZE } from "../../mmu/translator.ts";
import { ECHILD, EFAULT, EINVAL, EPERM, ERESTARTSYS, ESRCH } from "../errno.ts";
import type { Application } from "../sched/application.ts";
import { Limit, LIMIT_COUNT, type ResourceLimit } from "../sched/resource-limits.ts";
import { encodeSignalInfo } from "../sched/signal-frame.ts";
import { SIGCHLD, SIGCONT, SIGNAL_MAX, SiCode } from "../sched/signal-numbers.ts";
import type { SignalInfo } from "../sched/signals.ts";
import type { Thread } from "../sched/thread.ts";
import { NR_OPEN } from "../vfs/file-table.ts";
import type { SyscallDefinition } from "./definition.ts";
import { applicationTime } from "./time.ts";
import { timeOf, writeTimeval } from "./timespec.ts";

// --- Ids, groups, sessions -------------------------------------------------------------------------------------------

function target(thread: Thread, pid: number): Application | undefined {
  return (pid | 0) === 0 ? thread.application : thread.kernel.applications.get(pid | 0);
}

function getpgid(thread: Thread, pid: number): number {
  return target(thread, pid)?.processGroup ?? -ESRCH;
}

function getsid(thread: Thread, pid: number): number {
  return target(thread, pid)?.session ?? -ESRCH;
}

function setpgid(thread: Thread, pid: number, pgidArgument: number): number {
  const { application, kernel } = thread;
  const child = target(thread, pid);
  if (child === undefined || (child !== application && child.parent !== application)) return -ESRCH;
  const pgid = (pgidArgument | 0) === 0 ? child.pid : pgidArgument | 0;
  if (pgid < 0) return -EINVAL;
  if (child.session !== application.session || child.pid === child.session) return -EPERM;
  if (pgid !== child.pid) {
    const member = [...kernel.applications.values()].find((other) => other.processGroup === pgid);
    if (member === undefined || member.session !== application.session) return -EPERM;
  }
  child.processGroup = pgid;
  return 0;
}

function setsid(thread: Thread): number {
  const { application, kernel } = thread;
  for (const other of kernel.applications.values()) if (other.processGroup === application.pid) return -EPERM;
  application.session = application.pid;
  application.processGroup = application.pid;
  return application.pid;
}

// --- Waiting for children --------------------------------------------------------------------------------------------

const Wait = {
  NOHANG: 1,
  UNTRACED: 2,
  STOPPED: 2,
  EXITED: 4,
  CONTINUED: 8,
  NOWAIT: 0x01000000,
  NOTHREAD: 0x20000000,
  ALL: 0x40000000,
  CLONE: 0x80000000,
} as const;

/** A child's news, as siginfo tells it. */
interface ChildEvent {
  readonly child: Application;
  readonly info: SignalInfo;
  /** wait4(2)'s status word. */
  readonly status: number;
}

/** Which children are waited for: a pid, a group (negative), any (-1). */
function matches(child: Application, selector: number, group: number, options: number): boolean {
  if ((options & Wait.ALL) === 0 && (child.exitSignal === SIGCHLD) === ((options & Wait.CLONE) !== 0))
    return false;
  if (selector > 0) return child.pid === selector;
  if (selector === 0) return child.processGroup === group;
  return selector === -1 || child.processGroup === -selector;
}

function eventOf(child: Application, options: number): ChildEvent | undefined {
  if (child.exitStatus !== undefined) {
    if ((options & Wait.EXITED) === 0) return undefined;
    const status = child.exitStatus;
    const signal = status & 0x7f;
    const info =
      signal === 0
        ? { code: SiCode.CLD_EXITED, status: (status >> 8) & 0xff }
        : { code: SiCode.CLD_KILLED, status: signal };
    return { child, status, info: { ...info, pid: child.pid, uid: 0 } };
  }
  const { stopChange } = child;
  if (stopChange?.kind === "stopped" && (options & Wait.STOPPED) !== 0) {
    const { signal } = stopChange;
    return {
      child,
      status: (signal << 8) | 0x7f,
      info: { code: SiCode.CLD_STOPPED, pid: child.pid, uid: 0, status: signal },
    };
  }
  if (stopChange?.kind === "continued" && (options & Wait.CONTINUED) !== 0) {
    return {
      child,
      status: 0xffff,
      info: { code: SiCode.CLD_CONTINUED, pid: child.pid, uid: 0, status: SIGCONT },
    };
  }
  return undefined;
}

function findEvent(
  thread: Thread,
  selector: number,
  options: number,
): ChildEvent | undefined | "no children" {
  const { application } = thread;
  let candidates = 0;
  for (const child of application.children.values()) {
    if (!matches(child, selector, application.processGroup, options)) continue;
    candidates++;
    const event = eventOf(child, options);
    if (event !== undefined) return event;
  }
  return candidates === 0 ? "no children" : undefined;
}

/** Waits for news of a child; calls back with it (or without, for WNOHANG) to report it. */
function waitForChild(
  thread: Thread,
  selector: number,
  options: number,
  report: (event: ChildEvent | undefined) => number,
): number | Promise<number> {
  const attempt = (): number | undefined => {
    const event = findEvent(thread, selector, options);
    if (event === "no children") return -ECHILD;
    if (event === undefined) return (options & Wait.NOHANG) !== 0 ? report(undefined) : undefined;
    const result = report(event);
    if ((options & Wait.NOWAIT) === 0) {
      event.child.stopChange = undefined;
      if (event.child.exitStatus !== undefined) thread.kernel.lifecycle.reap(event.child);
    }
    return result;
  };
  const block = async (): Promise<number> => {
    for (;;) {
      const how = await thread.wait(thread.application.childQueue);
      const result = attempt();
      if (result !== undefined) return result;
      if (how === "interrupted") return -ERESTARTSYS;
    }
  };
  return attempt() ?? block();
}

/** struct rusage: times first, most other fields zero. */
const RUSAGE_SIZE = 144;

function writeRusage(
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

function wait4(
  thread: Thread,
  pid: number,
  statusAddress: number,
  options: number,
  rusage: number,
): number | Promise<number> {
  const known = Wait.NOHANG | Wait.UNTRACED | Wait.CONTINUED | Wait.NOTHREAD | Wait.ALL | Wait.CLONE;
  if ((options & ~known) !== 0) return -EINVAL;
  if (pid === -0x80000000) return -ESRCH;
  return waitForChild(thread, pid | 0, options | Wait.EXITED, (event) => {
    if (event === undefined) return 0;
    if (statusAddress !== 0) thread.memory.writeU32(statusAddress, event.status);
    if (rusage !== 0) writeRusage(thread, rusage, event.child.deadThreadsTime + event.child.childrenTime, 0);
    return event.child.pid;
  });
}

const IdType = { P_ALL: 0, P_PID: 1, P_PGID: 2, P_PIDFD: 3 } as const;

function waitid(
  thread: Thread,
  idType: number,
  id: number,
  infoAddress: number,
  options: number,
  rusage: number,
): number | Promise<number> {
  const known =
    Wait.NOHANG |
    Wait.NOWAIT |
    Wait.EXITED |
    Wait.STOPPED |
    Wait.CONTINUED |
    Wait.NOTHREAD |
    Wait.ALL |
    Wait.CLONE;
  if ((options & ~known) !== 0 || (options & (Wait.EXITED | Wait.STOPPED | Wait.CONTINUED)) === 0)
    return -EINVAL;
  let selector: number;
  switch (idType | 0) {
    case IdType.P_ALL:
      selector = -1;
      break;
    case IdType.P_PID:
      selector = id | 0;
      break;
    case IdType.P_PGID:
      selector = (id | 0) === 0 ? 0 : -(id | 0);
      break;
    default:
      return -EINVAL;
  }
  if ((idType | 0) === IdType.P_PID && selector <= 0) return -EINVAL;
  return waitForChild(thread, selector, options, (event) => {
    if (infoAddress !== 0) {
      thread.memory.write(
        infoAddress,
        event === undefined ? new Uint8Array(128) : encodeSignalInfo(SIGCHLD, event.info),
      );
    }
    if (event !== undefined && rusage !== 0) writeRusage(thread, rusage, event.child.deadThreadsTime, 0);
    return 0;
  });
}

// --- Resources -------------------------------------------------------------------------------------------------------

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

function prlimit64(
  thread: Thread,
  pid: number,
  resource: number,
  newAddress: number,
  oldAddress: number,
): number {
  const { memory } = thread;
  const application = target(thread, pid);
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
  const application = which === 0 ? target(thread, who) : thread.application;
  return application === undefined ? -ESRCH : 20 - application.nice;
}

function setpriority(thread: Thread, which: number, who: number, value: number): number {
  if (which < 0 || which > 2) return -EINVAL;
  const application = which === 0 ? target(thread, who) : thread.application;
  if (application === undefined) return -ESRCH;
  application.nice = Math.max(-20, Math.min(19, value | 0));
  return 0;
}

// --- Credentials -----------------------------------------------------------------------------------------------------

type IdKind = "uid" | "gid";

/** setuid(2), setgid(2) of root: all three. */
function setId(thread: Thread, kind: IdKind, id: number): number {
  if ((id | 0) === -1) return -EINVAL;
  thread.application.credentials[kind] = [id >>> 0, id >>> 0, id >>> 0];
  return 0;
}

/** setresuid(2) …: -1 leaves one as it is. */
function setIds(thread: Thread, kind: IdKind, real: number, effective: number, saved: number): number {
  const old = thread.application.credentials[kind];
  const pick = (value: number, before: number): number => ((value | 0) === -1 ? before : value >>> 0);
  thread.application.credentials[kind] = [pick(real, old[0]), pick(effective, old[1]), pick(saved, old[2])];
  return 0;
}

function getIds(thread: Thread, kind: IdKind, addresses: readonly number[]): number {
  const ids = thread.application.credentials[kind];
  for (const [index, address] of addresses.entries()) thread.memory.writeU32(address, ids[index]);
  return 0;
}

const GROUPS_MAX = 65536;

function getgroups(thread: Thread, size: number, address: number): number {
  const { groups } = thread.application.credentials;
  if ((size | 0) === 0) return groups.length;
  if ((size | 0) < groups.length) return -EINVAL;
  for (const [index, group] of groups.entries()) thread.memory.writeU32(address + index * 4, group);
  return groups.length;
}

function setgroups(thread: Thread, size: number, address: number): number {
  if (!(size >= 0 && size <= GROUPS_MAX)) return -EINVAL;
  const groups: number[] = [];
  for (let index = 0; index < size; index++) groups.push(thread.memory.readU32(address + index * 4));
  thread.application.credentials.groups = groups;
  return 0;
}

/** setfsuid(2), setfsgid(2): return the previous one, never an error. */
function setFsId(thread: Thread, kind: IdKind): number {
  return thread.application.credentials[kind][1];
}

/** struct __user_cap_header_struct (uapi/linux/capability.h) */
const CAPABILITY_VERSION_3 = 0x20080522;
/** How many 32-bit words each version has. */
const CAPABILITY_WORDS = new Map([
  [0x19980330, 1],
  [0x20071026, 2],
  [CAPABILITY_VERSION_3, 2],
]);
/** CAP_LAST_CAP is 40. */
const ALL_CAPABILITIES = [0xffffffff, 0x1ff];

function capget(thread: Thread, header: number, data: number): number {
  const { memory, kernel } = thread;
  const words = CAPABILITY_WORDS.get(memory.readU32(header));
  if (words === undefined) {
    memory.writeU32(header, CAPABILITY_VERSION_3);
    return data === 0 ? 0 : -EINVAL;
  }
  const pid = memory.readI32(header + 4);
  if (pid < 0) return -EINVAL;
  if (pid !== 0 && !kernel.threads.has(pid)) return -ESRCH;
  if (data === 0) return 0;
  for (let word = 0; word < words; word++) {
    memory.writeU32(data + word * 12, ALL_CAPABILITIES[word]);
    memory.writeU32(data + word * 12 + 4, ALL_CAPABILITIES[word]);
    memory.writeU32(data + word * 12 + 8, 0);
  }
  return 0;
}

function capset(thread: Thread, header: number): number {
  const words = CAPABILITY_WORDS.get(thread.memory.readU32(header));
  return words === undefined ? -EINVAL : 0;
}

// --- prctl -----------------------------------------------------------------------------------------------------------

const Prctl = {
  SET_PDEATHSIG: 1,
  GET_PDEATHSIG: 2,
  GET_DUMPABLE: 3,
  SET_DUMPABLE: 4,
  GET_KEEPCAPS: 7,
  SET_KEEPCAPS: 8,
  SET_NAME: 15,
  GET_NAME: 16,
  GET_SECCOMP: 21,
  CAPBSET_READ: 23,
  SET_TIMERSLACK: 29,
  GET_TIMERSLACK: 30,
  SET_CHILD_SUBREAPER: 36,
  GET_CHILD_SUBREAPER: 37,
  SET_NO_NEW_PRIVS: 38,
  GET_NO_NEW_PRIVS: 39,
  GET_TID_ADDRESS: 40,
  SET_THP_DISABLE: 41,
  GET_THP_DISABLE: 42,
  SET_VMA: 0x53564d41,
} as const;
const TIMER_SLACK = 50000;
const NAME_SIZE = 16;

function prctl(thread: Thread, option: number, a1: number): number {
  const { application, memory } = thread;
  switch (option | 0) {
    case Prctl.SET_PDEATHSIG:
      if (!(a1 >= 0 && a1 <= SIGNAL_MAX)) return -EINVAL;
      application.parentDeathSignal = a1;
      return 0;
    case Prctl.GET_PDEATHSIG:
      memory.writeU32(a1, application.parentDeathSignal);
      return 0;
    case Prctl.GET_DUMPABLE:
      return application.dumpable;
    case Prctl.SET_DUMPABLE:
      if (a1 !== 0 && a1 !== 1) return -EINVAL;
      application.dumpable = a1;
      return 0;
    case Prctl.SET_NAME: {
      const bytes = memory.read(a1, 1);
      let name = "";
      for (let index = 0; index < NAME_SIZE - 1; index++) {
        const byte = index === 0 ? bytes[0] : memory.readU8(a1 + index);
        if (byte === 0) break;
        name += String.fromCharCode(byte);
      }
      thread.name = name;
      if (thread.tid === application.pid) application.name = name;
      return 0;
    }
    case Prctl.GET_NAME: {
      const bytes = new Uint8Array(NAME_SIZE);
      for (let index = 0; index < Math.min(NAME_SIZE - 1, thread.name.length); index++) {
        bytes[index] = thread.name.charCodeAt(index);
      }
      memory.write(a1, bytes);
      return 0;
    }
    case Prctl.GET_SECCOMP:
    case Prctl.GET_KEEPCAPS:
    case Prctl.GET_THP_DISABLE:
    case Prctl.GET_NO_NEW_PRIVS:
    case Prctl.SET_KEEPCAPS:
    case Prctl.SET_THP_DISABLE:
    case Prctl.SET_NO_NEW_PRIVS:
    case Prctl.SET_TIMERSLACK:
      return 0;
    case Prctl.CAPBSET_READ:
      return a1 >= 0 && a1 <= 40 ? 1 : -EINVAL;
    case Prctl.GET_TIMERSLACK:
      return TIMER_SLACK;
    case Prctl.SET_CHILD_SUBREAPER:
      application.childSubreaper = a1 !== 0;
      return 0;
    case Prctl.GET_CHILD_SUBREAPER:
      memory.writeU32(a1, application.childSubreaper ? 1 : 0);
      return 0;
    case Prctl.GET_TID_ADDRESS:
      memory.writeI64(a1, thread.clearChildTid);
      return 0;
    default:
      return -EINVAL;
  }
}

/** personality(2): only the way of Linux itself. */
function personality(_thread: Thread, persona: number): number {
  return persona >>> 0 === 0xffffffff || (persona & 0xff) === 0 ? 0 : -EINVAL;
}

const PID = [["pid", "pid"]] as const;
const RESOURCE = {
  oneOf: Object.fromEntries(Object.entries(Limit).map(([name, number]) => [`RLIMIT_${name}`, number])),
} as const;
const NO_USERS = "remembered, but nothing is decided by it: there are no users";

export const PROCESS_SYSCALLS: readonly SyscallDefinition[] = [
  { number: 39, name: "getpid", state: "done", arguments: [], call: (thread) => thread.application.pid },
  {
    number: 110,
    name: "getppid",
    state: "done",
    arguments: [],
    call: (thread) => thread.application.parentPid,
  },
  {
    number: 109,
    name: "setpgid",
    state: "done",
    arguments: [
      ["pid", "pid"],
      ["pgid", "pid"],
    ],
    call: setpgid,
  },
  {
    number: 111,
    name: "getpgrp",
    state: "done",
    arguments: [],
    call: (thread) => thread.application.processGroup,
  },
  { number: 112, name: "setsid", state: "done", arguments: [], call: setsid },
  { number: 121, name: "getpgid", state: "done", arguments: PID, call: getpgid },
  { number: 124, name: "getsid", state: "done", arguments: PID, call: getsid },
  {
    number: 61,
    name: "wait4",
    state: "done",
    arguments: [
      ["pid", "pid"],
      ["wstatus", "pointer"],
      ["options", "hex"],
      ["rusage", "pointer"],
    ],
    call: wait4,
  },
  {
    number: 247,
    name: "waitid",
    state: "partial",
    note: "no P_PIDFD",
    arguments: [
      ["idtype", { oneOf: IdType }],
      ["id", "pid"],
      ["infop", "pointer"],
      ["options", "hex"],
      ["rusage", "pointer"],
    ],
    call: waitid,
  },
  {
    number: 97,
    name: "getrlimit",
    state: "done",
    arguments: [
      ["resource", RESOURCE],
      ["rlim", "pointer"],
    ],
    call: (thread, resource, address) => prlimit64(thread, 0, resource, 0, address),
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
  {
    number: 102,
    name: "getuid",
    state: "done",
    arguments: [],
    call: (thread) => thread.application.credentials.uid[0],
  },
  {
    number: 104,
    name: "getgid",
    state: "done",
    arguments: [],
    call: (thread) => thread.application.credentials.gid[0],
  },
  {
    number: 107,
    name: "geteuid",
    state: "done",
    arguments: [],
    call: (thread) => thread.application.credentials.uid[1],
  },
  {
    number: 108,
    name: "getegid",
    state: "done",
    arguments: [],
    call: (thread) => thread.application.credentials.gid[1],
  },
  {
    number: 105,
    name: "setuid",
    state: "partial",
    note: NO_USERS,
    arguments: [["uid", "uint"]],
    call: (thread, id) => setId(thread, "uid", id),
  },
  {
    number: 106,
    name: "setgid",
    state: "partial",
    note: NO_USERS,
    arguments: [["gid", "uint"]],
    call: (thread, id) => setId(thread, "gid", id),
  },
  {
    number: 113,
    name: "setreuid",
    state: "partial",
    note: NO_USERS,
    arguments: [
      ["ruid", "int"],
      ["euid", "int"],
    ],
    call: (thread, real, effective) => setIds(thread, "uid", real, effective, effective),
  },
  {
    number: 114,
    name: "setregid",
    state: "partial",
    note: NO_USERS,
    arguments: [
      ["rgid", "int"],
      ["egid", "int"],
    ],
    call: (thread, real, effective) => setIds(thread, "gid", real, effective, effective),
  },
  {
    number: 115,
    name: "getgroups",
    state: "done",
    arguments: [
      ["size", "int"],
      ["list", "pointer"],
    ],
    call: getgroups,
  },
  {
    number: 116,
    name: "setgroups",
    state: "partial",
    note: NO_USERS,
    arguments: [
      ["size", "size"],
      ["list", "pointer"],
    ],
    call: setgroups,
  },
  {
    number: 117,
    name: "setresuid",
    state: "partial",
    note: NO_USERS,
    arguments: [
      ["ruid", "int"],
      ["euid", "int"],
      ["suid", "int"],
    ],
    call: (thread, real, effective, saved) => setIds(thread, "uid", real, effective, saved),
  },
  {
    number: 118,
    name: "getresuid",
    state: "done",
    arguments: [
      ["ruid", "pointer"],
      ["euid", "pointer"],
      ["suid", "pointer"],
    ],
    call: (thread, ...ids) => getIds(thread, "uid", ids.slice(0, 3)),
  },
  {
    number: 119,
    name: "setresgid",
    state: "partial",
    note: NO_USERS,
    arguments: [
      ["rgid", "int"],
      ["egid", "int"],
      ["sgid", "int"],
    ],
    call: (thread, real, effective, saved) => setIds(thread, "gid", real, effective, saved),
  },
  {
    number: 120,
    name: "getresgid",
    state: "done",
    arguments: [
      ["rgid", "pointer"],
      ["egid", "pointer"],
      ["sgid", "pointer"],
    ],
    call: (thread, ...ids) => getIds(thread, "gid", ids.slice(0, 3)),
  },
  {
    number: 122,
    name: "setfsuid",
    state: "partial",
    note: NO_USERS,
    arguments: [["fsuid", "uint"]],
    call: (thread) => setFsId(thread, "uid"),
  },
  {
    number: 123,
    name: "setfsgid",
    state: "partial",
    note: NO_USERS,
    arguments: [["fsgid", "uint"]],
    call: (thread) => setFsId(thread, "gid"),
  },
  {
    number: 125,
    name: "capget",
    state: "done",
    arguments: [
      ["hdrp", "pointer"],
      ["datap", "pointer"],
    ],
    call: capget,
  },
  {
    number: 126,
    name: "capset",
    state: "partial",
    note: "accepted; all capabilities stay",
    arguments: [
      ["hdrp", "pointer"],
      ["datap", "pointer"],
    ],
    call: capset,
  },
  {
    number: 135,
    name: "personality",
    state: "partial",
    note: "PER_LINUX only",
    arguments: [["persona", "hex"]],
    call: personality,
  },
  {
    number: 157,
    name: "prctl",
    state: "partial",
    note: "names, death signals and the harmless ones",
    arguments: [
      [
        "option",
        { oneOf: Object.fromEntries(Object.entries(Prctl).map(([name, number]) => [`PR_${name}`, number])) },
      ],
      ["arg2", "hex"],
      ["arg3", "hex"],
      ["arg4", "hex"],
      ["arg5", "hex"],
    ],
    call: prctl,
  },
];
