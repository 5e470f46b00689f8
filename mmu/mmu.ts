/**
 * The slow paths of memory access: TLB misses, accesses that cross a page, writes to pages that hold translated code.
 * Generated code and TypeScript helpers meet guest memory here; the inline fast path is the TLB alone.
 */

import { CodePages } from "./code-pages.ts";
import { Tlb } from "./tlb.ts";
import { Access, PAGE_SHIFT, PAGE_SIZE, type Translation, type Translator } from "./translator.ts";

/** An access that the translator refused. */
export class PageFault extends Error {
  constructor(
    readonly address: number,
    readonly errorCode: number,
  ) {
    super(`page fault at ${address.toString(16)}`);
    this.name = "PageFault";
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

export class Mmu {
  readonly codePages: CodePages;
  readonly tlb: Tlb;
  listener: CodeWriteListener | undefined;
  journal: WriteJournal | undefined;
  /** How often the slow paths ran. */
  misses = 0;
  private readonly bytes: Uint8Array;
  /** By physical page: 1 if the TLB may have an entry that lets it be written. */
  private readonly writable: Uint8Array;
  private readonly translation: Translation = { physicalPage: 0, rights: 0, errorCode: 0 };
  /** Modifying accesses that went through the scratch bytes: where they have to be written back. */
  private modifyAddress = 0;
  private modifyLength = 0;
  private scratchBytes: Uint8Array;

  /**
   * Guest RAM is the front of `buffer`.
   * @param scratch where crossing accesses are put together, 64 bytes in `buffer`
   */
  constructor(
    buffer: ArrayBufferLike,
    readonly ramSize: number,
    public translator: Translator,
    tlbBase: number,
    readonly scratch: number,
  ) {
    this.bytes = new Uint8Array(buffer);
    this.scratchBytes = this.bytes.subarray(scratch, scratch + 64);
    this.codePages = new CodePages(ramSize);
    this.writable = new Uint8Array(ramSize / PAGE_SIZE);
    this.tlb = new Tlb(buffer, tlbBase);
  }

  /**
   * Linear address of one page for an access; enters it into the TLB.
   * @throws PageFault
   */
  private page(address: number, access: Access): number {
    this.misses++;
    const translation = this.translation;
    if (!this.translator.translate(address, access, translation))
      throw new PageFault(address, translation.errorCode);
    const physical = translation.physicalPage;
    let rights = translation.rights;
    if (this.codePages.hasCode(physical)) rights &= ~Access.Write;
    const virtual = address - pageOffset(address);
    if (this.journal !== undefined) rights = this.journal.entering(virtual, physical, access, rights);
    if ((rights & Access.Write) !== 0) this.writable[physical >>> PAGE_SHIFT] = 1;
    this.tlb.fill(virtual, physical, rights);
    return physical + pageOffset(address);
  }

  /** Physical address of an instruction byte. @throws PageFault */
  fetchAddress(address: number): number {
    return this.page(address, Access.Execute);
  }

  /** Linear address where `length` bytes can be read now: in RAM, or collected in the scratch bytes. @throws PageFault */
  load(address: number, length: number): number {
    if (pageOffset(address) + length <= PAGE_SIZE) return this.page(address, Access.Read);
    this.read(address, this.scratchBytes.subarray(0, length));
    return this.scratch;
  }

  /** Stores the first `length` scratch bytes. @throws PageFault before anything is written */
  store(address: number, length: number): void {
    if (pageOffset(address) + length > PAGE_SIZE) {
      this.write(address, this.scratchBytes.subarray(0, length));
      return;
    }
    const linear = this.page(address, Access.Write);
    const { bytes, scratch } = this;
    for (let index = 0; index < length; index++) bytes[linear + index] = bytes[scratch + index];
    if (this.codePages.hasCode(linear)) this.written(linear, length);
  }

  /**
   * Linear address where `length` bytes can be read and then written. If it is the scratch address, {@link commit} must
   * follow the write. @throws PageFault
   */
  modify(address: number, length: number): number {
    if (pageOffset(address) + length <= PAGE_SIZE) {
      const linear = this.page(address, Access.Write);
      if (!this.codePages.hasCode(linear)) return linear;
    } else this.probe(address, length);
    this.read(address, this.scratchBytes.subarray(0, length));
    this.modifyAddress = address;
    this.modifyLength = length;
    return this.scratch;
  }

  commit(): void {
    this.write(this.modifyAddress, this.scratchBytes.subarray(0, this.modifyLength));
  }

  /** Would a write of these bytes hit translated code? @throws PageFault */
  wouldChangeCode(address: number, length: number): boolean {
    const end = address + length;
    for (let at = address; at < end; at += PAGE_SIZE - pageOffset(at)) {
      const count = Math.min(end - at, PAGE_SIZE - pageOffset(at));
      if (this.codePages.touches(this.page(at, Access.Write), count)) return true;
    }
    return false;
  }

  /** Faults if the bytes cannot be written. @throws PageFault */
  probe(address: number, length: number): void {
    for (let at = address; at < address + length; at += PAGE_SIZE - pageOffset(at))
      this.page(at, Access.Write);
  }

  /** Copies guest memory out. @throws PageFault */
  read(address: number, into: Uint8Array): void {
    let done = 0;
    while (done < into.length) {
      const at = address + done;
      const count = Math.min(into.length - done, PAGE_SIZE - pageOffset(at));
      const linear = this.page(at, Access.Read);
      into.set(this.bytes.subarray(linear, linear + count), done);
      done += count;
    }
  }

  /** Copies into guest memory, all or nothing. @throws PageFault */
  write(address: number, from: Uint8Array): void {
    this.probe(address, from.length);
    let done = 0;
    while (done < from.length) {
      const at = address + done;
      const count = Math.min(from.length - done, PAGE_SIZE - pageOffset(at));
      const linear = this.page(at, Access.Write);
      this.bytes.set(count === from.length ? from : from.subarray(done, done + count), linear);
      this.written(linear, count);
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
    this.tlb.protectLinearPage(start - pageOffset(start));
  }
}

/** Offset in the page, for negative (upper-half) addresses too. */
function pageOffset(address: number): number {
  return (address | 0) & (PAGE_SIZE - 1);
}
