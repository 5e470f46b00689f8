/**
 * What programs usually pass where the type of an argument says little: flags that belong together, sizes that are
 * fixed, descriptors of the right kind. Most random calls should get past the first check of their arguments.
 */

import { S_IFCHR, S_IFDIR, S_IFIFO, S_IFREG, S_IFSOCK } from "../../kernel/vfs/inode.ts";
import type { OpenFile } from "../../kernel/vfs/open-file.ts";

type Values = readonly number[];

/** By the argument's name, for all calls. Numbers as in include/uapi/linux. */
const BY_NAME: Readonly<Record<string, Values>> = {
  sigsetsize: [8],
  sizemask: [8],
  timeout: [0, 1, 10, -1],
  clockid: [0, 1, 1, 2, 3, 4, 7],
  iovcnt: [0, 1, 2, 8],
  nfds: [0, 1, 4, 8],
  n: [0, 1, 8, 64],
  maxevents: [1, 8],
  vlen: [0, 1, 2],
  resource: [0, 2, 3, 4, 6, 7, 9],
  whence: [0, 1, 2, 3, 4],
  offset_high: [0],
};

/** By call and argument. */
const BY_CALL: Readonly<Record<string, Readonly<Record<string, Values>>>> = {
  accept4: { flags: [0, 0x800, 0x80000] },
  arch_prctl: { code: [0x1001, 0x1002, 0x1003, 0x1004] },
  capget: {},
  clone: { flags: [0x3d0f00, 0x3d0f00, 0x10f00, 0x4111, 0x100, 0x111, 0x50f00] },
  clone3: { size: [64, 80, 88] },
  close_range: { flags: [0, 4], first: [3, 8], last: [3, 8, 0xffffffff] },
  copy_file_range: { flags: [0], len: [0, 1, 5000] },
  epoll_pwait2: { maxevents: [1, 8] },
  eventfd2: { flags: [0, 1, 0x800] },
  faccessat2: { flags: [0, 0x100, 0x200, 0x1000] },
  fallocate: { mode: [0, 1, 3, 8, 0x10, 0x20], offset: [0, 4096], len: [4096, 10000] },
  fadvise64: { offset: [0], len: [0, 4096] },
  fcntl: { arg: [0, 1, 3, 0x400, 0x800, 0x802, 10, 4096, 65536] },
  flock: { operation: [1, 2, 4, 5, 6, 8] },
  ftruncate: { length: [0, 1, 5000, 20000] },
  truncate: { length: [0, 1, 5000, 20000] },
  futex: { op: [0, 1, 128, 129, 3, 4, 5, 6, 7, 8, 9, 10, 137, 138, 393] },
  getitimer: { which: [0, 1, 2] },
  getpriority: { which: [0, 1, 2], who: [0] },
  getrandom: { flags: [0, 1, 2] },
  getsockopt: { level: [1], optname: [3, 4, 7, 8, 9, 17, 38, 39] },
  ioctl: { argp: [0, 1, 2] },
  linkat: { flags: [0, 0x400, 0x1000] },
  listen: { backlog: [0, 1, 5] },
  membarrier: { cmd: [0, 1, 2, 8, 16], flags: [0] },
  memfd_create: { flags: [0, 1, 2, 3] },
  mincore: { length: [1, 4096, 8192] },
  mknod: { mode: [0o100644, 0o010644, 0o020666, 0o140644], dev: [0x103, 0x105, 0x502, 0] },
  mknodat: { mode: [0o100644, 0o010644, 0o020666, 0o140644], dev: [0x103, 0x105, 0x502, 0] },
  mlock: { length: [4096, 8192] },
  mmap: {
    length: [4096, 8192, 0x10000, 0x100000],
    prot: [0, 1, 3, 3, 3, 5, 7],
    flags: [0x22, 0x22, 0x21, 0x02, 0x01, 0x32, 0x31, 0x8022, 0x122, 0x62, 0x100022, 0x12],
    offset: [0, 4096],
  },
  mount: { mountflags: [0, 1, 0x20, 0x1000, 0x2000] },
  mprotect: { length: [1, 4096, 8192], prot: [0, 1, 3, 5, 7] },
  mremap: {
    old_size: [0, 4096, 8192],
    new_size: [4096, 8192, 0x10000],
    flags: [0, 1, 3, 5],
  },
  msync: { length: [4096, 8192], flags: [1, 2, 4, 6] },
  munmap: { length: [1, 4096, 8192] },
  openat: { flags: [0, 1, 2, 0x42, 0x241, 0x10000, 0x200000, 0x802, 0x402, 0x410002] },
  open: { flags: [0, 1, 2, 0x42, 0x241, 0x10000, 0x200000, 0x802, 0x402, 0x410002] },
  openat2: { size: [24] },
  personality: { persona: [0, 0xffffffff] },
  preadv2: { flags: [0], offset: [0, 100] },
  pwritev2: { flags: [0], offset: [0, 100] },
  reboot: {
    magic: [0xfee1dead],
    magic2: [672274793, 85072278],
    op: [0, 0x89abcdef, 0x1234567, 0x4321fedc, 0xd000fce2],
  },
  recvfrom: { flags: [0, 2, 0x40, 0x42, 0x100] },
  recvmmsg: { flags: [0, 2, 0x40] },
  recvmsg: { flags: [0, 2, 0x40, 0x40000040] },
  renameat2: { flags: [0, 1, 2] },
  rt_sigaction: { signum: [1, 2, 10, 11, 12, 13, 14, 15, 17, 34, 64] },
  sched_getaffinity: { len: [8, 128] },
  sched_setaffinity: { len: [8, 128] },
  sched_setscheduler: { policy: [0] },
  sendmmsg: { flags: [0, 0x40, 0x4000] },
  sendmsg: { flags: [0, 0x40, 0x4000] },
  sendto: { flags: [0, 0x40, 0x4000], addrlen: [0, 110] },
  bind: { addrlen: [12, 16, 110] },
  connect: { addrlen: [12, 16, 110] },
  setitimer: { which: [0, 1, 2] },
  setpriority: { which: [0], who: [0], prio: [0, 5] },
  set_robust_list: { len: [24] },
  setsockopt: { level: [1], optname: [2, 6, 7, 8, 9, 16, 20, 21], optlen: [4, 16] },
  setxattr: { flags: [0, 1, 2] },
  fsetxattr: { flags: [0, 1, 2] },
  signalfd4: { flags: [0, 0x800], fd: [-1] },
  signalfd: { fd: [-1] },
  socket: { domain: [1], type: [1, 2, 5, 0x801], protocol: [0] },
  socketpair: { domain: [1], type: [1, 2, 5, 0x801], protocol: [0] },
  statx: { flags: [0, 0x100, 0x1000], mask: [0x7ff, 0xfff] },
  sync_file_range: { flags: [0, 1, 2, 4, 7], offset: [0], nbytes: [0, 4096] },
  syslog: { type: [0, 1, 2, 3, 6, 8, 9, 10] },
  timer_settime: { flags: [0, 1], timerid: [0, 1, 2] },
  timer_gettime: { timerid: [0, 1, 2] },
  timer_getoverrun: { timerid: [0, 1, 2] },
  timer_delete: { timerid: [0, 1, 2] },
  timerfd_create: { clockid: [0, 1, 7], flags: [0, 0x800] },
  timerfd_settime: { flags: [0, 1] },
  unlinkat: { flags: [0, 0x200] },
  utimensat: { flags: [0, 0x100] },
  wait4: { options: [0, 1, 2, 3, 8] },
  waitid: { options: [4, 5, 0x1000005, 6] },
};

export function usualValues(call: string, argument: string): Values | undefined {
  return BY_CALL[call]?.[argument] ?? BY_NAME[argument];
}

/** What a descriptor should be: its file type, or how its file describes itself. */
type FileKind = number | RegExp;

const EPOLL = /eventpoll/;
const TIMER = /timerfd/;

const KIND_FOR: Readonly<Record<string, FileKind>> = {
  accept: S_IFSOCK,
  accept4: S_IFSOCK,
  bind: S_IFSOCK,
  connect: S_IFSOCK,
  copy_file_range: S_IFREG,
  dirfd: S_IFDIR,
  epoll_ctl: EPOLL,
  epoll_pwait: EPOLL,
  epoll_pwait2: EPOLL,
  epoll_wait: EPOLL,
  fallocate: S_IFREG,
  fchdir: S_IFDIR,
  fgetxattr: S_IFREG,
  flistxattr: S_IFREG,
  fremovexattr: S_IFREG,
  fsetxattr: S_IFREG,
  ftruncate: S_IFREG,
  getdents: S_IFDIR,
  getdents64: S_IFDIR,
  getpeername: S_IFSOCK,
  getsockname: S_IFSOCK,
  getsockopt: S_IFSOCK,
  ioctl: S_IFCHR,
  listen: S_IFSOCK,
  mmap: S_IFREG,
  pread64: S_IFREG,
  preadv: S_IFREG,
  preadv2: S_IFREG,
  pwrite64: S_IFREG,
  pwritev: S_IFREG,
  pwritev2: S_IFREG,
  recvfrom: S_IFSOCK,
  recvmmsg: S_IFSOCK,
  recvmsg: S_IFSOCK,
  sendfile: S_IFREG,
  sendmmsg: S_IFSOCK,
  sendmsg: S_IFSOCK,
  sendto: S_IFSOCK,
  setsockopt: S_IFSOCK,
  shutdown: S_IFSOCK,
  splice: S_IFIFO,
  sync_file_range: S_IFREG,
  timerfd_gettime: TIMER,
  timerfd_settime: TIMER,
};

const S_IFMT = 0o170000;

/** Is this the kind of file that a call is for? True where any will do. */
export function fits(call: string, file: OpenFile): boolean {
  const kind = KIND_FOR[call];
  if (kind === undefined) return true;
  return typeof kind === "number" ? (file.inode.type & S_IFMT) === kind : kind.test(file.describe());
}

/** Names for arguments of these names: files that are there for calls that need one. */
export const NAMES_FOR: Readonly<Record<string, readonly string[]>> = {
  execve: ["/guest", "/guest", "/script", "/file", "/directory", "/proc/self/exe"],
  execveat: ["/guest", "/guest", "guest", "/script", ""],
  getxattr: ["/file", "/directory"],
  lgetxattr: ["/file", "/directory"],
  lremovexattr: ["/file", "/directory"],
  lsetxattr: ["/file", "/directory"],
  removexattr: ["/file", "/directory"],
  setxattr: ["/file", "/directory"],
  umount2: ["/directory", "/dev", "/proc", "/sys"],
  filesystemtype: ["tmpfs", "proc", "sysfs", "nosuchfs", ""],
  name: [
    "user.name",
    "user.name",
    "user.name",
    "user.other",
    "trusted.x",
    "security.capability",
    "name",
    "user.",
    `user.${"n".repeat(300)}`,
  ],
  target: ["/directory", "/directory/inner", "/dev", "/proc", "/"],
  source: ["none", "tmpfs", "/directory", "/file"],
};

export interface OpeningCall {
  readonly name: string;
  readonly arguments: readonly number[];
}

/** struct sockaddr_un with an abstract name. */
export const OPENING_ADDRESS = Uint8Array.of(1, 0, 0, 0x66, 0x75, 0x7a, 0x7a);

/**
 * Calls that a program starts with, so that it has files of all kinds, and somebody to accept. `data` is where its memory
 * is; {@link OPENING_ADDRESS} is at its start.
 */
export function openingCalls(data: number, firstFree: number): readonly OpeningCall[] {
  const listener = firstFree;
  const client = firstFree + 1;
  return [
    { name: "socket", arguments: [1, 1, 0] },
    { name: "socket", arguments: [1, 1, 0] },
    { name: "bind", arguments: [listener, data, OPENING_ADDRESS.length] },
    { name: "listen", arguments: [listener, 5] },
    { name: "connect", arguments: [client, data, OPENING_ADDRESS.length] },
    { name: "socketpair", arguments: [1, 1, 0, data + 32] },
    { name: "socketpair", arguments: [1, 0x802, 0, data + 40] },
    { name: "epoll_create1", arguments: [0] },
    { name: "eventfd2", arguments: [1, 0] },
    { name: "timerfd_create", arguments: [1, 0x800] },
    { name: "memfd_create", arguments: [data + 64, 3] },
    { name: "pipe2", arguments: [data + 48, 0x800] },
    { name: "timer_create", arguments: [1, 0, data + 56] },
  ];
}
