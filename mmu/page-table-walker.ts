/**
 * Page-table walks: Intel SDM vol. 3, chapter 4. Translates in all paging modes that the processor has (none, 32-bit, PAE,
 * 4-level), sets accessed and dirty flags, and tells page faults apart.
 */

import { TlbAttribute } from "./tlb.ts";
import { Access, PageFaultBit, type Translation, type Translator } from "./translator.ts";

export type PagingMode = "none" | "32-bit" | "pae" | "4-level";

/** Control registers as far as they decide on translation; whoever writes those registers keeps this up to date. */
export interface PagingState {
  mode: PagingMode;
  /** Physical address of the root table: bits of CR3. */
  root: number;
  /** PAE: the four PDPTEs as they were when CR3 was loaded, low halves (with P) and high halves. */
  readonly pdpteLow: Int32Array;
  readonly pdpteHigh: Int32Array;
  /** CPL is 3. */
  user: boolean;
  /** CR0.WP, CR4.PSE, CR4.PGE, CR4.SMEP, CR4.SMAP, EFER.NXE. */
  writeProtect: boolean;
  pageSizeExtension: boolean;
  globalPages: boolean;
  smep: boolean;
  smap: boolean;
  noExecute: boolean;
  /** EFLAGS.AC, which suspends SMAP for explicit accesses. */
  alignmentCheckFlag(): boolean;
}

export function createPagingState(): PagingState {
  return {
    mode: "none",
    root: 0,
    pdpteLow: new Int32Array(4),
    pdpteHigh: new Int32Array(4),
    user: false,
    writeProtect: false,
    pageSizeExtension: false,
    globalPages: false,
    smep: false,
    smap: false,
    noExecute: false,
    alignmentCheckFlag: () => false,
  };
}

/** Bits of all paging-structure entries (SDM vol. 3, tables 4-14 to 4-20). */
const Entry = {
  P: 1 << 0,
  RW: 1 << 1,
  US: 1 << 2,
  A: 1 << 5,
  D: 1 << 6,
  PS: 1 << 7,
  G: 1 << 8,
} as const;
/** In the high half. */
const XD = 0x80000000 | 0;

/** MAXPHYADDR, as CPUID.80000008H reports it. */
export const PHYSICAL_ADDRESS_BITS = 39;
/** In high halves: address bits that exist, and those from MAXPHYADDR to 51 (in PAE entries to 62), which must be 0. */
const ADDRESS_HIGH = (1 << (PHYSICAL_ADDRESS_BITS - 32)) - 1;
const RESERVED_HIGH_LONG = 0x000fffff & ~ADDRESS_HIGH;
const RESERVED_HIGH_PAE = 0x7fffffff & ~ADDRESS_HIGH;
/** Low halves of entries that map 2 MiB and 1 GiB: bits between PAT and the address. */
const RESERVED_2M = 0x001fe000;
const RESERVED_1G = 0x3fffe000;
/** 32-bit paging's 4 MiB entries hold address bits 38…32 in bits 19…13; bits 21…20 are reserved (PSE-36). */
const RESERVED_4M = 0x00300000;
const TWO_32 = 0x100000000;

export class PageTableWalker implements Translator {
  private readonly words: Int32Array;
  /** Word index of each entry used on the way. */
  private readonly path = new Int32Array(4);
  /** The access is the processor's own (descriptor tables, TSS): supervisor whatever CPL is, and EFLAGS.AC means nothing. */
  private implicit = false;
  /** Flags in the tables are left as they are; whether one would have to be set. */
  private peeking = false;
  private untouched = false;

  /** @param ram the machine's RAM, from physical address 0 */
  constructor(
    ram: Uint8Array,
    readonly state: PagingState,
  ) {
    this.words = new Int32Array(ram.buffer, ram.byteOffset, ram.length >>> 2);
  }

  /** Linear addresses are signed numbers in long mode, 0…2^32-1 in the others. */
  translate(virtual: number, access: Access, out: Translation): boolean {
    const { state } = this;
    switch (state.mode) {
      case "none": {
        out.physicalPage = virtual - (virtual % 4096);
        out.rights = Access.Read | Access.Write | Access.Execute;
        out.attributes = 0;
        return true;
      }
      case "4-level":
        return this.walkWide(virtual, access, out, state.root, 3, RESERVED_HIGH_LONG);
      case "pae": {
        const index = (virtual >>> 30) & 3;
        const low = state.pdpteLow[index];
        if ((low & Entry.P) === 0) return this.fault(access, 0, out);
        const table = address(low, state.pdpteHigh[index]);
        return this.walkWide(virtual, access, out, table, 1, RESERVED_HIGH_PAE);
      }
      case "32-bit":
        return this.walkNarrow(virtual >>> 0, access, out);
    }
  }

  /** As {@link translate}, for the processor's own accesses to its tables. */
  translateImplicit(virtual: number, access: Access, out: Translation): boolean {
    const { state } = this;
    const { user } = state;
    state.user = false;
    this.implicit = true;
    try {
      return this.translate(virtual, access, out);
    } finally {
      state.user = user;
      this.implicit = false;
    }
  }

  peek(virtual: number, access: Access, out: Translation): boolean {
    this.peeking = true;
    this.untouched = false;
    try {
      return this.translate(virtual, access, out) && !this.untouched;
    } finally {
      this.peeking = false;
    }
  }

  /** Tables of 512 entries of 8 bytes: PAE and 4-level paging. */
  private walkWide(
    virtual: number,
    access: Access,
    out: Translation,
    root: number,
    top: number,
    reservedAddress: number,
  ): boolean {
    const { words, path, state } = this;
    const reservedHigh = state.noExecute ? reservedAddress : reservedAddress | XD;
    const low = virtual | 0;
    const high = Math.floor(virtual / TWO_32);
    let table = root;
    let rights = Entry.RW | Entry.US;
    let noExecute = 0;
    let entryLow: number;
    let entryHigh: number;
    let level = top;
    for (; ; level--) {
      const index =
        level === 3
          ? (high >> 7) & 511
          : level === 2
            ? ((high & 0x7f) << 2) | (low >>> 30)
            : level === 1
              ? (low >>> 21) & 511
              : (low >>> 12) & 511;
      const at = table / 4 + index * 2;
      if (at >= words.length) return this.fault(access, 0, out); // nothing there
      entryLow = words[at];
      entryHigh = words[at + 1];
      if ((entryLow & Entry.P) === 0) return this.fault(access, 0, out);
      if ((entryHigh & reservedHigh) !== 0) return this.reserved(access, out);
      rights &= entryLow;
      noExecute |= entryHigh & XD;
      path[level] = at;
      if (level === 0) break;
      if ((entryLow & Entry.PS) !== 0) {
        if (level === 3) return this.reserved(access, out);
        if ((entryLow & (level === 1 ? RESERVED_2M : RESERVED_1G)) !== 0) return this.reserved(access, out);
        break;
      }
      table = address(entryLow, entryHigh);
    }
    const allowed = this.allowed((rights & Entry.RW) !== 0, (rights & Entry.US) !== 0, noExecute !== 0);
    if ((allowed & access) === 0) return this.fault(access, PageFaultBit.Present, out);

    for (let above = top; above > level; above--) {
      const at = path[above];
      if ((words[at] & Entry.A) === 0) this.touch(at, words[at], Access.Read);
    }
    entryLow = this.touch(path[level], entryLow, access);
    const mask = level === 0 ? 0 : level === 1 ? 0x001ff000 : 0x3ffff000;
    out.physicalPage = address(entryLow & ~mask, entryHigh) + (low & mask);
    out.rights = (entryLow & Entry.D) !== 0 ? allowed : allowed & ~Access.Write;
    out.attributes =
      (level === 0 ? 0 : level === 1 ? TlbAttribute.Large : TlbAttribute.Huge) |
      this.attributes(entryLow, (rights & Entry.US) !== 0);
    return true;
  }

  /** 32-bit paging: two levels of 1,024 entries of 4 bytes, 4 MiB pages if CR4.PSE is set. */
  private walkNarrow(virtual: number, access: Access, out: Translation): boolean {
    const { words, state } = this;
    const directoryAt = state.root / 4 + (virtual >>> 22);
    const directory = directoryAt < words.length ? words[directoryAt] : 0;
    if ((directory & Entry.P) === 0) return this.fault(access, 0, out);
    const isLarge = state.pageSizeExtension && (directory & Entry.PS) !== 0;
    let at = directoryAt;
    let entry = directory;
    let rights = directory;
    if (isLarge) {
      if ((directory & RESERVED_4M) !== 0) return this.reserved(access, out);
    } else {
      at = ((directory & 0xfffff000) >>> 2) + ((virtual >>> 12) & 0x3ff);
      entry = at < words.length ? words[at] : 0;
      if ((entry & Entry.P) === 0) return this.fault(access, 0, out);
      rights &= entry;
    }
    const allowed = this.allowed((rights & Entry.RW) !== 0, (rights & Entry.US) !== 0, false);
    if ((allowed & access) === 0) return this.fault(access, PageFaultBit.Present, out);
    if (!isLarge && (directory & Entry.A) === 0) this.touch(directoryAt, directory, Access.Read);
    entry = this.touch(at, entry, access);
    out.physicalPage = isLarge
      ? ((entry & 0xffc00000) >>> 0) + ((entry >> 13) & 0x7f) * TWO_32 + (virtual & 0x003ff000)
      : (entry & 0xfffff000) >>> 0;
    out.rights = (entry & Entry.D) !== 0 ? allowed : allowed & ~Access.Write;
    out.attributes = (isLarge ? TlbAttribute.Huge : 0) | this.attributes(entry, (rights & Entry.US) !== 0);
    return true;
  }

  /** What may be done with a page: SDM vol. 3, 4.6.1. */
  private allowed(writable: boolean, userPage: boolean, noExecute: boolean): number {
    const { state } = this;
    if (state.user) {
      if (!userPage) return 0;
      return Access.Read | (writable ? Access.Write : 0) | (noExecute ? 0 : Access.Execute);
    }
    let rights = noExecute || (userPage && state.smep) ? 0 : Access.Execute;
    if (!userPage || !state.smap || (!this.implicit && state.alignmentCheckFlag())) {
      rights |= Access.Read;
      if (writable || !state.writeProtect) rights |= Access.Write;
    }
    return rights;
  }

  /** Sets accessed, and dirty for a write, in the entry that maps the page. */
  private touch(at: number, entry: number, access: Access): number {
    const wanted = access === Access.Write ? Entry.A | Entry.D : Entry.A;
    if ((entry & wanted) === wanted) return entry;
    if (this.peeking) {
      this.untouched = true;
      return entry;
    }
    this.words[at] = entry | wanted;
    return entry | wanted;
  }

  private attributes(entry: number, userPage: boolean): number {
    return (
      (this.state.globalPages && (entry & Entry.G) !== 0 ? TlbAttribute.Global : 0) |
      (userPage ? TlbAttribute.User : 0)
    );
  }

  private reserved(access: Access, out: Translation): boolean {
    return this.fault(access, PageFaultBit.Present | PageFaultBit.Reserved, out);
  }

  private fault(access: Access, code: number, out: Translation): boolean {
    const { state } = this;
    let errorCode = code;
    if (access === Access.Write) errorCode |= PageFaultBit.Write;
    if (state.user) errorCode |= PageFaultBit.User;
    // Only told where fetches can be refused at all (SDM vol. 3, 4.7).
    const wide = state.mode === "pae" || state.mode === "4-level";
    if (access === Access.Execute && (state.smep || (wide && state.noExecute)))
      errorCode |= PageFaultBit.Instruction;
    out.errorCode = errorCode;
    return false;
  }
}

/** The physical address in an entry's halves. */
function address(low: number, high: number): number {
  return ((low & 0xfffff000) >>> 0) + (high & ADDRESS_HIGH) * TWO_32;
}
