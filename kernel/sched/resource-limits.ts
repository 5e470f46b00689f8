/** Resource limits (getrlimit(2)), by RLIMIT_* number; infinity is Number.POSITIVE_INFINITY. */

import { STACK_LIMIT } from "../mm/layout.ts";

export const Limit = {
  CPU: 0,
  FSIZE: 1,
  DATA: 2,
  STACK: 3,
  CORE: 4,
  RSS: 5,
  NPROC: 6,
  NOFILE: 7,
  MEMLOCK: 8,
  AS: 9,
  LOCKS: 10,
  SIGPENDING: 11,
  MSGQUEUE: 12,
  NICE: 13,
  RTPRIO: 14,
  RTTIME: 15,
} as const;

export const LIMIT_COUNT = 16;

export interface ResourceLimit {
  soft: number;
  hard: number;
}

const NONE = Number.POSITIVE_INFINITY;

/** Linux' defaults for init (INIT_RLIMITS, asm-generic/resource.h), with the usual number of files. */
export function defaultLimits(): ResourceLimit[] {
  const limits = Array.from({ length: LIMIT_COUNT }, () => ({ soft: NONE, hard: NONE }));
  limits[Limit.STACK].soft = STACK_LIMIT;
  limits[Limit.CORE].soft = 0;
  limits[Limit.NPROC] = { soft: 32768, hard: 32768 };
  limits[Limit.NOFILE] = { soft: 1024, hard: 1048576 };
  limits[Limit.MEMLOCK] = { soft: 8 << 20, hard: 8 << 20 };
  limits[Limit.SIGPENDING] = { soft: 32768, hard: 32768 };
  limits[Limit.MSGQUEUE] = { soft: 819200, hard: 819200 };
  limits[Limit.NICE] = { soft: 0, hard: 0 };
  limits[Limit.RTPRIO] = { soft: 0, hard: 0 };
  return limits;
}
