/**
 * Lookup tables built from the opcode rows: which row an opcode selects, and what the decoder has to do for a row.
 *
 * An opcode leads to a row, to nothing (#UD), or to a decision node: a few slots indexed by one more property of the
 * instruction (mandatory prefix, ModRM.mod, …), each of which again holds one of the three.
 */

import type { OpcodeRow } from "./instruction.ts";
import { KEYS, type RowTable } from "./row-table.ts";

/** What a decision node looks at. */
export const Decision = {
  /** ModRM.reg: 8 slots. */
  Extension: 0,
  /** ModRM.mod: memory, register. */
  Mod: 1,
  /** ModRM.rm: 8 slots. */
  Rm: 2,
  /** Mandatory prefix: none, 66, F3, F2. */
  Prefix: 3,
  /** REX.W or VEX.W. */
  W: 4,
  /** VEX.L. */
  L: 5,
  /** REX.B. */
  B: 6,
} as const;

/** Slots of a node, by decision. */
const SLOTS = [8, 2, 8, 4, 2, 2, 2];

const PREFIX_SLOT = { np: 0, "66": 1, f3: 2, f2: 3 } as const;

/** What a row demands: for each decision four bits, 0 if the row does not care, else the slot + 1. */
export function demands(row: OpcodeRow): number {
  let packed = 0;
  if (row.extension !== undefined) packed |= (row.extension + 1) << (4 * Decision.Extension);
  if (row.mod !== undefined) packed |= (row.mod === "reg" ? 2 : 1) << (4 * Decision.Mod);
  if (row.rm !== undefined) packed |= (row.rm + 1) << (4 * Decision.Rm);
  if (row.prefix !== undefined) packed |= (PREFIX_SLOT[row.prefix] + 1) << (4 * Decision.Prefix);
  if (row.rexW !== undefined) packed |= (row.rexW + 1) << (4 * Decision.W);
  if (row.vex?.w !== undefined) packed |= (row.vex.w + 1) << (4 * Decision.W);
  if (row.vex?.l !== undefined) packed |= (row.vex.l + 1) << (4 * Decision.L);
  if (row.rexB !== undefined) packed |= (row.rexB + 1) << (4 * Decision.B);
  return packed;
}

const demandOf = (packed: number, decision: number): number => (packed >> (4 * decision)) & 15;

/**
 * On how many decisions {@link demands} insist. A mandatory prefix counts more: F3 90 is PAUSE even with REX.B, where
 * 90 alone is XCHG (measured on Sapphire Rapids).
 */
export function specificity(packed: number): number {
  let count = 0;
  for (let d = 0; d < SLOTS.length; d++)
    if (demandOf(packed, d) !== 0) count += d === Decision.Prefix ? 2 : 1;
  return count;
}

/** How the bytes after ModRM, SIB and displacement are read. */
export const Immediate = {
  None: 0,
  Byte: 1,
  ByteSigned: 2,
  Word: 3,
  /** 16 or 32 bits by operand size, sign-extended. */
  WordOrLong: 4,
  /** 16, 32 or 64 bits by operand size. */
  Full: 5,
  /** ENTER: a word and a byte. */
  WordByte: 6,
  /** An address, 32 or 64 bits by address size. */
  Address: 7,
  /** A byte whose high half is a register number. */
  Register: 8,
  /** A far pointer: 16 or 32 bits of offset by operand size, then a selector. */
  Far: 9,
} as const;

/** Properties of a row that the decoder acts on. */
export const RowFlag = {
  HasModrm: 1 << 0,
  /** ModRM.mod is ignored: rm is a register. */
  AnyMod: 1 << 1,
  Default64: 1 << 2,
  Force64: 1 << 3,
  Lockable: 1 << 4,
  /** The mandatory prefix is F2 or F3, which then is not a repeat prefix. */
  PrefixTaken: 1 << 5,
  /** ModRM.reg, ModRM.rm have three bits only: MMX, x87 and segment registers ignore REX.R, REX.B. */
  ShortReg: 1 << 6,
  ShortRm: 1 << 7,
  /** ModRM.reg is a segment register, and it is written. */
  Segment: 1 << 8,
  SegmentWritten: 1 << 9,
  Control: 1 << 10,
  Debug: 1 << 11,
  Vsib: 1 << 12,
  /** VEX.vvvv is an operand; otherwise it must be 1111. */
  UsesVvvv: 1 << 13,
  /** ModRM.reg or VEX.vvvv is a mask register: 0…7. */
  Mask: 1 << 14,
} as const;

/** In {@link Lookup.first}: the decision tree of this opcode has not been made. */
export const NOT_GROWN = -0x8000;

/**
 * The tables of 64-bit mode, or of the others, which share theirs: the rows of the other one are left out.
 *
 * An opcode's decision tree is made when the opcode is first decoded.
 */
export class Lookup {
  /** By key (row-table.ts): 0 for #UD, row id + 1, the negated index of a node in `nodes`, or {@link NOT_GROWN}. */
  readonly first = new Int16Array(KEYS);
  /** Nodes: a {@link Decision}, then its slots, each with a value as in `first`. */
  readonly nodes = new Int16Array(8192);
  /** By key: 1 if a ModRM byte follows. */
  readonly hasModrm = new Uint8Array(KEYS);
  /** By row id: {@link RowFlag} bits. */
  readonly flags: Uint16Array;
  /** By row id: one of {@link Immediate}. */
  readonly immediate: Uint8Array;
  /** By row id: the rows that the trees lead to. */
  readonly rows: OpcodeRow[] = [];

  readonly #table: RowTable;
  // 0 is taken: a node there could not be told from "nothing".
  #nodesEnd = 1;

  readonly #is64Bit: boolean;

  constructor(table: RowTable, is64Bit: boolean) {
    this.#table = table;
    this.#is64Bit = is64Bit;
    this.flags = new Uint16Array(table.count);
    this.immediate = new Uint8Array(table.count);
    this.first.fill(NOT_GROWN);
  }

  /** Makes the decision tree of an opcode and returns its root. */
  grow(key: number): number {
    const candidates: Candidate[] = [];
    for (const row of this.#table.rowsOf(key)) {
      if (isLeftOut(row, this.#is64Bit)) continue;
      const ignoresW = !this.#is64Bit && hasGeneralRegister(row) && row.vex?.w !== undefined;
      this.rows[row.id] = row;
      this.flags[row.id] = rowFlags(row);
      this.immediate[row.id] = immediateKind(row);
      if (row.hasModrm) this.hasModrm[key] = 1;
      const wanted = demands(row);
      candidates.push({ id: row.id, demands: ignoresW ? wanted & ~(15 << (4 * Decision.W)) : wanted });
    }
    const root = this.#decide(candidates, 0);
    this.first[key] = root;
    return root;
  }

  /** Splits the candidates by the first decision from `decision` on that any of them cares about. */
  #decide(candidates: readonly Candidate[], decision: number): number {
    if (candidates.length === 0) return 0;
    let d = decision;
    while (d < SLOTS.length && candidates.every((candidate) => demandOf(candidate.demands, d) === 0)) d++;
    if (d === SLOTS.length) return mostSpecific(candidates).id + 1;
    const node = this.#nodesEnd;
    const slots = SLOTS[d];
    this.#nodesEnd += 1 + slots;
    this.nodes[node] = d;
    // Most slots are nobody's: they get what those get that do not care.
    const indifferent = candidates.filter((candidate) => demandOf(candidate.demands, d) === 0);
    const common = this.#decide(indifferent, d + 1);
    for (let slot = 0; slot < slots; slot++) {
      const wanting = candidates.filter((candidate) => demandOf(candidate.demands, d) === slot + 1);
      this.nodes[node + 1 + slot] =
        wanting.length === 0 ? common : this.#decide(wanting.concat(indifferent), d + 1);
    }
    return -node;
  }
}

/** Does no opcode lead to the row in 64-bit mode, or in the others? */
export function isLeftOut(row: OpcodeRow, is64Bit: boolean): boolean {
  if (is64Bit) return row.mode === "not64";
  return row.mode === "only64" || (row.vex?.w === 1 && hasGeneralRegister(row));
}

/** VMOVD, VPINSRD …: with VEX.W they move 64 bits, in 64-bit mode only. */
function hasGeneralRegister(row: OpcodeRow): boolean {
  const has = (name: string) => row.operands.some(({ class: kind }) => kind === name);
  // Of the moves to and from mask registers only KMOVD and KMOVQ, which have F2, are told apart by W.
  return (has("gpr") || has("gprOrMem")) && (!has("mask") || row.prefix === "f2");
}

/** A row that an opcode may lead to, and its {@link demands}. */
interface Candidate {
  readonly id: number;
  readonly demands: number;
}

/** F3 0F BC fits BSF, which cares about no prefix, and TZCNT, which does: TZCNT it is. */
function mostSpecific(candidates: readonly Candidate[]): Candidate {
  return candidates.reduce((best, candidate) =>
    specificity(candidate.demands) > specificity(best.demands) ? candidate : best,
  );
}

function rowFlags(row: OpcodeRow): number {
  let flags = row.hasModrm ? RowFlag.HasModrm : 0;
  if (row.size64 === "d64") flags |= RowFlag.Default64;
  if (row.size64 === "f64") flags |= RowFlag.Force64;
  if (row.lock) flags |= RowFlag.Lockable;
  if (row.prefix === "f2" || row.prefix === "f3") flags |= RowFlag.PrefixTaken;
  if (row.vsib) flags |= RowFlag.Vsib;
  for (const { source, class: kind, access } of row.operands) {
    if (source === "vvvv") flags |= RowFlag.UsesVvvv;
    if (kind === "mask" && source !== "rm") flags |= RowFlag.Mask;
    else if (source === "rm" && (kind === "mmx" || kind === "mmxOrMem" || kind === "st" || kind === "mask"))
      flags |= RowFlag.ShortRm;
    else if (source === "reg" && kind === "mmx") flags |= RowFlag.ShortReg;
    else if (source === "reg" && kind === "control") flags |= RowFlag.Control | RowFlag.AnyMod;
    else if (source === "reg" && kind === "debug") flags |= RowFlag.Debug | RowFlag.AnyMod;
    else if (source === "reg" && kind === "segment") {
      flags |= RowFlag.ShortReg | RowFlag.Segment | (access ? RowFlag.SegmentWritten : 0);
    }
  }
  return flags;
}

function immediateKind(row: OpcodeRow): number {
  let immediate: number = Immediate.None;
  for (const { source, class: kind, size, signExtend } of row.operands) {
    if (source === "imm2") return Immediate.WordByte;
    if (source === "is4") return Immediate.Register;
    if (source === "moffs") return Immediate.Address;
    if (source !== "imm" && source !== "rel") continue;
    if (source === "imm" && kind === "branch") immediate = Immediate.Far;
    else if (size === "b") immediate = signExtend || source === "rel" ? Immediate.ByteSigned : Immediate.Byte;
    else if (size === "w") immediate = Immediate.Word;
    else if (size === "z") immediate = Immediate.WordOrLong;
    else immediate = Immediate.Full;
  }
  return immediate;
}
