/**
 * What system calls find in memory: structures of the Linux ABI, right more often than not. All of x86-64, as in
 * include/uapi/linux and include/uapi/asm-generic.
 */

import type { Random } from "../fuzz/random.ts";
import { badPointer, integer, size } from "./call-values.ts";
import { ASKED, DATA, DATA_SIZE, HANDLER, RESTORER } from "./guest.ts";

/** Names of what is in the root directory of the test, of what is not, and of what cannot be. */
const NAMES: readonly string[] = [
  ...[
    "/file",
    "/file",
    "/directory",
    "/directory/file",
    "/directory/inner",
    "/link",
    "/loop",
    "/fifo",
    "/socket",
  ],
  ...[
    "file",
    "directory",
    ".",
    "..",
    "/",
    "",
    "/new",
    "/directory/new",
    "new",
    "/guest",
    "/link/file",
    "/file/x",
  ],
  ...["/directory/../directory/./file", "//file//", "/nothing/at/all", "/script"],
  ...[
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/urandom",
    "/dev/ptmx",
    "/dev/pts/0",
    "/dev/pts",
    "/dev/tty",
  ],
  ...[
    "/dev/console",
    "/dev/fd/0",
    "/dev/stdin",
    "/proc",
    "/proc/self/maps",
    "/proc/self/mem",
    "/proc/self/exe",
  ],
  ...[
    "/proc/self/fd",
    "/proc/self/fd/0",
    "/proc/self/fd/3",
    "/proc/self/cwd",
    "/proc/self/task",
    "/proc/self",
  ],
  ...["/proc/self/status", "/proc/self/environ", "/proc/self/cmdline", "/proc/self/comm", "/proc/self/stat"],
  ...[
    "/proc/meminfo",
    "/proc/cpuinfo",
    "/proc/mounts",
    "/proc/uptime",
    "/proc/sys/kernel/hostname",
    "/proc/2/stat",
  ],
  ...[
    "/sys",
    "/sys/devices/system/cpu/online",
    "tmpfs",
    "proc",
    "nosuchfs",
    "user.name",
    "trusted.x",
    "\xff\xfe",
  ],
  ...["n".repeat(255), "n".repeat(256), `/${"d/".repeat(2046)}`, "p".repeat(4096), "x\ny", "\x1b[2J"],
];

/** What a builder may ask about the guest. */
export interface Surroundings {
  readonly random: Random;
  descriptor(): number;
  thread(): number;
}

/** Bytes at a place of the guest's memory, written in order. */
export class Structure {
  private readonly bytes = new Uint8Array(8192);
  private readonly view = new DataView(this.bytes.buffer);
  private length = 0;

  get contents(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
  u16(value: bigint | number): void {
    this.view.setUint16(this.length, Number(BigInt.asUintN(16, BigInt(value))), true);
    this.length += 2;
  }
  u32(value: bigint | number): void {
    this.view.setUint32(this.length, Number(BigInt.asUintN(32, BigInt(value))), true);
    this.length += 4;
  }
  u64(value: bigint | number): void {
    this.view.setBigUint64(this.length, BigInt.asUintN(64, BigInt(value)), true);
    this.length += 8;
  }
  /** Latin-1. */
  text(text: string): void {
    for (let index = 0; index < text.length; index++) this.bytes[this.length++] = text.charCodeAt(index);
  }
}

type Builder = (structure: Structure, around: Surroundings) => void;

/** A pointer within a structure, at what the structure's writer knows nothing about. */
function inner({ random }: Surroundings): bigint {
  return random.chance(80) ? BigInt(DATA + 8 * random.below(DATA_SIZE / 8)) : badPointer(random);
}

/** Nanoseconds, microseconds or nonsense. */
function fraction({ random }: Surroundings): bigint {
  return random.chance(80) ? BigInt(random.below(1000)) : integer(random);
}

function seconds({ random }: Surroundings): bigint {
  return random.chance(70) ? 0n : integer(random);
}

/** By name; {@link KIND_OF} says where they belong. */
const BUILDERS = {
  name(structure, { random }) {
    structure.text(`${random.pick(NAMES)}\0`);
  },
  words(structure, around) {
    for (let count = around.random.between(1, 40); count > 0; count--) {
      structure.u64(around.random.chance(30) ? inner(around) : integer(around.random));
    }
  },
  zeros(structure) {
    for (let count = 0; count < 64; count++) structure.u64(0);
  },
  vectors(structure, around) {
    for (let count = 8; count > 0; count--) {
      structure.u64(inner(around));
      structure.u64(size(around.random));
    }
  },
  times(structure, around) {
    // Two: a value and an interval, an access and a modification.
    for (let count = 2; count > 0; count--) {
      structure.u64(seconds(around));
      structure.u64(fraction(around));
    }
  },
  signals(structure, { random }) {
    const set = random.pick([0n, 1n << 11n, (1n << 64n) - 1n, random.u64()]);
    // Who blocks the signal that ends waits has to be killed: that ends the program's part.
    structure.u64(random.chance(95) ? set & ~(1n << 9n) : set);
    structure.u64(8);
  },
  /** pselect6(2): a pointer to a set, and its size. */
  "signals, indirectly"(structure, around) {
    structure.u64(inner(around));
    structure.u64(around.random.chance(90) ? 8 : integer(around.random));
  },
  action(structure, around) {
    const { random } = around;
    structure.u64(
      random.pick([0n, 1n, BigInt(HANDLER), BigInt(HANDLER), BigInt(ASKED - 2), badPointer(random)]),
    );
    const flags = random.pick([0x04000000, 0x04000004, 0x14000000, 0x0c000000, 0x44000000, 0x84000000]);
    structure.u64(random.chance(90) ? flags : random.u32());
    structure.u64(random.chance(95) ? RESTORER : badPointer(random));
    structure.u64(random.chance(80) ? 0n : random.u64() & ~(1n << 9n));
  },
  "socket address"(structure, { random }) {
    structure.u16(random.chance(85) ? 1 : random.below(50));
    structure.text(random.chance(30) ? "\0abstract" : `${random.pick(["/socket", "/new", "socket", ""])}\0`);
    for (let count = 14; count > 0; count--) structure.u64(0);
  },
  length(structure, { random }) {
    structure.u32(random.chance(70) ? random.pick([0, 2, 16, 110, 128]) : integer(random));
    structure.u32(0);
  },
  polls(structure, around) {
    for (let count = 8; count > 0; count--) {
      structure.u32(around.random.chance(90) ? around.descriptor() : -1);
      structure.u16(around.random.pick([1, 4, 5, 0, 0xffff]));
      structure.u16(0);
    }
  },
  "epoll event"(structure, { random }) {
    structure.u32(random.pick([1, 4, 5, 0x80000001, 0x40000001, 0xffffffff, 0]));
    structure.u64(random.u64());
  },
  "alternate stack"(structure, around) {
    const { random } = around;
    structure.u64(inner(around));
    structure.u64(random.chance(70) ? 0 : random.pick([1, 2, 0x80000000, -1]));
    structure.u64(random.chance(70) ? 16384 : integer(random));
  },
  message(structure, around) {
    const { random } = around;
    for (let count = 4; count > 0; count--) {
      structure.u64(random.chance(50) ? 0n : inner(around));
      structure.u64(random.chance(80) ? BigInt(random.below(120)) : integer(random));
      structure.u64(inner(around));
      structure.u64(random.chance(80) ? BigInt(random.below(4)) : integer(random));
      structure.u64(random.chance(60) ? 0n : inner(around));
      structure.u64(random.chance(80) ? BigInt(random.below(64)) : integer(random));
      structure.u64(random.chance(80) ? 0 : integer(random));
      structure.u64(0);
    }
  },
  /** struct cmsghdr, with descriptors or credentials. */
  control(structure, around) {
    const { random } = around;
    structure.u64(random.chance(70) ? random.pick([16n, 20n, 24n, 28n]) : integer(random));
    structure.u32(random.chance(90) ? 1 : random.below(300));
    structure.u32(random.chance(90) ? random.pick([1, 2]) : random.below(300));
    for (let count = 4; count > 0; count--) structure.u32(around.descriptor());
  },
  strings(structure, around) {
    for (let count = around.random.below(6); count > 0; count--) structure.u64(inner(around));
    if (around.random.chance(95)) structure.u64(0);
  },
  "clone arguments"(structure, around) {
    const { random } = around;
    structure.u64(random.pick([0x3d0f00n, 0x4100n, 0x4111n, 0x100n, 0n, random.u64()]));
    for (let count = 3; count > 0; count--) structure.u64(inner(around));
    structure.u64(random.pick([0n, 17n, 64n, 65n, integer(random)]));
    structure.u64(inner(around));
    structure.u64(random.chance(80) ? 65536 : integer(random));
    structure.u64(inner(around));
    for (let count = 3; count > 0; count--) structure.u64(random.chance(80) ? 0 : integer(random));
  },
  "open how"(structure, { random }) {
    structure.u64(
      random.chance(80) ? random.pick([0, 1, 2, 0x42, 0x10000, 0x200000, 0x410002]) : integer(random),
    );
    structure.u64(random.chance(80) ? 0 : integer(random));
    structure.u64(random.chance(70) ? 0 : random.pick([1, 2, 4, 8, 16, 32, 64, -1]));
  },
  "signal event"(structure, around) {
    structure.u64(integer(around.random));
    structure.u32(around.random.chance(70) ? 10 : integer(around.random));
    structure.u32(around.random.pick([0, 1, 2, 4, 5, -1]));
    structure.u32(around.thread());
    for (let count = 6; count > 0; count--) structure.u64(0);
  },
  lock(structure, { random }) {
    structure.u16(random.pick([0, 1, 2, 3]));
    structure.u16(random.pick([0, 1, 2, 3]));
    structure.u32(0);
    structure.u64(integer(random));
    structure.u64(integer(random));
    structure.u64(0);
  },
  limit(structure, { random }) {
    structure.u64(integer(random));
    structure.u64(integer(random));
  },
  /** struct robust_list_head, with a list that may be a circle. */
  robust(structure, around) {
    structure.u64(inner(around));
    structure.u64(around.random.chance(70) ? 0 : integer(around.random));
    structure.u64(inner(around));
  },
  "signal information"(structure, { random }) {
    structure.u32(random.below(70));
    structure.u32(0);
    structure.u32(random.pick([-1, -2, 0, 1, -6]));
    for (let count = 30; count > 0; count--) structure.u32(random.u32());
  },
  capabilities(structure, around) {
    structure.u32(around.random.pick([0x19980330, 0x20071026, 0x20080522, 0]));
    structure.u32(around.random.chance(70) ? 0 : around.thread());
    for (let count = 6; count > 0; count--) structure.u32(around.random.u32());
  },
  descriptors(structure, { random }) {
    for (let count = 16; count > 0; count--)
      structure.u64(random.chance(80) ? random.below(256) : random.u64());
  },
  /** One of few, so that those who wait and those who wake meet. */
  futex(structure, around) {
    structure.u32(around.random.pick([0, 0, 0, 1, around.thread(), -1]));
  },
} satisfies Record<string, Builder>;

type Kind = keyof typeof BUILDERS;

const KINDS: readonly Kind[] = [
  "words",
  "zeros",
  "name",
  "vectors",
  "times",
  "signals",
  "action",
  "control",
  "message",
  "strings",
];

/** What an argument of this name points to, in the table of system calls. */
const KIND_OF: Readonly<Record<string, Kind>> = {
  act: "action",
  addr: "socket address",
  addrlen: "length",
  arg: "lock",
  argv: "strings",
  cl_args: "clone arguments",
  datap: "capabilities",
  envp: "strings",
  event: "epoll event",
  exceptfds: "descriptors",
  fds: "polls",
  hdrp: "capabilities",
  head: "robust",
  how: "open how",
  info: "signal information",
  iov: "vectors",
  mask: "signals",
  msg: "message",
  msgvec: "message",
  new_limit: "limit",
  new_value: "times",
  optlen: "length",
  readfds: "descriptors",
  req: "times",
  request: "times",
  rlim: "limit",
  set: "signals",
  sevp: "signal event",
  sigmask: "signals",
  ss: "alternate stack",
  times: "times",
  timeout: "times",
  tp: "times",
  tv: "times",
  uaddr: "futex",
  uaddr2: "futex",
  writefds: "descriptors",
};

/** Kinds that only one call has under that name. */
const KIND_IN_CALL: Readonly<Record<string, Readonly<Record<string, Kind>>>> = {
  pselect6: { sigmask: "signals, indirectly" },
};

/** Something for an argument to point to. */
export function buildFor(call: string, argument: string, around: Surroundings): Uint8Array {
  const fitting = KIND_IN_CALL[call]?.[argument] ?? KIND_OF[argument];
  const kind = fitting !== undefined && around.random.chance(85) ? fitting : around.random.pick(KINDS);
  const structure = new Structure();
  BUILDERS[kind](structure, around);
  return structure.contents;
}

/** A path, or another string. */
export function buildName({ random }: Surroundings, names: readonly string[] = NAMES): Uint8Array {
  const structure = new Structure();
  structure.text(random.pick(random.chance(85) ? names : NAMES));
  if (random.chance(98)) structure.text("\0");
  return structure.contents;
}
