/** Timers that send signals: alarm(2), setitimer(2), timer_create(2). */

import { EAGAIN, EFAULT, EINVAL, EOPNOTSUPP } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { Application } from "../sched/application.ts";
import { Limit } from "../sched/resource-limits.ts";
import { SignalDelivery } from "../sched/signal-delivery.ts";
import { SIGALRM, SIGPROF, SIGVTALRM, SiCode } from "../sched/signal-numbers.ts";
import type { SignalInfo } from "../sched/signals.ts";
import type { Thread } from "../sched/thread.ts";
import { IntervalTimer, PosixTimer } from "../sched/timers.ts";
import type { SyscallDefinition } from "./definition.ts";
import { ABSTIME, CLOCK, ClockId, clockTime, TIMER_ABSTIME } from "./time.ts";
import {
  deadlineOfRealtime,
  nanosecondsOf,
  readTimespec,
  readTimeval,
  timeOf,
  writeTimespec,
  writeTimeval,
} from "./timespec.ts";

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
  // Each takes the place of a signal that may be queued (alloc_posix_timer()).
  if (application.posixTimers.size >= application.limits[Limit.SIGPENDING].soft) return -EAGAIN;
  const id = application.nextPosixTimer++;
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

const ITIMER = { oneOf: { ITIMER_REAL: 0, ITIMER_VIRTUAL: 1, ITIMER_PROF: 2 } } as const;

export const TIMER_SYSCALLS: readonly SyscallDefinition[] = [
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
];
