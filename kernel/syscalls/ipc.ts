/** Pipes, and the files that exist to be waited for: eventfd, timerfd, signalfd. */

import { EINVAL } from "../errno.ts";
import { EFD_SEMAPHORE, EventFile } from "../ipc/eventfd.ts";
import { createPipe } from "../ipc/pipe.ts";
import { SignalFile } from "../ipc/signalfd.ts";
import { TimerFile } from "../ipc/timerfd.ts";
import { UNBLOCKABLE } from "../sched/signal-numbers.ts";
import type { Thread } from "../sched/thread.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import { O_CLOEXEC, O_DIRECT, O_NONBLOCK } from "../vfs/open-flags.ts";
import { fileOf } from "./arguments.ts";
import type { SyscallDefinition } from "./definition.ts";
import {
  deadlineOfRealtime,
  nanosecondsOf,
  readTimespec,
  type Time,
  timeOf,
  writeTimespec,
} from "./timespec.ts";

const CLOCK_REALTIME = 0;
const CLOCK_MONOTONIC = 1;
const CLOCK_BOOTTIME = 7;
const CLOCK_REALTIME_ALARM = 8;
const CLOCK_BOOTTIME_ALARM = 9;
const CLOCKS = {
  CLOCK_REALTIME,
  CLOCK_MONOTONIC,
  CLOCK_BOOTTIME,
  CLOCK_REALTIME_ALARM,
  CLOCK_BOOTTIME_ALARM,
};

const TFD_TIMER_ABSTIME = 1;
const TFD_TIMER_CANCEL_ON_SET = 2;
const SIGSET_SIZE = 8;
/** struct itimerspec: the interval, then the value. */
const IT_VALUE = 16;

function pipe2(thread: Thread, address: number, flags: number): number {
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT)) !== 0) return -EINVAL;
  const { files } = thread.application;
  const closeOnExec = (flags & O_CLOEXEC) !== 0;
  const [reader, writer] = createPipe(thread.kernel.host.clock, flags);
  const readFd = files.install(reader, closeOnExec);
  if (readFd < 0) return readFd;
  const writeFd = files.install(writer, closeOnExec);
  if (writeFd < 0) {
    files.remove(readFd);
    return writeFd;
  }
  try {
    thread.memory.write(address, new Uint8Array(Int32Array.of(readFd, writeFd).buffer));
  } catch (error) {
    files.remove(readFd);
    files.remove(writeFd);
    throw error;
  }
  return 0;
}

function install(thread: Thread, file: OpenFile, flags: number): number {
  return thread.application.files.install(file, (flags & O_CLOEXEC) !== 0);
}

function eventfd2(thread: Thread, initial: number, flags: number): number {
  if ((flags & ~(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK)) !== 0) return -EINVAL;
  return install(thread, new EventFile(BigInt(initial >>> 0), flags, thread.kernel.host.clock), flags);
}

function timerfdCreate(thread: Thread, clockId: number, flags: number): number {
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) !== 0) return -EINVAL;
  if (!Object.values(CLOCKS).includes(clockId | 0)) return -EINVAL;
  return install(thread, new TimerFile(thread.kernel.host.clock, clockId | 0, flags), flags);
}

function timerOf(thread: Thread, fd: number): TimerFile | undefined {
  const file = fileOf(thread, fd);
  return file instanceof TimerFile ? file : undefined;
}

function timerfdSettime(thread: Thread, fd: number, flags: number, value: number, old: number): number {
  const { memory } = thread;
  if ((flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) !== 0) return -EINVAL;
  const interval = nanosecondsOf(readTimespec(memory, value));
  const first = readTimespec(memory, value + IT_VALUE);
  const timer = timerOf(thread, fd);
  if (timer === undefined) return -EINVAL;
  const before = timer.get();
  timer.set(expiration(thread, timer, flags, first), interval);
  if (old !== 0) writeTimer(thread, old, before);
  return 0;
}

/** Monotonic ns; undefined for a time of zero, which disarms. */
function expiration(thread: Thread, timer: TimerFile, flags: number, time: Time): number | undefined {
  const { clock } = thread.kernel.host;
  if (time.seconds === 0 && time.nanoseconds === 0) return undefined;
  if ((flags & TFD_TIMER_ABSTIME) === 0) return clock.monotonic() + nanosecondsOf(time);
  const wall = timer.clockId === CLOCK_REALTIME || timer.clockId === CLOCK_REALTIME_ALARM;
  return wall ? deadlineOfRealtime(clock, time) : nanosecondsOf(time);
}

function writeTimer(
  thread: Thread,
  address: number,
  { remaining, interval }: { remaining: number; interval: number },
): void {
  writeTimespec(thread.memory, address, timeOf(interval));
  writeTimespec(thread.memory, address + IT_VALUE, timeOf(remaining));
}

function timerfdGettime(thread: Thread, fd: number, address: number): number {
  const timer = timerOf(thread, fd);
  if (timer === undefined) return -EINVAL;
  writeTimer(thread, address, timer.get());
  return 0;
}

/** With `fd` -1 a new file, otherwise a new mask for an old one. */
function signalfd4(thread: Thread, fd: number, address: number, size: number, flags: number): number {
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) !== 0 || size !== SIGSET_SIZE) return -EINVAL;
  const mask = thread.memory.readU64(address) & ~UNBLOCKABLE;
  if ((fd | 0) === -1)
    return install(thread, new SignalFile(thread, mask, flags, thread.kernel.host.clock), flags);
  const file = fileOf(thread, fd);
  if (!(file instanceof SignalFile)) return -EINVAL;
  file.mask = mask;
  return fd | 0;
}

export const IPC_SYSCALLS: readonly SyscallDefinition[] = [
  {
    number: 22,
    name: "pipe",
    state: "done",
    arguments: [["pipefd", "pointer"]],
    call: (thread, address) => pipe2(thread, address, 0),
  },
  {
    number: 293,
    name: "pipe2",
    state: "done",
    call: pipe2,
    arguments: [
      ["pipefd", "pointer"],
      ["flags", { flags: { O_CLOEXEC, O_NONBLOCK, O_DIRECT } }],
    ],
  },
  {
    number: 284,
    name: "eventfd",
    state: "done",
    arguments: [["count", "uint"]],
    call: (thread, initial) => eventfd2(thread, initial, 0),
  },
  {
    number: 290,
    name: "eventfd2",
    state: "done",
    call: eventfd2,
    arguments: [
      ["count", "uint"],
      ["flags", { flags: { EFD_SEMAPHORE, EFD_CLOEXEC: O_CLOEXEC, EFD_NONBLOCK: O_NONBLOCK } }],
    ],
  },
  {
    number: 283,
    name: "timerfd_create",
    state: "done",
    call: timerfdCreate,
    arguments: [
      ["clockid", { oneOf: CLOCKS }],
      ["flags", { flags: { TFD_CLOEXEC: O_CLOEXEC, TFD_NONBLOCK: O_NONBLOCK } }],
    ],
  },
  {
    number: 286,
    name: "timerfd_settime",
    state: "partial",
    note: "TFD_TIMER_CANCEL_ON_SET is accepted and has no effect",
    call: timerfdSettime,
    arguments: [
      ["fd", "fd"],
      ["flags", { flags: { TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET } }],
      ["new_value", "pointer"],
      ["old_value", "pointer"],
    ],
  },
  {
    number: 287,
    name: "timerfd_gettime",
    state: "done",
    call: timerfdGettime,
    arguments: [
      ["fd", "fd"],
      ["curr_value", "pointer"],
    ],
  },
  {
    number: 282,
    name: "signalfd",
    state: "done",
    arguments: [
      ["fd", "fd"],
      ["mask", "pointer"],
      ["sizemask", "size"],
    ],
    call: (thread, fd, mask, size) => signalfd4(thread, fd, mask, size, 0),
  },
  {
    number: 289,
    name: "signalfd4",
    state: "done",
    call: signalfd4,
    arguments: [
      ["fd", "fd"],
      ["mask", "pointer"],
      ["sizemask", "size"],
      ["flags", { flags: { SFD_CLOEXEC: O_CLOEXEC, SFD_NONBLOCK: O_NONBLOCK } }],
    ],
  },
];
