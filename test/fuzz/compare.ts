/** Compares what a case left on the host CPU with what it left on an engine. */

import { Flag } from "../../cpu/state.ts";
import type { Analysis } from "./analysis.ts";
import { type FinalState, Fx, Outcome } from "./case.ts";
import { STATUS_SHIFT } from "./undefined.ts";

export interface Difference {
  /** A register, flag, field or memory word, as a programmer names it. */
  readonly what: string;
  readonly silicon: string;
  readonly ours: string;
}

export const REGISTER_NAMES = [
  "rax",
  "rcx",
  "rdx",
  "rbx",
  "rsp",
  "rbp",
  "rsi",
  "rdi",
  "r8",
  "r9",
  "r10",
  "r11",
  "r12",
  "r13",
  "r14",
  "r15",
] as const; // prettier-ignore

export const FLAG_NAMES: readonly (readonly [string, number])[] = Object.entries(Flag);

const EXCEPTION_NAMES: Readonly<Record<number, string>> = {
  0: "#DE",
  1: "#DB",
  3: "end",
  4: "#OF",
  5: "#BR",
  6: "#UD",
  7: "#NM",
  11: "#NP",
  12: "#SS",
  13: "#GP",
  14: "#PF",
  16: "#MF",
  17: "#AC",
  19: "#XM",
  [Outcome.TimedOut]: "timed out",
  [Outcome.SystemCall]: "system call",
  [Outcome.Crashed]: "crash",
}; // prettier-ignore

/** Word numbers of the fixed part (case.ts). */
const RIP = 2;
const RFLAGS = 4;
const FIRST_GPR = 6;
const FX = 40;
const ST = FX + Fx.ST / 4;
const END = FX + 416 / 4;
const CR2 = END;

/** Set in the saved flags by faults (Intel SDM vol. 3, 17.3.1.1): not part of the program's state. */
const COMPARED_FLAGS = ~Flag.RF;

/** True if everything that is ever compared is the same: the common case, without an analysis. */
export function isSame(silicon: FinalState, ours: FinalState): boolean {
  const a = silicon.words;
  const b = ours.words;
  for (let word = RIP; word < RFLAGS; word++) if (a[word] !== b[word]) return false;
  if (((a[RFLAGS] ^ b[RFLAGS]) & COMPARED_FLAGS) !== 0) return false;
  // General registers, vector and error code, FCW and FSW.
  for (let word = FIRST_GPR; word <= FX; word++) if (a[word] !== b[word]) return false;
  if (((a[FX + 1] ^ b[FX + 1]) & 0xff) !== 0 || silicon.mxcsr !== ours.mxcsr) return false;
  // ST, XMM, and behind them CR2 and the segment bases.
  for (let word = ST; word < CR2 + 6; word++) if (a[word] !== b[word]) return false;
  if (silicon.changeCount !== ours.changeCount) return false;
  for (let index = 0; index < 2 * silicon.changeCount; index++) {
    if (silicon.changes[index] !== ours.changes[index]) return false;
  }
  return true;
}

/** All differences that matter, given what the analysis allows. */
export function differences(silicon: FinalState, ours: FinalState, allowed: Analysis): Difference[] {
  const found: Difference[] = [];
  const add = (what: string, a: string, b: string) => found.push({ what, silicon: a, ours: b });
  const number = (what: string, a: bigint | number, b: bigint | number) => {
    if (a !== b) add(what, hex(a), hex(b));
  };

  if (silicon.vector !== ours.vector)
    add("outcome", outcomeName(silicon.vector), outcomeName(ours.vector) + ours.note);
  else number("error code", silicon.error, ours.error);
  if (!isInRange(silicon.address, allowed) || !isInRange(ours.address, allowed)) {
    number("cr2", silicon.address, ours.address);
  }
  number("rip", silicon.rip, ours.rip);
  for (const [name, bit] of FLAG_NAMES) {
    if ((bit & COMPARED_FLAGS & ~allowed.undefinedFlags) === 0) continue;
    const a = (silicon.rflags & bit) !== 0;
    const b = (ours.rflags & bit) !== 0;
    if (a !== b) add(name, a ? "1" : "0", b ? "1" : "0");
  }
  REGISTER_NAMES.forEach((name, index) => {
    number(name, silicon.gpr[index], ours.gpr[index]);
  });

  number("fs base", silicon.fsBase, ours.fsBase);
  number("gs base", silicon.gsBase, ours.gsBase);
  number("fcw", silicon.fcw, ours.fcw);
  const status = ~(allowed.undefinedFlags >> STATUS_SHIFT) & statusMask(allowed);
  number("fsw", silicon.fsw & status, ours.fsw & status);
  number("ftw", silicon.ftw, ours.ftw);
  number("mxcsr", silicon.mxcsr, ours.mxcsr);
  for (let index = 0; index < 8; index++) {
    const at = Fx.ST + 16 * index;
    if (!sameBytes(silicon.fx, ours.fx, at) && !isNearExtended(silicon, ours, at, allowed)) {
      add(`st${index}`, extended(silicon, at), extended(ours, at));
    }
  }
  for (let index = 0; index < 16; index++) {
    const at = Fx.XMM + 16 * index;
    if (!sameBytes(silicon.fx, ours.fx, at) && !isNearSingle(silicon, ours, at, allowed)) {
      add(`xmm${index}`, vector(silicon, at), vector(ours, at));
    }
  }
  compareMemory(silicon, ours, allowed, add);
  return found;
}

function isInRange(address: bigint, { faultRange }: Analysis): boolean {
  return faultRange !== undefined && address >= faultRange.start && address < faultRange.end;
}

/** C1 tells the direction of rounding, which an approximate result may have either way. */
function statusMask(allowed: Analysis): number {
  return allowed.tolerance?.kind === "f80" ? ~0x0200 : ~0;
}

export function outcomeName(vector: number): string {
  return EXCEPTION_NAMES[vector] ?? `vector ${vector}`;
}

function hex(value: bigint | number): string {
  return value.toString(16);
}

function sameBytes(a: Uint8Array, b: Uint8Array, start: number): boolean {
  for (let at = start; at < start + 16; at++) if (a[at] !== b[at]) return false;
  return true;
}

/** Sign and exponent, then the significand. */
export function extended({ fx }: { readonly fx: Uint8Array }, at: number): string {
  const text = hexBytes(fx, at, 10);
  return `${text.slice(0, 4)}_${text.slice(4)}`;
}

export function vector({ fx }: { readonly fx: Uint8Array }, at: number): string {
  const text = hexBytes(fx, at, 16);
  return text.replace(/(.{8})(?=.)/g, "$1_");
}

/** Most significant byte first. */
function hexBytes(bytes: Uint8Array, at: number, length: number): string {
  return [...bytes.subarray(at, at + length)]
    .reverse()
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

function isNearExtended(silicon: FinalState, ours: FinalState, at: number, { tolerance }: Analysis): boolean {
  if (tolerance?.kind !== "f80") return false;
  const ordinal = ({ view, fx }: FinalState) =>
    (BigInt(view.getUint16(fx.byteOffset + at + 8, true) & 0x7fff) << 63n) |
    (view.getBigUint64(fx.byteOffset + at, true) & 0x7fff_ffff_ffff_ffffn);
  const isSpecial = ({ fx }: FinalState) => fx[at + 8] === 0xff && (fx[at + 9] & 0x7f) === 0x7f;
  if (isSpecial(silicon) || isSpecial(ours)) return false;
  if (((silicon.fx[at + 9] ^ ours.fx[at + 9]) & 0x80) !== 0) return false;
  const distance = ordinal(silicon) - ordinal(ours);
  return distance <= tolerance.amount && distance >= -tolerance.amount;
}

function isNearSingle(silicon: FinalState, ours: FinalState, at: number, { tolerance }: Analysis): boolean {
  if (tolerance?.kind === "nan") return haveSameNaNs(silicon, ours, at);
  if (tolerance?.kind !== "f32") return false;
  for (let lane = at; lane < at + 16; lane += 4) {
    const a = silicon.view.getUint32(silicon.fx.byteOffset + lane, true);
    const b = ours.view.getUint32(ours.fx.byteOffset + lane, true);
    if (a === b) continue;
    const x = silicon.view.getFloat32(silicon.fx.byteOffset + lane, true);
    const y = ours.view.getFloat32(ours.fx.byteOffset + lane, true);
    if (!Number.isFinite(x) || !Number.isFinite(y) || x === 0 || y === 0) return false;
    if (Math.abs(x - y) > tolerance.amount * Math.abs(x)) return false;
  }
  return true;
}

/** Whether all that differs are NaNs on both sides, singles or doubles. */
function haveSameNaNs(silicon: FinalState, ours: FinalState, start: number): boolean {
  const agree = (read: (view: DataView, at: number) => number, bytes: number): boolean => {
    for (let at = start; at < start + 16; at += bytes) {
      const theirs = read(silicon.view, silicon.fx.byteOffset + at);
      if (!Object.is(theirs, read(ours.view, ours.fx.byteOffset + at))) return false;
    }
    return true;
  };
  return (
    agree((view, at) => view.getFloat32(at, true), 4) || agree((view, at) => view.getFloat64(at, true), 8)
  );
}

function compareMemory(
  silicon: FinalState,
  ours: FinalState,
  { ignored, originalWord }: Analysis,
  add: (what: string, a: string, b: string) => void,
): void {
  const theirs = new Map<bigint, bigint>();
  for (let index = 0; index < silicon.changeCount; index++) {
    theirs.set(silicon.changes[2 * index], silicon.changes[2 * index + 1]);
  }
  const show = (value: bigint | undefined) =>
    value === undefined ? "unchanged" : value.toString(16).padStart(16, "0");
  const both = new Map<bigint, bigint | undefined>();
  for (let index = 0; index < ours.changeCount; index++)
    both.set(ours.changes[2 * index], ours.changes[2 * index + 1]);
  for (const address of theirs.keys()) if (!both.has(address)) both.set(address, undefined);
  for (const [address, mine] of [...both].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const other = theirs.get(address);
    const difference = (mine ?? originalWord(address)) ^ (other ?? originalWord(address));
    if ((BigInt.asUintN(64, difference) & ~ignoredMask(address, ignored)) === 0n) continue;
    add(`[${hex(address)}]`, show(other), show(mine));
  }
}

/** Bits of the word at an address that are not compared. */
function ignoredMask(address: bigint, ignored: Analysis["ignored"]): bigint {
  let mask = 0n;
  for (const { start, end } of ignored) {
    for (let byte = 0n; byte < 8n; byte++) {
      if (address + byte >= start && address + byte < end) mask |= 0xffn << (8n * byte);
    }
  }
  return mask;
}
