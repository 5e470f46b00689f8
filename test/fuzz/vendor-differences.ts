/**
 * Where a host CPU of another vendor than our processor's (GenuineIntel, cpu/model.ts) works differently by design. Such
 * a host is an oracle for everything else: these forms are not generated there, or their outcome is not compared.
 * On an Intel host none of this applies. `npm run fuzz` prints how often each did.
 */

import type { Instruction } from "../../cpu/decoder/instruction.ts";
import { Flag, Vector } from "../../cpu/state.ts";
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
  repeatedLoop: {
    vendor: AMD,
    what: "F2 makes LOOPE a LOOPNE, and F3 LOOPNE a LOOPE, as on the 8086; Intel ignores them",
    way: "not generated",
    source: "observed",
  },
  lockedVerification: {
    vendor: AMD,
    what: "LOCK before VERR and VERW is #UD only after their operand has been read",
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
    what: "a repeated CMPS or SCAS whose access faults has the flags of its last comparison; Intel puts them back",
    way: "not compared",
    source: "Intel SDM vol. 2, REP; observed",
  },
  repeatedFault32: {
    vendor: AMD,
    what: "a repeated string instruction with 32-bit addresses that faults at once leaves RCX, RSI and RDI whole",
    way: "not compared",
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
   * @param instruction that the case ended in on the host
   */
  adjust(instruction: Instruction, silicon: FinalState, ours: FinalState): void {
    if (silicon.rip !== ours.rip || silicon.vector === Vector.BP) return;
    const { row } = instruction;
    if (row.rep !== undefined) this.adjustString(instruction, silicon, ours);
    const isMmx = row.operands.some((operand) => operand.class.startsWith("mmx"));
    const differsInTop = (ours.fsw & TOP) === 0 && (silicon.fsw & TOP) !== 0;
    if (silicon.vector === ours.vector && isMmx && differsInTop && this.matters("mmxFault"))
      clearTop(silicon);
  }

  /** A string instruction that has faulted on both sides. */
  private adjustString(instruction: Instruction, silicon: FinalState, ours: FinalState): void {
    if (!ACCESS_FAULTS.has(silicon.vector) || !ACCESS_FAULTS.has(ours.vector)) return;
    const { mnemonic } = instruction.row;
    const repeats = instruction.rep || instruction.repne;
    if (repeats && instruction.addressSize === 32) {
      for (const register of [RCX, RSI, RDI]) {
        const isExtended = ours.gpr[register] === (silicon.gpr[register] & 0xffff_ffffn);
        if (!isExtended || ours.gpr[register] === silicon.gpr[register]) continue;
        if (this.matters("repeatedFault32")) silicon.gpr[register] = ours.gpr[register];
      }
    }
    if (mnemonic === "cmps" && isAtSource(instruction, silicon) && isAtDestination(instruction, ours)) {
      const isAnother = silicon.vector !== ours.vector || silicon.address !== ours.address;
      if (isAnother && this.matters("compareOrder")) {
        silicon.vector = ours.vector;
        silicon.error = ours.error;
        silicon.address = ours.address;
      }
    }
    if (repeats && (mnemonic === "cmps" || mnemonic === "scas")) {
      const differing = (silicon.rflags ^ ours.rflags) & STATUS_FLAGS;
      if (differing !== 0 && this.matters("repeatedCompareFault")) silicon.rflags ^= differing;
    }
  }

  /**
   * Whether the outcomes differ in the instruction that the case ended in on the host, and may.
   * @param instruction that one
   */
  excuses(instruction: Instruction, initial: Case, silicon: FinalState, ours: FinalState): boolean {
    const { row } = instruction;
    if (row.feature === "sha") {
      const isMisaligned = silicon.vector === Vector.PF && (silicon.address & 15n) !== 0n;
      const isExpected = ours.vector === Vector.GP && ours.rip === silicon.rip;
      return isMisaligned && isExpected && this.matters("shaAlignmentFault");
    }
    if (row.mnemonic === "call") {
      const isTarget = silicon.vector === Vector.GP && ours.vector === Vector.GP && ours.rip === silicon.rip;
      const top = ours.gpr[RSP];
      const isReturnAddress = isTarget && differOnlyBetween(top - 8n, top, silicon, ours);
      return isReturnAddress && this.matters("callNotCanonical");
    }
    if (isSegmentedFault(instruction, silicon, ours)) return this.matters("segmentedNotCanonical");
    if (X87_STORE.test(row.mnemonic)) {
      const isFault = ACCESS_FAULTS.has(silicon.vector);
      const wasStopped = (ours.fsw & ~ours.fcw & 0x3f) !== 0 && (initial.fcw & 0x3f) !== 0x3f;
      return isFault && wasStopped && ours.rip !== silicon.rip && this.matters("x87StoreFault");
    }
    return false;
  }
}

const RCX = 1;
const RSP = 4;
const RSI = 6;
const RDI = 7;
const FS = 4;
const GS = 5;

function isCanonical(address: bigint): boolean {
  return BigInt.asIntN(48, address) === BigInt.asIntN(64, address);
}

/** Base of the segment that an instruction names, if it has one in 64-bit mode. */
function segmentBase({ segment }: Instruction, state: FinalState): bigint | undefined {
  return segment === FS ? state.fsBase : segment === GS ? state.gsBase : undefined;
}

/**
 * #GP there, and here a page fault at an address that is canonical, reached through FS or GS from an offset that is not.
 */
function isSegmentedFault(instruction: Instruction, silicon: FinalState, ours: FinalState): boolean {
  const base = segmentBase(instruction, ours);
  const isOutcome = silicon.vector === Vector.GP && ours.vector === Vector.PF && silicon.rip === ours.rip;
  return isOutcome && base !== undefined && !isCanonical(ours.address - base);
}

/** Whether a CMPS has faulted at the element that RSI points to. */
function isAtSource(instruction: Instruction, state: FinalState): boolean {
  const offset = BigInt.asUintN(instruction.addressSize, state.gpr[RSI]);
  const base = segmentBase(instruction, state) ?? 0n;
  return isAt(offset + base, state) || (state.vector !== Vector.PF && !isCanonical(offset));
}

/** The same for RDI, which no segment prefix concerns. */
function isAtDestination(instruction: Instruction, state: FinalState): boolean {
  return isAt(BigInt.asUintN(instruction.addressSize, state.gpr[RDI]), state);
}

/** Whether a fault may be that of an access of up to eight bytes. */
function isAt(address: bigint, state: FinalState): boolean {
  if (state.vector !== Vector.PF) return !isCanonical(address) || !isCanonical(address + 7n);
  return BigInt.asUintN(64, state.address - address) < 8n;
}

/** Whether registers are the same, and memory but for words that a range touches. */
function differOnlyBetween(start: bigint, end: bigint, silicon: FinalState, ours: FinalState): boolean {
  const outside = ({ changes, changeCount }: FinalState): bigint[] => {
    const pairs: bigint[] = [];
    for (let index = 0; index < 2 * changeCount; index += 2) {
      const word = changes[index];
      if (word + 8n <= start || word >= end) pairs.push(word, changes[index + 1]);
    }
    return pairs;
  };
  const mine = outside(ours);
  const theirs = outside(silicon);
  const isSameMemory = theirs.length === mine.length && theirs.every((value, index) => value === mine[index]);
  return isSameMemory && silicon.gpr.every((value, register) => value === ours.gpr[register]);
}

const STATUS_FLAGS = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.OF;
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
