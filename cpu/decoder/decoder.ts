/**
 * The instruction decoder: Intel SDM vol. 2, chapter 2, driven by the opcode rows of rows.ts.
 *
 * It knows no CPU model: rows carry the feature they need, and whoever uses the instruction decides.
 */

import { BASE_RIP, type Instruction, NO_REGISTER, type OpcodeRow } from "./instruction.ts";
import { Decision, Immediate, Lookup, NOT_GROWN, RowFlag } from "./lookup.ts";
import { MapBase, ROW_TABLE } from "./row-table.ts";

/** What {@link Decoder.decode} made of the bytes. */
export const DecodeResult = {
  Ok: 0,
  /** The bytes before the limit may begin an instruction; its end is behind the limit. */
  NeedsMoreBytes: 1,
  /** No such instruction, or a prefix that it does not allow: #UD. */
  Invalid: 2,
  /** Longer than 15 bytes: #GP(0). */
  TooLong: 3,
} as const;
export type DecodeResult = (typeof DecodeResult)[keyof typeof DecodeResult];

/** SDM vol. 2, 2.3.11: longer instructions raise #GP. */
const MAX_LENGTH = 15;

/**
 * How far {@link Decoder} looks at most: 14 prefixes, VEX and opcode (4), ModRM, SIB, displacement (4), immediate (8),
 * rounded up. With that many bytes before the limit nothing needs to be checked on the way, only the length at the end.
 */
const LOOKAHEAD = 48;

/** Legacy prefixes as bits. */
const Prefix = { Lock: 1, OperandSize: 2, AddressSize: 4 } as const;

/** Kinds of first bytes. */
const FirstByte = {
  Opcode: 0,
  Rex: 1,
  Escape: 2,
  Vex: 3,
  OperandSize: 4,
  AddressSize: 5,
  Lock: 6,
  Repeat: 7,
  Segment: 8,
  NullSegment: 9,
  /** LES, LDS, BOUND, unless what follows cannot be their ModRM byte: it names a register. */
  PerhapsVex: 10,
} as const;

/** Size of code: 64-bit mode; a code segment of 32 or 16 bits in the others. */
export type CodeSize = 16 | 32 | 64;

function firstBytes(codeSize: CodeSize): Uint8Array {
  const kinds = new Uint8Array(256);
  if (codeSize === 64) kinds.fill(FirstByte.Rex, 0x40, 0x50);
  kinds[0x0f] = FirstByte.Escape;
  kinds[0x62] = kinds[0xc4] = kinds[0xc5] = codeSize === 64 ? FirstByte.Vex : FirstByte.PerhapsVex;
  kinds[0x66] = FirstByte.OperandSize;
  kinds[0x67] = FirstByte.AddressSize;
  kinds[0xf0] = FirstByte.Lock;
  kinds[0xf2] = kinds[0xf3] = FirstByte.Repeat;
  kinds[0x64] = kinds[0x65] = FirstByte.Segment;
  // ES, CS, SS, DS: no effect in 64-bit mode, not even on an FS or GS before them.
  const others = codeSize === 64 ? FirstByte.NullSegment : FirstByte.Segment;
  kinds[0x26] = kinds[0x2e] = kinds[0x36] = kinds[0x3e] = others;
  return kinds;
}

/** What decoding depends on besides the bytes. */
interface Tables {
  readonly is64Bit: boolean;
  readonly firstBytes: Uint8Array;
  readonly lookup: Lookup;
  /** Sizes without prefixes, and with the prefix for the other one. */
  readonly operandSize: number;
  readonly otherOperandSize: number;
  readonly addressSize: number;
  readonly otherAddressSize: number;
}

const LOOKUP_64 = new Lookup(ROW_TABLE, true);
const TABLES_64: Tables = {
  is64Bit: true,
  firstBytes: firstBytes(64),
  lookup: LOOKUP_64,
  operandSize: 32,
  otherOperandSize: 16,
  addressSize: 64,
  otherAddressSize: 32,
};

function legacyTables(codeSize: 16 | 32, lookup: Lookup): Tables {
  const other = codeSize === 32 ? 16 : 32;
  return {
    is64Bit: false,
    firstBytes: firstBytes(codeSize),
    lookup,
    operandSize: codeSize,
    otherOperandSize: other,
    addressSize: codeSize,
    otherAddressSize: other,
  };
}

/** Made when 16- or 32-bit code is first decoded. */
let legacyLookup: Lookup | undefined;

function tablesOf(codeSize: CodeSize): Tables {
  if (codeSize === 64) return TABLES_64;
  legacyLookup ??= new Lookup(ROW_TABLE, false);
  return legacyTables(codeSize, legacyLookup);
}

const SEGMENT_SS = 2;
const SEGMENT_DS = 3;
/** The segment registers of the prefixes 26, 2E, 36, 3E, 64, 65. */
const segmentOf = (prefix: number): number => (prefix >= 0x64 ? prefix - 0x60 : (prefix >> 3) & 3);

/** CR0, CR2, CR3, CR4, CR8. */
const CONTROL_REGISTERS = 0b1_0001_1101;
const BX = 3;
const BP = 5;
const SI = 6;
const DI = 7;

/** An instruction to decode into. */
export function createInstruction(): Instruction {
  return {
    row: ROW_TABLE.row(0),
    length: 0,
    operandSize: 32,
    addressSize: 64,
    rex: false,
    mod: 0,
    reg: 0,
    rm: 0,
    rmIsRegister: false,
    opcodeRegister: 0,
    base: NO_REGISTER,
    index: NO_REGISTER,
    scale: 0,
    displacement: 0,
    segment: SEGMENT_DS,
    immediateLow: 0,
    immediateHigh: 0,
    immediate2: 0,
    lock: false,
    rep: false,
    repne: false,
    vex: false,
    vvvv: 0,
    vexL: 0,
  };
}

/** Decodes code of one size. */
export class Decoder {
  readonly #tables: Tables;
  /** Stands in for the bytes when the limit is near, padded with zeros. */
  readonly #window = new Uint8Array(LOOKAHEAD);

  constructor(codeSize: CodeSize = 64) {
    this.#tables = tablesOf(codeSize);
  }

  /**
   * Decodes the instruction at `offset` into `out`.
   * @param limit no byte from here on may be looked at (the end of the page, of the segment, of the buffer)
   * @returns if not {@link DecodeResult.Ok}, `out` is undefined
   */
  decode(bytes: Uint8Array, offset: number, limit: number, out: Instruction): DecodeResult {
    const available = limit - offset;
    let end: number;
    if (available >= LOOKAHEAD) {
      end = decodeAt(bytes, offset, out, this.#tables);
    } else {
      const window = this.#window;
      for (let i = 0; i < LOOKAHEAD; i++) window[i] = i < available ? bytes[offset + i] : 0;
      end = decodeAt(window, 0, out, this.#tables);
    }
    const length = end < 0 ? -end : end;
    // What was found out from bytes that are not there (or not part of an instruction) does not count.
    if (length > available && available < MAX_LENGTH) return DecodeResult.NeedsMoreBytes;
    if (length > MAX_LENGTH) return DecodeResult.TooLong;
    if (end < 0) return DecodeResult.Invalid;
    out.length = length;
    return DecodeResult.Ok;
  }
}

/** Reads 32 bits. */
function long(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

/**
 * Decodes without regard to limit and length.
 * @returns the length, or the negated number of bytes after which the instruction turned out to be invalid
 */
function decodeAt(bytes: Uint8Array, start: number, out: Instruction, tables: Tables): number {
  const { firstBytes: kinds, is64Bit } = tables;
  let at = start;
  let prefixes = 0;
  let rex = 0;
  let repeat = 0; // 0, 0xf2 or 0xf3: the last one counts
  let override = -1;
  let byte = bytes[at++];
  let kind = kinds[byte];

  while (kind !== FirstByte.Opcode) {
    if (kind === FirstByte.Rex) {
      rex = byte;
    } else {
      if (kind === FirstByte.PerhapsVex) kind = bytes[at] >= 0xc0 ? FirstByte.Vex : FirstByte.Opcode;
      if (kind === FirstByte.Escape || kind === FirstByte.Vex || kind === FirstByte.Opcode) break;
      rex = 0; // REX counts only directly before the opcode
      switch (kind) {
        case FirstByte.OperandSize:
          prefixes |= Prefix.OperandSize;
          break;
        case FirstByte.AddressSize:
          prefixes |= Prefix.AddressSize;
          break;
        case FirstByte.Lock:
          prefixes |= Prefix.Lock;
          break;
        case FirstByte.Repeat:
          repeat = byte;
          break;
        case FirstByte.Segment:
          override = segmentOf(byte);
          break;
      }
    }
    if (at - start >= MAX_LENGTH) return -(MAX_LENGTH + 1);
    byte = bytes[at++];
    kind = kinds[byte];
  }

  // The opcode map, and the column of the mandatory prefix: F2 and F3 win over 66.
  let map: number = MapBase.Legacy;
  let column = repeat !== 0 ? (repeat === 0xf3 ? 2 : 3) : (prefixes & Prefix.OperandSize) >> 1;
  out.vex = false;
  out.vvvv = 0;
  out.vexL = 0;
  if (kind === FirstByte.Escape) {
    byte = bytes[at++];
    if (byte === 0x38) {
      map = MapBase.Legacy0F38;
      byte = bytes[at++];
    } else if (byte === 0x3a) {
      map = MapBase.Legacy0F3A;
      byte = bytes[at++];
    } else {
      map = MapBase.Legacy0F;
    }
  } else if (kind === FirstByte.Vex) {
    if (rex !== 0 || repeat !== 0 || (prefixes & (Prefix.Lock | Prefix.OperandSize)) !== 0) return start - at;
    if (byte === 0x62) return decodeEvex(bytes, start, at, prefixes, out, tables);
    // VEX (SDM vol. 2, 2.3.5): C5 RvvvvLpp, C4 RXBmmmmm WvvvvLpp; R, X, B and vvvv are inverted. Kept as a REX byte.
    let last = bytes[at++];
    rex = 0x40 | ((~last >> 5) & 4);
    let vexMap = 1;
    if (byte === 0xc4) {
      rex = 0x40 | ((~last >> 5) & 7);
      vexMap = last & 31;
      last = bytes[at++];
      rex |= (last >> 4) & 8;
      if (vexMap < 1 || vexMap > 3) return start - at;
    }
    // Outside of 64-bit mode there are eight registers, and general ones have 32 bits.
    if (!is64Bit) rex &= ~7;
    column = last & 3;
    out.vex = true;
    out.vvvv = (~last >> 3) & 15;
    out.vexL = (last >> 2) & 1;
    map = MapBase.Vex + (vexMap << 8);
    byte = bytes[at++];
  }

  // The row: ModRM can decide it, and what follows ModRM cannot.
  const key = map + byte;
  const { lookup } = tables;
  const { nodes, flags, rows } = lookup;
  let found = lookup.first[key];
  if (found === NOT_GROWN) found = lookup.grow(key);
  if (found === 0) return start - at;
  let modrm = 0;
  if (lookup.hasModrm[key] !== 0) modrm = bytes[at++];
  while (found < 0) {
    let slot: number;
    switch (nodes[-found]) {
      case Decision.Extension:
        slot = (modrm >> 3) & 7;
        break;
      case Decision.Mod:
        slot = modrm >= 0xc0 ? 1 : 0;
        break;
      case Decision.Rm:
        slot = modrm & 7;
        break;
      case Decision.Prefix:
        slot = column;
        break;
      case Decision.W:
        slot = (rex >> 3) & 1;
        break;
      case Decision.L:
        slot = out.vexL;
        break;
      default:
        slot = rex & 1;
    }
    found = nodes[1 + slot - found];
  }
  if (found === 0) return start - at;
  const id = found - 1;
  const flag = flags[id];

  const other = (prefixes & Prefix.OperandSize) !== 0 && !out.vex;
  if (is64Bit) {
    const wide = (rex & 8) !== 0 || (flag & RowFlag.Force64) !== 0;
    out.operandSize = wide ? 64 : other ? 16 : (flag & RowFlag.Default64) !== 0 ? 64 : 32;
  } else if (out.vex) out.operandSize = 32;
  else out.operandSize = other ? tables.otherOperandSize : tables.operandSize;
  out.row = rows[id];
  out.addressSize = (prefixes & Prefix.AddressSize) !== 0 ? tables.otherAddressSize : tables.addressSize;
  out.rex = rex !== 0;
  out.opcodeRegister = (byte & 7) | ((rex & 1) << 3);
  out.lock = (prefixes & Prefix.Lock) !== 0;
  const repeats = (flag & RowFlag.PrefixTaken) === 0;
  out.rep = repeats && repeat === 0xf3;
  out.repne = repeats && repeat === 0xf2;
  // Eight registers: the highest bit of register numbers is ignored.
  if (!is64Bit && (flag & RowFlag.UsesVvvv) !== 0) out.vvvv &= 7;
  out.base = NO_REGISTER;
  out.index = NO_REGISTER;
  out.scale = 0;
  out.displacement = 0;
  out.rmIsRegister = false;

  let segment = SEGMENT_DS;
  if ((flag & RowFlag.HasModrm) !== 0) {
    const mod = modrm >> 6;
    const reg = ((modrm >> 3) & 7) | ((flag & RowFlag.ShortReg) !== 0 ? 0 : (rex & 4) << 1);
    const rm = (modrm & 7) | ((flag & RowFlag.ShortRm) !== 0 ? 0 : (rex & 1) << 3);
    out.mod = mod;
    out.reg = reg;
    out.rm = rm;
    if (mod === 3 || (flag & RowFlag.AnyMod) !== 0) {
      out.rmIsRegister = true;
    } else {
      // Gathers need a SIB byte, which 16-bit addresses do not have.
      if (out.addressSize === 16 && (flag & RowFlag.Vsib) !== 0) return start - at;
      at =
        out.addressSize === 16
          ? decodeNarrowMemory(bytes, at, modrm, out)
          : decodeMemory(bytes, at, modrm, rex, (flag & RowFlag.Vsib) !== 0, is64Bit, out);
      if (out.base === 4 || out.base === 5) segment = SEGMENT_SS;
    }
    if ((flag & SPECIAL_REGISTERS) !== 0 && !isRegisterAllowed(flag, out)) return start - at;
  }
  out.segment = override >= 0 ? override : segment;
  if (out.lock && ((flag & RowFlag.Lockable) === 0 || out.rmIsRegister)) return start - at;
  if (out.vex && out.vvvv !== 0 && (flag & RowFlag.UsesVvvv) === 0) return start - at;
  if (!is64Bit && out.vex) {
    const end = readImmediate(bytes, at, lookup.immediate[id], out) - start;
    out.immediate2 &= 0x7f;
    return end;
  }
  return readImmediate(bytes, at, lookup.immediate[id], out) - start;
}

const SPECIAL_REGISTERS =
  RowFlag.Segment | RowFlag.SegmentWritten | RowFlag.Control | RowFlag.Debug | RowFlag.Vsib | RowFlag.Mask;

/** Register numbers that do not exist, and CS as a destination, are #UD. */
function isRegisterAllowed(flag: number, { reg, rm, index, vvvv }: Instruction): boolean {
  if ((flag & RowFlag.Segment) !== 0) return reg < 6 && !(reg === 1 && (flag & RowFlag.SegmentWritten) !== 0);
  if ((flag & RowFlag.Control) !== 0) return ((CONTROL_REGISTERS >> reg) & 1) !== 0;
  if ((flag & RowFlag.Debug) !== 0) return reg < 8;
  if ((flag & RowFlag.Mask) !== 0) return reg < 8 && vvvv < 8;
  // Gathers: the index comes from a SIB byte; destination, index and mask are three registers (SDM vol. 2, VGATHERDPS).
  return (rm & 7) === 4 && reg !== index && reg !== vvvv && index !== vvvv;
}

/** SIB and displacement: SDM vol. 2, tables 2-2 and 2-3, and 2.2.1.6 for RIP. */
function decodeMemory(
  bytes: Uint8Array,
  from: number,
  modrm: number,
  rex: number,
  vsib: boolean,
  is64Bit: boolean,
  out: Instruction,
): number {
  let at = from;
  const mod = modrm >> 6;
  let low = modrm & 7;
  let hasSib = false;
  if (low === 4) {
    hasSib = true;
    const sib = bytes[at++];
    low = sib & 7;
    const index = ((sib >> 3) & 7) | ((rex & 2) << 2);
    if (index !== 4 || vsib) {
      out.index = index;
      out.scale = sib >> 6;
    }
  }
  if (mod === 0 && low === 5) {
    out.base = hasSib || !is64Bit ? NO_REGISTER : BASE_RIP;
    out.displacement = long(bytes, at);
    return at + 4;
  }
  out.base = low | ((rex & 1) << 3);
  if (mod === 1) {
    out.displacement = (bytes[at] << 24) >> 24;
    return at + 1;
  }
  if (mod === 2) {
    out.displacement = long(bytes, at);
    return at + 4;
  }
  return at;
}

/** 16-bit addresses: SDM vol. 2, table 2-1. */
function decodeNarrowMemory(bytes: Uint8Array, at: number, modrm: number, out: Instruction): number {
  const mod = modrm >> 6;
  const rm = modrm & 7;
  if (mod === 0 && rm === 6) {
    out.displacement = bytes[at] | (bytes[at + 1] << 8);
    return at + 2;
  }
  out.base = rm === 4 ? SI : rm === 5 ? DI : rm === 6 || rm === 2 || rm === 3 ? BP : BX;
  if (rm < 4) out.index = (rm & 1) === 0 ? SI : DI;
  if (mod === 1) {
    out.displacement = (bytes[at] << 24) >> 24;
    return at + 1;
  }
  if (mod === 2) {
    out.displacement = ((bytes[at] << 16) | (bytes[at + 1] << 24)) >> 16;
    return at + 2;
  }
  return at;
}

function readImmediate(bytes: Uint8Array, at: number, kind: number, out: Instruction): number {
  let low = 0;
  let high = 0;
  let next = at;
  out.immediate2 = 0;
  switch (kind) {
    case Immediate.None:
      break;
    case Immediate.Byte:
      low = bytes[next++];
      break;
    case Immediate.ByteSigned:
      low = (bytes[next++] << 24) >> 24;
      high = low >> 31;
      break;
    case Immediate.Word:
      low = bytes[at] | (bytes[at + 1] << 8);
      next += 2;
      break;
    case Immediate.WordOrLong:
      if (out.operandSize === 16) {
        low = ((bytes[at] << 16) | (bytes[at + 1] << 24)) >> 16;
        next += 2;
      } else {
        low = long(bytes, at);
        next += 4;
      }
      high = low >> 31;
      break;
    case Immediate.Full:
      if (out.operandSize === 16) {
        low = bytes[at] | (bytes[at + 1] << 8);
        next += 2;
      } else {
        low = long(bytes, at);
        next += 4;
        if (out.operandSize === 64) {
          high = long(bytes, next);
          next += 4;
        }
      }
      break;
    case Immediate.WordByte:
      low = bytes[at] | (bytes[at + 1] << 8);
      out.immediate2 = bytes[at + 2];
      next += 3;
      break;
    case Immediate.Address:
      if (out.addressSize === 16) {
        low = bytes[at] | (bytes[at + 1] << 8);
        next += 2;
        break;
      }
      low = long(bytes, at);
      next += 4;
      if (out.addressSize === 64) {
        high = long(bytes, next);
        next += 4;
      }
      break;
    case Immediate.Register:
      out.immediate2 = bytes[next++];
      break;
    case Immediate.Far:
      low = out.operandSize === 16 ? bytes[at] | (bytes[at + 1] << 8) : long(bytes, at);
      next += out.operandSize === 16 ? 2 : 4;
      out.immediate2 = bytes[next] | (bytes[next + 1] << 8);
      next += 2;
      break;
  }
  out.immediateLow = low;
  out.immediateHigh = high;
  return next;
}

/**
 * EVEX (SDM vol. 2, 2.7): no row of AVX-512 exists yet, so only the length is found out.
 * @param at behind the 62
 */
function decodeEvex(
  bytes: Uint8Array,
  start: number,
  at: number,
  prefixes: number,
  out: Instruction,
  tables: Tables,
): number {
  const map = bytes[at] & 15;
  const opcode = bytes[at + 3];
  if (map === 0 || map === 4 || map > 6 || (bytes[at + 1] & 4) === 0) return start - (at + 2);
  const modrm = bytes[at + 4];
  out.row = evexRow();
  out.operandSize = 32;
  out.lock = false;
  out.rep = false;
  out.repne = false;
  out.addressSize = (prefixes & Prefix.AddressSize) !== 0 ? tables.otherAddressSize : tables.addressSize;
  out.base = NO_REGISTER;
  out.index = NO_REGISTER;
  let end = at + 5;
  if (modrm < 0xc0) {
    end =
      out.addressSize === 16
        ? decodeNarrowMemory(bytes, end, modrm, out)
        : decodeMemory(bytes, end, modrm, 0x40, true, tables.is64Bit, out);
  }
  // PSHUFx and the shifts by immediate, CMPPS, PINSRW, PEXTRW, SHUFPS.
  const immediateIn0F =
    (opcode >= 0x70 && opcode <= 0x73) || opcode === 0xc2 || (opcode >= 0xc4 && opcode <= 0xc6);
  if (map === 3 || (map === 1 && immediateIn0F)) end++;
  return end - start;
}

/** The row that stands for all EVEX instructions. */
function evexRow(): OpcodeRow {
  const key = MapBase.Legacy + 0x62;
  const found = LOOKUP_64.first[key];
  return LOOKUP_64.rows[(found === NOT_GROWN ? LOOKUP_64.grow(key) : found) - 1];
}
