/** Applications as Linux' processes: ids, groups and sessions, and what prctl(2) sets. */

import { EINVAL, EPERM, ESRCH } from "../errno.ts";
import type { Application } from "../sched/application.ts";
import { SIGNAL_MAX } from "../sched/signal-numbers.ts";
import type { Thread } from "../sched/thread.ts";
import type { SyscallDefinition } from "./definition.ts";

/** The application that a call is about: 0 means the caller's own. */
export function targetApplication(thread: Thread, pid: number): Application | undefined {
  return (pid | 0) === 0 ? thread.application : thread.kernel.applications.get(pid | 0);
}

function getpgid(thread: Thread, pid: number): number {
  return targetApplication(thread, pid)?.processGroup ?? -ESRCH;
}

function getsid(thread: Thread, pid: number): number {
  return targetApplication(thread, pid)?.session ?? -ESRCH;
}

function setpgid(thread: Thread, pid: number, pgidArgument: number): number {
  const { application, kernel } = thread;
  const child = targetApplication(thread, pid);
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
