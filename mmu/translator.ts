/**
 * Translation of guest virtual addresses, as the engines see it: a {@link Translator} answers what a TLB miss asks.
 *
 * Virtual addresses are JS numbers holding the *signed* 64-bit address (canonical addresses are exact): user space is
 * positive, the upper half negative. Physical addresses are byte offsets into guest RAM.
 */

/** What an access wants to do with a page; the values are bits, so that rights can be combined. */
export const Access = { Read: 1, Write: 2, Execute: 4 } as const;
export type Access = (typeof Access)[keyof typeof Access];

export const PAGE_SIZE = 4096;
export const PAGE_SHIFT = 12;

/** Where a page is and what may be done with it. Filled in by {@link Translator.translate}; reused between calls. */
export interface Translation {
  /** Physical address of the page's first byte. */
  physicalPage: number;
  /** The {@link Access} bits that later accesses to this page may use without asking again. */
  rights: number;
  /** On failure: page-fault error code (Intel SDM vol. 3, 4.7). */
  errorCode: number;
  /** {@link import("./tlb.ts").TlbAttribute} bits of a page that x86 page tables map. */
  attributes?: number;
}

/** Page-fault error code bits (Intel SDM vol. 3, 4.7). */
export const PageFaultBit = { Present: 1, Write: 2, User: 4, Reserved: 8, Instruction: 16 } as const;

/** Fills the TLB on a miss: x86 page tables for unmodified systems, the address space for the OSv kernel. */
export interface Translator {
  /**
   * Translates the page that holds `virtual` for one kind of access.
   * @returns true and fills `out.physicalPage` and `out.rights`; or false and `out.errorCode` (a #PF follows).
   */
  translate(virtual: number, access: Access, out: Translation): boolean;
  /**
   * As {@link translate}, for those who look ahead: changes nothing, and refuses what would have to (an accessed flag that
   * is not set yet). Absent where translations leave no trace.
   */
  peek?(virtual: number, access: Access, out: Translation): boolean;
}
