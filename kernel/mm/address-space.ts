/**
 * The one address space of the kernel and all its applications, in OSv's manner: no page tables, no switching. It is
 * the {@link Translator} behind the engines' TLB, brings pages in on demand and does the work of mmap and its family.
 *
 * Rights are those of x86 without protection keys: what is writable or executable is readable.
 */

import { Access, PAGE_SIZE, PageFaultBit, type Translation, type Translator } from "../../mmu/translator.ts";
import { Errno } from "../errno.ts";
import type { Inode } from "../vfs/inode.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import { FrameAllocator, NO_FRAME } from "./frames.ts";
import type { PrepareMemory } from "./fresh-frames.ts";
import {
  LOW_MMAP_END,
  LOW_MMAP_START,
  MAX_MAP_COUNT,
  MMAP_MIN,
  MMAP_TOP,
  STACK_GUARD_GAP,
  USER_END,
} from "./layout.ts";
import type { Machine } from "./machine.ts";
import type { MemoryOwner } from "./memory-owner.ts";
import { Entry, FRAME_SHIFT, PageMap } from "./page-map.ts";
import { PAST_END, SharedFile } from "./shared-file.ts";
import { Prot, sliceVma, type Vma, type VmaAttributes, VmaSet } from "./vma.ts";

/**
 * Why an access failed: nothing there (SEGV_MAPERR), not with these rights (SEGV_ACCERR), behind the end of a mapped
 * file (SIGBUS), or no frame left.
 */
export type FaultReason = "unmapped" | "forbidden" | "past end" | "out of memory";

/** Frames that only system calls may not use up: below this, new mappings are refused so that faults still succeed. */
const RESERVE_FRACTION = 64;

function rightsOf(prot: number): number {
  const rights = prot & Entry.Rights;
  return rights === 0 ? 0 : rights | Access.Read;
}

function entryOf(frame: number, bits: number): number {
  return ((frame << FRAME_SHIFT) | bits) >>> 0;
}

/** May a program execute it? The kernel's own areas do not count. */
function isProgramCode({ prot, owner }: Vma): boolean {
  return (prot & Prot.Exec) !== 0 && owner !== undefined;
}

export class AddressSpace implements Translator {
  readonly frames: FrameAllocator;
  readonly areas = new VmaSet();
  /** Files with mapped areas: kept open as long as there are any. */
  private readonly mappedFiles = new Map<Inode, OpenFile>();
  private readonly sharedFiles = new Map<Inode, SharedFile>();
  private readonly pages = new PageMap();
  /** Read faults on untouched anonymous memory all see this frame, until the first write. */
  private readonly zeroFrame: number;

  /** @param prepare touches memory ahead of its use, if the host can */
  constructor(
    private readonly machine: Machine,
    prepare?: PrepareMemory,
  ) {
    const forgetCode = (start: number, length: number) => machine.engine.invalidatePhysical(start, length);
    this.frames = new FrameAllocator(machine.ram, forgetCode, prepare);
    this.zeroFrame = this.frames.allocate(true);
  }

  // --- Translation -------------------------------------------------------------------------------------------------

  translate(virtual: number, access: Access, out: Translation): boolean {
    if (virtual >= 0 && virtual < USER_END) {
      let entry = this.pages.get(virtual);
      if ((entry & access) === 0) {
        const reason = this.fault(virtual, access);
        if (reason !== undefined) {
          out.errorCode = this.errorCode(virtual, access);
          return false;
        }
        entry = this.pages.get(virtual);
      }
      out.physicalPage = (entry >>> FRAME_SHIFT) * PAGE_SIZE;
      out.rights = entry & Entry.Rights;
      return true;
    }
    out.errorCode = this.errorCode(virtual, access);
    return false;
  }

  /** Page-fault error code as the processor would push it (Intel SDM vol. 3, 4.7). */
  private errorCode(virtual: number, access: Access): number {
    // As Linux does, a page that may only be read is brought in before its execution fails.
    if (access === Access.Execute) this.fault(virtual, Access.Read);
    const present = virtual >= 0 && virtual < USER_END && (this.pages.get(virtual) & Entry.Rights) !== 0;
    return (
      PageFaultBit.User |
      (present ? PageFaultBit.Present : 0) |
      (access === Access.Write ? PageFaultBit.Write : 0) |
      (access === Access.Execute ? PageFaultBit.Instruction : 0)
    );
  }

  /**
   * The physical address of a byte that may be accessed so, or -1. Brings the page in. The address may be any number.
   */
  resolve(address: number, access: Access): number {
    if (!(address >= 0 && address < USER_END)) return -1;
    let entry = this.pages.get(address);
    if ((entry & access) === 0) {
      if (this.fault(address, access) !== undefined) return -1;
      entry = this.pages.get(address);
    }
    return (entry >>> FRAME_SHIFT) * PAGE_SIZE + (address & (PAGE_SIZE - 1));
  }

  /**
   * Makes the page that holds `address` accessible, as far as its area allows.
   * @returns undefined when the access may go ahead, or why not
   */
  fault(address: number, access: Access): FaultReason | undefined {
    if (!(address >= 0 && address < USER_END)) return "unmapped";
    const vma = this.areas.find(address) ?? this.growStack(address);
    if (vma === undefined) return "unmapped";
    const rights = rightsOf(vma.prot);
    if ((rights & access) === 0) return "forbidden";
    const page = address - (address & (PAGE_SIZE - 1));
    const entry = this.pages.get(page);
    if ((entry & access) !== 0) return undefined;
    if ((entry & Entry.Present) === 0) return this.bringIn(vma, page, access, rights);
    // A first write: to a page that has to be copied, or to one of a shared file, which only has to be noted.
    if ((entry & Entry.CopyOnWrite) !== 0) return this.copyPage(vma, page, entry, rights);
    if (vma.file !== undefined && vma.shared) {
      this.sharedFile(vma.file.inode).markDirty(vma.file.offset + (page - vma.start));
    }
    this.install(page, entry >>> FRAME_SHIFT, rights);
    return undefined;
  }

  private bringIn(vma: Vma, page: number, access: Access, rights: number): FaultReason | undefined {
    if (vma.file === undefined) {
      if (access !== Access.Write) {
        this.install(page, this.zeroFrame, Entry.CopyOnWrite | (rights & ~Access.Write));
        return undefined;
      }
      const frame = this.frames.allocate(true);
      if (frame === NO_FRAME) return "out of memory";
      vma.owner?.addPage();
      this.install(page, frame, rights);
      return undefined;
    }
    const { inode } = vma.file;
    const position = vma.file.offset + (page - vma.start);
    try {
      if (vma.shared) {
        const file = this.sharedFile(inode);
        const frame = file.acquire(position);
        if (frame === NO_FRAME) return "out of memory";
        if (frame === PAST_END) return "past end";
        if (access === Access.Write) file.markDirty(position);
        vma.owner?.addPage();
        this.install(page, frame, access === Access.Write ? rights : rights & ~Access.Write);
        return undefined;
      }
      const frame = this.frames.allocate(false);
      if (frame === NO_FRAME) return "out of memory";
      let inFile = 0;
      try {
        inode.mappings?.writeBack(position, PAGE_SIZE);
        inFile = inode.readPage?.(position, this.frameBytes(frame)) ?? 0;
      } finally {
        if (inFile === 0) this.frames.release(frame);
      }
      if (inFile === 0) return "past end";
      vma.owner?.addPage();
      this.install(page, frame, rights);
      return undefined;
    } catch (error) {
      if (error instanceof Errno) return "past end";
      throw error;
    }
  }

  private frameBytes(frame: number): Uint8Array {
    return this.machine.ram.subarray(frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE);
  }

  private sharedFile(inode: Inode): SharedFile {
    let file = this.sharedFiles.get(inode);
    if (file === undefined) {
      file = new SharedFile(inode, this.machine.ram, this.frames, (which, from) => this.zapFile(which, from));
      this.sharedFiles.set(inode, file);
      inode.mappings = file;
    }
    return file;
  }

  private install(page: number, frame: number, bits: number): void {
    if ((bits & Access.Execute) !== 0) this.frames.markExecutable(frame);
    this.pages.set(page, entryOf(frame, bits | Entry.Present));
  }

  private copyPage(vma: Vma, page: number, entry: number, rights: number): FaultReason | undefined {
    const from = entry >>> FRAME_SHIFT;
    const isZero = from === this.zeroFrame;
    const frame = this.frames.allocate(isZero);
    if (frame === NO_FRAME) return "out of memory";
    if (isZero) {
      vma.owner?.addPage();
    } else {
      this.machine.ram.copyWithin(frame * PAGE_SIZE, from * PAGE_SIZE, (from + 1) * PAGE_SIZE);
      this.frames.release(from);
    }
    this.install(page, frame, rights);
    // Engines may still read through the old frame.
    this.machine.cpu.tlbFlush(page, PAGE_SIZE);
    return undefined;
  }

  /** An access just below a stack makes it grow, unless it comes too close to something else. */
  private growStack(address: number): Vma | undefined {
    const index = this.areas.indexAfter(address);
    const stack = this.areas.at(index);
    if (stack === undefined || !stack.growsDown || address < stack.growLimit) return undefined;
    const start = address - (address & (PAGE_SIZE - 1));
    const below = this.areas.at(index - 1);
    if (below !== undefined && below.prot !== Prot.None && below.end + STACK_GUARD_GAP > start)
      return undefined;
    this.areas.cut(stack, stack.start, stack.end);
    this.areas.insert({ ...stack, start });
    return this.areas.find(address);
  }

  // --- Mapping -----------------------------------------------------------------------------------------------------

  /** Would this much more writable memory be more than there can be? As Linux' heuristic overcommit (mode 0): single
   * wishes beyond all of RAM are refused; besides, nothing new when RAM is nearly gone. */
  overcommits(length: number): boolean {
    const pages = Math.ceil(length / PAGE_SIZE);
    return pages > this.frames.total || this.frames.free * RESERVE_FRACTION < this.frames.total;
  }

  /** No more areas, please (vm.max_map_count): their number bounds the time that changes take. */
  get isCrowded(): boolean {
    return this.areas.size >= MAX_MAP_COUNT;
  }

  /** A free range of `length` bytes for mmap without a fixed address; -1 when there is none. */
  findFree(length: number, low32: boolean): number {
    return low32
      ? this.areas.lowestGap(length, LOW_MMAP_START, LOW_MMAP_END)
      : this.areas.highestGap(length, MMAP_MIN, MMAP_TOP);
  }

  isFree(start: number, length: number): boolean {
    return this.areas.isFree(start, start + length);
  }

  /**
   * Maps a free range.
   * @param file what `attributes.file` was opened as; stays open while any of it is mapped
   */
  map(start: number, length: number, attributes: VmaAttributes, file?: OpenFile): void {
    if (attributes.file !== undefined && file !== undefined && !this.mappedFiles.has(attributes.file.inode)) {
      file.retain();
      this.mappedFiles.set(attributes.file.inode, file);
    }
    this.areas.insert({ ...attributes, start, end: start + length });
  }

  /** The areas of one owner that touch a range. */
  areasOf(owner: MemoryOwner | undefined, start: number, length: number): Vma[] {
    return this.areas.overlapping(start, start + length).filter((vma) => vma.owner === owner);
  }

  /** Removes everything that the owner has in a range. */
  unmap(start: number, length: number, owner: MemoryOwner | undefined): void {
    for (const vma of this.areasOf(owner, start, length)) {
      this.drop(this.areas.cut(vma, start, start + length));
    }
  }

  private drop(piece: Vma): void {
    this.discard(piece);
    const inode = piece.file?.inode;
    if (inode === undefined) return;
    for (const vma of this.areas) if (vma.file?.inode === inode) return;
    if (this.sharedFiles.delete(inode)) inode.mappings = undefined;
    const file = this.mappedFiles.get(inode);
    this.mappedFiles.delete(inode);
    file?.release();
  }

  /** A file became shorter: its pages from a position on are gone from all mappings. */
  private zapFile(inode: Inode, from: number): void {
    for (const vma of this.areas) {
      if (vma.file?.inode !== inode) continue;
      const start = Math.max(vma.start, vma.start + (from - vma.file.offset));
      if (start < vma.end) this.discard(sliceVma(vma, start, vma.end));
    }
  }

  /** Removes everything that the owner has. */
  unmapAll(owner: MemoryOwner): void {
    // The last program takes all translated code with it: at once, not page by page.
    const others = [...this.areas].filter((vma) => vma.owner !== owner);
    if (!others.some(isProgramCode)) this.machine.engine.invalidatePhysical(0, this.machine.ram.length);
    // Highest first: what is taken from the end of an array moves nothing.
    for (const vma of [...this.areas].reverse()) {
      if (vma.owner === owner) this.drop(this.areas.cut(vma, vma.start, vma.end));
    }
  }

  /** Forgets the pages of a piece of an area: the next access brings them in afresh. */
  discard(piece: Vma): void {
    let some = false;
    this.pages.update(piece.start, piece.end, (address, entry) => {
      some = true;
      const frame = entry >>> FRAME_SHIFT;
      if (frame !== this.zeroFrame && piece.owner !== undefined) piece.owner.residentPages--;
      if (piece.file !== undefined && piece.shared) {
        this.sharedFile(piece.file.inode).release(piece.file.offset + (address - piece.start), frame);
      } else if (frame !== this.zeroFrame) {
        this.frames.release(frame);
      }
      return 0;
    });
    if (some) this.machine.cpu.tlbFlush(piece.start, piece.end - piece.start);
  }

  /** msync(2): saves what was written to a piece of a shared file mapping. */
  sync(piece: Vma): void {
    if (piece.file === undefined || !piece.shared) return;
    this.sharedFiles.get(piece.file.inode)?.writeBack(piece.file.offset, piece.end - piece.start);
  }

  /** Changes the rights of a piece `[start, end)` of an area. */
  protect(vma: Vma, start: number, end: number, prot: number): void {
    const piece = this.areas.cut(vma, start, end);
    this.areas.insert({ ...piece, prot });
    const rights = rightsOf(prot);
    let lost = false;
    this.pages.update(piece.start, piece.end, (_address, entry) => {
      let allowed = rights;
      if ((entry & Entry.CopyOnWrite) !== 0) allowed &= ~Access.Write;
      // Pages of shared files get their write right when they are next written to.
      if (piece.file !== undefined && piece.shared) allowed &= ~Access.Write;
      if ((allowed & Access.Execute) !== 0) this.frames.markExecutable(entry >>> FRAME_SHIFT);
      if ((entry & Entry.Rights & ~allowed) !== 0) lost = true;
      return ((entry & ~Entry.Rights) | allowed) >>> 0;
    });
    if (lost) this.machine.cpu.tlbFlush(piece.start, piece.end - piece.start);
  }

  /** Moves the pages of a piece of an area to a free range at `target` that may be longer (mremap). */
  move(vma: Vma, start: number, end: number, target: number, length: number, keepOld: boolean): void {
    const piece = this.areas.cut(vma, start, end);
    const moved: (readonly [number, number])[] = [];
    this.pages.update(piece.start, piece.end, (address, entry) => {
      moved.push([address - start + target, entry]);
      return 0;
    });
    if (moved.length > 0) this.machine.cpu.tlbFlush(piece.start, piece.end - piece.start);
    for (const [address, entry] of moved) this.pages.set(address, entry);
    if (keepOld) this.areas.insert(piece);
    this.areas.insert({ ...sliceVma(piece, start, end), start: target, end: target + length });
  }

  /** Makes an area longer in place; the range behind it is free. */
  extend(vma: Vma, length: number): void {
    const piece = this.areas.cut(vma, vma.start, vma.end);
    this.areas.insert({ ...piece, end: piece.end + length });
  }

  /** Is there a frame behind this page? */
  isResident(address: number): boolean {
    return (this.pages.get(address) & Entry.Present) !== 0;
  }

  /** How many pages of an area have a frame of their own. */
  residentPages(vma: Vma): number {
    let pages = 0;
    this.pages.update(vma.start, vma.end, (_address, entry) => {
      if (entry >>> FRAME_SHIFT !== this.zeroFrame) pages++;
      return entry;
    });
    return pages;
  }

  /** Bytes that the owner's areas span, and bytes that have frames of their own. */
  usage(owner: MemoryOwner): { virtual: number; resident: number } {
    let virtual = 0;
    for (const vma of this.areas) if (vma.owner === owner) virtual += vma.end - vma.start;
    return { virtual, resident: owner.residentPages * PAGE_SIZE };
  }
}
