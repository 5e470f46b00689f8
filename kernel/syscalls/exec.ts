/** execve(2): a program takes the place of the one that calls. */

import { E2BIG, EFAULT, EINVAL, ENOENT, Errno } from "../errno.ts";
import { ElfError } from "../loader/elf.ts";
import {
  checkPlace,
  installProgram,
  type PreparedProgram,
  prepareProgram,
  releaseProgram,
} from "../loader/program.ts";
import { initialContext } from "../sched/context.ts";
import { SS_DISABLE } from "../sched/signal-frame.ts";
import { SIGKILL } from "../sched/signal-numbers.ts";
import { KEEP_REGISTERS, type Thread } from "../sched/thread.ts";
import type { ResolveOptions } from "../vfs/mount-table.ts";
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW } from "../vfs/open-flags.ts";
import { anyFileOf, baseFor, nameAt } from "./arguments.ts";
import type { SyscallDefinition } from "./definition.ts";

const COMM_LENGTH = 15;
/** MAX_ARG_STRLEN; and no more pointers than fit into the space for arguments. */
const ARGUMENT_LENGTH = 131072;
const ARGUMENT_COUNT = 262144;

/** A NULL-terminated array of strings. */
function readStrings(thread: Thread, address: number): string[] {
  const strings: string[] = [];
  if (address === 0) return strings;
  for (let at = address; ; at += 8) {
    const pointer = thread.memory.readI64(at);
    if (pointer === 0) return strings;
    if (strings.length >= ARGUMENT_COUNT) throw new Errno(E2BIG);
    try {
      strings.push(thread.memory.readString(pointer, ARGUMENT_LENGTH));
    } catch (error) {
      if (error instanceof Errno && error.errno !== EFAULT) throw new Errno(E2BIG);
      throw error;
    }
  }
}

/** The name that /proc shows: the file's own, cut. */
export function commName(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1).slice(0, COMM_LENGTH);
}

/** Makes a prepared program the one that the application runs: everything that belonged to the old one goes. */
export function enterProgram(thread: Thread, prepared: PreparedProgram): void {
  const { application, kernel } = thread;
  const installed = installProgram(kernel.loader, prepared);
  application.image = installed.owner;
  application.name = commName(prepared.name);
  application.argv = [...prepared.argv];
  application.environment = [...prepared.environment];
  application.executablePath = prepared.path;
  application.executable = prepared.path.toString();
  thread.name = application.name;
  thread.alternateStack = { sp: 0, size: 0, flags: SS_DISABLE };
  thread.robustList = 0;
  thread.clearChildTid = 0;
  kernel.scheduler.setContext(thread, initialContext(installed.entry, installed.stackPointer));
}

/** The executing thread becomes the first one of its application (de_thread()). */
function becomeMainThread(thread: Thread): void {
  const { application, kernel } = thread;
  kernel.lifecycle.exitOthers(thread);
  if (thread.tid === application.pid) return;
  kernel.threads.delete(thread.tid);
  application.threads.delete(thread.tid);
  thread.tid = application.pid;
  kernel.threads.set(thread.tid, thread);
  application.threads.set(thread.tid, thread);
}

async function execute(
  thread: Thread,
  name: string,
  argv: readonly string[],
  environment: readonly string[],
  options: ResolveOptions,
): Promise<number> {
  const { application, kernel } = thread;
  let prepared: PreparedProgram;
  try {
    prepared = await prepareProgram(kernel.loader, thread, name, argv, environment, options);
  } catch (error) {
    if (!(error instanceof ElfError)) throw error;
    if (error.errno !== ENOENT) kernel.log(error.message);
    return -error.errno;
  }
  try {
    // Killed while the file was being read.
    if (thread.state === "dead") return KEEP_REGISTERS;
    const leaving = application.image?.references === 1 ? application.image : undefined;
    try {
      checkPlace(kernel.loader, prepared, leaving);
    } catch (error) {
      if (!(error instanceof ElfError)) throw error;
      kernel.log(error.message);
      return -error.errno;
    }
    becomeMainThread(thread);
    kernel.futexes.releaseRobustList(thread);
    kernel.lifecycle.releaseImage(application);
    kernel.lifecycle.deleteTimers(application);
    const { files } = application;
    application.files = files.clone();
    files.release();
    application.files.closeOnExec();
    kernel.signals.resetHandlers(application);
    try {
      enterProgram(thread, prepared);
    } catch (error) {
      // The old program is gone and the new one does not fit: nobody is left to be told (bprm: point of no return).
      if (!(error instanceof ElfError)) throw error;
      kernel.log(error.message);
      kernel.lifecycle.killApplication(application, SIGKILL);
      return KEEP_REGISTERS;
    }
    thread.onVforkDone?.();
    thread.onVforkDone = undefined;
    kernel.debugger?.executed(thread);
    return KEEP_REGISTERS;
  } finally {
    releaseProgram(prepared);
  }
}

function execve(thread: Thread, pathname: number, argv: number, envp: number): Promise<number> | number {
  const name = nameAt(thread, pathname);
  return execute(thread, name, readStrings(thread, argv), readStrings(thread, envp), {});
}

function execveat(
  thread: Thread,
  dirfd: number,
  pathname: number,
  argv: number,
  envp: number,
  flags: number,
): Promise<number> | number {
  if ((flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) !== 0) return -EINVAL;
  let name = nameAt(thread, pathname);
  const args = readStrings(thread, argv);
  const environment = readStrings(thread, envp);
  if (name === "") {
    if ((flags & AT_EMPTY_PATH) === 0) return -ENOENT;
    anyFileOf(thread, dirfd);
    name = `/proc/self/fd/${dirfd | 0}`;
    return execute(thread, name, args, environment, {});
  }
  const base = baseFor(thread, dirfd, name);
  return execute(thread, name, args, environment, { base, follow: (flags & AT_SYMLINK_NOFOLLOW) === 0 });
}

export const EXEC_SYSCALLS: readonly SyscallDefinition[] = [
  {
    number: 59,
    name: "execve",
    state: "done",
    arguments: [
      ["pathname", "path"],
      ["argv", "pointer"],
      ["envp", "pointer"],
    ],
    call: execve,
  },
  {
    number: 322,
    name: "execveat",
    state: "done",
    call: execveat,
    arguments: [
      ["dirfd", "dirfd"],
      ["pathname", "path"],
      ["argv", "pointer"],
      ["envp", "pointer"],
      ["flags", { flags: { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW } }],
    ],
  },
];
