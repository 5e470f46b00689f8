/** struct timespec and struct timeval in program memory. */

import { EINVAL, Errno } from "../errno.ts";
import type { Clock } from "../host.ts";
import type { UserMemory } from "../mm/user-memory.ts";

export const NS_PER_SECOND = 1e9;
const NS_PER_US = 1000;

/** A time in seconds and nanoseconds: exact also for times since 1970. */
export interface Time {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** @throws Errno EINVAL for negative times and for nanoseconds beyond a second; EFAULT */
export function readTimespec(memory: UserMemory, address: number): Time {
  const seconds = memory.readI64(address);
  const nanoseconds = memory.readI64(address + 8);
  if (seconds < 0 || nanoseconds < 0 || nanoseconds >= NS_PER_SECOND) throw new Errno(EINVAL);
  return { seconds, nanoseconds };
}

/** @throws Errno EINVAL, EFAULT */
export function readTimeval(memory: UserMemory, address: number): Time {
  const seconds = memory.readI64(address);
  const microseconds = memory.readI64(address + 8);
  if (seconds < 0 || microseconds < 0 || microseconds >= 1e6) throw new Errno(EINVAL);
  return { seconds, nanoseconds: microseconds * NS_PER_US };
}

/** Splits nanoseconds. */
export function timeOf(ns: number): Time {
  const seconds = Math.floor(ns / NS_PER_SECOND);
  return { seconds, nanoseconds: Math.floor(ns - seconds * NS_PER_SECOND) };
}

export function nanosecondsOf(time: Time): number {
  return time.seconds * NS_PER_SECOND + time.nanoseconds;
}

export function writeTimespec(memory: UserMemory, address: number, time: Time): void {
  memory.writeI64(address, time.seconds);
  memory.writeI64(address + 8, time.nanoseconds);
}

export function writeTimeval(memory: UserMemory, address: number, time: Time): void {
  memory.writeI64(address, time.seconds);
  memory.writeI64(address + 8, Math.floor(time.nanoseconds / NS_PER_US));
}

/** The monotonic time at which a moment of the time of day comes; never exact beyond 2^53 ns, never past for the future. */
export function deadlineOfRealtime(clock: Clock, time: Time): number {
  const now = clock.realtime();
  const left = (time.seconds - now.seconds) * NS_PER_SECOND + (time.nanoseconds - now.nanoseconds);
  return clock.monotonic() + left;
}
