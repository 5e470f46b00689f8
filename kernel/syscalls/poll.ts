/** poll(2), select(2) and their relatives. epoll(7) is in epoll.ts. */

import { EBADF, EINVAL } from "../errno.ts";
import { type PollEntry, pollFiles } from "../ipc/poll-files.ts";
import { withSignalMask } from "../ipc/signal-mask.ts";
import {
  deadlineAfterMilliseconds,
  deadlineFromTimespec,
  deadlineFromTimeval,
  writeRemaining,
} from "../ipc/wait-time.ts";
import type { Thread } from "../sched/thread.ts";
import { Poll, type Result } from "../vfs/open-file.ts";
import type { SyscallDefinition } from "./definition.ts";

/** struct pollfd: int fd, short events, short revents */
const POLLFD_SIZE = 8;
const REVENTS = 6;

/** What makes a descriptor ready to read, to write, exceptional (fs/select.c). */
const READ_SET = Poll.RDNORM | Poll.RDBAND | Poll.IN | Poll.HUP | Poll.ERR;
const WRITE_SET = Poll.WRBAND | Poll.WRNORM | Poll.OUT | Poll.ERR;
const EXCEPT_SET = Poll.PRI;

function pollWith(thread: Thread, address: number, count: number, deadline: number | undefined): Result {
  const { files } = thread.application;
  if (count > files.limit) return -EINVAL;
  const table = thread.memory.read(address, count * POLLFD_SIZE);
  const view = new DataView(table.buffer, table.byteOffset, table.length);
  const entries: PollEntry[] = [];
  for (let i = 0; i < count; i++) {
    const fd = view.getInt32(i * POLLFD_SIZE, true);
    const wanted = view.getUint16(i * POLLFD_SIZE + 4, true) | Poll.ERR | Poll.HUP;
    const file = fd < 0 ? undefined : files.get(fd);
    entries.push({ file, wanted, found: fd >= 0 && file === undefined ? Poll.NVAL : 0 });
  }
  const finish = (result: number): number => {
    entries.forEach(({ found }, i) => {
      view.setUint16(i * POLLFD_SIZE + REVENTS, found, true);
    });
    // The memory may be gone by now: EFAULT then, as on Linux.
    if (count > 0) thread.memory.write(address, table);
    return result;
  };
  const result = pollFiles(thread, entries, deadline);
  return typeof result === "number" ? finish(result) : result.then(finish);
}

function poll(thread: Thread, fds: number, count: number, timeout: number): Result {
  return pollWith(thread, fds, count >>> 0, deadlineAfterMilliseconds(thread, timeout | 0));
}

function ppoll(
  thread: Thread,
  fds: number,
  count: number,
  timeout: number,
  mask: number,
  maskSize: number,
): Result {
  const deadline = deadlineFromTimespec(thread, timeout);
  return leaving(thread, timeout, deadline, "timespec", () =>
    withSignalMask(thread, mask, maskSize, () => pollWith(thread, fds, count >>> 0, deadline)),
  );
}

/** Tells the caller how much time was left. */
function leaving(
  thread: Thread,
  address: number,
  deadline: number | undefined,
  kind: "timespec" | "timeval",
  call: () => Result,
): Result {
  const finish = (result: number): number => {
    writeRemaining(thread, address, deadline, kind);
    return result;
  };
  const result = call();
  return typeof result === "number" ? finish(result) : result.then(finish);
}

/** The descriptor sets of select(2): bit fd of a little-endian bit string in units of eight bytes. */
function selectWith(
  thread: Thread,
  count: number,
  addresses: readonly [read: number, write: number, except: number],
  deadline: number | undefined,
): Result {
  const { files } = thread.application;
  if (count < 0) return -EINVAL;
  const width = Math.min(count, descriptorTableSize(files.size));
  const bytes = Math.ceil(width / 64) * 8;
  const sets = addresses.map((address) => (address === 0 ? undefined : thread.memory.read(address, bytes)));
  const entries: (PollEntry & { fd: number; asked: number })[] = [];
  for (let fd = 0; fd < width; fd++) {
    let asked = 0;
    sets.forEach((set, which) => {
      if (set !== undefined && (set[fd >> 3] & (1 << (fd & 7))) !== 0) asked |= 1 << which;
    });
    if (asked === 0) continue;
    const file = files.get(fd);
    if (file === undefined) return -EBADF;
    const wanted = (asked & 1 ? READ_SET : 0) | (asked & 2 ? WRITE_SET : 0) | (asked & 4 ? EXCEPT_SET : 0);
    entries.push({ file, wanted, found: 0, fd, asked });
  }

  const finish = (): number => {
    let ready = 0;
    for (const set of sets) set?.fill(0);
    for (const { fd, asked, found } of entries) {
      [READ_SET, WRITE_SET, EXCEPT_SET].forEach((events, which) => {
        const set = sets[which];
        if (set === undefined || (asked & (1 << which)) === 0 || (found & events) === 0) return;
        set[fd >> 3] |= 1 << (fd & 7);
        ready++;
      });
    }
    sets.forEach((set, which) => {
      if (set !== undefined && set.length > 0) thread.memory.write(addresses[which], set);
    });
    return ready;
  };
  const settle = (result: number): number => (result < 0 ? result : finish());
  const result = pollFiles(thread, entries, deadline);
  return typeof result === "number" ? settle(result) : result.then(settle);
}

/** Slots of Linux' descriptor table: select looks no further. */
function descriptorTableSize(used: number): number {
  let size = 64;
  while (size < used) size *= 2;
  return size;
}

function select(
  thread: Thread,
  count: number,
  read: number,
  write: number,
  except: number,
  timeout: number,
): Result {
  const deadline = deadlineFromTimeval(thread, timeout);
  return leaving(thread, timeout, deadline, "timeval", () =>
    selectWith(thread, count | 0, [read, write, except], deadline),
  );
}

/** The sixth argument points to the mask's address and size, as six registers are not enough. */
function pselect6(
  thread: Thread,
  count: number,
  read: number,
  write: number,
  except: number,
  timeout: number,
  packed: number,
): Result {
  const mask = packed === 0 ? 0 : thread.memory.readI64(packed);
  const maskSize = packed === 0 ? 0 : thread.memory.readI64(packed + 8);
  const deadline = deadlineFromTimespec(thread, timeout);
  return leaving(thread, timeout, deadline, "timespec", () =>
    withSignalMask(thread, mask, maskSize, () =>
      selectWith(thread, count | 0, [read, write, except], deadline),
    ),
  );
}

export const POLL_SYSCALLS: readonly SyscallDefinition[] = [
  {
    number: 7,
    name: "poll",
    state: "done",
    call: poll,
    arguments: [
      ["fds", "pointer"],
      ["nfds", "uint"],
      ["timeout", "int"],
    ],
  },
  {
    number: 23,
    name: "select",
    state: "done",
    call: select,
    arguments: [
      ["n", "int"],
      ["readfds", "pointer"],
      ["writefds", "pointer"],
      ["exceptfds", "pointer"],
      ["timeout", "pointer"],
    ],
  },
  {
    number: 270,
    name: "pselect6",
    state: "done",
    call: pselect6,
    arguments: [
      ["n", "int"],
      ["readfds", "pointer"],
      ["writefds", "pointer"],
      ["exceptfds", "pointer"],
      ["timeout", "pointer"],
      ["sigmask", "pointer"],
    ],
  },
  {
    number: 271,
    name: "ppoll",
    state: "done",
    call: ppoll,
    arguments: [
      ["fds", "pointer"],
      ["nfds", "uint"],
      ["timeout", "pointer"],
      ["sigmask", "pointer"],
      ["sigsetsize", "size"],
    ],
  },
];
