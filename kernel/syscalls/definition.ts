/** System calls as data: one definition each, from which dispatch, tracing and docs/syscalls.md follow. */

import type { Thread } from "../sched/thread.ts";

/** How an argument prints in a trace and in the documentation. */
export type ArgumentType =
  | "int"
  | "uint"
  | "long"
  | "size"
  | "offset"
  | "hex"
  | "pointer"
  | "fd"
  | "dirfd"
  | "path"
  | "string"
  | "buffer" // pointer to bytes whose length is the next argument (input)
  | "outbuffer" // the same, filled by the call: printed after it returned
  | "mode"
  | "signal"
  | "pid"
  | "tid"
  | "address"
  | { readonly flags: Readonly<Record<string, number>> }
  | { readonly oneOf: Readonly<Record<string, number>> };

/**
 * The call itself. Arguments are the six registers as signed 64-bit JS numbers (exact up to 2^53; pointers and counts
 * are). Returns the result or a negative errno, or a promise of it when the thread has to block. -ERESTARTSYS and
 * friends are understood by the caller. Errors deep inside may be thrown as {@link import("../errno.ts").Errno}.
 */
export type SyscallFunction = (
  thread: Thread,
  a0: number,
  a1: number,
  a2: number,
  a3: number,
  a4: number,
  a5: number,
) => number | Promise<number>;

export interface SyscallDefinition {
  readonly number: number;
  readonly name: string;
  readonly arguments: readonly (readonly [name: string, type: ArgumentType])[];
  /** "done"; "partial" with what is missing in `note`; "absent": returns ENOSYS, said once by name. */
  readonly state: "done" | "partial" | "absent";
  readonly note?: string;
  readonly call?: SyscallFunction;
  /** Does not return: traces print it beforehand. */
  readonly neverReturns?: boolean;
  /** The result is an address: traces print it so. */
  readonly returnsAddress?: boolean;
}
