/** Clocks, sleeping and timers. */

import { EFAULT, EINTR, EINVAL, EOPNOTSUPP, EPERM, ERESTARTNOHAND } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { Application } from "../sched/application.ts";
import { SignalDelivery } from "../sched/signal-delivery.ts";
import { SIGALRM, SIGPROF, SIGVTALRM, SiCode } from "../sched/signal-numbers.ts";
import type { SignalInfo } from "../sched/signals.ts";
import type { Interruptible, Thread, WakeReason } from "../sched/thread.ts";
import { IntervalTimer, PosixTimer } from "../sched/timers.ts";
import type { SyscallDefinition } from "./definition.ts";
import {
  deadlineOfRealtime,
  nanosecondsOf,
  readTimespec,
  readTimeval,
  type Time,
  timeOf,
  writeTimespec,
  writeTimeval,
} from "./timespec.ts";

/** Clock ids (uapi/linux/time.h) */
const ClockId = {
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
const TIMER_ABSTIME = 1;
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
function clockTime(thread: Thread, clockId: number): Time | number {
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

/** setitimer(2) */
const Itimer = { REAL: 0, VIRTUAL: 1, PROF: 2 } as const;

interface TimerSetting {
  /** ns */
  readonly value: number;
  readonly interval: number;
}

function realTimer(application: Application, kernel: Kernel): IntervalTimer {
  application.realTimer ??= new IntervalTimer(kernel.host.clock, () =>
    kernel.signals.sendToApplication(application, SIGALRM, { code: SiCode.KERNEL }),
  );
  return application.realTimer;
}

function getTimer(application: Application, which: number): TimerSetting {
  if (which === Itimer.REAL) {
    return { value: application.realTimer?.remaining ?? 0, interval: application.realTimer?.interval ?? 0 };
  }
  const timer = application.cpuTimers.get(which);
  return { value: timer?.remaining ?? 0, interval: timer?.interval ?? 0 };
}

function setTimer(thread: Thread, which: number, setting: TimerSetting): void {
  const { application, kernel } = thread;
  if (which === Itimer.REAL) {
    const at = setting.value === 0 ? undefined : kernel.host.clock.monotonic() + setting.value;
    realTimer(application, kernel).set(at, setting.interval);
    return;
  }
  const signal = which === Itimer.VIRTUAL ? SIGVTALRM : SIGPROF;
  if (setting.value === 0) application.cpuTimers.delete(which);
  else application.cpuTimers.set(which, { remaining: setting.value, interval: setting.interval, signal });
}

function writeItimerval(thread: Thread, address: number, setting: TimerSetting): void {
  writeTimeval(thread.memory, address, timeOf(setting.interval));
  writeTimeval(thread.memory, address + 16, timeOf(setting.value));
}

function getitimer(thread: Thread, which: number, address: number): number {
  if (which < 0 || which > Itimer.PROF) return -EINVAL;
  writeItimerval(thread, address, getTimer(thread.application, which));
  return 0;
}

function setitimer(thread: Thread, which: number, newAddress: number, oldAddress: number): number {
  if (which < 0 || which > Itimer.PROF) return -EINVAL;
  const setting =
    newAddress === 0
      ? { interval: 0, value: 0 }
      : {
          interval: nanosecondsOf(readTimeval(thread.memory, newAddress)),
          value: nanosecondsOf(readTimeval(thread.memory, newAddress + 16)),
        };
  const old = getTimer(thread.application, which);
  if (oldAddress !== 0 && !thread.memory.check(oldAddress, 32, true)) return -EFAULT;
  setTimer(thread, which, setting);
  if (oldAddress !== 0) writeItimerval(thread, oldAddress, old);
  return 0;
}

function alarm(thread: Thread, seconds: number): number {
  const old = getTimer(thread.application, Itimer.REAL).value;
  setTimer(thread, Itimer.REAL, { value: (seconds >>> 0) * 1e9, interval: 0 });
  // What is left rounds to seconds, but never to none (alarm_setitimer()).
  return old === 0 ? 0 : Math.max(1, Math.round(old / 1e9));
}

/** struct sigevent: value, signal, how; then the thread. */
const SIGEV = { SIGNAL: 0, NONE: 1, THREAD: 2, THREAD_ID: 4 } as const;

function timerCreate(thread: Thread, clockId: number, eventAddress: number, idAddress: number): number {
  const { application, kernel, memory } = thread;
  const clock = clockId | 0;
  if (typeof clockTime(thread, clock) === "number") return -EINVAL;
  if (clock === ClockId.PROCESS_CPUTIME || clock === ClockId.THREAD_CPUTIME || clock < 0) {
    kernel.logOnce("timer_create: timers on processor time are not implemented");
    return -EOPNOTSUPP;
  }
  let id = 0;
  while (application.posixTimers.has(id)) id++;
  let signal = SIGALRM;
  let notify: number = SIGEV.SIGNAL;
  let value = BigInt(id);
  let target: Thread | undefined;
  if (eventAddress !== 0) {
    value = memory.readU64(eventAddress);
    signal = memory.readI32(eventAddress + 8);
    notify = memory.readI32(eventAddress + 12);
    if (notify === (SIGEV.SIGNAL | SIGEV.THREAD_ID)) {
      target = kernel.threads.get(memory.readI32(eventAddress + 16));
      if (target === undefined || target.application !== application) return -EINVAL;
    } else if (notify !== SIGEV.SIGNAL && notify !== SIGEV.NONE && notify !== SIGEV.THREAD) return -EINVAL;
    if (notify !== SIGEV.NONE && !SignalDelivery.isValid(signal)) return -EINVAL;
  }
  memory.writeU32(idAddress, id);
  const queue = target === undefined ? application.pending : target.pending;
  const timer = new PosixTimer(
    kernel.host.clock,
    clock,
    (info) => queue.holds(signal, info),
    (overrun) => {
      if (notify === SIGEV.NONE) return undefined;
      const info: SignalInfo = { code: SiCode.TIMER, timerId: id, overrun, value };
      if (target === undefined) kernel.signals.sendToApplication(application, signal, info);
      else kernel.signals.sendToThread(target, signal, info);
      return info;
    },
  );
  application.posixTimers.set(id, timer);
  return 0;
}

function timerSettime(
  thread: Thread,
  id: number,
  flags: number,
  newAddress: number,
  oldAddress: number,
): number {
  const { memory } = thread;
  const { clock } = thread.kernel.host;
  const entry = thread.application.posixTimers.get(id | 0);
  if (entry === undefined || newAddress === 0) return -EINVAL;
  const interval = nanosecondsOf(readTimespec(memory, newAddress));
  const value = readTimespec(memory, newAddress + 16);
  const old = { value: entry.timer.remaining, interval: entry.timer.interval };
  let at: number | undefined;
  if (value.seconds !== 0 || value.nanoseconds !== 0) {
    const realtime = entry.clockId === ClockId.REALTIME || entry.clockId === ClockId.TAI;
    if ((flags & TIMER_ABSTIME) === 0) at = clock.monotonic() + nanosecondsOf(value);
    else at = realtime ? deadlineOfRealtime(clock, value) : nanosecondsOf(value);
  }
  entry.timer.set(at, interval);
  if (oldAddress !== 0) writeItimerspec(thread, oldAddress, old);
  return 0;
}

function writeItimerspec(thread: Thread, address: number, setting: TimerSetting): void {
  writeTimespec(thread.memory, address, timeOf(setting.interval));
  writeTimespec(thread.memory, address + 16, timeOf(setting.value));
}

function timerGettime(thread: Thread, id: number, address: number): number {
  const entry = thread.application.posixTimers.get(id | 0);
  if (entry === undefined) return -EINVAL;
  writeItimerspec(thread, address, { value: entry.timer.remaining, interval: entry.timer.interval });
  return 0;
}

function timerGetoverrun(thread: Thread, id: number): number {
  const entry = thread.application.posixTimers.get(id | 0);
  return entry === undefined ? -EINVAL : entry.overrun;
}

function timerDelete(thread: Thread, id: number): number {
  const entry = thread.application.posixTimers.get(id | 0);
  if (entry === undefined) return -EINVAL;
  entry.timer.set(undefined, 0);
  thread.application.posixTimers.delete(id | 0);
  return 0;
}

const CLOCK = {
  oneOf: Object.fromEntries(Object.entries(ClockId).map(([name, id]) => [`CLOCK_${name}`, id])),
} as const;
const ITIMER = { oneOf: { ITIMER_REAL: 0, ITIMER_VIRTUAL: 1, ITIMER_PROF: 2 } } as const;
const ABSTIME = { flags: { TIMER_ABSTIME } } as const;

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
    number: 36,
    name: "getitimer",
    state: "done",
    arguments: [
      ["which", ITIMER],
      ["curr_value", "pointer"],
    ],
    call: getitimer,
  },
  { number: 37, name: "alarm", state: "done", arguments: [["seconds", "uint"]], call: alarm },
  {
    number: 38,
    name: "setitimer",
    state: "done",
    arguments: [
      ["which", ITIMER],
      ["new_value", "pointer"],
      ["old_value", "pointer"],
    ],
    call: setitimer,
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
    number: 222,
    name: "timer_create",
    state: "partial",
    note: "no timers on processor time",
    arguments: [
      ["clockid", CLOCK],
      ["sevp", "pointer"],
      ["timerid", "pointer"],
    ],
    call: timerCreate,
  },
  {
    number: 223,
    name: "timer_settime",
    state: "done",
    arguments: [
      ["timerid", "int"],
      ["flags", ABSTIME],
      ["new_value", "pointer"],
      ["old_value", "pointer"],
    ],
    call: timerSettime,
  },
  {
    number: 224,
    name: "timer_gettime",
    state: "done",
    arguments: [
      ["timerid", "int"],
      ["curr_value", "pointer"],
    ],
    call: timerGettime,
  },
  {
    number: 225,
    name: "timer_getoverrun",
    state: "done",
    arguments: [["timerid", "int"]],
    call: timerGetoverrun,
  },
  { number: 226, name: "timer_delete", state: "done", arguments: [["timerid", "int"]], call: timerDelete },
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
