/** Processes by file descriptor: pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2). */

import { EBADF, EINVAL, EPERM, Errno, ESRCH } from "../errno.ts";
import { PidFile } from "../ipc/pidfd.ts";
import type { Application } from "../sched/application.ts";
import { SignalDelivery } from "../sched/signal-delivery.ts";
import { decodeSignalInfo, SIGINFO_SIZE } from "../sched/signal-frame.ts";
import { SiCode } from "../sched/signal-numbers.ts";
import type { SignalInfo } from "../sched/signals.ts";
import type { Thread } from "../sched/thread.ts";
import { O_NONBLOCK } from "../vfs/open-flags.ts";
import { fileOf } from "./arguments.ts";
import type { SyscallDefinition } from "./definition.ts";

const PIDFD_NONBLOCK = O_NONBLOCK;

/** What a pidfd means. EBADF for any other file. */
export function pidFileOf(thread: Thread, fd: number): PidFile {
  const file = fileOf(thread, fd);
  if (!(file instanceof PidFile)) throw new Errno(EBADF);
  return file;
}

/** A new descriptor for a process, closed on exec like every pidfd; or a negative errno. */
export function installPidFile(thread: Thread, application: Application, flags: number): number {
  return thread.application.files.install(new PidFile(application, flags, thread.kernel.host.clock), true);
}

function pidfdOpen(thread: Thread, pidArgument: number, flags: number): number {
  const pid = pidArgument | 0;
  if ((flags & ~PIDFD_NONBLOCK) !== 0 || pid <= 0) return -EINVAL;
  const application = thread.kernel.applications.get(pid);
  // A thread that is not its process's first has no pidfd.
  if (application === undefined) return thread.kernel.threads.has(pid) ? -EINVAL : -ESRCH;
  return installPidFile(thread, application, flags);
}

function informationFor(thread: Thread, target: Application, signal: number, address: number): SignalInfo {
  if (address === 0) return { code: SiCode.USER, pid: thread.application.pid, uid: 0 };
  const bytes = thread.memory.read(address, SIGINFO_SIZE);
  if (new DataView(bytes.buffer).getInt32(0, true) !== signal) throw new Errno(EINVAL);
  const info = decodeSignalInfo(bytes);
  // Codes of the kernel may only be sent to oneself.
  if ((info.code >= 0 || info.code === SiCode.TKILL) && target !== thread.application) throw new Errno(EPERM);
  return info;
}

function pidfdSendSignal(
  thread: Thread,
  fd: number,
  signalArgument: number,
  infoAddress: number,
  flags: number,
): number {
  if ((flags | 0) !== 0) return -EINVAL;
  const { application } = pidFileOf(thread, fd);
  const signal = signalArgument | 0;
  const info = informationFor(thread, application, signal, infoAddress);
  if (signal !== 0 && !SignalDelivery.isValid(signal)) return -EINVAL;
  const { kernel } = thread;
  // Somebody has waited for it: there is nothing left of it.
  if (kernel.applications.get(application.pid) !== application) return -ESRCH;
  if (signal !== 0 && application.exitStatus === undefined)
    kernel.signals.sendToApplication(application, signal, info);
  return 0;
}

function pidfdGetfd(thread: Thread, pidfd: number, fd: number, flags: number): number {
  if ((flags | 0) !== 0) return -EINVAL;
  const { application } = pidFileOf(thread, pidfd);
  if (thread.kernel.applications.get(application.pid) !== application) return -ESRCH;
  const file = application.exitStatus === undefined ? application.files.get(fd | 0) : undefined;
  if (file === undefined) return -EBADF;
  return thread.application.files.install(file, true);
}

export const PIDFD_SYSCALLS: readonly SyscallDefinition[] = [
  {
    number: 424,
    name: "pidfd_send_signal",
    state: "done",
    arguments: [
      ["pidfd", "fd"],
      ["sig", "signal"],
      ["info", "pointer"],
      ["flags", "hex"],
    ],
    call: pidfdSendSignal,
  },
  {
    number: 434,
    name: "pidfd_open",
    state: "done",
    arguments: [
      ["pid", "pid"],
      ["flags", { flags: { PIDFD_NONBLOCK } }],
    ],
    call: pidfdOpen,
  },
  {
    number: 438,
    name: "pidfd_getfd",
    state: "done",
    arguments: [
      ["pidfd", "fd"],
      ["targetfd", "fd"],
      ["flags", "hex"],
    ],
    call: pidfdGetfd,
  },
];
