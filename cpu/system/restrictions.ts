/** Which instructions control registers forbid, and with which exception: Intel SDM vol. 3, tables 2-2 and 9-3, 13.1. */

import type { OpcodeRow } from "../decoder/instruction.ts";
import { Restriction } from "./execution-mode.ts";

/** What an instruction needs besides its feature. */
export const Unit = {
  None: 0,
  X87: 1,
  Wait: 2,
  Mmx: 3,
  Sse: 4,
  Xsave: 5,
  Avx: 6,
  Syscall: 7,
  FsGsBase: 8,
  /** Has a VEX prefix, but no vector operand. */
  Vex: 9,
  /** Deals with descriptors. */
  Descriptors: 10,
} as const;
export type Unit = (typeof Unit)[keyof typeof Unit];

/** State-saving instructions: CR4.OSFXSR does not matter to FXSAVE, CR0.EM and CR0.TS do. */
const FXSAVE = new Set(["fxsave", "fxsave64", "fxrstor", "fxrstor64"]);
const SSE_BY_NAME = new Set(["ldmxcsr", "stmxcsr"]);

const DESCRIPTORS = new Set(["lldt", "ltr", "sldt", "str", "lar", "lsl", "verr", "verw", "arpl"]);

export function unitOf(row: OpcodeRow): Unit {
  const { mnemonic, operands, map, opcode } = row;
  if (mnemonic === "fwait") return Unit.Wait;
  if (mnemonic === "syscall") return Unit.Syscall;
  if (DESCRIPTORS.has(mnemonic)) return Unit.Descriptors;
  if (/^(rd|wr)[fg]sbase$/.test(mnemonic)) return Unit.FsGsBase;
  if (/^(xsave|xrstor|xgetbv|xsetbv)/.test(mnemonic)) return Unit.Xsave;
  const hasClass = (name: string) =>
    operands.some(({ class: kind }) => kind === name || kind === `${name}OrMem`);
  if (row.vex !== undefined) return hasClass("xmm") || /^vzero/.test(mnemonic) ? Unit.Avx : Unit.Vex;
  if (hasClass("xmm") || SSE_BY_NAME.has(mnemonic)) return Unit.Sse;
  if (hasClass("mmx") || mnemonic === "emms") return Unit.Mmx;
  if (FXSAVE.has(mnemonic)) return Unit.X87;
  return map === "legacy" && opcode >= 0xd8 && opcode <= 0xdf ? Unit.X87 : Unit.None;
}

export type Refusal = "allowed" | "undefined" | "not available";

export function refusal(unit: Unit, restrictions: number): Refusal {
  const has = (bits: number) => (restrictions & bits) !== 0;
  const busy: Refusal = has(Restriction.TS) ? "not available" : "allowed";
  switch (unit) {
    case Unit.None:
      return "allowed";
    case Unit.X87:
      return has(Restriction.EM | Restriction.TS) ? "not available" : "allowed";
    case Unit.Wait:
      return has(Restriction.MP) && has(Restriction.TS) ? "not available" : "allowed";
    case Unit.Mmx:
      return has(Restriction.EM) ? "undefined" : busy;
    case Unit.Sse:
      return has(Restriction.EM | Restriction.NoSse) ? "undefined" : busy;
    case Unit.Xsave:
      return has(Restriction.NoXsave) ? "undefined" : busy;
    case Unit.Avx:
      return has(Restriction.NoXsave | Restriction.NoAvx | Restriction.NotProtected) ? "undefined" : busy;
    case Unit.Vex:
    case Unit.Descriptors:
      return has(Restriction.NotProtected) ? "undefined" : "allowed";
    case Unit.Syscall:
      return has(Restriction.NoSyscall) ? "undefined" : "allowed";
    case Unit.FsGsBase:
      return has(Restriction.NoFsGsBase) ? "undefined" : "allowed";
  }
}
