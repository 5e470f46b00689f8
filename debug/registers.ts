/** The registers of a processor by the names that debuggers give them, over a register context (cpu/state.ts). */

import { readRflags, writeRflags } from "../cpu/rflags.ts";
import {
  GPR,
  KERNEL_GS_BASE,
  MXCSR,
  RIP,
  SEGMENT_BASE,
  Segment,
  X87,
  X87_CONTROL,
  X87_DATA,
  X87_INSTRUCTION,
  X87_OPCODE,
  X87_STATUS,
  X87_STRIDE,
  X87_TAGS,
  X87_TOP,
  XMM,
  XMM_STRIDE,
  YMM_HIGH,
} from "../cpu/state.ts";
import type { SystemState } from "../cpu/system/system-state.ts";

export type RegisterGroup = "general" | "segment" | "x87" | "sse" | "avx" | "system";

/** A thread's registers: where they are. */
export interface RegisterFile {
  /** The register context, live. */
  readonly context: DataView;
  /** Registers of system software; undefined for programs on the OSv kernel. */
  readonly system: SystemState | undefined;
  /** To be called when segments, control registers or EFER were written. */
  systemChanged?(): void;
}

export interface RegisterSpec {
  readonly name: string;
  readonly bits: 16 | 32 | 64 | 80 | 128;
  readonly group: RegisterGroup;
  read(file: RegisterFile): bigint;
  /** @returns false if it cannot be written */
  write(file: RegisterFile, value: bigint): boolean;
}

/** CS and SS of a 64-bit Linux program (asm/segment.h: __USER_CS, __USER_DS). */
const USER_SELECTORS: Readonly<Record<string, bigint>> = { cs: 0x33n, ss: 0x2bn };
const X87_TOP_SHIFT = 11;

const GENERAL_ORDER = [0, 3, 1, 2, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15];
const GENERAL_NAMES = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split(" ");
const SEGMENT_ORDER = ["cs", "ss", "ds", "es", "fs", "gs"] as const;

function words(file: RegisterFile): Int32Array {
  const { buffer, byteOffset, byteLength } = file.context;
  return new Int32Array(buffer, byteOffset, byteLength >> 2);
}

function field64(name: string, group: RegisterGroup, offset: number): RegisterSpec {
  return {
    name,
    bits: 64,
    group,
    read: ({ context }) => context.getBigUint64(offset, true),
    write: ({ context }, value) => {
      context.setBigUint64(offset, BigInt.asUintN(64, value), true);
      return true;
    },
  };
}

function field32(name: string, group: RegisterGroup, offset: number, mask = 0xffffffff): RegisterSpec {
  return {
    name,
    bits: 32,
    group,
    read: ({ context }) => BigInt((context.getUint32(offset, true) & mask) >>> 0),
    write: ({ context }, value) => {
      context.setUint32(offset, Number(BigInt.asUintN(32, value)) & mask, true);
      return true;
    },
  };
}

/** 128 bits from an offset on, or 80. */
function wide(name: string, group: RegisterGroup, bits: 80 | 128, place: (file: RegisterFile) => number) {
  return {
    name,
    bits,
    group,
    read: (file: RegisterFile) => {
      const at = place(file);
      const high =
        bits === 128 ? file.context.getBigUint64(at + 8, true) : BigInt(file.context.getUint16(at + 8, true));
      return (high << 64n) | file.context.getBigUint64(at, true);
    },
    write: (file: RegisterFile, value: bigint) => {
      const at = place(file);
      file.context.setBigUint64(at, BigInt.asUintN(64, value), true);
      if (bits === 128) file.context.setBigUint64(at + 8, BigInt.asUintN(64, value >> 64n), true);
      else file.context.setUint16(at + 8, Number(BigInt.asUintN(16, value >> 64n)), true);
      return true;
    },
  } satisfies RegisterSpec;
}

/** Of whole machines; absent where there is no system. */
function systemRegister(
  name: string,
  get: (system: SystemState) => number,
  set?: (system: SystemState, value: number) => void,
): RegisterSpec {
  return {
    name,
    bits: 64,
    group: "system",
    read: ({ system }) => (system === undefined ? 0n : BigInt.asUintN(64, BigInt(get(system)))),
    write: (file, value) => {
      if (file.system === undefined || set === undefined) return false;
      set(file.system, Number(BigInt.asIntN(64, value)));
      file.systemChanged?.();
      return true;
    },
  };
}

function segmentRegister(name: (typeof SEGMENT_ORDER)[number]): RegisterSpec {
  const index = Segment[name.toUpperCase() as keyof typeof Segment];
  return {
    name,
    bits: 32,
    group: "segment",
    read: ({ system }) =>
      system === undefined ? (USER_SELECTORS[name] ?? 0n) : BigInt(system.segments[index].selector),
    // Loading one means reading a descriptor; a debugger that only puts back what it has read changes nothing.
    write: ({ system }, value) => system === undefined || BigInt(system.segments[index].selector) === value,
  };
}

const EFLAGS: RegisterSpec = {
  name: "eflags",
  bits: 32,
  group: "general",
  read: (file) => BigInt(readRflags(words(file)) >>> 0),
  write: (file, value) => {
    writeRflags(words(file), Number(BigInt.asUintN(32, value)) | 0);
    return true;
  },
};

const FSTAT: RegisterSpec = {
  name: "fstat",
  bits: 32,
  group: "x87",
  read: ({ context }) =>
    BigInt(
      (context.getInt32(X87_STATUS, true) & 0xffff) |
        ((context.getInt32(X87_TOP, true) & 7) << X87_TOP_SHIFT),
    ),
  write: ({ context }, value) => {
    const status = Number(BigInt.asUintN(16, value));
    context.setInt32(X87_STATUS, status & ~(7 << X87_TOP_SHIFT), true);
    context.setInt32(X87_TOP, (status >> X87_TOP_SHIFT) & 7, true);
    return true;
  },
};

/** The full tag word (SDM vol. 1, 8.1.7), made from the abridged one and the registers: 0 valid, 1 zero, 2 special, 3 empty. */
function tagWord({ context }: RegisterFile): number {
  const inUse = context.getInt32(X87_TAGS, true);
  let word = 0;
  for (let index = 0; index < 8; index++) {
    const at = X87 + index * X87_STRIDE;
    const significand = context.getBigUint64(at, true);
    const exponent = context.getUint16(at + 8, true) & 0x7fff;
    let tag = 3;
    if (((inUse >> index) & 1) !== 0) {
      if (exponent === 0 && significand === 0n) tag = 1;
      else tag = exponent === 0 || exponent === 0x7fff || significand >> 63n === 0n ? 2 : 0;
    }
    word |= tag << (2 * index);
  }
  return word;
}

const FTAG: RegisterSpec = {
  name: "ftag",
  bits: 32,
  group: "x87",
  read: (file) => BigInt(tagWord(file)),
  write: ({ context }, value) => {
    let inUse = 0;
    for (let index = 0; index < 8; index++)
      if (((Number(value & 0xffffn) >> (2 * index)) & 3) !== 3) inUse |= 1 << index;
    context.setInt32(X87_TAGS, inUse, true);
    return true;
  },
};

/** A selector that 64-bit x87 state has not got. */
function none(name: string): RegisterSpec {
  return { name, bits: 32, group: "x87", read: () => 0n, write: () => true };
}

function st(index: number): RegisterSpec {
  return wide(
    `st${index}`,
    "x87",
    80,
    ({ context }) => X87 + ((context.getInt32(X87_TOP, true) + index) & 7) * X87_STRIDE,
  );
}

const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));

/** In the order of gdb's org.gnu.gdb.i386.core. */
export const CORE_REGISTERS: readonly RegisterSpec[] = [
  ...GENERAL_ORDER.map((index) => field64(GENERAL_NAMES[index], "general", GPR + index * 8)),
  field64("rip", "general", RIP),
  EFLAGS,
  ...SEGMENT_ORDER.map(segmentRegister),
  ...times(8, st),
  field32("fctrl", "x87", X87_CONTROL, 0xffff),
  FSTAT,
  FTAG,
  none("fiseg"),
  field32("fioff", "x87", X87_INSTRUCTION),
  none("foseg"),
  field32("fooff", "x87", X87_DATA),
  field32("fop", "x87", X87_OPCODE, 0x7ff),
];

export const SSE_REGISTERS: readonly RegisterSpec[] = [
  ...times(16, (index) => wide(`xmm${index}`, "sse", 128, () => XMM + index * XMM_STRIDE)),
  field32("mxcsr", "sse", MXCSR, 0xffff),
];

export const AVX_REGISTERS: readonly RegisterSpec[] = times(16, (index) =>
  wide(`ymm${index}h`, "avx", 128, () => XMM + index * XMM_STRIDE + YMM_HIGH),
);

export const SEGMENT_BASE_REGISTERS: readonly RegisterSpec[] = [
  field64("fs_base", "segment", SEGMENT_BASE + Segment.FS * 8),
  field64("gs_base", "segment", SEGMENT_BASE + Segment.GS * 8),
];

/** Control registers can be written where that takes no more than storing them. */
export const SYSTEM_REGISTERS: readonly RegisterSpec[] = [
  field64("k_gs_base", "system", KERNEL_GS_BASE),
  systemRegister(
    "cr0",
    ({ cr0 }) => cr0 >>> 0,
    (system, value) => {
      system.cr0 = value | 0;
    },
  ),
  systemRegister(
    "cr2",
    ({ cr2 }) => cr2,
    (system, value) => {
      system.cr2 = value;
    },
  ),
  systemRegister(
    "cr3",
    ({ cr3 }) => cr3,
    (system, value) => {
      system.cr3 = value;
    },
  ),
  systemRegister(
    "cr4",
    ({ cr4 }) => cr4 >>> 0,
    (system, value) => {
      system.cr4 = value | 0;
    },
  ),
  systemRegister(
    "cr8",
    ({ platform }) => platform.taskPriority,
    ({ platform }, value) => {
      platform.taskPriority = value & 15;
    },
  ),
  systemRegister(
    "efer",
    ({ efer }) => efer >>> 0,
    (system, value) => {
      system.efer = value | 0;
    },
  ),
];

export const ALL_REGISTERS: readonly RegisterSpec[] = [
  ...CORE_REGISTERS,
  ...SSE_REGISTERS,
  ...SEGMENT_BASE_REGISTERS,
  ...AVX_REGISTERS,
  ...SYSTEM_REGISTERS,
];

/** Parts of general registers: name of the whole, first bit, bits. */
const PARTS = new Map<string, readonly [whole: string, shift: number, bits: number]>();
for (const whole of GENERAL_NAMES) {
  const isNumbered = /\d/.test(whole);
  const base = whole.slice(1);
  const isLettered = base.endsWith("x");
  PARTS.set(isNumbered ? `${whole}d` : `e${base}`, [whole, 0, 32]);
  PARTS.set(isNumbered ? `${whole}w` : base, [whole, 0, 16]);
  PARTS.set(isNumbered ? `${whole}b` : isLettered ? `${base[0]}l` : `${base}l`, [whole, 0, 8]);
  if (isLettered) PARTS.set(`${base[0]}h`, [whole, 8, 8]);
}
PARTS.set("eip", ["rip", 0, 32]);
const ALIASES: Readonly<Record<string, string>> = {
  pc: "rip",
  sp: "rsp",
  fp: "rbp",
  flags: "eflags",
  rflags: "eflags",
};

const BY_NAME = new Map(ALL_REGISTERS.map((spec) => [spec.name, spec]));

export const REGISTER_NAMES: readonly string[] = [
  ...BY_NAME.keys(),
  ...PARTS.keys(),
  ...Object.keys(ALIASES),
];

/** A register by its name: rax, eax, al, pc … */
export function registerNamed(name: string): RegisterSpec | undefined {
  const known = BY_NAME.get(ALIASES[name] ?? name);
  if (known !== undefined) return known;
  const part = PARTS.get(name);
  if (part === undefined) return undefined;
  const [wholeName, shift, bits] = part;
  const whole = BY_NAME.get(wholeName);
  if (whole === undefined) return undefined;
  const mask = (1n << BigInt(bits)) - 1n;
  return {
    ...whole,
    name,
    read: (file) => (whole.read(file) >> BigInt(shift)) & mask,
    write: (file, value) => {
      // Writing 32 bits clears the others, as instructions do.
      if (bits === 32) return whole.write(file, value & mask);
      const others = whole.read(file) & ~(mask << BigInt(shift));
      return whole.write(file, others | ((value & mask) << BigInt(shift)));
    },
  };
}

const FLAG_NAMES: readonly (readonly [bit: number, name: string])[] = [
  [0, "CF"],
  [2, "PF"],
  [4, "AF"],
  [6, "ZF"],
  [7, "SF"],
  [8, "TF"],
  [9, "IF"],
  [10, "DF"],
  [11, "OF"],
  [14, "NT"],
  [16, "RF"],
  [17, "VM"],
  [18, "AC"],
  [21, "ID"],
];

/** "ZF PF IF" */
export function describeFlags(flags: number): string {
  return FLAG_NAMES.filter(([bit]) => ((flags >> bit) & 1) !== 0)
    .map(([, name]) => name)
    .join(" ");
}
