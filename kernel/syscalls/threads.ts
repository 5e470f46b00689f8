/** Threads: clone(2), exit(2), futex(2), scheduling, and what a thread keeps about itself. */

import { Register } from "../../cpu/state.ts";
import { EFAULT, EINVAL, ENOSYS, EPERM, ESRCH } from "../errno.ts";
import type { Application } from "../sched/application.ts";
import { MATCH_ANY } from "../sched/futex.ts";
import { Registers } from "../sched/registers.ts";
import { SIGNAL_MAX } from "../sched/signal-numbers.ts";
import { SS_DISABLE } from "../sched/signal-frame.ts";
import { KEEP_REGISTERS, type Thread, YIELD } from "../sched/thread.ts";
import type { SyscallDefinition } from "./definition.ts";
import { deadlineOfRealtime, nanosecondsOf, readTimespec } from "./timespec.ts";

/** CLONE_* (uapi/linux/sched.h) */
const Clone = {
  VM: 0x100,
  FS: 0x200,
  FILES: 0x400,
  SIGHAND: 0x800,
  PIDFD: 0x1000,
  PTRACE: 0x2000,
  VFORK: 0x4000,
  PARENT: 0x8000,
  THREAD: 0x10000,
  NEWNS: 0x20000,
  SYSVSEM: 0x40000,
  SETTLS: 0x80000,
  PARENT_SETTID: 0x100000,
  CHILD_CLEARTID: 0x200000,
  DETACHED: 0x400000,
  UNTRACED: 0x800000,
  CHILD_SETTID: 0x1000000,
  NEWCGROUP: 0x2000000,
  NEWUTS: 0x4000000,
  NEWIPC: 0x8000000,
  NEWUSER: 0x10000000,
  NEWPID: 0x20000000,
  NEWNET: 0x40000000,
  IO: 0x80000000,
} as const;
const NAMESPACES =
  Clone.NEWNS | Clone.NEWCGROUP | Clone.NEWUTS | Clone.NEWIPC | Clone.NEWUSER | Clone.NEWPID | Clone.NEWNET;
const CSIGNAL = 0xff;
const CLONE_FLAGS = Object.fromEntries(Object.entries(Clone).map(([name, bit]) => [`CLONE_${name}`, bit]));

/** struct clone_args, version 0 (uapi/linux/sched.h) */
const CLONE_ARGS_SIZE = 64;

interface CloneRequest {
  readonly flags: number;
  readonly exitSignal: number;
  /** 0: the child goes on with the parent's stack pointer. */
  readonly stackPointer: number;
  readonly parentTid: number;
  readonly childTid: number;
  readonly tls: number;
}

/** vfork and its like: a new application that shares everything until it executes a program. */
function createChildApplication(thread: Thread, request: CloneRequest): Application {
  const { kernel, application } = thread;
  const parent = (request.flags & Clone.PARENT) !== 0 ? application.parent : application;
  const files = (request.flags & Clone.FILES) !== 0 ? application.files.share() : application.files.clone();
  const child = kernel.lifecycle.createApplication(parent, files, application.cwd, application.root);
  child.umask = application.umask;
  child.name = thread.name;
  child.argv = application.argv;
  child.environment = application.environment;
  child.executable = application.executable;
  child.executablePath = application.executablePath;
  child.processGroup = application.processGroup;
  child.session = application.session;
  child.nice = application.nice;
  child.limits = application.limits.map((limit) => ({ ...limit }));
  child.actions = (request.flags & Clone.SIGHAND) !== 0 ? application.actions : [...application.actions];
  child.exitSignal = request.exitSignal;
  child.image = application.image;
  if (child.image !== undefined) child.image.references++;
  return child;
}

function doClone(thread: Thread, request: CloneRequest): number {
  const { kernel, memory } = thread;
  const { flags } = request;
  if ((flags & Clone.THREAD) !== 0 && (flags & Clone.SIGHAND) === 0) return -EINVAL;
  if ((flags & Clone.SIGHAND) !== 0 && (flags & Clone.VM) === 0) return -EINVAL;
  if ((flags & NAMESPACES) !== 0) return -EPERM;
  if (request.exitSignal > SIGNAL_MAX) return -EINVAL;
  if ((flags & Clone.VM) === 0) {
    kernel.logOnce(
      `${thread.application.name}: fork is not possible with one address space; use posix_spawn or vfork and execve`,
    );
    return -ENOSYS;
  }
  if ((flags & Clone.PIDFD) !== 0) {
    kernel.logOnce("clone: CLONE_PIDFD is not implemented");
    return -EINVAL;
  }
  if ((flags & Clone.PARENT_SETTID) !== 0 && !memory.check(request.parentTid, 4, true)) return -EFAULT;
  const isThread = (flags & Clone.THREAD) !== 0;
  const application = isThread ? thread.application : createChildApplication(thread, request);
  const child = kernel.lifecycle.createThread(application);
  child.name = thread.name;
  child.signalMask = thread.signalMask;
  // A thread with a stack of its own cannot use its parent's alternate stack (copy_process()).
  child.alternateStack =
    (flags & (Clone.VM | Clone.VFORK)) === Clone.VM
      ? { sp: 0, size: 0, flags: SS_DISABLE }
      : { ...thread.alternateStack };

  kernel.scheduler.copyContext(thread, child.context);
  const registers = new Registers(new DataView(child.context.buffer));
  registers.set(Register.RAX, 0);
  if (request.stackPointer !== 0) registers.set(Register.RSP, request.stackPointer);
  if ((flags & Clone.SETTLS) !== 0) registers.fsBase = request.tls;
  if ((flags & Clone.PARENT_SETTID) !== 0) memory.writeU32(request.parentTid, child.tid);
  if ((flags & Clone.CHILD_SETTID) !== 0 && memory.check(request.childTid, 4, true)) {
    memory.writeU32(request.childTid, child.tid);
  }
  if ((flags & Clone.CHILD_CLEARTID) !== 0) child.clearChildTid = request.childTid;
  kernel.scheduler.enqueue(child);
  if ((flags & Clone.VFORK) === 0) return child.tid;
  // The parent goes on when the child has its own program, or is gone.
  child.onVforkDone = () => thread.resume(child.tid);
  return thread.suspend(undefined);
}

function clone(
  thread: Thread,
  flags: number,
  stack: number,
  parentTid: number,
  childTid: number,
  tls: number,
): number {
  return doClone(thread, {
    flags: flags & ~CSIGNAL,
    exitSignal: flags & CSIGNAL,
    stackPointer: stack,
    parentTid,
    childTid,
    tls,
  });
}

function clone3(thread: Thread, address: number, size: number): number {
  const { memory } = thread;
  if (size < CLONE_ARGS_SIZE || size > 4096) return -EINVAL;
  const bytes = memory.read(address, size);
  const field = (index: number): number => {
    const view = new DataView(bytes.buffer, index * 8, 8);
    return view.getInt32(4, true) * 2 ** 32 + view.getUint32(0, true);
  };
  const flags = field(0);
  const [childTid, parentTid, exitSignal, stack, stackSize, tls] = [2, 3, 4, 5, 6, 7].map(field);
  if (flags < 0 || flags > 0xffffffff || (flags & CSIGNAL) !== 0) return -EINVAL;
  if (exitSignal < 0 || exitSignal > SIGNAL_MAX) return -EINVAL;
  if ((stack === 0) !== (stackSize === 0)) return -EINVAL;
  // set_tid, cgroup: not for programs like ours.
  if (bytes.subarray(CLONE_ARGS_SIZE).some((byte) => byte !== 0)) return -EINVAL;
  return doClone(thread, { flags, exitSignal, stackPointer: stack + stackSize, parentTid, childTid, tls });
}

function vfork(thread: Thread): number {
  return doClone(thread, {
    flags: Clone.VM | Clone.VFORK,
    exitSignal: 17,
    stackPointer: 0,
    parentTid: 0,
    childTid: 0,
    tls: 0,
  });
}

function fork(thread: Thread): number {
  return doClone(thread, { flags: 0, exitSignal: 17, stackPointer: 0, parentTid: 0, childTid: 0, tls: 0 });
}

function exit(thread: Thread, code: number): number {
  thread.kernel.lifecycle.exitThread(thread, (code & 0xff) << 8);
  return KEEP_REGISTERS;
}

function exitGroup(thread: Thread, code: number): number {
  thread.kernel.lifecycle.exitApplication(thread.application, (code & 0xff) << 8);
  return KEEP_REGISTERS;
}

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
  if (address % 4 !== 0) return -EINVAL;
  if (!(address >= 0)) return -EFAULT;
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

function setTidAddress(thread: Thread, address: number): number {
  thread.clearChildTid = address;
  return thread.tid;
}

/** Addresses that a segment base may have: TASK_SIZE_MAX. */
const BASE_LIMIT = 2 ** 47;
const Arch = { SET_GS: 0x1001, SET_FS: 0x1002, GET_FS: 0x1003, GET_GS: 0x1004 } as const;

function archPrctl(thread: Thread, code: number, address: number): number {
  const registers = thread.kernel.scheduler.registersOf(thread);
  switch (code) {
    case Arch.SET_FS:
    case Arch.SET_GS:
      if (!(address >= 0 && address < BASE_LIMIT)) return -EPERM;
      if (code === Arch.SET_FS) registers.fsBase = address;
      else registers.gsBase = address;
      return 0;
    case Arch.GET_FS:
      thread.memory.writeI64(address, registers.fsBase);
      return 0;
    case Arch.GET_GS:
      thread.memory.writeI64(address, registers.gsBase);
      return 0;
    default:
      return -EINVAL;
  }
}

/** The affinity mask: this machine has one processor. */
const CPU_MASK_BYTES = 8;

function targetThread(thread: Thread, tid: number): Thread | undefined {
  return (tid | 0) === 0 ? thread : thread.kernel.threads.get(tid | 0);
}

function schedGetaffinity(thread: Thread, tid: number, size: number, mask: number): number {
  if (size < CPU_MASK_BYTES || size % 8 !== 0) return -EINVAL;
  if (targetThread(thread, tid) === undefined) return -ESRCH;
  thread.memory.writeI64(mask, 1);
  return CPU_MASK_BYTES;
}

function schedSetaffinity(thread: Thread, tid: number, size: number, mask: number): number {
  if (targetThread(thread, tid) === undefined) return -ESRCH;
  const bytes = thread.memory.read(mask, Math.min(size, 1024));
  return bytes.length > 0 && (bytes[0] & 1) !== 0 ? 0 : -EINVAL;
}

const SCHED_POLICIES = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
};

function isRealtimePolicy(policy: number): boolean {
  return policy === SCHED_POLICIES.SCHED_FIFO || policy === SCHED_POLICIES.SCHED_RR;
}

function schedSetscheduler(thread: Thread, tid: number, policy: number, parameter: number): number {
  if (targetThread(thread, tid) === undefined) return -ESRCH;
  const priority = thread.memory.readI32(parameter);
  const kind = policy & ~0x40000000;
  if (isRealtimePolicy(kind)) return priority >= 1 && priority <= 99 ? -EPERM : -EINVAL;
  return kind === 0 || kind === 3 || kind === 5 ? (priority === 0 ? 0 : -EINVAL) : -EINVAL;
}

function schedGetscheduler(thread: Thread, tid: number): number {
  return targetThread(thread, tid) === undefined ? -ESRCH : 0;
}

function schedGetparam(thread: Thread, tid: number, parameter: number): number {
  if (targetThread(thread, tid) === undefined) return -ESRCH;
  thread.memory.writeU32(parameter, 0);
  return 0;
}

function schedSetparam(thread: Thread, tid: number, parameter: number): number {
  if (targetThread(thread, tid) === undefined) return -ESRCH;
  return thread.memory.readI32(parameter) === 0 ? 0 : -EINVAL;
}

function getcpu(thread: Thread, cpu: number, node: number): number {
  if (cpu !== 0) thread.memory.writeU32(cpu, 0);
  if (node !== 0) thread.memory.writeU32(node, 0);
  return 0;
}

/** membarrier(2): with one processor every barrier has been passed. */
const Membarrier = {
  QUERY: 0,
  GLOBAL: 1,
  PRIVATE_EXPEDITED: 8,
  REGISTER_PRIVATE_EXPEDITED: 16,
  SYNC_CORE: 32,
  REGISTER_SYNC_CORE: 64,
} as const;
const MEMBARRIER_ALL =
  1 |
  2 |
  4 |
  Membarrier.PRIVATE_EXPEDITED |
  Membarrier.REGISTER_PRIVATE_EXPEDITED |
  Membarrier.SYNC_CORE |
  Membarrier.REGISTER_SYNC_CORE;

function membarrier(_thread: Thread, command: number, flags: number): number {
  if (flags !== 0) return -EINVAL;
  if (command === Membarrier.QUERY) return MEMBARRIER_ALL;
  const single = command > 0 && (command & (command - 1)) === 0;
  return single && (command & MEMBARRIER_ALL) !== 0 ? 0 : -EINVAL;
}

const SCHED = { oneOf: SCHED_POLICIES } as const;

export const THREAD_SYSCALLS: readonly SyscallDefinition[] = [
  { number: 24, name: "sched_yield", state: "done", arguments: [], call: () => YIELD },
  {
    number: 56,
    name: "clone",
    state: "partial",
    note: "without CLONE_VM (fork) ENOSYS; no namespaces, no CLONE_PIDFD",
    arguments: [
      ["flags", { flags: CLONE_FLAGS }],
      ["stack", "pointer"],
      ["parent_tid", "pointer"],
      ["child_tid", "pointer"],
      ["tls", "pointer"],
    ],
    call: clone,
  },
  {
    number: 57,
    name: "fork",
    state: "partial",
    note: "always ENOSYS: there is one address space",
    arguments: [],
    call: fork,
  },
  { number: 58, name: "vfork", state: "done", arguments: [], call: vfork },
  { number: 60, name: "exit", neverReturns: true, state: "done", arguments: [["status", "int"]], call: exit },
  {
    number: 231,
    name: "exit_group",
    neverReturns: true,
    state: "done",
    arguments: [["status", "int"]],
    call: exitGroup,
  },
  {
    number: 435,
    name: "clone3",
    state: "partial",
    note: "as clone; no set_tid, no cgroup",
    arguments: [
      ["cl_args", "pointer"],
      ["size", "size"],
    ],
    call: clone3,
  },
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
  {
    number: 218,
    name: "set_tid_address",
    state: "done",
    arguments: [["tidptr", "pointer"]],
    call: setTidAddress,
  },
  { number: 186, name: "gettid", state: "done", arguments: [], call: (thread) => thread.tid },
  {
    number: 158,
    name: "arch_prctl",
    state: "partial",
    note: "segment bases only",
    arguments: [
      [
        "code",
        { oneOf: { ARCH_SET_GS: 0x1001, ARCH_SET_FS: 0x1002, ARCH_GET_FS: 0x1003, ARCH_GET_GS: 0x1004 } },
      ],
      ["addr", "hex"],
    ],
    call: archPrctl,
  },
  {
    number: 203,
    name: "sched_setaffinity",
    state: "partial",
    note: "there is one processor",
    arguments: [
      ["pid", "tid"],
      ["len", "size"],
      ["mask", "pointer"],
    ],
    call: schedSetaffinity,
  },
  {
    number: 204,
    name: "sched_getaffinity",
    state: "done",
    arguments: [
      ["pid", "tid"],
      ["len", "size"],
      ["mask", "pointer"],
    ],
    call: schedGetaffinity,
  },
  {
    number: 142,
    name: "sched_setparam",
    state: "partial",
    note: "threads have no priorities",
    arguments: [
      ["pid", "tid"],
      ["param", "pointer"],
    ],
    call: schedSetparam,
  },
  {
    number: 143,
    name: "sched_getparam",
    state: "done",
    arguments: [
      ["pid", "tid"],
      ["param", "pointer"],
    ],
    call: schedGetparam,
  },
  {
    number: 144,
    name: "sched_setscheduler",
    state: "partial",
    note: "real-time policies fail with EPERM",
    arguments: [
      ["pid", "tid"],
      ["policy", SCHED],
      ["param", "pointer"],
    ],
    call: schedSetscheduler,
  },
  {
    number: 145,
    name: "sched_getscheduler",
    state: "done",
    arguments: [["pid", "tid"]],
    call: schedGetscheduler,
  },
  {
    number: 146,
    name: "sched_get_priority_max",
    state: "done",
    arguments: [["policy", SCHED]],
    call: (_thread, policy) => (isRealtimePolicy(policy) ? 99 : [0, 3, 5, 6].includes(policy) ? 0 : -EINVAL),
  },
  {
    number: 147,
    name: "sched_get_priority_min",
    state: "done",
    arguments: [["policy", SCHED]],
    call: (_thread, policy) => (isRealtimePolicy(policy) ? 1 : [0, 3, 5, 6].includes(policy) ? 0 : -EINVAL),
  },
  {
    number: 309,
    name: "getcpu",
    state: "done",
    arguments: [
      ["cpu", "pointer"],
      ["node", "pointer"],
    ],
    call: getcpu,
  },
  {
    number: 324,
    name: "membarrier",
    state: "done",
    arguments: [
      ["cmd", "int"],
      ["flags", "uint"],
    ],
    call: membarrier,
  },
];
