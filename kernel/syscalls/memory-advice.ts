/** What programs say about their memory, and ask: madvise(2), msync(2), mincore(2), mlock(2) (mm/madvise.c, mm/msync.c …). */

import { PAGE_SIZE } from "../../mmu/translator.ts";
import { EAGAIN, EFAULT, EINVAL, ENOMEM } from "../errno.ts";
import { Prot, sliceVma } from "../mm/vma.ts";
import type { Thread } from "../sched/thread.ts";
import type { SyscallDefinition } from "./definition.ts";
import { covers, isRange, ownerOf, pageUp } from "./memory-range.ts";

/** madvise(2) */
const Advice = {
  NORMAL: 0,
  RANDOM: 1,
  SEQUENTIAL: 2,
  WILLNEED: 3,
  DONTNEED: 4,
  FREE: 8,
  REMOVE: 9,
  DONTFORK: 10,
  DOFORK: 11,
  MERGEABLE: 12,
  UNMERGEABLE: 13,
  HUGEPAGE: 14,
  NOHUGEPAGE: 15,
  DONTDUMP: 16,
  DODUMP: 17,
  WIPEONFORK: 18,
  KEEPONFORK: 19,
  COLD: 20,
  PAGEOUT: 21,
  POPULATE_READ: 22,
  POPULATE_WRITE: 23,
  DONTNEED_LOCKED: 24,
  COLLAPSE: 25,
} as const;

/** msync(2) */
const Sync = { ASYNC: 1, INVALIDATE: 2, SYNC: 4 } as const;

function madvise(thread: Thread, start: number, size: number, advice: number): number {
  const { space } = thread.kernel;
  if (!(start >= 0 && start % PAGE_SIZE === 0)) return -EINVAL;
  const length = pageUp(size);
  if (!isRange(start, length)) return -EINVAL;
  switch (advice) {
    case Advice.NORMAL:
    case Advice.RANDOM:
    case Advice.SEQUENTIAL:
    case Advice.WILLNEED:
    case Advice.DONTNEED:
    case Advice.FREE:
    case Advice.REMOVE:
    case Advice.DONTFORK:
    case Advice.DOFORK:
    case Advice.HUGEPAGE:
    case Advice.NOHUGEPAGE:
    case Advice.DONTDUMP:
    case Advice.DODUMP:
    case Advice.WIPEONFORK:
    case Advice.KEEPONFORK:
    case Advice.COLD:
    case Advice.PAGEOUT:
    case Advice.POPULATE_READ:
    case Advice.POPULATE_WRITE:
    case Advice.DONTNEED_LOCKED:
      break;
    default:
      return -EINVAL;
  }
  if (length === 0) return 0;
  const areas = space.areasOf(ownerOf(thread), start, length);
  for (const vma of areas) {
    const piece = sliceVma(vma, Math.max(vma.start, start), Math.min(vma.end, start + length));
    switch (advice) {
      case Advice.FREE:
        // Linux frees these pages when it needs them; freeing them at once is the same to the program.
        if (vma.file !== undefined || vma.shared) return -EINVAL;
        space.discard(piece);
        break;
      case Advice.DONTNEED:
      case Advice.DONTNEED_LOCKED:
        // Shared anonymous memory keeps its contents; here nothing else would.
        if (!(vma.shared && vma.file === undefined)) space.discard(piece);
        break;
      case Advice.REMOVE:
        if (!vma.shared || vma.file?.inode.allocate === undefined) return -EINVAL;
        // FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
        space.sync(piece);
        vma.file.inode.allocate(3, vma.file.offset + (piece.start - vma.start), piece.end - piece.start);
        space.discard(piece);
        break;
      case Advice.POPULATE_READ:
      case Advice.POPULATE_WRITE:
        if (!thread.memory.check(piece.start, piece.end - piece.start, advice === Advice.POPULATE_WRITE))
          return -EFAULT;
        break;
    }
  }
  return covers(areas, start, length) ? 0 : -ENOMEM;
}

function msync(thread: Thread, start: number, size: number, flags: number): number {
  const { space } = thread.kernel;
  if ((flags & ~(Sync.ASYNC | Sync.INVALIDATE | Sync.SYNC)) !== 0) return -EINVAL;
  if ((flags & Sync.ASYNC) !== 0 && (flags & Sync.SYNC) !== 0) return -EINVAL;
  if (!(start >= 0 && start % PAGE_SIZE === 0)) return -EINVAL;
  const length = pageUp(size);
  if (!isRange(start, length)) return -ENOMEM;
  const areas = space.areasOf(ownerOf(thread), start, length);
  for (const vma of areas)
    space.sync(sliceVma(vma, Math.max(vma.start, start), Math.min(vma.end, start + length)));
  return covers(areas, start, length) ? 0 : -ENOMEM;
}

function mincore(thread: Thread, start: number, size: number, vector: number): number {
  const { space } = thread.kernel;
  if (!(start >= 0 && start % PAGE_SIZE === 0)) return -EINVAL;
  const length = pageUp(size);
  if (!isRange(start, length)) return -ENOMEM;
  if (!covers(space.areasOf(ownerOf(thread), start, length), start, length)) return -ENOMEM;
  if (!thread.memory.check(vector, length / PAGE_SIZE, true)) return -EFAULT;
  for (let page = 0; page < length / PAGE_SIZE; page++) {
    thread.memory.writeU8(vector + page, space.isResident(start + page * PAGE_SIZE) ? 1 : 0);
  }
  return 0;
}

/** mlock(2): nothing is ever swapped out, so all it does is to bring pages in. */
function mlock(thread: Thread, start: number, size: number): number {
  const { space } = thread.kernel;
  const from = start - (start % PAGE_SIZE);
  const length = pageUp(size + (start - from));
  if (!isRange(from, length)) return -EINVAL;
  const areas = space.areasOf(ownerOf(thread), from, length);
  if (!covers(areas, from, length)) return -ENOMEM;
  for (const vma of areas) {
    const at = Math.max(vma.start, from);
    const count = Math.min(vma.end, from + length) - at;
    if (!thread.memory.check(at, count, (vma.prot & Prot.Write) !== 0))
      return vma.prot === Prot.None ? -ENOMEM : -EAGAIN;
  }
  return 0;
}

function mlock2(thread: Thread, start: number, size: number, flags: number): number {
  if ((flags & ~1) !== 0) return -EINVAL;
  return mlock(thread, start, size);
}

function munlock(thread: Thread, start: number, size: number): number {
  const from = start - (start % PAGE_SIZE);
  const length = pageUp(size + (start - from));
  if (!isRange(from, length)) return -EINVAL;
  const { space } = thread.kernel;
  return covers(space.areasOf(ownerOf(thread), from, length), from, length) ? 0 : -ENOMEM;
}

function mlockall(_thread: Thread, flags: number): number {
  return flags === 0 || (flags & ~7) !== 0 || flags === 4 ? -EINVAL : 0;
}

/** get_mempolicy(2): one node, default policy. */
function getMempolicy(thread: Thread, mode: number, nodes: number, maxNode: number): number {
  if (mode !== 0) thread.memory.writeU32(mode, 0);
  if (nodes !== 0 && maxNode > 0) thread.memory.fill(nodes, Math.ceil(Math.min(maxNode, 1024) / 64) * 8, 0);
  return 0;
}

export const MEMORY_ADVICE_SYSCALLS: readonly SyscallDefinition[] = [
  {
    number: 26,
    name: "msync",
    state: "done",
    call: msync,
    arguments: [
      ["addr", "address"],
      ["length", "size"],
      ["flags", { flags: { MS_ASYNC: 1, MS_INVALIDATE: 2, MS_SYNC: 4 } }],
    ],
  },
  {
    number: 27,
    name: "mincore",
    state: "done",
    call: mincore,
    arguments: [
      ["addr", "address"],
      ["length", "size"],
      ["vec", "pointer"],
    ],
  },
  {
    number: 28,
    name: "madvise",
    state: "done",
    call: madvise,
    arguments: [
      ["addr", "address"],
      ["length", "size"],
      [
        "advice",
        { oneOf: Object.fromEntries(Object.entries(Advice).map(([name, value]) => [`MADV_${name}`, value])) },
      ],
    ],
  },
  {
    number: 149,
    name: "mlock",
    state: "done",
    call: mlock,
    arguments: [
      ["addr", "address"],
      ["length", "size"],
    ],
  },
  {
    number: 150,
    name: "munlock",
    state: "done",
    call: munlock,
    arguments: [
      ["addr", "address"],
      ["length", "size"],
    ],
  },
  { number: 151, name: "mlockall", state: "done", call: mlockall, arguments: [["flags", "int"]] },
  { number: 152, name: "munlockall", state: "done", call: () => 0, arguments: [] },
  {
    number: 239,
    name: "get_mempolicy",
    state: "partial",
    note: "there is one node",
    call: getMempolicy,
    arguments: [
      ["mode", "pointer"],
      ["nodemask", "pointer"],
      ["maxnode", "size"],
      ["addr", "address"],
      ["flags", "hex"],
    ],
  },
  {
    number: 325,
    name: "mlock2",
    state: "done",
    call: mlock2,
    arguments: [
      ["addr", "address"],
      ["length", "size"],
      ["flags", "int"],
    ],
  },
];
