/**
 * The notation of the opcode tables, and its parser.
 *
 * A table is a list of sections; a section's rows are lines of the form
 *
 *     [prefix:]opcode[+][/extension][m|r[rm]]  mnemonic  [operands]  [attributes]
 *
 * - `prefix:` is a mandatory prefix: `np` (none of 66, F2, F3 may be there), `66`, `F3`, `F2`.
 * - `+`: the low three bits of the opcode are a register number.
 * - `/0`…`/7`: the value of ModRM.reg; `m` or `r` after the opcode: ModRM names memory or a register; `r1`: ModRM.rm is 1.
 * - Operands are those of Intel SDM vol. 2, appendix A.2.1: a letter for where it is encoded, then its size.
 *   `=` before it: it is written; `+`: read and written; otherwise it is only read. The letters:
 *
 *       E  ModRM.rm, general register or memory      W  ModRM.rm, XMM register or memory
 *       R  ModRM.rm, general register only           U  ModRM.rm, XMM register only
 *       M  ModRM.rm, memory only                     V  ModRM.reg, XMM register
 *       G  ModRM.reg, general register               H  VEX.vvvv, XMM register
 *       B  VEX.vvvv, general register                L  bits 7:4 of the last byte, XMM register
 *       Z  low bits of the opcode, general register  Q  ModRM.rm, MMX register or memory
 *       S  ModRM.reg, segment register               N  ModRM.rm, MMX register only
 *       C  ModRM.reg, control register               P  ModRM.reg, MMX register
 *       D  ModRM.reg, debug register                 O  absolute address after the opcode
 *       X  memory at seg:[rSI]                       J  branch displacement
 *       Y  memory at ES:[rDI]                        I  immediate
 *       A  far pointer after the opcode              K  mask register: KG, KR, KB as G, R, B
 *
 *   `Ibs`, `Izs`: the immediate is sign-extended; `Ib2`: the second immediate. `AL`, `CL`, `AX`, `DX`, `rAX` (size v), `eAX`
 *   (size z), `1`, `ST0`, `STi`, `XMM0`, `ES`…`GS` are themselves.
 * - The size of an XMM *destination* is the part that changes: `=Vdq` of a scalar load says that the rest becomes zero,
 *   `=Vd` that it is kept.
 * - Attributes: `lock`, `rep`, `repe`, `d64`, `f64`, `not64`, `only64`, `w0`/`w1` (REX.W or VEX.W), `l0`/`l1` (VEX.L),
 *   `b0` (REX.B clear), `anymod` (ModRM.mod is ignored, a register is meant), `unaligned`/`aligned`, `vsibx`/`vsiby`,
 *   `@feature`, `else=mnemonic` (what processors without the feature execute).
 */

import type { OpcodeRow, OperandClass, OperandSize, OperandSource, OperandSpec } from "./instruction.ts";

/** Rows that share a map, an encoding and usually a feature. */
export interface TableSection {
  readonly map: OpcodeRow["map"];
  readonly encoding?: "legacy" | "vex";
  /** The feature of rows that name none. */
  readonly feature?: string;
  /** One row a line; see the head of this file. */
  readonly rows: string;
}

const SOURCES: Readonly<Record<string, readonly [OperandSource, OperandClass]>> = {
  E: ["rm", "gprOrMem"],
  R: ["rm", "gpr"],
  M: ["rm", "mem"],
  G: ["reg", "gpr"],
  B: ["vvvv", "gpr"],
  Z: ["opcode", "gpr"],
  S: ["reg", "segment"],
  C: ["reg", "control"],
  D: ["reg", "debug"],
  W: ["rm", "xmmOrMem"],
  U: ["rm", "xmm"],
  V: ["reg", "xmm"],
  H: ["vvvv", "xmm"],
  L: ["is4", "xmm"],
  Q: ["rm", "mmxOrMem"],
  N: ["rm", "mmx"],
  P: ["reg", "mmx"],
  O: ["moffs", "mem"],
  X: ["si", "mem"],
  Y: ["di", "mem"],
  J: ["rel", "branch"],
  I: ["imm", "immediate"],
  A: ["imm", "branch"],
};

/** Operands that are not a letter and a size. */
const NAMED: Readonly<Record<string, OperandSpec>> = {
  AL: { source: "fixed", class: "gpr", size: "b", fixed: 0 },
  CL: { source: "fixed", class: "gpr", size: "b", fixed: 1 },
  AX: { source: "fixed", class: "gpr", size: "w", fixed: 0 },
  DX: { source: "fixed", class: "gpr", size: "w", fixed: 2 },
  rAX: { source: "fixed", class: "gpr", size: "v", fixed: 0 },
  eAX: { source: "fixed", class: "gpr", size: "z", fixed: 0 },
  "1": { source: "fixed", class: "immediate", size: "b", fixed: 1 },
  ST0: { source: "fixed", class: "st", size: "t", fixed: 0 },
  STi: { source: "rm", class: "st", size: "t" },
  XMM0: { source: "fixed", class: "xmm", size: "dq", fixed: 0 },
  ES: { source: "fixed", class: "segment", size: "w", fixed: 0 },
  CS: { source: "fixed", class: "segment", size: "w", fixed: 1 },
  SS: { source: "fixed", class: "segment", size: "w", fixed: 2 },
  DS: { source: "fixed", class: "segment", size: "w", fixed: 3 },
  FS: { source: "fixed", class: "segment", size: "w", fixed: 4 },
  GS: { source: "fixed", class: "segment", size: "w", fixed: 5 },
  Ib2: { source: "imm2", class: "immediate", size: "b" },
  KG: { source: "reg", class: "mask", size: "q" },
  KR: { source: "rm", class: "mask", size: "q" },
  KB: { source: "vvvv", class: "mask", size: "q" },
};

const SIZES: Readonly<Record<string, OperandSize>> = {
  b: "b",
  w: "w",
  d: "d",
  q: "q",
  v: "v",
  z: "z",
  y: "y",
  dq: "dq",
  qq: "qq",
  x: "x",
  t: "t",
  p: "p",
  s: "s",
  "": "none",
  "28": "m28",
  "108": "m108",
  "512": "m512",
};

/** Operands, operand lists and whole row endings repeat (`+Vdq,Wdq` stands in hundreds of rows): each is parsed once. */
const operandSpecs = new Map<string, OperandSpec>();
const operandLists = new Map<string, readonly OperandSpec[]>([["", []]]);
const tails = new Map<string, Tail>();

function parseOperands(text: string): readonly OperandSpec[] {
  let list = operandLists.get(text);
  if (!list) {
    list = text.split(",").map(parseOperand);
    operandLists.set(text, list);
  }
  return list;
}

function parseOperand(text: string): OperandSpec {
  let spec = operandSpecs.get(text);
  if (!spec) {
    const access = text[0] === "=" ? "w" : text[0] === "+" ? "rw" : undefined;
    const name = access ? text.slice(1) : text;
    spec = NAMED[name] ?? parseEncoded(name);
    if (access) spec = { ...spec, access };
    operandSpecs.set(text, spec);
  }
  return spec;
}

function parseEncoded(name: string): OperandSpec {
  const place = SOURCES[name[0]];
  const signExtend = name[0] === "I" && name.endsWith("s");
  const size = SIZES[signExtend ? name.slice(1, -1) : name.slice(1)];
  if (!place || !size) throw new Error(`opcode table: no such operand: ${name}`);
  return { source: place[0], class: place[1], size, ...(signExtend && { signExtend }) };
}

/** What follows a row's mnemonic: operands and attributes. */
interface Tail {
  operands: readonly OperandSpec[];
  hasModrm: boolean;
  mod: OpcodeRow["mod"];
  /** There is a 16-byte operand that may be memory; and what the row says about it. */
  wideMemory: boolean;
  aligned: boolean | undefined;
  vex: { l?: 0 | 1; w?: 0 | 1 };
  rexB: OpcodeRow["rexB"];
  lock: OpcodeRow["lock"];
  rep: OpcodeRow["rep"];
  size64: OpcodeRow["size64"];
  mode: OpcodeRow["mode"];
  vsib: OpcodeRow["vsib"];
  feature: string | undefined;
  /** The mnemonic of the fallback row. */
  fallback: string | undefined;
}

const ATTRIBUTES = new Map<string, Partial<Tail>>([
  ["lock", { lock: true }],
  ["rep", { rep: "rep" }],
  ["repe", { rep: "repe/ne" }],
  ["d64", { size64: "d64" }],
  ["f64", { size64: "f64" }],
  ["not64", { mode: "not64" }],
  ["only64", { mode: "only64" }],
  ["b0", { rexB: 0 }],
  ["anymod", { mod: undefined }],
  ["aligned", { aligned: true }],
  ["unaligned", { aligned: false }],
  ["vsibx", { vsib: "xmm" }],
  ["vsiby", { vsib: "ymm" }],
]);

/** @param text each word with a space before it */
function parseTail(text: string): Tail {
  const tail: Tail = {
    operands: parseOperands(""),
    hasModrm: false,
    mod: undefined,
    wideMemory: false,
    aligned: undefined,
    vex: {},
    rexB: undefined,
    lock: undefined,
    rep: undefined,
    size64: undefined,
    mode: undefined,
    vsib: undefined,
    feature: undefined,
    fallback: undefined,
  };
  for (const word of text === "" ? [] : text.slice(1).split(" ")) {
    const attribute = ATTRIBUTES.get(word);
    if (attribute) Object.assign(tail, attribute);
    else if (word === "l0" || word === "l1") tail.vex.l = word === "l1" ? 1 : 0;
    else if (word === "w0" || word === "w1") tail.vex.w = word === "w1" ? 1 : 0;
    else if (word[0] === "@") tail.feature = word.slice(1);
    else if (word.startsWith("else=")) tail.fallback = word.slice("else=".length);
    else setOperands(tail, parseOperands(word));
  }
  return tail;
}

/** Sets the operands and what they say of ModRM. */
function setOperands(tail: Tail, operands: readonly OperandSpec[]): void {
  tail.operands = operands;
  for (const { source, class: kind, size } of operands) {
    if (source === "reg") tail.hasModrm = true;
    if (source !== "rm") continue;
    tail.hasModrm = true;
    if (kind === "mem") tail.mod = "mem";
    else if (!kind.endsWith("OrMem")) tail.mod = "reg";
    if (size === "dq") tail.wideMemory = true;
  }
}

/** @param line begins with `np:`, `66:`, `F3:` or `F2:` */
function prefixOf(line: string): OpcodeRow["prefix"] {
  if (line[0] === "n") return "np";
  if (line[0] === "6") return "66";
  return line[1] === "3" ? "f3" : "f2";
}

const COLON = 0x3a;
const PLUS = 0x2b;

/** Where the opcode stands in the line that begins at `start`: at its beginning, or behind a prefix and a colon. */
function opcodePosition(text: string, start: number): number {
  return text.charCodeAt(start + 2) === COLON ? start + 3 : start;
}

/** The value of a digit 0…9, A…F. */
function hexDigit(code: number): number {
  return code - (code < 0x41 ? 0x30 : 0x41 - 10);
}

/** The opcode byte of the line that begins at `start`. All lines are looked at at start: none is cut out for it. */
export function opcodeAt(text: string, start: number): number {
  const at = opcodePosition(text, start);
  return hexDigit(text.charCodeAt(at)) * 16 + hexDigit(text.charCodeAt(at + 1));
}

/** Whether that line is about eight opcodes, the register being in the low three bits. */
export function isOpcodeRange(text: string, start: number): boolean {
  return text.charCodeAt(opcodePosition(text, start) + 2) === PLUS;
}

/** @param findFallback gives the id of the row that `else=` names */
export function parseRow(
  id: number,
  line: string,
  section: TableSection,
  findFallback: (mnemonic: string) => number,
): OpcodeRow {
  const keyEnd = line.indexOf(" ");
  const space = line.indexOf(" ", keyEnd + 1);
  const mnemonicEnd = space < 0 ? line.length : space;
  const tailText = line.slice(mnemonicEnd);
  let tail = tails.get(tailText);
  if (!tail) {
    tail = parseTail(tailText);
    tails.set(tailText, tail);
  }

  const start = opcodePosition(line, 0);
  let { hasModrm, mod } = tail;
  let extension: number | undefined;
  let rm: number | undefined;
  // What follows the two opcode digits: `+`, `/ext`, `m`, `r`, `r1`.
  for (let i = start + 2; i < keyEnd; i++) {
    const c = line[i];
    if (c === "+") break;
    hasModrm = true;
    if (c === "/") extension = Number(line[++i]);
    else if (c === "m") mod = "mem";
    else if (c === "r") mod = "reg";
    else rm = Number(c);
  }

  const isVex = section.encoding === "vex";
  // All rows have all properties in the same order: the code that looks at them sees one shape.
  return {
    id,
    mnemonic: line.slice(keyEnd + 1, mnemonicEnd),
    operands: tail.operands,
    map: section.map,
    opcode: opcodeAt(line, 0),
    prefix: start > 0 ? prefixOf(line) : undefined,
    extension,
    mod,
    rm,
    hasModrm,
    vex: isVex ? tail.vex : undefined,
    rexB: tail.rexB,
    rexW: isVex ? undefined : tail.vex.w,
    lock: tail.lock,
    rep: tail.rep,
    size64: tail.size64,
    mode: tail.mode,
    feature: tail.feature ?? section.feature,
    fallback: tail.fallback === undefined ? undefined : findFallback(tail.fallback),
    // Legacy SSE faults on unaligned 16-byte operands (SDM vol. 1, 10.4.1.1), VEX does not.
    aligned: mod !== "reg" && (tail.aligned ?? (tail.wideMemory && !isVex)),
    vsib: tail.vsib,
  };
}
