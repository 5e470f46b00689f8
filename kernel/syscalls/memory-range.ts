/** Ranges of pages as the arguments of memory calls. */

import { PAGE_SIZE } from "../../mmu/translator.ts";
import { EFAULT, Errno } from "../errno.ts";
import { USER_END } from "../mm/layout.ts";
import type { MemoryOwner } from "../mm/memory-owner.ts";
import type { Vma } from "../mm/vma.ts";
import type { Thread } from "../sched/thread.ts";

/** A length in whole pages. What is negative as a number is more than half of all addresses, and too long for any range. */
export function pageUp(length: number): number {
  return length < 0 ? Number.POSITIVE_INFINITY : Math.ceil(length / PAGE_SIZE) * PAGE_SIZE;
}

/** The image that the thread's application maps into. */
export function ownerOf(thread: Thread): MemoryOwner {
  const { image } = thread.application;
  if (image === undefined) throw new Errno(EFAULT);
  return image;
}

/** Is this a page-aligned range of user space? `length` is rounded up already. */
export function isRange(start: number, length: number): boolean {
  return start >= 0 && length >= 0 && start % PAGE_SIZE === 0 && start + length <= USER_END;
}

/** Does the owner's memory cover the range without a hole? */
export function covers(areas: readonly Vma[], start: number, length: number): boolean {
  let at = start;
  for (const vma of areas) {
    if (vma.start > at) return false;
    at = vma.end;
  }
  return at >= start + length;
}
