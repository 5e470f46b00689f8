/** User and group ids and capabilities. There are no users here: ids are kept for programs that set and ask them. */

import { EINVAL, ESRCH } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import type { SyscallDefinition } from "./definition.ts";

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
  const { memory } = thread;
  if (CAPABILITY_WORDS.has(memory.readU32(header))) return 0;
  memory.writeU32(header, CAPABILITY_VERSION_3);
  return -EINVAL;
}

const NO_USERS = "remembered, but nothing is decided by it: there are no users";

export const CREDENTIAL_SYSCALLS: readonly SyscallDefinition[] = [
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
];
