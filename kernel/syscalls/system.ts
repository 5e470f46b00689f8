/** The machine as a whole: its name, its memory, chance, its log. */

import { PAGE_SIZE } from "../../mmu/translator.ts";
import { EFAULT, EINVAL, EPERM } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import type { SyscallDefinition } from "./definition.ts";

/** What uname(2) says. Programs parse the release: it names the Linux whose calls this kernel has. */
export const SYSTEM_NAME = {
  sysname: "Linux",
  release: "6.1.0-osv",
  version: "#1 SMP PREEMPT_DYNAMIC OSv in TypeScript",
  machine: "x86_64",
  domain: "(none)",
} as const;

/** struct new_utsname: six fields of 65 bytes. */
const UTS_FIELD = 65;

function uname(thread: Thread, address: number): number {
  const encoder = new TextEncoder();
  const bytes = new Uint8Array(6 * UTS_FIELD);
  const { sysname, release, version, machine, domain } = SYSTEM_NAME;
  for (const [index, text] of [
    sysname,
    thread.kernel.hostname,
    release,
    version,
    machine,
    domain,
  ].entries()) {
    bytes.set(encoder.encode(text).subarray(0, UTS_FIELD - 1), index * UTS_FIELD);
  }
  thread.memory.write(address, bytes);
  return 0;
}

function sethostname(thread: Thread, address: number, length: number): number {
  if (!(length >= 0 && length < UTS_FIELD)) return -EINVAL;
  thread.kernel.hostname = new TextDecoder().decode(thread.memory.read(address, length));
  return 0;
}

/** struct sysinfo */
const SYSINFO_SIZE = 112;

function sysinfo(thread: Thread, address: number): number {
  const { kernel, memory } = thread;
  const { frames } = kernel.space;
  const view = new DataView(new ArrayBuffer(SYSINFO_SIZE));
  view.setBigInt64(0, BigInt(Math.floor(kernel.host.clock.monotonic() / 1e9)), true);
  // Loads are fixed-point numbers with 16 bits of fraction.
  for (const offset of [8, 16, 24]) view.setBigUint64(offset, BigInt(kernel.scheduler.runnable) << 16n, true);
  view.setBigUint64(32, BigInt(frames.total * PAGE_SIZE), true);
  view.setBigUint64(40, BigInt(frames.free * PAGE_SIZE), true);
  view.setUint16(80, Math.min(65535, kernel.threads.size), true);
  view.setUint32(104, 1, true);
  memory.write(address, new Uint8Array(view.buffer));
  return 0;
}

const Grnd = { NONBLOCK: 1, RANDOM: 2, INSECURE: 4 } as const;
/** As much at once as Linux gives. */
const RANDOM_LIMIT = 0x1ffffff;
const RANDOM_PIECE = 65536;

function getrandom(thread: Thread, address: number, size: number, flags: number): number {
  if ((flags & ~7) !== 0 || (flags & (Grnd.RANDOM | Grnd.INSECURE)) === (Grnd.RANDOM | Grnd.INSECURE))
    return -EINVAL;
  const length = size < 0 ? RANDOM_LIMIT : Math.min(size, RANDOM_LIMIT);
  let done = 0;
  while (done < length) {
    const piece = new Uint8Array(Math.min(RANDOM_PIECE, length - done));
    thread.kernel.host.entropy.fill(piece);
    if (!thread.memory.check(address + done, piece.length, true)) return done > 0 ? done : -EFAULT;
    thread.memory.write(address + done, piece);
    done += piece.length;
  }
  return done;
}

/** reboot(2) */
const REBOOT_MAGIC1 = 0xfee1dead;
const Reboot = {
  RESTART: 0x01234567,
  HALT: 0xcdef0123,
  POWER_OFF: 0x4321fedc,
  CAD_ON: 0x89abcdef,
  CAD_OFF: 0,
} as const;

function reboot(thread: Thread, magic: number, _magic2: number, command: number): number {
  if (magic >>> 0 !== REBOOT_MAGIC1) return -EINVAL;
  switch (command >>> 0) {
    case Reboot.CAD_ON:
    case Reboot.CAD_OFF:
      return 0;
    case Reboot.HALT:
    case Reboot.POWER_OFF:
      thread.kernel.log("System halted.");
      thread.kernel.lifecycle.killAll();
      return 0;
    default:
      return -EPERM;
  }
}

/** syslog(2), of which the log's size and contents are asked. */
const Syslog = { READ_ALL: 3, SIZE_UNREAD: 9, SIZE_BUFFER: 10 } as const;

function syslog(thread: Thread, type: number, address: number, length: number): number {
  const text = new TextEncoder().encode(thread.kernel.logText());
  switch (type | 0) {
    case Syslog.READ_ALL: {
      if (length < 0) return -EINVAL;
      const tail = text.subarray(Math.max(0, text.length - length));
      thread.memory.write(address, tail);
      return tail.length;
    }
    case Syslog.SIZE_UNREAD:
      return 0;
    case Syslog.SIZE_BUFFER:
      return Math.max(text.length, 1 << 17);
    case 0:
    case 1:
    case 5:
    case 6:
    case 7:
    case 8:
      return 0;
    default:
      return -EINVAL;
  }
}

export const SYSTEM_SYSCALLS: readonly SyscallDefinition[] = [
  { number: 63, name: "uname", state: "done", arguments: [["buf", "pointer"]], call: uname },
  { number: 99, name: "sysinfo", state: "done", arguments: [["info", "pointer"]], call: sysinfo },
  {
    number: 103,
    name: "syslog",
    state: "partial",
    note: "reading the whole log",
    arguments: [
      ["type", "int"],
      ["bufp", "pointer"],
      ["len", "int"],
    ],
    call: syslog,
  },
  {
    number: 169,
    name: "reboot",
    state: "partial",
    note: "halting ends all programs",
    arguments: [
      ["magic", "hex"],
      ["magic2", "hex"],
      ["op", "hex"],
      ["arg", "pointer"],
    ],
    call: reboot,
  },
  {
    number: 170,
    name: "sethostname",
    state: "done",
    arguments: [
      ["name", "pointer"],
      ["len", "size"],
    ],
    call: sethostname,
  },
  {
    number: 318,
    name: "getrandom",
    state: "done",
    arguments: [
      ["buf", "outbuffer"],
      ["buflen", "size"],
      ["flags", { flags: { GRND_NONBLOCK: 1, GRND_RANDOM: 2, GRND_INSECURE: 4 } }],
    ],
    call: getrandom,
  },
];
