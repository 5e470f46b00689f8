/** Clocks and sleeping. */

import { EFAULT, EINTR, EINVAL, EOPNOTSUPP, EPERM, ERESTARTNOHAND } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { Application } from "../sched/application.ts";
import type { Interruptible, Thread, WakeReason } from "../sched/thread.ts";
import type { SyscallDefinition } from "./definition.ts";
import {
  deadlineOfRealtime,
  NS_PER_SECOND,
  nanosecondsOf,
  readTimespec,
  readTimeval,
  type Time,
  timeOf,
  writeTimespec,
  writeTimeval,
} from "./timespec.ts";

/** Clock ids (uapi/linux/time.h) */
export const ClockId = {
  REALTIME: 0,
  MONOTONIC: 1,
  PROCESS_CPUTIME: 2,
  THREAD_CPUTIME: 3,
  MONOTONIC_RAW: 4,
  REALTIME_COARSE: 5,
  MONOTONIC_COARSE: 6,
  BOOTTIME: 7,
  REALTIME_ALARM: 8,
  BOOTTIME_ALARM: 9,
  TAI: 11,
} as const;
export const TIMER_ABSTIME = 1;
/** Nanoseconds that clocks advance at a time. */
const RESOLUTION = 1;
const COARSE_RESOLUTION = 4_000_000;

function threadTime(thread: Thread): number {
  thread.kernel.scheduler.chargeTime(thread);
  return thread.cpuTime;
}

/** Processor time of an application's threads, ns. */
export function applicationTime(kernel: Kernel, application: Application): number {
  let time = application.deadThreadsTime;
  if (kernel.scheduler.current !== undefined) kernel.scheduler.chargeTime(kernel.scheduler.current);
  for (const thread of application.threads.values()) time += thread.cpuTime;
  return time;
}

/** What a clock shows, or -EINVAL. */
export function clockTime(thread: Thread, clockId: number): Time | number {
  const { kernel } = thread;
  const { clock } = kernel.host;
  switch (clockId) {
    case ClockId.REALTIME:
    case ClockId.REALTIME_COARSE:
    case ClockId.REALTIME_ALARM:
    case ClockId.TAI:
      return clock.realtime();
    case ClockId.MONOTONIC:
    case ClockId.MONOTONIC_RAW:
    case ClockId.MONOTONIC_COARSE:
    case ClockId.BOOTTIME:
    case ClockId.BOOTTIME_ALARM:
      return timeOf(clock.monotonic());
    case ClockId.PROCESS_CPUTIME:
      return timeOf(applicationTime(kernel, thread.application));
    case ClockId.THREAD_CPUTIME:
      return timeOf(threadTime(thread));
  }
  if (clockId >= 0) return -EINVAL;
  // Clocks of processor time: ~id << 3 | what (linux/posix-timers.h).
  const id = ~(clockId >> 3);
  if ((clockId & 3) === 3) return -EINVAL;
  if ((clockId & 4) !== 0) {
    const target = id === 0 ? thread : kernel.threads.get(id);
    return target === undefined ? -EINVAL : timeOf(threadTime(target));
  }
  const target = id === 0 ? thread.application : kernel.applications.get(id);
  return target === undefined ? -EINVAL : timeOf(applicationTime(kernel, target));
}

function clockGettime(thread: Thread, clockId: number, address: number): number {
  if (clockId === ClockId.MONOTONIC) {
    // By far the most frequent one: without an object for the result.
    const now = thread.kernel.host.clock.monotonic();
    const seconds = Math.floor(now / NS_PER_SECOND);
    thread.memory.writeI64(address, seconds);
    thread.memory.writeI64(address + 8, now - seconds * NS_PER_SECOND);
    return 0;
  }
  const time = clockTime(thread, clockId | 0);
  if (typeof time === "number") return time;
  writeTimespec(thread.memory, address, time);
  return 0;
}

function clockGetres(thread: Thread, clockId: number, address: number): number {
  const id = clockId | 0;
  if (typeof clockTime(thread, id) === "number") return -EINVAL;
  const coarse = id === ClockId.REALTIME_COARSE || id === ClockId.MONOTONIC_COARSE;
  if (address !== 0) writeTimespec(thread.memory, address, timeOf(coarse ? COARSE_RESOLUTION : RESOLUTION));
  return 0;
}

function clockSettime(thread: Thread, clockId: number, address: number): number {
  if ((clockId | 0) !== ClockId.REALTIME) return -EINVAL;
  readTimespec(thread.memory, address);
  // The time of day is the host's.
  return -EPERM;
}

function gettimeofday(thread: Thread, address: number, zone: number): number {
  if (address !== 0) writeTimeval(thread.memory, address, thread.kernel.host.clock.realtime());
  if (zone !== 0) thread.memory.writeI64(zone, 0);
  return 0;
}

function settimeofday(thread: Thread, address: number): number {
  if (address !== 0) readTimeval(thread.memory, address);
  return -EPERM;
}

function time(thread: Thread, address: number): number {
  const { seconds } = thread.kernel.host.clock.realtime();
  if (address !== 0) thread.memory.writeI64(address, seconds);
  return seconds;
}

/** A thread that sleeps. */
class Sleeper implements Interruptible {
  private readonly cancel: () => void;

  constructor(
    private readonly thread: Thread,
    deadline: number,
    private readonly interrupted: () => number,
  ) {
    const { clock } = thread.kernel.host;
    this.cancel = clock.after(deadline - clock.monotonic(), () => this.thread.resume(0));
  }

  end(how: WakeReason): boolean {
    this.cancel();
    this.thread.resume(how === "interrupted" ? this.interrupted() : 0);
    return true;
  }
}

function sleepUntil(thread: Thread, deadline: number, interrupted: () => number): number {
  if (deadline <= thread.kernel.host.clock.monotonic()) return 0;
  if (thread.kernel.signals.deliverable(thread)) return interrupted();
  return thread.suspend(new Sleeper(thread, deadline, interrupted));
}

/** Sleeping for a time is not restarted, but tells what was left. */
function sleepFor(thread: Thread, ns: number, remaining: number): number {
  const { clock } = thread.kernel.host;
  const deadline = clock.monotonic() + ns;
  return sleepUntil(thread, deadline, () => {
    if (remaining === 0) return -EINTR;
    if (!thread.memory.check(remaining, 16, true)) return -EFAULT;
    writeTimespec(thread.memory, remaining, timeOf(Math.max(0, deadline - clock.monotonic())));
    return -EINTR;
  });
}

function nanosleep(thread: Thread, request: number, remaining: number): number {
  return sleepFor(thread, nanosecondsOf(readTimespec(thread.memory, request)), remaining);
}

function clockNanosleep(
  thread: Thread,
  clockId: number,
  flags: number,
  request: number,
  remaining: number,
): number {
  const id = clockId | 0;
  if (typeof clockTime(thread, id) === "number") return -EINVAL;
  if (id === ClockId.THREAD_CPUTIME || id === ClockId.MONOTONIC_RAW || id === ClockId.REALTIME_COARSE) {
    return -EOPNOTSUPP;
  }
  if (id === ClockId.MONOTONIC_COARSE) {
    return -EOPNOTSUPP;
  }
  if (id === ClockId.PROCESS_CPUTIME || id < 0) {
    thread.kernel.logOnce("clock_nanosleep: sleeping on processor time is not implemented");
    return -EOPNOTSUPP;
  }
  const time = readTimespec(thread.memory, request);
  if ((flags & TIMER_ABSTIME) === 0) return sleepFor(thread, nanosecondsOf(time), remaining);
  const realtime = id === ClockId.REALTIME || id === ClockId.REALTIME_ALARM || id === ClockId.TAI;
  const deadline = realtime ? deadlineOfRealtime(thread.kernel.host.clock, time) : nanosecondsOf(time);
  return sleepUntil(thread, deadline, () => -ERESTARTNOHAND);
}

/** How clock arguments print. */
export const CLOCK = {
  oneOf: Object.fromEntries(Object.entries(ClockId).map(([name, id]) => [`CLOCK_${name}`, id])),
} as const;
export const ABSTIME = { flags: { TIMER_ABSTIME } } as const;

export const TIME_SYSCALLS: readonly SyscallDefinition[] = [
  {
    number: 35,
    name: "nanosleep",
    state: "done",
    arguments: [
      ["req", "pointer"],
      ["rem", "pointer"],
    ],
    call: nanosleep,
  },
  {
    number: 96,
    name: "gettimeofday",
    state: "done",
    arguments: [
      ["tv", "pointer"],
      ["tz", "pointer"],
    ],
    call: gettimeofday,
  },
  {
    number: 164,
    name: "settimeofday",
    state: "partial",
    note: "EPERM: the time of day is the host's",
    arguments: [
      ["tv", "pointer"],
      ["tz", "pointer"],
    ],
    call: settimeofday,
  },
  { number: 201, name: "time", state: "done", arguments: [["tloc", "pointer"]], call: time },
  {
    number: 227,
    name: "clock_settime",
    state: "partial",
    note: "EPERM: the time of day is the host's",
    arguments: [
      ["clockid", CLOCK],
      ["tp", "pointer"],
    ],
    call: clockSettime,
  },
  {
    number: 228,
    name: "clock_gettime",
    state: "done",
    arguments: [
      ["clockid", CLOCK],
      ["tp", "pointer"],
    ],
    call: clockGettime,
  },
  {
    number: 229,
    name: "clock_getres",
    state: "done",
    arguments: [
      ["clockid", CLOCK],
      ["res", "pointer"],
    ],
    call: clockGetres,
  },
  {
    number: 230,
    name: "clock_nanosleep",
    state: "partial",
    note: "not on processor time",
    arguments: [
      ["clockid", CLOCK],
      ["flags", ABSTIME],
      ["request", "pointer"],
      ["remain", "pointer"],
    ],
    call: clockNanosleep,
  },
];
