/**
 * Where a host CPU of another vendor than our processor's (GenuineIntel, cpu/model.ts) works differently by design. Such
 * a host is an oracle for everything else: these forms are not generated there, or their outcome is not compared.
 * On an Intel host none of this applies. `npm run fuzz` prints how often each did.
 */

import type { OpcodeRow } from "../../cpu/decoder/instruction.ts";
import { Vector } from "../../cpu/state.ts";
import { type Case, type FinalState, Fx } from "./case.ts";

interface VendorDifference {
  readonly vendor: string;
  readonly what: string;
  /** What is done about it: the form is not generated, or what it left is not compared. */
  readonly way: "not generated" | "not compared";
  /** "Observed": on AMD family 1Ah, model 2; our model, which differs, agrees with Intel's silicon. No manual is cited yet. */
  readonly source: string;
}

const AMD = "AuthenticAMD";

export const VENDOR_DIFFERENCES = {
  nearBranch16: {
    vendor: AMD,
    what: "66 before a near branch makes its operand 16 bits, which truncates RIP; Intel ignores it",
    way: "not generated",
    source: "AMD APM vol. 1, 3.7.9, table 3-9; observed",
  },
  farPointer64: {
    vendor: AMD,
    what: "LFS, LGS and LSS have no m16:64: REX.W leaves the offset at 32 bits",
    way: "not generated",
    source: "observed",
  },
  prefetchRegister: {
    vendor: AMD,
    what: "0F 0D with a register is #UD, not a NOP",
    way: "not generated",
    source: "observed",
  },
  undefinedCutOff: {
    vendor: AMD,
    what: "UD0 and UD1 are #UD before their ModRM byte is fetched",
    way: "not generated",
    source: "observed",
  },
  repeatZero32: {
    vendor: AMD,
    what: "a repeated string instruction with 32-bit addresses and a count of zero leaves RCX, RSI and RDI whole",
    way: "not generated",
    source: "observed",
  },
  popSegmentRead: {
    vendor: AMD,
    what: "POP of FS or GS reads all 8 bytes of the stack slot, Intel 2",
    way: "not generated",
    source: "observed",
  },
  shaAlignment: {
    vendor: AMD,
    what: "SHA instructions accept misaligned memory operands",
    way: "not generated",
    source: "observed",
  },
  shaAlignmentFault: {
    vendor: AMD,
    what: "the same where the misaligned operand is not mapped either: #PF, not #GP",
    way: "not compared",
    source: "observed",
  },
  horizontalNan: {
    vendor: AMD,
    what: "DPPS and DPPD of several NaNs give another one of them (tolerances.ts); not in sequences",
    way: "not compared",
    source: "Intel SDM vol. 2, DPPS: horizontal propagation of NaNs is implementation dependent",
  },
  mmxFault: {
    vendor: AMD,
    what: "an MMX instruction that faults has not set TOP to 0 before",
    way: "not compared",
    source: "observed",
  },
  callNotCanonical: {
    vendor: AMD,
    what: "CALL of an address that is not canonical has not written its return address when it faults",
    way: "not compared",
    source: "observed",
  },
  compareOrder: {
    vendor: AMD,
    what: "CMPS whose operands both fault names the one at RSI, Intel the one at RDI",
    way: "not compared",
    source: "observed",
  },
  x87StoreFault: {
    vendor: AMD,
    what: "an x87 store to memory that faults does so before an unmasked exception stops the store",
    way: "not compared",
    source: "observed",
  },
  extend16: {
    vendor: AMD,
    what: "MOVSXD with 66 reads 32 bits of memory, Intel 16",
    way: "not generated",
    source: "observed",
  },
  repeatedCompareFault: {
    vendor: AMD,
    what: "a repeated CMPS whose access faults has written flags and registers of the comparisons before",
    way: "not compared",
    source: "observed",
  },
  repeatedCompare: {
    vendor: AMD,
    what: "a repeated CMPS in a sequence: rare differences in flags whose cause has not been found",
    way: "not generated",
    source: "observed",
  },
  segmentedNotCanonical: {
    vendor: AMD,
    what: "an offset that is not canonical is #GP although FS or GS make a canonical address of it",
    way: "not compared",
    source: "observed",
  },
} as const satisfies Record<string, VendorDifference>;

export type DifferenceName = keyof typeof VENDOR_DIFFERENCES;

/** The differences of one host, and how often each has mattered. */
export class VendorDifferences {
  readonly counts = new Map<DifferenceName, number>();
  private readonly vendor: string;

  /** @param vendor as CPUID leaf 0 spells it */
  constructor(vendor: string) {
    this.vendor = vendor;
  }

  /** Whether the host differs in this, without counting. */
  has(name: DifferenceName): boolean {
    const { vendor }: VendorDifference = VENDOR_DIFFERENCES[name];
    return vendor === this.vendor;
  }

  /** Whether the host differs in this; to be asked where it matters. */
  matters(name: DifferenceName): boolean {
    if (!this.has(name)) return false;
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    return true;
  }

  /**
   * Adapts what the host left to what our processor leaves, where the difference is known exactly.
   * @param row of the instruction that the case ended in
   */
  adjust(row: OpcodeRow, silicon: FinalState, ours: FinalState): void {
    const isFault =
      silicon.vector === ours.vector && silicon.rip === ours.rip && silicon.vector !== Vector.BP;
    const isMmx = row.operands.some((operand) => operand.class.startsWith("mmx"));
    if (!isFault || !isMmx || (ours.fsw & TOP) !== 0 || (silicon.fsw & TOP) === 0) return;
    if (this.matters("mmxFault")) clearTop(silicon);
  }

  /**
   * Whether the outcomes differ in the instruction that the case ended in on the host, and may.
   * @param row of that instruction
   */
  excuses(row: OpcodeRow, initial: Case, silicon: FinalState, ours: FinalState): boolean {
    if (row.feature === "sha") {
      const isMisaligned = silicon.vector === Vector.PF && (silicon.address & 15n) !== 0n;
      const isExpected = ours.vector === Vector.GP && ours.rip === silicon.rip;
      return isMisaligned && isExpected && this.matters("shaAlignmentFault");
    }
    if (row.mnemonic === "call") {
      const isTarget = silicon.vector === Vector.GP && ours.vector === Vector.GP && ours.rip === silicon.rip;
      const hasWritten = ours.changeCount === silicon.changeCount + 1;
      return isTarget && hasWritten && this.matters("callNotCanonical");
    }
    if (isSegmentedFault(silicon, ours)) return this.matters("segmentedNotCanonical");
    if (row.mnemonic === "cmps") {
      const faulted = ACCESS_FAULTS.has(silicon.vector) && ACCESS_FAULTS.has(ours.vector);
      const isSame = silicon.address === ours.address && silicon.vector === ours.vector;
      if (faulted && ours.rip === silicon.rip && isSame) return this.matters("repeatedCompareFault");
      const isAnother = silicon.address !== ours.address || silicon.vector !== ours.vector;
      return faulted && ours.rip === silicon.rip && isAnother && this.matters("compareOrder");
    }
    if (X87_STORE.test(row.mnemonic)) {
      const isFault = ACCESS_FAULTS.has(silicon.vector);
      const wasStopped = (ours.fsw & ~ours.fcw & 0x3f) !== 0 && (initial.fcw & 0x3f) !== 0x3f;
      return isFault && wasStopped && ours.rip !== silicon.rip && this.matters("x87StoreFault");
    }
    return false;
  }
}

/** #GP there, and here a page fault in the upper half, which user code only reaches by a segment base or by itself. */
function isSegmentedFault(silicon: FinalState, ours: FinalState): boolean {
  const isUpper = BigInt.asIntN(64, ours.address) < 0n;
  return silicon.vector === Vector.GP && ours.vector === Vector.PF && silicon.rip === ours.rip && isUpper;
}

const X87_STORE = /^(fst|fstp|fist|fistp|fisttp|fbstp)$/;
const ACCESS_FAULTS: ReadonlySet<number> = new Set([Vector.SS, Vector.GP, Vector.PF]);

const TOP = 7 << 11;

/** The same physical registers, with the first of them at the top. */
function clearTop(state: FinalState): void {
  const top = (state.fsw & TOP) >> 11;
  const registers = state.fx.slice(Fx.ST, Fx.XMM);
  for (let index = 0; index < 8; index++) {
    state.fx.set(registers.subarray(16 * index, 16 * index + 16), Fx.ST + 16 * ((index + top) & 7));
  }
  state.fsw &= ~TOP;
}
