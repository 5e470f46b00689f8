/**
 * The CPU state struct: one virtual processor's registers, in the linear memory that all engines share.
 *
 * Everything here is a byte offset from the struct's base address. Generated code addresses these fields directly;
 * TypeScript reads them through {@link import("./cpu.ts").Cpu}. The first {@link CONTEXT_SIZE} bytes are what a thread
 * switch saves and restores; the rest belongs to the processor (exit information, scratch space, TLB, jump cache).
 */

import { TLB_BYTES } from "../mmu/tlb.ts";

/** General registers RAX…R15 in hardware encoding order, 8 bytes each. Offsets 0…127 fit a byte of a record. */
export const GPR = 0x000;
/** Always zero: what a decoded record names as base or index when the operand has none. */
export const ZERO_SLOT = 0x080;
export const RIP = 0x088;

/**
 * Lazy flags. Each field alone determines some of the arithmetic flags:
 *   ZF = (flagZero == 0); SF = bit 63 of flagSign; PF = even parity of bits 0…7 of flagSign;
 *   CF = flagCarry (0 or 1); AF = bit 4 of flagCarries; OF = bit 63 of flagCarries XOR CF.
 * Results and carries (x ^ y ^ result) are sign-extended from the operand size to 64 bits.
 */
export const FLAG_ZERO = 0x090; // i64
export const FLAG_SIGN = 0x098; // i64
export const FLAG_CARRIES = 0x0a0; // i64
export const FLAG_CARRY = 0x0a8; // i32
/** RFLAGS bits other than the six arithmetic ones (DF, TF, IF, IOPL, NT, AC, ID …) at their architectural places. */
export const FLAGS_OTHER = 0x0ac; // i32

/** Segment bases in encoding order ES CS SS DS FS GS, i64 each; then one that is always zero. */
export const SEGMENT_BASE = 0x0c0;
export const SEGMENT_BASE_ZERO = 0x0f0;
/**
 * Outside of 64-bit mode: what is kept of segment base plus offset, by address size. 32 bits, and the guards of bases that
 * matter (cpu/system/segment-checks.ts); a carry into bit 32 is lost as it should be.
 */
export const LINEAR_MASK = { 16: 0x0000ff00ffffffff, 32: -0x000000ff00000001 } as const;

/** What SWAPGS exchanges with GS's base (IA32_KERNEL_GS_BASE). */
export const KERNEL_GS_BASE = 0x0f8; // i64

/** YMM0…YMM15, 32 bytes each; the lower half of one is an XMM register. */
export const XMM = 0x100;
export const XMM_STRIDE = 32;
/** From a register to its upper half. */
export const YMM_HIGH = 16;

/**
 * x87 registers in *physical* order R0…R7, 16 bytes apart: 64-bit significand, then sign and exponent in 16 bits.
 * MMX register i is the significand of Ri.
 */
export const X87 = 0x300;
export const X87_STRIDE = 16;
export const X87_CONTROL = 0x380; // i32, FCW
/** FSW without TOP (bits 11…13 zero here). */
export const X87_STATUS = 0x384; // i32
export const X87_TOP = 0x388; // i32, 0…7
/** One bit per physical register: 1 = in use, as FXSAVE's abridged tag byte. */
export const X87_TAGS = 0x38c; // i32
export const X87_OPCODE = 0x390; // i32, FOP
export const X87_INSTRUCTION = 0x398; // i64, FIP
export const X87_DATA = 0x3a0; // i64, FDP
export const MXCSR = 0x3a8; // i32

/** Bytes that make up a thread's context: everything above. */
export const CONTEXT_SIZE = 0x400;

// What an engine leaves for the host when it stops.
export const EXIT_RECORD = 0x400; // i32, linear address of the decoded record that stopped
export const EXIT_BUDGET = 0x404; // i32, instruction budget left
export const EXCEPTION_VECTOR = 0x408; // i32
export const EXCEPTION_ERROR = 0x40c; // i32
export const EXCEPTION_ADDRESS = 0x410; // i64, what CR2 would hold
export const INSTRUCTION_COUNT = 0x418; // i64, instructions retired before this run
/** Arguments and results of slow paths and helpers. */
export const ACCESS_ADDRESS = 0x420; // i64
/** i32, one of {@link ExceptionSource}. */
export const EXCEPTION_SOURCE = 0x428;
export const HELPER_ARGUMENTS = 0x430; // 8 slots of 16 bytes
/** Slots of a helper that belong to the lower half of a 256-bit operation; those behind belong to the upper half. */
export const HALF_SLOTS = 4;
/** An access that crosses a page, hits a device or needs care goes through here. */
export const SCRATCH = 0x4c0; // 64 bytes
/** Operands that deferred flags are computed from, when a compiled region leaves them to the interpreter: 16 × 8 bytes. */
export const FLAG_CAPTURES = 0x500;

// What generated code asks of the processor's mode; the rest of the system state is in cpu/system/.
/** i32: current privilege level. A processor that runs user code for the OSv kernel has 3 for ever. */
export const CPL = 0x580;
/** i32: not zero if an interrupt or NMI waits to be delivered. */
export const INTERRUPT_REQUEST = 0x584;
/** i64: number of the execution mode (cpu/system/execution-mode.ts) in bits 63…48: distinguishes jump cache entries. */
export const MODE_KEY = 0x588;
/** i64: no interrupt is delivered before the instruction at this address (behind STI, MOV SS). */
export const SHADOW_RIP = 0x590;

// Calls of guest functions that compiled regions make as calls of WebAssembly (engines/jit/lower.ts).
/** i32: how many are under way. */
export const CALL_DEPTH = 0x598;
/** i32: changes whenever a region may be out of use, or elsewhere: who sees another number must not go on in one. */
export const REGION_EPOCH = 0x59c;

/** What raised the exception that an engine reports. */
export const ExceptionSource = {
  /** The processor: a fault or a trap. */
  Processor: 0,
  /** INT n. */
  Interrupt: 1,
  /** INT3, INTO: software exceptions. */
  Breakpoint: 2,
  /** INT1. */
  Icebp: 3,
  /** An interrupt or NMI; engines do not report it. */
  External: 4,
} as const;

/** Registers in hardware encoding order. */
export const Register = {
  RAX: 0,
  RCX: 1,
  RDX: 2,
  RBX: 3,
  RSP: 4,
  RBP: 5,
  RSI: 6,
  RDI: 7,
  R8: 8,
  R9: 9,
  R10: 10,
  R11: 11,
  R12: 12,
  R13: 13,
  R14: 14,
  R15: 15,
} as const;

/** Segment registers in encoding order. */
export const Segment = { ES: 0, CS: 1, SS: 2, DS: 3, FS: 4, GS: 5 } as const;

/** Exception vectors (Intel SDM vol. 3, 6.3.1). */
export const Vector = {
  DE: 0,
  DB: 1,
  NMI: 2,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
  MC: 18,
  XM: 19,
} as const;

/** RFLAGS bits (Intel SDM vol. 1, 3.4.3). */
export const Flag = {
  CF: 1 << 0,
  PF: 1 << 2,
  AF: 1 << 4,
  ZF: 1 << 6,
  SF: 1 << 7,
  TF: 1 << 8,
  IF: 1 << 9,
  DF: 1 << 10,
  OF: 1 << 11,
  NT: 1 << 14,
  RF: 1 << 16,
  VM: 1 << 17,
  AC: 1 << 18,
  ID: 1 << 21,
} as const;

/** The software TLB (mmu/tlb.ts) and the jump cache follow the registers. */
export const TLB = 0x1000;
export const JUMP_CACHE_ENTRIES = 8192;
/** Entries of 16 bytes: RIP (i64), linear address of the first decoded record (i32, 0 = none). */
export const JUMP_CACHE = TLB + TLB_BYTES;
export const JUMP_CACHE_ENTRY_SHIFT = 4;
export const STATE_SIZE: number = JUMP_CACHE + (JUMP_CACHE_ENTRIES << JUMP_CACHE_ENTRY_SHIFT);
