/** From a system call's number to the function that makes it: an array, built from the table. */

import { ENOSYS } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import type { SyscallDefinition, SyscallFunction } from "./definition.ts";
import { SYSCALL_NAMES } from "./numbers.ts";
import type { SyscallTracer } from "./trace.ts";

/** Numbers above all of Linux'. */
const TABLE_SIZE = 512;

/** Says once, by name, what is not there. */
function absent(thread: Thread): number {
  const number = thread.syscallNumber;
  const name = SYSCALL_NAMES[number] ?? `number ${number}`;
  thread.kernel.logOnce(`${thread.application.name}: system call ${name} is not implemented (ENOSYS)`);
  return -ENOSYS;
}

export class Dispatcher {
  /** By number. What is not there is {@link absent}; numbers outside are up to the caller. */
  readonly calls: SyscallFunction[] = new Array<SyscallFunction>(TABLE_SIZE).fill(absent);
  readonly absent: SyscallFunction = absent;

  constructor(table: readonly SyscallDefinition[], tracer: SyscallTracer | undefined) {
    for (const definition of table) {
      const call = definition.call ?? absent;
      this.calls[definition.number] = tracer === undefined ? call : tracer.wrap(definition, call);
    }
  }
}
