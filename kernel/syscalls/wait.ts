/** Waiting for children: wait4(2), waitid(2). */

import { EAGAIN, ECHILD, EINVAL, ERESTARTSYS, ESRCH } from "../errno.ts";
import type { Application } from "../sched/application.ts";
import { encodeSignalInfo } from "../sched/signal-frame.ts";
import { SIGCHLD, SIGCONT, SiCode } from "../sched/signal-numbers.ts";
import type { SignalInfo } from "../sched/signals.ts";
import type { Thread } from "../sched/thread.ts";
import type { SyscallDefinition } from "./definition.ts";
import { pidFileOf } from "./pidfd.ts";
import { writeRusage } from "./resources.ts";

const Wait = {
  NOHANG: 1,
  UNTRACED: 2,
  STOPPED: 2,
  EXITED: 4,
  CONTINUED: 8,
  NOWAIT: 0x01000000,
  NOTHREAD: 0x20000000,
  ALL: 0x40000000,
  CLONE: 0x80000000,
} as const;

/** A child's news, as siginfo tells it. */
interface ChildEvent {
  readonly child: Application;
  readonly info: SignalInfo;
  /** wait4(2)'s status word. */
  readonly status: number;
}

/** Which children are waited for: a pid, a group (negative), any (-1). */
function matches(child: Application, selector: number, group: number, options: number): boolean {
  if ((options & Wait.ALL) === 0 && (child.exitSignal === SIGCHLD) === ((options & Wait.CLONE) !== 0))
    return false;
  if (selector > 0) return child.pid === selector;
  if (selector === 0) return child.processGroup === group;
  return selector === -1 || child.processGroup === -selector;
}

function eventOf(child: Application, options: number): ChildEvent | undefined {
  if (child.exitStatus !== undefined) {
    if ((options & Wait.EXITED) === 0) return undefined;
    const status = child.exitStatus;
    const signal = status & 0x7f;
    const info =
      signal === 0
        ? { code: SiCode.CLD_EXITED, status: (status >> 8) & 0xff }
        : { code: SiCode.CLD_KILLED, status: signal };
    return { child, status, info: { ...info, pid: child.pid, uid: 0 } };
  }
  const { stopChange } = child;
  if (stopChange?.kind === "stopped" && (options & Wait.STOPPED) !== 0) {
    const { signal } = stopChange;
    return {
      child,
      status: (signal << 8) | 0x7f,
      info: { code: SiCode.CLD_STOPPED, pid: child.pid, uid: 0, status: signal },
    };
  }
  if (stopChange?.kind === "continued" && (options & Wait.CONTINUED) !== 0) {
    return {
      child,
      status: 0xffff,
      info: { code: SiCode.CLD_CONTINUED, pid: child.pid, uid: 0, status: SIGCONT },
    };
  }
  return undefined;
}

function findEvent(
  thread: Thread,
  selector: number,
  options: number,
): ChildEvent | undefined | "no children" {
  const { application } = thread;
  let candidates = 0;
  for (const child of application.children.values()) {
    if (!matches(child, selector, application.processGroup, options)) continue;
    candidates++;
    const event = eventOf(child, options);
    if (event !== undefined) return event;
  }
  return candidates === 0 ? "no children" : undefined;
}

/** Waits for news of a child; calls back with it (or without, for WNOHANG) to report it. */
function waitForChild(
  thread: Thread,
  selector: number,
  options: number,
  report: (event: ChildEvent | undefined) => number,
): number | Promise<number> {
  const attempt = (): number | undefined => {
    const event = findEvent(thread, selector, options);
    if (event === "no children") return -ECHILD;
    if (event === undefined) return (options & Wait.NOHANG) !== 0 ? report(undefined) : undefined;
    const result = report(event);
    if ((options & Wait.NOWAIT) === 0) {
      event.child.stopChange = undefined;
      if (event.child.exitStatus !== undefined) thread.kernel.lifecycle.reap(event.child);
    }
    return result;
  };
  const block = async (): Promise<number> => {
    for (;;) {
      const how = await thread.wait(thread.application.childQueue);
      const result = attempt();
      if (result !== undefined) return result;
      if (how === "interrupted") return -ERESTARTSYS;
    }
  };
  return attempt() ?? block();
}

function wait4(
  thread: Thread,
  pid: number,
  statusAddress: number,
  options: number,
  rusage: number,
): number | Promise<number> {
  const known = Wait.NOHANG | Wait.UNTRACED | Wait.CONTINUED | Wait.NOTHREAD | Wait.ALL | Wait.CLONE;
  if ((options & ~known) !== 0) return -EINVAL;
  if (pid === -0x80000000) return -ESRCH;
  return waitForChild(thread, pid | 0, options | Wait.EXITED, (event) => {
    if (event === undefined) return 0;
    if (statusAddress !== 0) thread.memory.writeU32(statusAddress, event.status);
    if (rusage !== 0) writeRusage(thread, rusage, event.child.deadThreadsTime + event.child.childrenTime, 0);
    return event.child.pid;
  });
}

/** Bytes of a siginfo_t that waitid(2) fills: si_signo … si_status. */
const SIGINFO_TOLD = 28;

const IdType = { P_ALL: 0, P_PID: 1, P_PGID: 2, P_PIDFD: 3 } as const;

function waitid(
  thread: Thread,
  idType: number,
  id: number,
  infoAddress: number,
  optionsArgument: number,
  rusage: number,
): number | Promise<number> {
  let options = optionsArgument;
  const known =
    Wait.NOHANG |
    Wait.NOWAIT |
    Wait.EXITED |
    Wait.STOPPED |
    Wait.CONTINUED |
    Wait.NOTHREAD |
    Wait.ALL |
    Wait.CLONE;
  if ((options & ~known) !== 0 || (options & (Wait.EXITED | Wait.STOPPED | Wait.CONTINUED)) === 0)
    return -EINVAL;
  let selector: number;
  // What a pidfd without blocking says in place of 0, when there is no news.
  let noNews = 0;
  switch (idType | 0) {
    case IdType.P_ALL:
      selector = -1;
      break;
    case IdType.P_PID:
      selector = id | 0;
      break;
    case IdType.P_PGID:
      selector = (id | 0) === 0 ? 0 : -(id | 0);
      break;
    case IdType.P_PIDFD: {
      if ((id | 0) < 0) return -EINVAL;
      const file = pidFileOf(thread, id);
      selector = file.application.pid;
      if (thread.application.children.get(selector) !== file.application) return -ECHILD;
      if (file.nonBlocking) {
        if ((options & Wait.NOHANG) === 0) noNews = -EAGAIN;
        options |= Wait.NOHANG;
      }
      break;
    }
    default:
      return -EINVAL;
  }
  if ((idType | 0) === IdType.P_PID && selector <= 0) return -EINVAL;
  const result = waitForChild(thread, selector, options, (event) => {
    if (event === undefined && noNews !== 0) return noNews;
    if (infoAddress !== 0) {
      thread.memory.write(
        infoAddress,
        event === undefined ? new Uint8Array(128) : encodeSignalInfo(SIGCHLD, event.info),
      );
    }
    if (event !== undefined && rusage !== 0) writeRusage(thread, rusage, event.child.deadThreadsTime, 0);
    return 0;
  });
  // Linux tells of nobody in that case too, and so looks at the memory.
  if (result === -ECHILD && infoAddress !== 0) thread.memory.fill(infoAddress, SIGINFO_TOLD, 0);
  return result;
}

export const WAIT_SYSCALLS: readonly SyscallDefinition[] = [
  {
    number: 61,
    name: "wait4",
    state: "done",
    arguments: [
      ["pid", "pid"],
      ["wstatus", "pointer"],
      ["options", "hex"],
      ["rusage", "pointer"],
    ],
    call: wait4,
  },
  {
    number: 247,
    name: "waitid",
    state: "done",
    arguments: [
      ["idtype", { oneOf: IdType }],
      ["id", "pid"],
      ["infop", "pointer"],
      ["options", "hex"],
      ["rusage", "pointer"],
    ],
    call: waitid,
  },
];
