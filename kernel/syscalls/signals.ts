/** Signals: sigaction(2), sigprocmask(2), kill(2), sigaltstack(2) … */

import { Register } from "../../cpu/state.ts";
import { EAGAIN, EFAULT, EINTR, EINVAL, ENOMEM, EPERM, ERESTARTNOHAND, Errno, ESRCH } from "../errno.ts";
import type { Application } from "../sched/application.ts";
import { SignalDelivery } from "../sched/signal-delivery.ts";
import {
  decodeSignalInfo,
  encodeSignalInfo,
  encodeStack,
  minimumSignalStack,
  onAlternateStack,
  SIGINFO_SIZE,
  SS_AUTODISARM,
  SS_DISABLE,
  SS_ONSTACK,
} from "../sched/signal-frame.ts";
import { SiCode, UNBLOCKABLE } from "../sched/signal-numbers.ts";
import type { SignalInfo } from "../sched/signals.ts";
import { KEEP_REGISTERS, type Thread } from "../sched/thread.ts";
import { WaitQueue } from "../sched/wait-queue.ts";
import type { SyscallDefinition } from "./definition.ts";
import { nanosecondsOf, readTimespec } from "./timespec.ts";

const SIGSET_SIZE = 8;
/** struct kernel_sigaction: handler, flags, restorer, mask. */
const SIGACTION_SIZE = 32;
const How = { BLOCK: 0, UNBLOCK: 1, SETMASK: 2 } as const;
/** Smallest alternate stack that sigaltstack(2) takes (asm/signal.h). */
const MINSIGSTKSZ = 2048;

function rtSigaction(
  thread: Thread,
  signal: number,
  newAddress: number,
  oldAddress: number,
  size: number,
): number {
  const { memory, application } = thread;
  if (size !== SIGSET_SIZE) return -EINVAL;
  const number = signal | 0;
  if (!SignalDelivery.isValid(number)) return -EINVAL;
  if (newAddress !== 0 && !SignalDelivery.isChangeable(number)) return -EINVAL;
  const old = application.actions[number];
  const bytes = newAddress === 0 ? undefined : memory.read(newAddress, SIGACTION_SIZE);
  if (oldAddress !== 0) {
    if (!memory.check(oldAddress, SIGACTION_SIZE, true)) return -EFAULT;
    memory.writeI64(oldAddress, old.handler);
    memory.writeI64(oldAddress + 8, old.flags >>> 0);
    memory.writeI64(oldAddress + 16, old.restorer);
    memory.writeU64(oldAddress + 24, old.mask);
  }
  if (bytes !== undefined) {
    const view = new DataView(bytes.buffer);
    const pointer = (offset: number): number =>
      view.getInt32(offset + 4, true) * 2 ** 32 + view.getUint32(offset, true);
    thread.kernel.signals.setAction(application, number, {
      handler: pointer(0),
      flags: view.getUint32(8, true),
      restorer: pointer(16),
      mask: view.getBigUint64(24, true),
    });
  }
  return 0;
}

function rtSigprocmask(
  thread: Thread,
  how: number,
  setAddress: number,
  oldAddress: number,
  size: number,
): number {
  const { memory } = thread;
  if (size !== SIGSET_SIZE) return -EINVAL;
  const old = thread.signalMask;
  if (setAddress !== 0) {
    const set = memory.readU64(setAddress);
    let mask: bigint;
    switch (how | 0) {
      case How.BLOCK:
        mask = old | set;
        break;
      case How.UNBLOCK:
        mask = old & ~set;
        break;
      case How.SETMASK:
        mask = set;
        break;
      default:
        return -EINVAL;
    }
    thread.kernel.signals.setMask(thread, mask);
  }
  if (oldAddress !== 0) memory.writeU64(oldAddress, old);
  return 0;
}

function rtSigpending(thread: Thread, address: number, size: number): number {
  if (size > SIGSET_SIZE) return -EINVAL;
  thread.memory.writeU64(address, thread.pendingSignals & thread.signalMask);
  return 0;
}

/** Nothing ever wakes this queue: what waits in it waits for a signal. */
const nothing = new WaitQueue();

async function pause(thread: Thread): Promise<number> {
  await thread.wait(nothing);
  return -ERESTARTNOHAND;
}

function rtSigsuspend(thread: Thread, address: number, size: number): number | Promise<number> {
  if (size !== SIGSET_SIZE) return -EINVAL;
  thread.setTemporaryMask(thread.memory.readU64(address));
  return pause(thread);
}

async function rtSigtimedwait(
  thread: Thread,
  setAddress: number,
  infoAddress: number,
  timeout: number,
  size: number,
): Promise<number> {
  const { kernel, memory } = thread;
  if (size !== SIGSET_SIZE) return -EINVAL;
  const set = memory.readU64(setAddress) & ~UNBLOCKABLE;
  const deadline =
    timeout === 0 ? undefined : kernel.host.clock.monotonic() + nanosecondsOf(readTimespec(memory, timeout));
  let taken = kernel.signals.take(thread, set);
  if (taken === undefined) {
    if (deadline !== undefined && deadline <= kernel.host.clock.monotonic()) return -EAGAIN;
    thread.signalWait = set;
    // The signals that it waits for must not be delivered while it waits.
    const mask = thread.signalMask;
    kernel.signals.setMask(thread, mask | set);
    const how = await thread.wait(nothing, deadline);
    thread.signalWait = undefined;
    taken = kernel.signals.take(thread, set);
    kernel.signals.setMask(thread, mask);
    if (taken === undefined) return how === "timeout" ? -EAGAIN : -EINTR;
  }
  if (infoAddress !== 0) memory.write(infoAddress, encodeSignalInfo(taken.signal, taken.info));
  return taken.signal;
}

/** A signal from one program to another. */
function infoFrom(thread: Thread, code: number): SignalInfo {
  return { code, pid: thread.application.pid, uid: 0 };
}

function send(thread: Thread, application: Application, signal: number): void {
  if (signal !== 0)
    thread.kernel.signals.sendToApplication(application, signal, infoFrom(thread, SiCode.USER));
}

function kill(thread: Thread, pidArgument: number, signalArgument: number): number {
  const { applications } = thread.kernel;
  const pid = pidArgument | 0;
  const signal = signalArgument | 0;
  if (signal !== 0 && !SignalDelivery.isValid(signal)) return -EINVAL;
  if (pid > 0) {
    const target = applications.get(pid) ?? thread.kernel.threads.get(pid)?.application;
    if (target === undefined) return -ESRCH;
    if (target.exitStatus === undefined) send(thread, target, signal);
    return 0;
  }
  // -1: everybody but oneself; otherwise a process group.
  const group = pid === 0 ? thread.application.processGroup : -pid;
  const targets = [...applications.values()].filter((application) =>
    pid === -1 ? application !== thread.application : application.processGroup === group,
  );
  for (const target of targets) if (target.exitStatus === undefined) send(thread, target, signal);
  return targets.length === 0 ? -ESRCH : 0;
}

function sendToTid(
  thread: Thread,
  tgid: number | undefined,
  tid: number,
  signal: number,
  info: SignalInfo,
): number {
  if (tid <= 0 || (tgid !== undefined && tgid <= 0)) return -EINVAL;
  if (signal !== 0 && !SignalDelivery.isValid(signal)) return -EINVAL;
  const target = thread.kernel.threads.get(tid);
  if (target === undefined || (tgid !== undefined && target.application.pid !== tgid)) return -ESRCH;
  return signal === 0 || thread.kernel.signals.sendToThread(target, signal, info) ? 0 : -EAGAIN;
}

function tkill(thread: Thread, tid: number, signal: number): number {
  return sendToTid(thread, undefined, tid | 0, signal | 0, infoFrom(thread, SiCode.TKILL));
}

function tgkill(thread: Thread, tgid: number, tid: number, signal: number): number {
  return sendToTid(thread, tgid | 0, tid | 0, signal | 0, infoFrom(thread, SiCode.TKILL));
}

function queuedInfo(thread: Thread, address: number, target: number): SignalInfo {
  const info = decodeSignalInfo(thread.memory.read(address, SIGINFO_SIZE));
  // Codes of the kernel may only be sent to oneself.
  if ((info.code >= 0 || info.code === SiCode.TKILL) && target !== thread.application.pid)
    throw new Errno(EPERM);
  return info;
}

function rtSigqueueinfo(thread: Thread, pid: number, signal: number, address: number): number {
  const info = queuedInfo(thread, address, pid | 0);
  const number = signal | 0;
  if (number !== 0 && !SignalDelivery.isValid(number)) return -EINVAL;
  const target = thread.kernel.applications.get(pid | 0);
  if (target === undefined || target.exitStatus !== undefined) return -ESRCH;
  return number === 0 || thread.kernel.signals.sendToApplication(target, number, info) ? 0 : -EAGAIN;
}

function rtTgsigqueueinfo(
  thread: Thread,
  tgid: number,
  tid: number,
  signal: number,
  address: number,
): number {
  return sendToTid(thread, tgid | 0, tid | 0, signal | 0, queuedInfo(thread, address, tgid | 0));
}

function sigaltstack(thread: Thread, newAddress: number, oldAddress: number): number {
  const { memory } = thread;
  const sp = thread.kernel.scheduler.registersOf(thread).get(Register.RSP);
  const old = encodeStack(thread.alternateStack, sp);
  if (newAddress !== 0) {
    const stack = memory.readI64(newAddress);
    const flags = memory.readU32(newAddress + 8);
    const size = memory.readI64(newAddress + 16);
    if (onAlternateStack(thread.alternateStack, sp)) return -EPERM;
    const mode = (flags & ~SS_AUTODISARM) >>> 0;
    if (mode !== SS_DISABLE && mode !== SS_ONSTACK && mode !== 0) return -EINVAL;
    if (mode === SS_DISABLE) {
      thread.alternateStack = { sp: 0, size: 0, flags: SS_DISABLE };
    } else {
      const { xcr0 } = thread.kernel.machine.cpu.model;
      if (size < Math.min(MINSIGSTKSZ, minimumSignalStack(xcr0))) return -ENOMEM;
      thread.alternateStack = { sp: stack, size, flags: flags >>> 0 };
    }
  }
  if (oldAddress !== 0) memory.write(oldAddress, old);
  return 0;
}

function rtSigreturn(thread: Thread): number {
  thread.kernel.signals.returnFromHandler(thread);
  return KEEP_REGISTERS;
}

const HOW = { oneOf: { SIG_BLOCK: 0, SIG_UNBLOCK: 1, SIG_SETMASK: 2 } } as const;

export const SIGNAL_SYSCALLS: readonly SyscallDefinition[] = [
  {
    number: 13,
    name: "rt_sigaction",
    state: "done",
    arguments: [
      ["signum", "signal"],
      ["act", "pointer"],
      ["oldact", "pointer"],
      ["sigsetsize", "size"],
    ],
    call: rtSigaction,
  },
  {
    number: 14,
    name: "rt_sigprocmask",
    state: "done",
    arguments: [
      ["how", HOW],
      ["set", "pointer"],
      ["oldset", "pointer"],
      ["sigsetsize", "size"],
    ],
    call: rtSigprocmask,
  },
  { number: 15, name: "rt_sigreturn", state: "done", arguments: [], call: rtSigreturn },
  { number: 34, name: "pause", state: "done", arguments: [], call: pause },
  {
    number: 62,
    name: "kill",
    state: "done",
    arguments: [
      ["pid", "pid"],
      ["sig", "signal"],
    ],
    call: kill,
  },
  {
    number: 127,
    name: "rt_sigpending",
    state: "done",
    arguments: [
      ["set", "pointer"],
      ["sigsetsize", "size"],
    ],
    call: rtSigpending,
  },
  {
    number: 128,
    name: "rt_sigtimedwait",
    state: "done",
    arguments: [
      ["set", "pointer"],
      ["info", "pointer"],
      ["timeout", "pointer"],
      ["sigsetsize", "size"],
    ],
    call: rtSigtimedwait,
  },
  {
    number: 129,
    name: "rt_sigqueueinfo",
    state: "done",
    arguments: [
      ["tgid", "pid"],
      ["sig", "signal"],
      ["info", "pointer"],
    ],
    call: rtSigqueueinfo,
  },
  {
    number: 130,
    name: "rt_sigsuspend",
    state: "done",
    arguments: [
      ["mask", "pointer"],
      ["sigsetsize", "size"],
    ],
    call: rtSigsuspend,
  },
  {
    number: 131,
    name: "sigaltstack",
    state: "done",
    arguments: [
      ["ss", "pointer"],
      ["old_ss", "pointer"],
    ],
    call: sigaltstack,
  },
  {
    number: 200,
    name: "tkill",
    state: "done",
    arguments: [
      ["tid", "tid"],
      ["sig", "signal"],
    ],
    call: tkill,
  },
  {
    number: 234,
    name: "tgkill",
    state: "done",
    arguments: [
      ["tgid", "pid"],
      ["tid", "tid"],
      ["sig", "signal"],
    ],
    call: tgkill,
  },
  {
    number: 297,
    name: "rt_tgsigqueueinfo",
    state: "done",
    arguments: [
      ["tgid", "pid"],
      ["tid", "tid"],
      ["sig", "signal"],
      ["info", "pointer"],
    ],
    call: rtTgsigqueueinfo,
  },
];
