/** Memory mapping: mmap(2) and its family. The rules of Linux are here (mm/mmap.c, mm/mremap.c …); the work is in kernel/mm. */

import { PAGE_SIZE } from "../../mmu/translator.ts";
import {
  EACCES,
  EEXIST,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOMEM,
  EOPNOTSUPP,
  EOVERFLOW,
  EPERM,
  Errno,
} from "../errno.ts";
import { LOW_MMAP_END, MMAP_MIN, USER_END } from "../mm/layout.ts";
import type { MemoryOwner } from "../mm/memory-owner.ts";
import { Prot, sliceVma, type Vma, type VmaAttributes } from "../mm/vma.ts";
import { Limit } from "../sched/resource-limits.ts";
import type { Thread } from "../sched/thread.ts";
import { makedev } from "../vfs/character-device.ts";
import { S_IFCHR, S_IFREG } from "../vfs/inode.ts";
import { MS_NOEXEC } from "../vfs/mount.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import { fileOf } from "./arguments.ts";
import type { SyscallDefinition } from "./definition.ts";
import { isRange, ownerOf, pageUp } from "./memory-range.ts";

/** MAP_* (asm-generic/mman.h) */
const Map_ = {
  SHARED: 0x01,
  PRIVATE: 0x02,
  SHARED_VALIDATE: 0x03,
  FIXED: 0x10,
  ANONYMOUS: 0x20,
  "32BIT": 0x40,
  GROWSDOWN: 0x100,
  DENYWRITE: 0x800,
  EXECUTABLE: 0x1000,
  LOCKED: 0x2000,
  NORESERVE: 0x4000,
  POPULATE: 0x8000,
  NONBLOCK: 0x10000,
  STACK: 0x20000,
  HUGETLB: 0x40000,
  SYNC: 0x80000,
  FIXED_NOREPLACE: 0x100000,
} as const;
const MAP_TYPE = 0x0f;

const PROT_FLAGS = { PROT_NONE: 0, PROT_READ: 1, PROT_WRITE: 2, PROT_EXEC: 4 };
const MAP_FLAGS = Object.fromEntries(Object.entries(Map_).map(([name, bit]) => [`MAP_${name}`, bit]));

/** MREMAP_* */
const Remap = { MAYMOVE: 1, FIXED: 2, DONTUNMAP: 4 } as const;

const ZERO_DEVICE = makedev(1, 5);

/** RLIMIT_AS, where somebody has set one. */
function exceedsAddressSpace(thread: Thread, more: number): boolean {
  const { soft } = thread.application.limits[Limit.AS];
  if (soft === Number.POSITIVE_INFINITY) return false;
  return thread.kernel.space.usage(ownerOf(thread)).virtual + more > soft;
}

/** The file side of a mapping: what it shows and whether it may be written. Throws Errno. */
function backing(
  thread: Thread,
  fd: number,
  offset: number,
  prot: number,
  shared: boolean,
): { file: OpenFile | undefined; attributes: Pick<VmaAttributes, "file" | "mayWrite" | "name"> } {
  const file = fileOf(thread, fd);
  if (!file.readable) throw new Errno(EACCES);
  if (shared && (prot & Prot.Write) !== 0 && !file.writable) throw new Errno(EACCES);
  const { inode } = file;
  if ((prot & Prot.Exec) !== 0 && file.path !== undefined && (file.path.mount.flags & MS_NOEXEC) !== 0) {
    throw new Errno(EPERM);
  }
  const name = file.describe();
  if (inode.type === S_IFCHR && inode.stat().rdev === ZERO_DEVICE) {
    return { file: undefined, attributes: { file: undefined, mayWrite: true, name } };
  }
  if (inode.type !== S_IFREG || inode.readPage === undefined) throw new Errno(ENODEV);
  return { file, attributes: { file: { inode, offset }, mayWrite: !shared || file.writable, name } };
}

/** Where the mapping goes. Throws Errno. */
function place(thread: Thread, hint: number, length: number, flags: number, owner: MemoryOwner): number {
  const { space } = thread.kernel;
  if ((flags & (Map_.FIXED | Map_.FIXED_NOREPLACE)) !== 0) {
    if (hint % PAGE_SIZE !== 0 || hint < 0) throw new Errno(EINVAL);
    if (hint + length > USER_END) throw new Errno(ENOMEM);
    if (hint < MMAP_MIN) throw new Errno(EPERM);
    if ((flags & Map_.FIXED_NOREPLACE) !== 0) {
      if (!space.isFree(hint, length)) throw new Errno(EEXIST);
    } else if (space.areas.overlapping(hint, hint + length).some((vma) => vma.owner !== owner)) {
      thread.kernel.logOnce(`${thread.application.name}: MAP_FIXED on memory of another application refused`);
      throw new Errno(ENOMEM);
    }
    return hint;
  }
  const low32 = (flags & Map_["32BIT"]) !== 0;
  const wanted = hint > 0 ? Math.max(hint - (hint % PAGE_SIZE), MMAP_MIN) : 0;
  const limit = low32 ? LOW_MMAP_END : USER_END;
  if (wanted > 0 && wanted + length <= limit && space.isFree(wanted, length)) return wanted;
  const start = space.findFree(length, low32);
  if (start < 0) throw new Errno(ENOMEM);
  return start;
}

function mmap(
  thread: Thread,
  address: number,
  size: number,
  prot: number,
  flags: number,
  fd: number,
  offset: number,
): number {
  const { space } = thread.kernel;
  const owner = ownerOf(thread);
  if (size === 0) return -EINVAL;
  const length = pageUp(size);
  if (!(length > 0 && length <= USER_END)) return -ENOMEM;
  if (offset % PAGE_SIZE !== 0) return -EINVAL;
  const kind = flags & MAP_TYPE;
  if (kind !== Map_.SHARED && kind !== Map_.PRIVATE && kind !== Map_.SHARED_VALIDATE) return -EINVAL;
  const shared = kind !== Map_.PRIVATE;
  if ((flags & Map_.HUGETLB) !== 0) return -ENOMEM;
  if ((flags & Map_.SYNC) !== 0 && kind === Map_.SHARED_VALIDATE) return -EOPNOTSUPP;
  const anonymous = (flags & Map_.ANONYMOUS) !== 0;
  if (!anonymous && offset < 0) return -EOVERFLOW;
  const { file, attributes } = anonymous
    ? { file: undefined, attributes: { file: undefined, mayWrite: true, name: "" } }
    : backing(thread, fd, offset, prot, shared);
  const start = place(thread, address, length, flags, owner);
  const accounted =
    (prot & Prot.Write) !== 0 && !(shared && file !== undefined) && (flags & Map_.NORESERVE) === 0;
  if (accounted && space.overcommits(length)) return -ENOMEM;
  if (exceedsAddressSpace(thread, length) || space.isCrowded) return -ENOMEM;
  if ((flags & Map_.FIXED) !== 0) space.unmap(start, length, owner);
  const growsDown = (flags & Map_.GROWSDOWN) !== 0;
  space.map(
    start,
    length,
    {
      ...attributes,
      prot: prot & (Prot.Read | Prot.Write | Prot.Exec),
      shared,
      growsDown,
      growLimit: growsDown
        ? Math.max(MMAP_MIN, start + length - thread.application.limits[Limit.STACK].soft)
        : 0,
      owner,
    },
    file,
  );
  if ((flags & (Map_.POPULATE | Map_.LOCKED)) !== 0 && (flags & Map_.NONBLOCK) === 0) {
    // As on Linux, what cannot be brought in now will fail when it is touched.
    if ((prot & (Prot.Read | Prot.Write)) !== 0)
      thread.memory.check(start, length, (prot & Prot.Write) !== 0);
  }
  return start;
}

function munmap(thread: Thread, start: number, size: number): number {
  const length = pageUp(size);
  if (!isRange(start, length) || length === 0) return -EINVAL;
  const { space } = thread.kernel;
  const around = space.areas.find(start);
  // A hole in the middle makes one more area.
  if (space.isCrowded && around !== undefined && around.start < start && start + length < around.end)
    return -ENOMEM;
  space.unmap(start, length, ownerOf(thread));
  return 0;
}

function mprotect(thread: Thread, start: number, size: number, prot: number): number {
  const { space } = thread.kernel;
  const growsDown = (prot & Prot.GrowsDown) !== 0;
  if (growsDown && (prot & Prot.GrowsUp) !== 0) return -EINVAL;
  if (!(start >= 0 && start % PAGE_SIZE === 0)) return -EINVAL;
  if (size === 0) return 0;
  const length = pageUp(size);
  if (!isRange(start, length)) return -ENOMEM;
  const wanted = prot & ~(Prot.GrowsDown | Prot.GrowsUp);
  if ((wanted & ~(Prot.Read | Prot.Write | Prot.Exec | 8)) !== 0) return -EINVAL;
  let from = start;
  const areas = space.areasOf(ownerOf(thread), start, length);
  if (growsDown) {
    if (areas[0] === undefined || !areas[0].growsDown) return -EINVAL;
    from = areas[0].start;
  }
  if (space.isCrowded) return -ENOMEM;
  // Areas up to the first hole are changed, then the hole is reported.
  let at = from;
  for (const vma of areas) {
    if (vma.start > at) return -ENOMEM;
    if ((wanted & Prot.Write) !== 0 && !vma.mayWrite) return -EACCES;
    const end = Math.min(vma.end, start + length);
    const becomesWritable = (wanted & Prot.Write) !== 0 && (vma.prot & Prot.Write) === 0 && !vma.shared;
    if (becomesWritable && space.overcommits(end - at)) return -ENOMEM;
    if (vma.prot !== wanted) space.protect(vma, at, end, wanted & (Prot.Read | Prot.Write | Prot.Exec));
    at = vma.end;
  }
  return at >= start + length ? 0 : -ENOMEM;
}

/**
 * The area that is to become longer or to move (vma_to_resize()). Throws Errno: a range over several areas, or more
 * memory than there may be.
 */
function resizable(thread: Thread, old: number, oldLength: number, length: number): Vma {
  const { space } = thread.kernel;
  const vma = space.areas.find(old);
  if (vma === undefined || vma.owner !== ownerOf(thread)) throw new Errno(EFAULT);
  // An old size of 0 makes a second view of a shared mapping.
  if (oldLength === 0 && !vma.shared) throw new Errno(EINVAL);
  if (old + oldLength > vma.end) throw new Errno(EFAULT);
  const more = length - oldLength;
  if (more > 0) {
    if ((vma.prot & Prot.Write) !== 0 && !vma.shared && space.overcommits(more)) throw new Errno(ENOMEM);
    if (exceedsAddressSpace(thread, more)) throw new Errno(ENOMEM);
  }
  return vma;
}

/** MREMAP_FIXED and MREMAP_DONTUNMAP (mremap_to()); `target` is where it goes, or 0 for anywhere. */
function mremapTo(
  thread: Thread,
  old: number,
  oldLength: number,
  length: number,
  flags: number,
  target: number,
): number {
  const { space } = thread.kernel;
  const owner = ownerOf(thread);
  const keep = (flags & Remap.DONTUNMAP) !== 0;
  let destination = target;
  if ((flags & Remap.FIXED) !== 0) {
    if (!isRange(target, length) || target < MMAP_MIN) return -EINVAL;
    if (old + oldLength > target && target + length > old) return -EINVAL;
    if (space.areas.overlapping(target, target + length).some((other) => other.owner !== owner))
      return -ENOMEM;
    space.unmap(target, length, owner);
  }
  if (length < oldLength) space.unmap(old + length, oldLength - length, owner);
  const from = Math.min(oldLength, length);
  const vma = resizable(thread, old, from, length);
  if (keep && (vma.file !== undefined || vma.shared)) return -EINVAL;
  if ((flags & Remap.FIXED) === 0) destination = space.findFree(length, false);
  if (destination < 0) return -ENOMEM;
  return moveTo(thread, vma, old, from, destination, length, keep);
}

function moveTo(
  thread: Thread,
  vma: Vma,
  old: number,
  oldLength: number,
  target: number,
  length: number,
  keep: boolean,
): number {
  const { space } = thread.kernel;
  if (oldLength === 0) space.map(target, length, sliceVma(vma, old, vma.end));
  else space.move(vma, old, old + oldLength, target, length, keep);
  return target;
}

function mremap(
  thread: Thread,
  old: number,
  oldSize: number,
  newSize: number,
  flags: number,
  target: number,
): number {
  const { space } = thread.kernel;
  const owner = ownerOf(thread);
  if ((flags & ~(Remap.MAYMOVE | Remap.FIXED | Remap.DONTUNMAP)) !== 0) return -EINVAL;
  const special = (flags & (Remap.FIXED | Remap.DONTUNMAP)) !== 0;
  if (special && (flags & Remap.MAYMOVE) === 0) return -EINVAL;
  const oldLength = pageUp(oldSize);
  const length = pageUp(newSize);
  if ((flags & Remap.DONTUNMAP) !== 0 && oldLength !== length) return -EINVAL;
  if (!(old >= 0 && old % PAGE_SIZE === 0)) return -EINVAL;
  if (!(length > 0 && length <= USER_END)) return -EINVAL;
  const first = space.areas.find(old);
  if (first === undefined || first.owner !== owner) return -EFAULT;
  if (!isRange(old, oldLength)) return -EINVAL;
  if (space.isCrowded) return -ENOMEM;
  if (special) return mremapTo(thread, old, oldLength, length, flags, target);
  if (length <= oldLength) {
    if (length < oldLength) space.unmap(old + length, oldLength - length, owner);
    return old;
  }
  const vma = resizable(thread, old, oldLength, length);
  const more = length - oldLength;
  if (old + oldLength === vma.end && vma.end + more <= USER_END && space.isFree(vma.end, more)) {
    space.extend(vma, more);
    return old;
  }
  if ((flags & Remap.MAYMOVE) === 0) return -ENOMEM;
  const destination = space.findFree(length, false);
  return destination < 0 ? -ENOMEM : moveTo(thread, vma, old, oldLength, destination, length, false);
}

function brk(thread: Thread, address: number): number {
  const { space } = thread.kernel;
  const owner = ownerOf(thread);
  if (!(address >= owner.brkStart && address < USER_END)) return owner.brk;
  const from = pageUp(owner.brk);
  const to = pageUp(address);
  if (to < from) {
    space.unmap(to, from - to, owner);
  } else if (to > from) {
    const data = thread.application.limits[Limit.DATA].soft;
    if (address - owner.brkStart > data || exceedsAddressSpace(thread, to - from)) return owner.brk;
    if (!space.isFree(from, to - from) || space.overcommits(to - from)) return owner.brk;
    space.map(from, to - from, {
      prot: Prot.Read | Prot.Write,
      shared: false,
      growsDown: false,
      growLimit: 0,
      mayWrite: true,
      file: undefined,
      name: "[heap]",
      owner,
    });
  }
  owner.brk = address;
  return address;
}

export const MEMORY_SYSCALLS: readonly SyscallDefinition[] = [
  {
    number: 9,
    name: "mmap",
    state: "partial",
    note: "MAP_HUGETLB fails with ENOMEM",
    call: mmap,
    returnsAddress: true,
    arguments: [
      ["addr", "address"],
      ["length", "size"],
      ["prot", { flags: PROT_FLAGS }],
      ["flags", { flags: MAP_FLAGS }],
      ["fd", "fd"],
      ["offset", "hex"],
    ],
  },
  {
    number: 10,
    name: "mprotect",
    state: "done",
    call: mprotect,
    arguments: [
      ["addr", "address"],
      ["length", "size"],
      ["prot", { flags: PROT_FLAGS }],
    ],
  },
  {
    number: 11,
    name: "munmap",
    state: "done",
    call: munmap,
    arguments: [
      ["addr", "address"],
      ["length", "size"],
    ],
  },
  {
    number: 12,
    name: "brk",
    state: "done",
    call: brk,
    returnsAddress: true,
    arguments: [["addr", "address"]],
  },
  {
    number: 25,
    name: "mremap",
    state: "done",
    call: mremap,
    returnsAddress: true,
    arguments: [
      ["old_address", "address"],
      ["old_size", "size"],
      ["new_size", "size"],
      ["flags", { flags: { MREMAP_MAYMOVE: 1, MREMAP_FIXED: 2, MREMAP_DONTUNMAP: 4 } }],
      ["new_address", "address"],
    ],
  },
];
