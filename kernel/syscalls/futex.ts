/** futex(2) and robust lists: the arguments; the work is in kernel/sched/futex.ts. */

import { EFAULT, EINVAL, ENOSYS, ESRCH } from "../errno.ts";
import { MATCH_ANY } from "../sched/futex.ts";
import type { Thread } from "../sched/thread.ts";
import type { SyscallDefinition } from "./definition.ts";
import { deadlineOfRealtime, nanosecondsOf, readTimespec } from "./timespec.ts";
import { isUserRange } from "./transfer.ts";

/** futex(2) operations */
const Futex = {
  WAIT: 0,
  WAKE: 1,
  FD: 2,
  REQUEUE: 3,
  CMP_REQUEUE: 4,
  WAKE_OP: 5,
  LOCK_PI: 6,
  UNLOCK_PI: 7,
  TRYLOCK_PI: 8,
  WAIT_BITSET: 9,
  WAKE_BITSET: 10,
  WAIT_REQUEUE_PI: 11,
  CMP_REQUEUE_PI: 12,
  LOCK_PI2: 13,
} as const;
const FUTEX_PRIVATE = 128;
const FUTEX_CLOCK_REALTIME = 256;

/** get_futex_key(): a futex is aligned and in user space; a shared one is known by its page, which must be there. */
function reachable(thread: Thread, address: number, shared: boolean): number {
  if (address % 4 !== 0) return -EINVAL;
  if (!isUserRange(address, 4)) return -EFAULT;
  return shared && !thread.memory.check(address, 4, false) ? -EFAULT : 0;
}

function futex(
  thread: Thread,
  address: number,
  operation: number,
  value: number,
  fourth: number,
  second: number,
  third: number,
): number {
  const { kernel } = thread;
  const { futexes } = kernel;
  const { clock } = kernel.host;
  const command = operation & 127;
  const shared = (operation & FUTEX_PRIVATE) === 0;
  const realtime = (operation & FUTEX_CLOCK_REALTIME) !== 0;
  const reached = reachable(thread, address, shared);
  if (reached !== 0) return reached;
  if (command === Futex.REQUEUE || command === Futex.CMP_REQUEUE || command === Futex.WAKE_OP) {
    const alsoReached = reachable(thread, second, shared);
    if (alsoReached !== 0) return alsoReached;
  }
  const absolute = (isRealtime: boolean): number | undefined => {
    if (fourth === 0) return undefined;
    const time = readTimespec(thread.memory, fourth);
    return isRealtime ? deadlineOfRealtime(clock, time) : nanosecondsOf(time);
  };
  switch (command) {
    case Futex.WAIT: {
      const deadline =
        fourth === 0 ? undefined : clock.monotonic() + nanosecondsOf(readTimespec(thread.memory, fourth));
      return futexes.wait(thread, address, shared, value >>> 0, MATCH_ANY, deadline);
    }
    case Futex.WAIT_BITSET:
      return futexes.wait(thread, address, shared, value >>> 0, third >>> 0, absolute(realtime));
    case Futex.WAKE:
      return futexes.wake(address, shared, Math.max(1, value | 0), MATCH_ANY);
    case Futex.WAKE_BITSET:
      return futexes.wake(address, shared, Math.max(1, value | 0), third >>> 0);
    case Futex.REQUEUE:
      return futexes.requeue(address, second, shared, value | 0, fourth | 0, undefined);
    case Futex.CMP_REQUEUE:
      return futexes.requeue(address, second, shared, value | 0, fourth | 0, third >>> 0);
    case Futex.WAKE_OP:
      return futexes.wakeOperation(
        address,
        second,
        shared,
        Math.max(1, value | 0),
        Math.max(1, fourth | 0),
        third >>> 0,
      );
    case Futex.LOCK_PI:
      return futexes.lockPi(thread, address, shared, false, absolute(true));
    case Futex.LOCK_PI2:
      return futexes.lockPi(thread, address, shared, false, absolute(realtime));
    case Futex.TRYLOCK_PI:
      return futexes.lockPi(thread, address, shared, true);
    case Futex.UNLOCK_PI:
      return futexes.unlockPi(thread, address, shared);
    default:
      if (command === Futex.WAIT_REQUEUE_PI || command === Futex.CMP_REQUEUE_PI) {
        kernel.logOnce("futex: FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI are not implemented");
      }
      return -ENOSYS;
  }
}

/** sizeof(struct robust_list_head) */
const ROBUST_HEAD_SIZE = 24;

function setRobustList(thread: Thread, head: number, length: number): number {
  if (length !== ROBUST_HEAD_SIZE) return -EINVAL;
  thread.robustList = head;
  return 0;
}

function getRobustList(thread: Thread, tid: number, headAddress: number, lengthAddress: number): number {
  const target = (tid | 0) === 0 ? thread : thread.kernel.threads.get(tid | 0);
  if (target === undefined) return -ESRCH;
  thread.memory.writeI64(lengthAddress, ROBUST_HEAD_SIZE);
  thread.memory.writeI64(headAddress, target.robustList);
  return 0;
}

export const FUTEX_SYSCALLS: readonly SyscallDefinition[] = [
  {
    number: 202,
    name: "futex",
    state: "partial",
    note: "no FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI; no priorities",
    arguments: [
      ["uaddr", "pointer"],
      [
        "op",
        {
          flags: {
            ...Object.fromEntries(Object.entries(Futex).map(([name, value]) => [`FUTEX_${name}`, value])),
            FUTEX_PRIVATE_FLAG: 128,
            FUTEX_CLOCK_REALTIME: 256,
          },
        },
      ],
      ["val", "uint"],
      ["timeout", "pointer"],
      ["uaddr2", "pointer"],
      ["val3", "hex"],
    ],
    call: futex,
  },
  {
    number: 273,
    name: "set_robust_list",
    state: "done",
    arguments: [
      ["head", "pointer"],
      ["len", "size"],
    ],
    call: setRobustList,
  },
  {
    number: 274,
    name: "get_robust_list",
    state: "done",
    arguments: [
      ["pid", "tid"],
      ["head_ptr", "pointer"],
      ["len_ptr", "pointer"],
    ],
    call: getRobustList,
  },
];
