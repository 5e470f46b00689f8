/** For tests: iced-x86 as a second opinion on the decoder. Both sides are put into the same words and compared. */

import * as iced from "iced-x86";
import { type CodeSize, createInstruction, DecodeResult, Decoder } from "../decoder.ts";
import { BASE_RIP, type Instruction, NO_REGISTER, type OperandSpec } from "../instruction.ts";
import { operandBits, operandRegister } from "../operands.ts";

/** Names of an iced enum by value. */
function namesOf(entries: object): Map<number, string> {
  const names = new Map<number, string>();
  for (const [name, value] of Object.entries(entries)) {
    if (typeof value === "number" && !names.has(value)) names.set(value, name);
  }
  return names;
}

const MNEMONICS = namesOf(iced.Mnemonic);
const CODES = namesOf(iced.Code);
const REGISTERS = namesOf(iced.Register);
const FEATURES = namesOf(iced.CpuidFeature);

/** Our mnemonics where iced has one for each operand size, or another word for the same. */
const SYNONYMS: Readonly<Record<string, string>> = {
  cwde: "cbw",
  cdqe: "cbw",
  cdq: "cwd",
  cqo: "cwd",
  iretd: "iret",
  iretq: "iret",
  pushfq: "pushf",
  popfq: "popf",
  pushfd: "pushf",
  popfd: "popf",
  pushad: "pusha",
  popad: "popa",
  jcxz: "jrcxz",
  sysretq: "sysret",
  sysexitq: "sysexit",
  rdsspd: "rdssp",
  rdsspq: "rdssp",
  incsspd: "incssp",
  incsspq: "incssp",
  jecxz: "jrcxz",
  pcmpestrm64: "pcmpestrm",
  pcmpestri64: "pcmpestri",
  vpcmpestrm64: "vpcmpestrm",
  vpcmpestri64: "vpcmpestri",
  reservednop: "nop",
  prefetch: "nop",
  prefetchreserved: "nop",
  prefetchwt1: "nop",
  prefetchit0: "nop",
  prefetchit1: "nop",
  cldemote: "nop",
  sal: "shl",
  wait: "fwait",
  xlatb: "xlat",
};

/** Instructions whose register operand iced names by operand size although 16 bits of it are used. */
const SELECTORS = new Set(["lldt", "ltr", "verr", "verw", "lmsw", "lar", "lsl", "mov", "arpl"]);

const GPR_64 = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"];
const GPR_8 = ["al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"];
const GPR_8_HIGH = ["al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"];
const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"];

function gprName(number: number, bits: number, rex: boolean): string {
  if (number >= 8) return `r${number}${bits === 64 ? "" : bits === 32 ? "d" : bits === 16 ? "w" : "l"}`;
  if (bits === 8) return (rex ? GPR_8 : GPR_8_HIGH)[number];
  const name = GPR_64[number];
  return bits === 64 ? name : bits === 32 ? `e${name.slice(1)}` : name.slice(1);
}

function registerName(spec: OperandSpec, out: Instruction, codeSize: CodeSize): string {
  const number = operandRegister(spec, out);
  // MOVDIR64B's register is an address.
  const size = spec.size === "none" ? out.addressSize : operandBits(spec, out);
  // INVPCID and its like always take whole registers.
  const isGeneral = spec.class === "gpr" || spec.class === "gprOrMem";
  const bits = isGeneral && codeSize !== 64 ? Math.min(size, 32) : size;
  switch (spec.class) {
    case "gpr":
    case "gprOrMem":
      return gprName(number, bits, out.rex);
    case "xmm":
    case "xmmOrMem":
      return `${bits === 256 ? "ymm" : "xmm"}${number}`;
    case "mmx":
    case "mmxOrMem":
      return `mm${number}`;
    case "st":
      return `st${number}`;
    case "segment":
      return SEGMENTS[number];
    case "control":
      return `cr${number}`;
    case "debug":
      return `dr${number}`;
    case "mask":
      return `k${number}`;
    default:
      throw new Error(`${spec.class} is no register`);
  }
}

const hex = (value: bigint): string => BigInt.asUintN(64, value).toString(16);

/** A 64-bit value from its halves. */
const whole = (low: number, high: number): bigint => (BigInt(high) << 32n) | BigInt(low >>> 0);

function indexName({ row, index, addressSize }: Instruction): string {
  return row.vsib ? `${row.vsib}${index}` : gprName(index, addressSize, true);
}

/** In 64-bit mode only FS and GS mean anything; elsewhere every memory operand has a segment that matters. */
function segmentText(out: Instruction, codeSize: CodeSize): string {
  return codeSize !== 64 || out.segment >= 4 ? `${SEGMENTS[out.segment]}:` : "";
}

function memoryText(out: Instruction, ip: number, codeSize: CodeSize): string {
  const addressBits = out.addressSize;
  const segment = segmentText(out, codeSize);
  if (out.base === BASE_RIP) {
    const target = BigInt(ip + out.length + out.displacement);
    return `${segment}[${hex(BigInt.asUintN(addressBits, target))}]`;
  }
  const base = out.base === NO_REGISTER ? "" : gprName(out.base, addressBits, true);
  const index = out.index === NO_REGISTER ? "" : `${indexName(out)}*${[1, 2, 4, 8][out.scale]}`;
  return `${segment}[${base}+${index}+${hex(BigInt.asUintN(addressBits, BigInt(out.displacement)))}]`;
}

/** What the decoder made of an instruction at `ip`, one text an operand. */
export function describe(out: Instruction, ip: number, codeSize: CodeSize = 64): string[] {
  return out.row.operands.map((spec) => describeOperand(spec, out, ip, codeSize));
}

function describeOperand(spec: OperandSpec, out: Instruction, ip: number, codeSize: CodeSize): string {
  const segment = segmentText(out, codeSize);
  switch (spec.source) {
    case "imm2":
      return hex(BigInt(out.immediate2));
    case "moffs":
      return `${segment}[++${hex(whole(out.immediateLow, out.immediateHigh))}]`;
    case "si":
      return `${segment}[${gprName(6, out.addressSize, true)}]`;
    case "di":
      return `${codeSize === 64 ? "" : "es:"}[${gprName(7, out.addressSize, true)}]`;
    case "rel": {
      const target = BigInt(ip + out.length + out.immediateLow);
      return hex(codeSize === 64 ? target : BigInt.asUintN(out.operandSize, target));
    }
    case "imm": {
      if (spec.class === "branch") return `${out.immediate2}:${out.immediateLow >>> 0}`;
      const value = whole(out.immediateLow, out.immediateHigh);
      // iced extends the 32-bit immediate of a 32-bit operation with zeros.
      return hex(spec.size === "z" ? BigInt.asUintN(out.operandSize, value) : value);
    }
    case "rm":
      return out.rmIsRegister ? registerName(spec, out, codeSize) : memoryText(out, ip, codeSize);
    case "fixed":
      return spec.class === "immediate" ? `${spec.fixed}` : registerName(spec, out, codeSize);
    default:
      return registerName(spec, out, codeSize);
  }
}

const IMPLICIT_MEMORY = new Map<iced.OpKind, string>([
  [iced.OpKind.MemorySegSI, "si"],
  [iced.OpKind.MemorySegDI, "di"],
  [iced.OpKind.MemoryESDI, "di"],
  [iced.OpKind.MemorySegRSI, "rsi"],
  [iced.OpKind.MemorySegESI, "esi"],
  [iced.OpKind.MemorySegRDI, "rdi"],
  [iced.OpKind.MemorySegEDI, "edi"],
  [iced.OpKind.MemoryESRDI, "rdi"],
  [iced.OpKind.MemoryESEDI, "edi"],
]);

/** The same decoding by iced, in the same words. */
export class IcedOracle {
  readonly instruction = new iced.Instruction();
  readonly codeSize: CodeSize;
  readonly #features = new Map<number, string[]>();

  constructor(codeSize: CodeSize = 64) {
    this.codeSize = codeSize;
  }

  /** Decodes at `position` of the bytes that `decoder` was made for. */
  decode(decoder: iced.Decoder, position: number): void {
    decoder.position = position;
    decoder.ip = BigInt(position);
    decoder.decodeOut(this.instruction);
  }

  get isValid(): boolean {
    return !this.instruction.isInvalid;
  }

  get mnemonic(): string {
    const { instruction } = this;
    const name = (MNEMONICS.get(instruction.mnemonic) ?? "").toLowerCase();
    if (instruction.isStringInstruction) return name.slice(0, -1);
    if (instruction.isCallFar || instruction.isCallFarIndirect) return "callf";
    if (instruction.isJmpFar || instruction.isJmpFarIndirect) return "jmpf";
    return SYNONYMS[name.replace(/(reserved)\d$/, "$1")] ?? name;
  }

  get codeName(): string {
    return CODES.get(this.instruction.code) ?? "";
  }

  /** Features that the instruction needs, in iced's names. */
  get features(): string[] {
    const { code } = this.instruction;
    let features = this.#features.get(code);
    if (!features) {
      features = [...this.instruction.cpuidFeatures()].map((feature) => FEATURES.get(feature) ?? "");
      this.#features.set(code, features);
    }
    return features;
  }

  get operands(): string[] {
    return Array.from({ length: this.instruction.opCount }, (_, i) => this.#operand(i));
  }

  #operand(i: number): string {
    const { instruction } = this;
    const kind = instruction.opKind(i);
    const implicit = IMPLICIT_MEMORY.get(kind);
    if (implicit) {
      const isSource = kind < iced.OpKind.MemoryESDI;
      return `${isSource ? this.#segment() : this.codeSize === 64 ? "" : "es:"}[${implicit}]`;
    }
    switch (kind) {
      case iced.OpKind.Register:
        return registerOf(instruction.opRegister(i));
      case iced.OpKind.Memory:
        return this.#memory();
      case iced.OpKind.FarBranch16:
        return `${instruction.farBranchSelector}:${instruction.farBranch16}`;
      case iced.OpKind.FarBranch32:
        return `${instruction.farBranchSelector}:${instruction.farBranch32 >>> 0}`;
      case iced.OpKind.NearBranch16:
      case iced.OpKind.NearBranch32:
      case iced.OpKind.NearBranch64:
        return hex(instruction.nearBranchTarget);
      default:
        return hex(instruction.immediate(i));
    }
  }

  /** The segment, if it is FS or GS: overrides with others mean nothing in 64-bit mode. */
  #segment(): string {
    if (this.codeSize !== 64) return `${registerOf(this.instruction.memorySegment)}:`;
    const name = registerOf(this.instruction.segmentPrefix);
    return name === "fs" || name === "gs" ? `${name}:` : "";
  }

  #memory(): string {
    const { instruction } = this;
    if (instruction.isIpRelMemoryOperand) return `${this.#segment()}[${hex(instruction.ipRelMemoryAddress)}]`;
    const { memoryBase, memoryIndex } = instruction;
    const base = memoryBase === iced.Register.None ? "" : registerOf(memoryBase);
    const index =
      memoryIndex === iced.Register.None ? "" : `${registerOf(memoryIndex)}*${instruction.memoryIndexScale}`;
    return `${this.#segment()}[${base}+${index}+${hex(instruction.memoryDisplacement)}]`;
  }
}

function registerOf(register: iced.Register): string {
  return (REGISTERS.get(register) ?? "").toLowerCase();
}

const registerNumber = (name: string): string => {
  const number = GPR_64.findIndex(
    (gpr) => name === gpr || name === gpr.slice(1) || name === `e${gpr.slice(1)}`,
  );
  return number >= 0 ? `gpr${number}` : name.replace(/^r(\d+)[dw]?$/, "gpr$1");
};

/** How two sets of operands differ, or "" if they agree. */
export function compareOperands(
  mnemonic: string,
  ours: readonly string[],
  theirs: readonly string[],
): string {
  let mine = [...ours];
  let other = [...theirs];
  // Operands that iced leaves out, and those that we do.
  if (mine.length > other.length && mine.at(-1) === "xmm0") mine.pop();
  // XBEGIN's target does not depend on the size of the instruction pointer; it is not implemented.
  if (mnemonic === "nop" || mnemonic === "xbegin") return "";
  if (mnemonic === "xlat" || mnemonic.endsWith("maskmovdqu") || mnemonic === "maskmovq") {
    other = other.filter((text) => !text.includes("["));
  }
  if (SELECTORS.has(mnemonic)) {
    mine = mine.map(registerNumber);
    other = other.map(registerNumber);
  }
  return mine.join() === other.join() ? "" : `${mine.join()} for ${other.join()}`;
}

/**
 * Extensions that iced decodes and that have no rows (or not all): no processor that we describe has them, so their
 * encodings are #UD. AMD's and VIA's own, and Intel's for hypervisors, enclaves, matrices and the like.
 */
export const UNIMPLEMENTED_FEATURES: ReadonlySet<string> = new Set(
  (
    "D3NOW D3NOWEXT XOP FMA4 SSE4A SVM SKINIT_or_SVM SEV_ES SEV_SNP INVLPGB RMPQUERY MCOMMIT MONITORX RDPRU CLZERO TBM LWP " +
    "CYRIX_SMM PADLOCK_RNG PADLOCK_ACE PADLOCK_PHE PADLOCK_PMM PADLOCK_GMI PADLOCK_UNDOC " +
    "VMX INVEPT INVVPID SMX SGX1 OSS TDX PCONFIG TSE KL AESKLE WIDE_KL CET_SS UINTR ENQCMD HRESET PTWRITE TSXLDTRK LKGS FRED " +
    "WRMSRNS MSRLIST UDBG RAO_INT CMPCCXADD AMX_TILE AMX_INT8 AMX_BF16 AMX_FP16 AMX_COMPLEX SHA512 SM3 SM4 " +
    "AVX_IFMA AVX_VNNI_INT8 AVX_VNNI_INT16 AVX_NE_CONVERT KNC"
  ).split(" "),
);

/** Compares the decoder with iced. */
export class Comparison {
  readonly oracle: IcedOracle;
  readonly decoded = createInstruction();
  /** Both found an instruction at the last position. */
  isValid = false;
  readonly #decoder: Decoder;
  #iced: iced.Decoder | undefined;
  #bytes: Uint8Array = new Uint8Array();
  readonly codeSize: CodeSize;

  constructor(codeSize: CodeSize = 64) {
    this.codeSize = codeSize;
    this.oracle = new IcedOracle(codeSize);
    this.#decoder = new Decoder(codeSize);
  }

  /** The bytes that {@link compare} decodes from; there should be 48 behind the last instruction. */
  set bytes(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#iced?.free();
    this.#iced = new iced.Decoder(this.codeSize, bytes, iced.DecoderOptions.None);
  }

  /** Lets both decode at `position`. */
  decode(position: number): DecodeResult {
    if (this.#iced) this.oracle.decode(this.#iced, position);
    const result = this.#decoder.decode(this.#bytes, position, this.#bytes.length, this.decoded);
    this.isValid = result === DecodeResult.Ok && this.oracle.isValid;
    return result;
  }

  /** @returns how the two decodings at `position` differ, or "" */
  compare(position: number): string {
    return this.#difference(this.decode(position), position);
  }

  /** Whether we call invalid what iced decodes because it belongs to {@link UNIMPLEMENTED_FEATURES}. */
  get isUnimplemented(): boolean {
    const { isValid, features } = this.oracle;
    // AMD's processors have SYSCALL outside of 64-bit mode too.
    const isForeign = (feature: string) =>
      UNIMPLEMENTED_FEATURES.has(feature) || (feature === "SYSCALL" && this.codeSize !== 64);
    return isValid && features.some(isForeign);
  }

  #difference(result: DecodeResult, ip: number): string {
    const { oracle, decoded } = this;
    const { mnemonic } = decoded.row;
    if (result !== DecodeResult.Ok) {
      if (!oracle.isValid || this.isUnimplemented) return "";
      return `nothing for ${oracle.codeName} (${oracle.features.join("+")})`;
    }
    // Of EVEX instructions only the length is decoded, so opcodes that do not exist have one too.
    if (mnemonic === "evex" && !oracle.isValid) return "";
    if (!oracle.isValid) return `${mnemonic} for nothing`;
    if (decoded.length !== oracle.instruction.length) {
      return `${mnemonic}: length ${decoded.length} for ${oracle.instruction.length} of ${oracle.codeName}`;
    }
    if (mnemonic === "evex") return "";
    if (mnemonic !== oracle.mnemonic) return `${mnemonic} for ${oracle.codeName}`;
    if (decoded.lock !== oracle.instruction.hasLockPrefix) return `${mnemonic}: lock ${decoded.lock}`;
    const difference = compareOperands(mnemonic, describe(decoded, ip, this.codeSize), oracle.operands);
    return difference && `${mnemonic} (${oracle.codeName}): ${difference}`;
  }
}
