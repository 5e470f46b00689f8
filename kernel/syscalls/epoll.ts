/** epoll_create(2), epoll_ctl(2), epoll_wait(2). */

import { EBADF, EFAULT, EINTR, EINVAL } from "../errno.ts";
import { type EpollEvent, EpollFile } from "../ipc/epoll.ts";
import { withSignalMask } from "../ipc/signal-mask.ts";
import { deadlineAfterMilliseconds, deadlineFromTimespec } from "../ipc/wait-time.ts";
import type { Thread } from "../sched/thread.ts";
import type { Result } from "../vfs/open-file.ts";
import { O_CLOEXEC } from "../vfs/open-flags.ts";
import { fileOf } from "./arguments.ts";
import type { SyscallDefinition } from "./definition.ts";

const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;

/** struct epoll_event is packed on x86-64: u32 events, u64 data. */
const EVENT_SIZE = 12;
/** EP_MAX_EVENTS */
const MAXIMUM_EVENTS = Math.floor(0x7fffffff / EVENT_SIZE);

function epollCreate1(thread: Thread, flags: number): number {
  if ((flags & ~O_CLOEXEC) !== 0) return -EINVAL;
  return thread.application.files.install(new EpollFile(thread.kernel.host.clock), (flags & O_CLOEXEC) !== 0);
}

function epollCreate(thread: Thread, size: number): number {
  return (size | 0) <= 0 ? -EINVAL : epollCreate1(thread, 0);
}

function epollCtl(thread: Thread, epfd: number, op: number, fd: number, address: number): number {
  let events = 0;
  let data = 0n;
  if (op !== EPOLL_CTL_DEL) {
    events = thread.memory.readU32(address) | 0;
    data = thread.memory.readU64(address + 4);
  }
  const epoll = fileOf(thread, epfd);
  const file = fileOf(thread, fd);
  if (!(epoll instanceof EpollFile)) return -EINVAL;
  switch (op) {
    case EPOLL_CTL_ADD:
      return epoll.add(thread, fd, file, events, data);
    case EPOLL_CTL_MOD:
      return epoll.modify(thread, fd, file, events, data);
    case EPOLL_CTL_DEL:
      return epoll.remove(fd, file);
    default:
      return -EINVAL;
  }
}

function waitFor(
  thread: Thread,
  epfd: number,
  address: number,
  maximum: number,
  deadline: number | undefined,
): Result {
  if (maximum <= 0 || maximum > MAXIMUM_EVENTS) return -EINVAL;
  const epoll = thread.application.files.get(epfd | 0);
  if (epoll === undefined) return -EBADF;
  if (!(epoll instanceof EpollFile)) return -EINVAL;
  const result = epoll.wait(thread, maximum, deadline);
  if (Array.isArray(result)) return deliver(thread, address, result);
  return waitOn(thread, epoll, address, result);
}

async function waitOn(
  thread: Thread,
  epoll: EpollFile,
  address: number,
  pending: Promise<EpollEvent[] | "interrupted">,
): Promise<number> {
  epoll.retain();
  try {
    const events = await pending;
    return events === "interrupted" ? -EINTR : deliver(thread, address, events);
  } finally {
    epoll.release();
  }
}

function deliver(thread: Thread, address: number, events: readonly EpollEvent[]): number {
  if (events.length === 0) return 0;
  const bytes = new Uint8Array(events.length * EVENT_SIZE);
  const view = new DataView(bytes.buffer);
  events.forEach((event, i) => {
    view.setUint32(i * EVENT_SIZE, event.events, true);
    view.setBigUint64(i * EVENT_SIZE + 4, event.data, true);
  });
  if (!thread.memory.check(address, bytes.length, true)) return -EFAULT;
  thread.memory.write(address, bytes);
  return events.length;
}

function epollWait(thread: Thread, epfd: number, events: number, maximum: number, timeout: number): Result {
  return waitFor(thread, epfd, events, maximum | 0, deadlineAfterMilliseconds(thread, timeout | 0));
}

function epollPwait(
  thread: Thread,
  epfd: number,
  events: number,
  maximum: number,
  timeout: number,
  mask: number,
  maskSize: number,
): Result {
  return withSignalMask(thread, mask, maskSize, () => epollWait(thread, epfd, events, maximum, timeout));
}

function epollPwait2(
  thread: Thread,
  epfd: number,
  events: number,
  maximum: number,
  timeout: number,
  mask: number,
  maskSize: number,
): Result {
  const deadline = deadlineFromTimespec(thread, timeout);
  return withSignalMask(thread, mask, maskSize, () => waitFor(thread, epfd, events, maximum | 0, deadline));
}

const WAIT_ARGUMENTS = [
  ["epfd", "fd"],
  ["events", "pointer"],
  ["maxevents", "int"],
] as const;
const MASK_ARGUMENTS = [
  ["sigmask", "pointer"],
  ["sigsetsize", "size"],
] as const;

export const EPOLL_SYSCALLS: readonly SyscallDefinition[] = [
  { number: 213, name: "epoll_create", state: "done", call: epollCreate, arguments: [["size", "int"]] },
  {
    number: 291,
    name: "epoll_create1",
    state: "done",
    call: epollCreate1,
    arguments: [["flags", { flags: { EPOLL_CLOEXEC: O_CLOEXEC } }]],
  },
  {
    number: 233,
    name: "epoll_ctl",
    state: "done",
    call: epollCtl,
    arguments: [
      ["epfd", "fd"],
      ["op", { oneOf: { EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD } }],
      ["fd", "fd"],
      ["event", "pointer"],
    ],
  },
  {
    number: 232,
    name: "epoll_wait",
    state: "done",
    call: epollWait,
    arguments: [...WAIT_ARGUMENTS, ["timeout", "int"]],
  },
  {
    number: 281,
    name: "epoll_pwait",
    state: "done",
    call: epollPwait,
    arguments: [...WAIT_ARGUMENTS, ["timeout", "int"], ...MASK_ARGUMENTS],
  },
  {
    number: 441,
    name: "epoll_pwait2",
    state: "done",
    call: epollPwait2,
    arguments: [...WAIT_ARGUMENTS, ["timeout", "pointer"], ...MASK_ARGUMENTS],
  },
];
