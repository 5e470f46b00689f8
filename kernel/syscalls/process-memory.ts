/** Memory of another process: process_vm_readv(2), process_vm_writev(2). All have the one address space. */

import { EFAULT, EINVAL, ESRCH } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import type { SyscallDefinition } from "./definition.ts";
import { readIovec } from "./transfer.ts";

const PAGE = 4096;

/** A walk through [address, length] pairs. */
class Walk {
  private index = 0;
  private passed = 0;

  constructor(private readonly segments: readonly number[]) {}

  get address(): number {
    return this.segments[this.index] + this.passed;
  }

  /** Bytes left in this segment; 0 at the end. */
  get left(): number {
    return this.index < this.segments.length ? this.segments[this.index + 1] - this.passed : 0;
  }

  advance(bytes: number): void {
    this.passed += bytes;
    if (this.left > 0) return;
    this.index += 2;
    this.passed = 0;
  }
}

function copy(
  thread: Thread,
  pid: number,
  local: readonly [address: number, count: number],
  remote: readonly [address: number, count: number],
  flags: number,
  isWrite: boolean,
): number {
  if (flags !== 0) return -EINVAL;
  const here = new Walk(readIovec(thread, ...local));
  if (here.left === 0) return 0;
  const there = new Walk(readIovec(thread, ...remote));
  if (there.left === 0) return 0;
  const target = thread.kernel.threads.get(pid | 0)?.application ?? thread.kernel.applications.get(pid | 0);
  if (target === undefined || target.exitStatus !== undefined) return -ESRCH;
  const { memory } = thread;
  const [from, to] = isWrite ? [here, there] : [there, here];
  let done = 0;
  while (from.left > 0 && to.left > 0) {
    // No more than what is surely there or not as a whole.
    const source = PAGE - (from.address % PAGE);
    const destination = PAGE - (to.address % PAGE);
    const length = Math.min(from.left, to.left, source, destination);
    if (!memory.check(from.address, length, false) || !memory.check(to.address, length, true)) break;
    memory.write(to.address, memory.read(from.address, length));
    from.advance(length);
    to.advance(length);
    done += length;
  }
  return done > 0 ? done : -EFAULT;
}

const ARGUMENTS: SyscallDefinition["arguments"] = [
  ["pid", "pid"],
  ["local_iov", "pointer"],
  ["liovcnt", "size"],
  ["remote_iov", "pointer"],
  ["riovcnt", "size"],
  ["flags", "hex"],
];

export const PROCESS_MEMORY_SYSCALLS: readonly SyscallDefinition[] = [
  {
    number: 310,
    name: "process_vm_readv",
    state: "done",
    arguments: ARGUMENTS,
    call: (thread, pid, local, localCount, remote, remoteCount, flags) =>
      copy(thread, pid, [local, localCount], [remote, remoteCount], flags, false),
  },
  {
    number: 311,
    name: "process_vm_writev",
    state: "done",
    arguments: ARGUMENTS,
    call: (thread, pid, local, localCount, remote, remoteCount, flags) =>
      copy(thread, pid, [local, localCount], [remote, remoteCount], flags, true),
  },
];
