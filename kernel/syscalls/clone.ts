/** Beginnings and ends of threads: clone(2), vfork(2), exit(2). */

import { Register } from "../../cpu/state.ts";
import { EAGAIN, EFAULT, EINVAL, EMFILE, ENOSYS, EPERM } from "../errno.ts";
import type { Application } from "../sched/application.ts";
import { Registers } from "../sched/registers.ts";
import { SS_DISABLE } from "../sched/signal-frame.ts";
import { SIGNAL_MAX } from "../sched/signal-numbers.ts";
import { KEEP_REGISTERS, type Thread } from "../sched/thread.ts";
import type { SyscallDefinition } from "./definition.ts";
import { installPidFile } from "./pidfd.ts";

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
  /** Where the pidfd goes. */
  readonly pidfd: number;
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
  const wantsPidfd = (flags & Clone.PIDFD) !== 0;
  if (wantsPidfd && (flags & (Clone.THREAD | Clone.DETACHED)) !== 0) return -EINVAL;
  if (wantsPidfd && !memory.check(request.pidfd, 4, true)) return -EFAULT;
  // With the table full nothing is begun that would have to be undone.
  if (wantsPidfd && thread.application.files.free() < 0) return -EMFILE;
  if ((flags & Clone.PARENT_SETTID) !== 0 && !memory.check(request.parentTid, 4, true)) return -EFAULT;
  if (kernel.lifecycle.isCrowded) return -EAGAIN;
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
  if (wantsPidfd) memory.writeU32(request.pidfd, installPidFile(thread, application, 0));
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
  // There both would be stored at the same place.
  if ((flags & Clone.PIDFD) !== 0 && (flags & Clone.PARENT_SETTID) !== 0) return -EINVAL;
  return doClone(thread, {
    flags: flags & ~CSIGNAL,
    exitSignal: flags & CSIGNAL,
    stackPointer: stack,
    parentTid,
    childTid,
    tls,
    pidfd: parentTid,
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
  const [pidfd, childTid, parentTid, exitSignal, stack, stackSize, tls] = [1, 2, 3, 4, 5, 6, 7].map(field);
  if (flags < 0 || flags > 0xffffffff || (flags & CSIGNAL) !== 0) return -EINVAL;
  if (exitSignal < 0 || exitSignal > SIGNAL_MAX) return -EINVAL;
  if ((stack === 0) !== (stackSize === 0)) return -EINVAL;
  // set_tid, cgroup: not for programs like ours.
  if (bytes.subarray(CLONE_ARGS_SIZE).some((byte) => byte !== 0)) return -EINVAL;
  const stackPointer = stack + stackSize;
  return doClone(thread, { flags, exitSignal, stackPointer, parentTid, childTid, tls, pidfd });
}

function vfork(thread: Thread): number {
  return doClone(thread, {
    flags: Clone.VM | Clone.VFORK,
    exitSignal: 17,
    stackPointer: 0,
    parentTid: 0,
    childTid: 0,
    tls: 0,
    pidfd: 0,
  });
}

function fork(thread: Thread): number {
  const nowhere = { stackPointer: 0, parentTid: 0, childTid: 0, tls: 0, pidfd: 0 };
  return doClone(thread, { flags: 0, exitSignal: 17, ...nowhere });
}

function exit(thread: Thread, code: number): number {
  thread.kernel.lifecycle.exitThread(thread, (code & 0xff) << 8);
  return KEEP_REGISTERS;
}

function exitGroup(thread: Thread, code: number): number {
  thread.kernel.lifecycle.exitApplication(thread.application, (code & 0xff) << 8);
  return KEEP_REGISTERS;
}

export const CLONE_SYSCALLS: readonly SyscallDefinition[] = [
  {
    number: 56,
    name: "clone",
    state: "partial",
    note: "without CLONE_VM (fork) ENOSYS; no namespaces",
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
];
