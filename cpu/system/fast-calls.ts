/** SYSCALL, SYSRET, SYSENTER, SYSEXIT: Intel SDM vol. 2. Segments become flat ones without a look at the tables. */

import { GuestException } from "../helpers.ts";
import { FLAGS_OTHER, Flag, GPR, Register, Segment, Vector } from "../state.ts";
import { Cr0, Efer } from "./control-bits.ts";
import { Rights } from "./segment.ts";
import { isCanonical } from "./stack.ts";
import type { SystemState } from "./system-state.ts";

const FLAT_LIMIT = 0xffffffff;
const DATA = Rights.P | Rights.S | Rights.WritableOrReadable | Rights.Accessed | Rights.G | Rights.DB;
const CODE = Rights.P | Rights.S | Rights.Code | Rights.WritableOrReadable | Rights.Accessed | Rights.G;
const privilege = (level: number): number => level << 13;

function setFlatSegment(system: SystemState, segment: number, selector: number, rights: number): void {
  const register = system.segments[segment];
  register.selector = selector;
  register.base = 0;
  register.limit = FLAT_LIMIT;
  register.rights = rights;
  system.setSegment(segment, register);
}

function setFlat(system: SystemState, code: number, stack: number, level: number, is64Bit: boolean): void {
  const size = is64Bit ? Rights.L : Rights.DB;
  system.setPrivilege(level);
  setFlatSegment(system, Segment.CS, code, CODE | size | privilege(level));
  setFlatSegment(system, Segment.SS, stack, DATA | privilege(level));
}

/** What IA32_STAR says for SYSCALL and SYSRET. */
interface StarSelectors {
  readonly star: bigint;
  readonly call: number;
  readonly back: number;
}

/** The last ones: taking bigints apart would take as long as all the rest of a system call. */
let known: StarSelectors = { star: 0n, call: 0, back: 0 };

function selectorsOf(star: bigint): StarSelectors {
  if (star !== known.star) {
    known = { star, call: Number((star >> 32n) & 0xfffcn), back: Number((star >> 48n) & 0xffffn) };
  }
  return known;
}

/** The engine has set RCX and R11, and RIP behind the instruction. @throws GuestException */
export function systemCall(system: SystemState): void {
  const { cpu, model } = system;
  const selector = selectorsOf(model.star).call;
  setFlat(system, selector, selector + 8, 0, true);
  // R11 has the flags as they were, RF clear.
  const r11 = GPR + Register.R11 * 8;
  cpu.setI32(r11, cpu.getI32(r11) & ~Flag.RF);
  cpu.rflags = cpu.rflags & ~(model.syscallMask | Flag.RF);
  cpu.rip = model.lstar;
  system.checkUserAccess();
  system.updateMode();
}

const SYSRET_FLAGS_CLEARED = Flag.RF | Flag.VM;

export function systemReturn(system: SystemState, operandSize: number): void {
  const { cpu, model } = system;
  if ((system.efer & Efer.SCE) === 0) throw new GuestException(Vector.UD, 0);
  if (system.cpl !== 0) throw new GuestException(Vector.GP, 0);
  const is64Bit = operandSize === 64;
  const target = cpu.gpr(Register.RCX);
  // Checked at CPL 0: the well-known trap for operating systems.
  if (is64Bit && !isCanonical(target)) throw new GuestException(Vector.GP, 0);
  const selector = selectorsOf(model.star).back;
  cpu.rflags = cpu.getI32(GPR + Register.R11 * 8) & ~SYSRET_FLAGS_CLEARED;
  setFlat(system, (selector + (is64Bit ? 16 : 0)) | 3, (selector + 8) | 3, 3, is64Bit);
  cpu.rip = is64Bit ? target : target >>> 0;
  system.updateMode();
}

export function systemEnter(system: SystemState): void {
  const { cpu, model } = system;
  const selector = model.sysenterCs & 0xfffc;
  if (!system.isProtected || selector === 0) throw new GuestException(Vector.GP, 0);
  cpu.setI32(FLAGS_OTHER, cpu.getI32(FLAGS_OTHER) & ~(Flag.VM | Flag.IF | Flag.RF));
  setFlat(system, selector, selector + 8, 0, system.isLong);
  cpu.setGpr(Register.RSP, system.isLong ? model.sysenterEsp : model.sysenterEsp >>> 0);
  cpu.rip = system.isLong ? model.sysenterEip : model.sysenterEip >>> 0;
  system.updateMode();
}

export function systemExit(system: SystemState, operandSize: number): void {
  const { cpu, model } = system;
  const selector = model.sysenterCs & 0xfffc;
  if ((system.cr0 & Cr0.PE) === 0 || selector === 0 || system.cpl !== 0)
    throw new GuestException(Vector.GP, 0);
  const is64Bit = operandSize === 64;
  const rip = cpu.gpr(Register.RDX);
  const rsp = cpu.gpr(Register.RCX);
  if (is64Bit && !(isCanonical(rip) && isCanonical(rsp))) throw new GuestException(Vector.GP, 0);
  const [code, stack] = is64Bit ? [32, 40] : [16, 24];
  setFlat(system, (selector + code) | 3, (selector + stack) | 3, 3, is64Bit);
  cpu.rip = is64Bit ? rip : rip >>> 0;
  cpu.setGpr(Register.RSP, is64Bit ? rsp : rsp >>> 0);
  system.updateMode();
}
