/**
 * The slow paths of memory access: TLB misses, accesses that cross a page, writes to pages that hold translated code.
 * Generated code and TypeScript helpers meet guest memory here; the inline fast path is the TLB alone.
 */

import { CodePages } from "./code-pages.ts";
import { type Tlb, TlbAttribute } from "./tlb.ts";
import {
  Access,
  PAGE_SHIFT,
  PAGE_SIZE,
  PageFaultBit,
  type Translation,
  type Translator,
} from "./translator.ts";
import type { Watchpoints } from "./watchpoints.ts";

const SCRATCH_BYTES = 64;

/**
 * An access that the translator refused. Whoever catches it reads it at once: there is one object, for all faults. (With an
 * Error and a stack trace for each, guests that fork spent a twentieth of their time on these.)
 */
export class PageFault extends Error {
  override readonly name = "PageFault";
  address = 0;
  errorCode = 0;
}

const PAGE_FAULT = new PageFault("a page fault that nobody has handled");

/** To be thrown. */
export function pageFault(address: number, errorCode: number): PageFault {
  PAGE_FAULT.address = address;
  PAGE_FAULT.errorCode = errorCode;
  return PAGE_FAULT;
}

/** A data access that is not aligned, while that is checked. */
export class AlignmentFault extends Error {
  constructor(readonly address: number) {
    super(`unaligned access at ${address.toString(16)}`);
    this.name = "AlignmentFault";
  }
}

/** Told when a guest write hits translated code, after the write. */
export interface CodeWriteListener {
  codeWritten(physical: number, length: number): void;
}

/** Sees every page before it is written to: as long as there is one, the TLB lets no write through that it has not seen. */
export interface WriteJournal {
  /**
   * A page is about to be entered into the TLB.
   * @param access what it is asked for; only for Write may its bytes change now
   * @param rights what the translator allows
   * @returns what the TLB may allow from now on; the journal takes Write back when it wants to see the page again
   */
  entering(virtualPage: number, physicalPage: number, access: Access, rights: number): number;
}

/** Physical pages that are not RAM, and how they are accessed: at most 4 bytes at once, values unsigned. */
export interface PhysicalDevices {
  /** Asked for pages below the RAM's size; "rom" is RAM that writes do not reach. */
  kind(physicalPage: number): "ram" | "rom" | "device";
  read(physical: number, size: 1 | 2 | 4): number;
  write(physical: number, size: 1 | 2 | 4, value: number): void;
}

/** Segments that do not allow everything: accesses through them have guarded addresses. */
export interface AddressGuard {
  isGuarded(address: number): boolean;
  /** The linear address. @throws if the segment does not allow the access */
  linear(address: number, length: number, access: Access): number;
}

/**
 * A privilege level's view of memory: its TLB, and the scratch bytes beside it. A machine that runs user code only has one;
 * else supervisor and user each have theirs, so that a change of level flushes nothing.
 */
export interface MmuView {
  readonly tlb: Tlb;
  /** Where crossing accesses are put together: 64 bytes, a linear address. */
  readonly scratch: number;
  /**
   * Instructions' data accesses must be aligned. Fast paths do not look at that: while it is so the TLB has no right to
   * read or write any page, and all of them come to the slow paths.
   */
  checksAlignment: boolean;
}

/** Vectors of 32 bytes are as well off as those of 16 (measured on EPYC). */
const MOST_ALIGNMENT = 16;

/** Alignment that is asked for by the bytes of an access: the largest power of two in it. */
function alignmentOf(length: number): number {
  return Math.min(length & -length, MOST_ALIGNMENT);
}

export class Mmu {
  readonly codePages: CodePages;
  /** The view in use. */
  tlb: Tlb;
  scratch: number;
  private view: MmuView;
  listener: CodeWriteListener | undefined;
  devices: PhysicalDevices | undefined;
  /** The last page that code was fetched from is mapped as global. */
  isGlobal = false;
  journal: WriteJournal | undefined;
  /** Outside of 64-bit mode on a whole PC. */
  guard: AddressGuard | undefined;
  /** Data watchpoints, if there are any. */
  watchpoints: Watchpoints | undefined;
  /** How often the slow paths ran. */
  misses = 0;
  private readonly bytes: Uint8Array;
  /** By physical page: 1 if a TLB may have an entry that lets it be written. */
  private readonly writable: Uint8Array;
  private readonly translation: Translation = { physicalPage: 0, rights: 0, errorCode: 0, attributes: 0 };
  /** Modifying accesses that went through the scratch bytes: where they have to be written back. */
  private modifyAddress = 0;
  private modifyLength = 0;
  private scratchBytes: Uint8Array;

  /** Guest RAM is the front of `buffer`. The first view is in use at first. */
  constructor(
    buffer: ArrayBufferLike,
    readonly ramSize: number,
    public translator: Translator,
    readonly views: readonly MmuView[],
  ) {
    this.bytes = new Uint8Array(buffer);
    this.codePages = new CodePages(ramSize);
    this.writable = new Uint8Array(ramSize / PAGE_SIZE);
    this.view = views[0];
    this.tlb = this.view.tlb;
    this.scratch = this.view.scratch;
    this.scratchBytes = this.bytes.subarray(this.scratch, this.scratch + SCRATCH_BYTES);
  }

  useView(index: number): void {
    this.view = this.views[index];
    const { tlb, scratch } = this.view;
    this.tlb = tlb;
    this.scratch = scratch;
    this.scratchBytes = this.bytes.subarray(scratch, scratch + SCRATCH_BYTES);
  }

  /** Whether instructions' data accesses must be aligned, in the view in use. */
  get checksAlignment(): boolean {
    return this.view.checksAlignment;
  }

  set checksAlignment(isOn: boolean) {
    if (isOn && !this.view.checksAlignment) this.tlb.flush();
    this.view.checksAlignment = isOn;
  }

  /**
   * For instructions that do not reach memory by {@link load} and the like alone: checks an access that may have to be
   * aligned. @throws PageFault, AlignmentFault
   */
  requireAligned(address: number, length: number, access: Access): void {
    if (!this.view.checksAlignment || (address & (alignmentOf(length) - 1)) === 0) return;
    // A page fault comes first (SDM vol. 3, table 6-2).
    for (let at = address; at < address + length; at += PAGE_SIZE - pageOffset(at)) this.page(at, access);
    throw new AlignmentFault(address);
  }

  /**
   * Linear address of one page for an access; enters it into the TLB. What is not RAM never gets there: for the physical
   * address p of a device the result is ~p (as -p - 1).
   * @throws PageFault
   */
  private page(address: number, access: Access): number {
    this.misses++;
    const translation = this.translation;
    if (!this.translator.translate(address, access, translation))
      throw pageFault(address, translation.errorCode);
    const physical = translation.physicalPage;
    let rights = translation.rights;
    const { devices } = this;
    if (devices !== undefined) {
      const kind = physical >= this.ramSize ? "device" : devices.kind(physical);
      if (kind === "device" || (kind === "rom" && access === Access.Write))
        return -(physical + pageOffset(address)) - 1;
      if (kind === "rom") rights &= ~Access.Write;
    }
    if (this.codePages.hasCode(physical)) rights &= ~Access.Write;
    const virtual = address - pageOffset(address);
    if (this.journal !== undefined) rights = this.journal.entering(virtual, physical, access, rights);
    if (this.watchpoints !== undefined) rights &= ~this.watchpoints.denied(virtual);
    if (this.view.checksAlignment) rights &= Access.Execute;
    if ((rights & Access.Write) !== 0) this.writable[physical >>> PAGE_SHIFT] = 1;
    this.tlb.fill(virtual, physical, rights, translation.attributes);
    return physical + pageOffset(address);
  }

  /** Reads a device's registers, in pieces of 4 bytes at most. */
  private readDevice(physical: number, into: Uint8Array, from: number, length: number): void {
    const { devices } = this;
    if (devices === undefined) return;
    for (let done = 0; done < length; ) {
      const size = accessSize(physical + done, length - done);
      const value = devices.read(physical + done, size);
      for (let byte = 0; byte < size; byte++) into[from + done + byte] = value >>> (8 * byte);
      done += size;
    }
  }

  private writeDevice(physical: number, from: Uint8Array, start: number, length: number): void {
    const { devices } = this;
    if (devices === undefined) return;
    for (let done = 0; done < length; ) {
      const size = accessSize(physical + done, length - done);
      let value = 0;
      for (let byte = size - 1; byte >= 0; byte--) value = ((value << 8) | from[start + done + byte]) >>> 0;
      devices.write(physical + done, size, value);
      done += size;
    }
  }

  /** Physical address of an instruction byte. @throws PageFault, also where there is no RAM to execute from */
  fetchAddress(address: number): number {
    const known = this.tlb.executable(address);
    if (known >= 0) {
      this.isGlobal = this.tlb.foundGlobal;
      return known;
    }
    const linear = this.page(address, Access.Execute);
    if (linear < 0) throw pageFault(address, PageFaultBit.Present | PageFaultBit.Instruction);
    this.isGlobal = ((this.translation.attributes ?? 0) & TlbAttribute.Global) !== 0;
    return linear;
  }

  /**
   * As {@link fetchAddress}, without a trace: for code that is only looked at.
   * @returns -1 if it cannot be fetched, or not without setting a flag in the page tables
   */
  peekCode(address: number): number {
    const { translator, translation } = this;
    if (translator.peek === undefined) {
      try {
        return this.fetchAddress(address);
      } catch (error) {
        if (error instanceof PageFault) return -1;
        throw error;
      }
    }
    if (!translator.peek(address, Access.Execute, translation)) return -1;
    const physical = translation.physicalPage;
    if (physical >= this.ramSize || this.devices?.kind(physical) === "device") return -1;
    this.isGlobal = ((translation.attributes ?? 0) & TlbAttribute.Global) !== 0;
    return physical + pageOffset(address);
  }

  /** Linear address where `length` bytes can be read now: in RAM, or collected in the scratch bytes. @throws PageFault */
  load(address: number, length: number): number {
    if (this.guard?.isGuarded(address) === true)
      return this.load(this.guard.linear(address, length, Access.Read), length);
    this.requireAligned(address, length, Access.Read);
    this.watchpoints?.check(address, length, Access.Read);
    if (pageOffset(address) + length <= PAGE_SIZE) {
      const linear = this.page(address, Access.Read);
      if (linear < 0) this.readDevice(-linear - 1, this.scratchBytes, 0, length);
      // Nobody must take this for leave to read more of the page.
      else if (this.isWatched(address, Access.Read))
        this.scratchBytes.set(this.bytes.subarray(linear, linear + length));
      else return linear;
      return this.scratch;
    }
    const inFirst = PAGE_SIZE - pageOffset(address);
    const first = this.page(address, Access.Read);
    const second = this.page(address + inFirst, Access.Read);
    if (first < 0 || second < 0) this.read(address, this.scratchBytes.subarray(0, length));
    else {
      const { bytes, scratch } = this;
      for (let index = 0; index < length; index++)
        bytes[scratch + index] = bytes[index < inFirst ? first + index : second + (index - inFirst)];
    }
    return this.scratch;
  }

  /** Stores the first `length` scratch bytes. @throws PageFault before anything is written */
  store(address: number, length: number): void {
    if (this.guard?.isGuarded(address) === true) {
      this.store(this.guard.linear(address, length, Access.Write), length);
      return;
    }
    this.requireAligned(address, length, Access.Write);
    this.watchpoints?.check(address, length, Access.Write);
    if (pageOffset(address) + length > PAGE_SIZE) {
      this.storeAcross(address, length);
      return;
    }
    const linear = this.page(address, Access.Write);
    if (linear < 0) {
      this.writeDevice(-linear - 1, this.scratchBytes, 0, length);
      return;
    }
    const { bytes, scratch } = this;
    for (let index = 0; index < length; index++) bytes[linear + index] = bytes[scratch + index];
    if (this.codePages.hasCode(linear)) this.written(linear, length);
  }

  private storeAcross(address: number, length: number): void {
    const inFirst = PAGE_SIZE - pageOffset(address);
    const first = this.page(address, Access.Write);
    const second = this.page(address + inFirst, Access.Write);
    if (first < 0 || second < 0) {
      this.write(address, this.scratchBytes.subarray(0, length));
      return;
    }
    const { bytes, scratch } = this;
    for (let index = 0; index < length; index++)
      bytes[index < inFirst ? first + index : second + (index - inFirst)] = bytes[scratch + index];
    if (this.codePages.hasCode(first)) this.written(first, inFirst);
    if (this.codePages.hasCode(second)) this.written(second, length - inFirst);
  }

  /**
   * Linear address where `length` bytes can be read and then written. If it is the scratch address, {@link commit} must
   * follow the write. @throws PageFault
   */
  modify(address: number, length: number): number {
    if (this.guard?.isGuarded(address) === true) {
      this.guard.linear(address, length, Access.Read);
      return this.modify(this.guard.linear(address, length, Access.Write), length);
    }
    this.requireAligned(address, length, Access.Write);
    this.watchpoints?.check(address, length, Access.Read);
    this.watchpoints?.check(address, length, Access.Write);
    if (pageOffset(address) + length <= PAGE_SIZE) {
      const linear = this.page(address, Access.Write);
      if (linear >= 0 && !this.codePages.hasCode(linear)) return linear;
    } else this.requireWritable(address, length);
    this.read(address, this.scratchBytes.subarray(0, length));
    this.modifyAddress = address;
    this.modifyLength = length;
    return this.scratch;
  }

  commit(): void {
    this.write(this.modifyAddress, this.scratchBytes.subarray(0, this.modifyLength));
  }

  /** Would a write of these bytes hit translated code (or a device)? @throws PageFault */
  wouldChangeCode(address: number, length: number): boolean {
    if (this.guard?.isGuarded(address) === true)
      return this.wouldChangeCode(this.guard.linear(address, length, Access.Write), length);
    const end = address + length;
    for (let at = address; at < end; at += PAGE_SIZE - pageOffset(at)) {
      const count = Math.min(end - at, PAGE_SIZE - pageOffset(at));
      const linear = this.page(at, Access.Write);
      if (linear < 0 || this.codePages.touches(linear, count)) return true;
    }
    return false;
  }

  /**
   * Linear address where the rest of a page can be written without anybody seeing it, or -1 where {@link write} must see it:
   * a device, translated code. @throws PageFault
   */
  direct(address: number): number {
    if (this.guard?.isGuarded(address) === true || this.view.checksAlignment) return -1;
    const linear = this.page(address, Access.Write);
    if (linear < 0 || this.isWatched(address, Access.Write)) return -1;
    return this.codePages.hasCode(linear) ? -1 : linear;
  }

  private isWatched(address: number, access: Access): boolean {
    return this.watchpoints !== undefined && (this.watchpoints.denied(address) & access) !== 0;
  }

  /** Faults if the instruction under way cannot write the bytes. @throws PageFault, AlignmentFault */
  probe(address: number, length: number): void {
    if (this.guard?.isGuarded(address) === true) {
      this.probe(this.guard.linear(address, length, Access.Write), length);
      return;
    }
    this.requireAligned(address, length, Access.Write);
    this.requireWritable(address, length);
  }

  private requireWritable(address: number, length: number): void {
    this.watchpoints?.check(address, length, Access.Write);
    for (let at = address; at < address + length; at += PAGE_SIZE - pageOffset(at))
      this.page(at, Access.Write);
  }

  /** Copies guest memory out. @throws PageFault */
  read(address: number, into: Uint8Array): void {
    if (this.guard?.isGuarded(address) === true) {
      this.read(this.guard.linear(address, into.length, Access.Read), into);
      return;
    }
    this.watchpoints?.check(address, into.length, Access.Read);
    let done = 0;
    while (done < into.length) {
      const at = address + done;
      const count = Math.min(into.length - done, PAGE_SIZE - pageOffset(at));
      const linear = this.page(at, Access.Read);
      if (linear < 0) this.readDevice(-linear - 1, into, done, count);
      else into.set(this.bytes.subarray(linear, linear + count), done);
      done += count;
    }
  }

  /** Copies into guest memory, all or nothing. @throws PageFault */
  write(address: number, from: Uint8Array): void {
    if (this.guard?.isGuarded(address) === true) {
      this.write(this.guard.linear(address, from.length, Access.Write), from);
      return;
    }
    this.requireWritable(address, from.length);
    let done = 0;
    while (done < from.length) {
      const at = address + done;
      const count = Math.min(from.length - done, PAGE_SIZE - pageOffset(at));
      const linear = this.page(at, Access.Write);
      if (linear < 0) this.writeDevice(-linear - 1, from, done, count);
      else {
        this.bytes.set(count === from.length ? from : from.subarray(done, done + count), linear);
        this.written(linear, count);
      }
      done += count;
    }
  }

  /** To be called after RAM was changed other than through this class: translated code may be stale. */
  written(physical: number, length: number): void {
    for (let at = physical; at < physical + length; ) {
      const count = Math.min(physical + length - at, PAGE_SIZE - (at % PAGE_SIZE));
      if (this.codePages.touches(at, count)) this.listener?.codeWritten(at, count);
      at += count;
    }
  }

  /** `[start, start + length)` (physical, within a page) is being translated: writes to it must be seen. */
  markCode(start: number, length: number): void {
    const page = start >>> PAGE_SHIFT;
    if (!this.codePages.mark(start, length) || this.writable[page] === 0) return;
    this.writable[page] = 0;
    for (const { tlb } of this.views) tlb.protectLinearPage(start - pageOffset(start));
  }

  /** Forgets every translation, of all views. */
  flush(): void {
    for (const { tlb } of this.views) tlb.flush();
  }

  /** CR3 was loaded: forgets every translation but those of global pages. */
  flushTransient(): void {
    for (const { tlb } of this.views) tlb.flushTransient();
  }

  /** INVLPG. */
  flushPageOf(virtual: number): void {
    for (const { tlb } of this.views) tlb.flushPageOf(virtual);
  }
}

/** The widest naturally aligned access that is not longer than `length`. */
function accessSize(physical: number, length: number): 1 | 2 | 4 {
  if (length >= 4 && physical % 4 === 0) return 4;
  return length >= 2 && physical % 2 === 0 ? 2 : 1;
}

/** Offset in the page, for negative (upper-half) addresses too. */
function pageOffset(address: number): number {
  return (address | 0) & (PAGE_SIZE - 1);
}
