/** Errors of the host as errors of system calls. */

import * as errnos from "../errno.ts";
import { EIO, Errno } from "../errno.ts";
import { HostError } from "../host.ts";

const numbers = new Map<string, number>();
for (const [name, value] of Object.entries(errnos)) if (typeof value === "number") numbers.set(name, value);
numbers.set("EWOULDBLOCK", errnos.EAGAIN);
numbers.set("ENOTSUP", errnos.EOPNOTSUPP);

/** Errno for what a host call has thrown; a host error without a Linux name is an I/O error. */
export function errnoOf(error: unknown): Errno {
  if (error instanceof Errno) return error;
  if (error instanceof HostError) return new Errno(numbers.get(error.code) ?? EIO);
  throw error;
}
