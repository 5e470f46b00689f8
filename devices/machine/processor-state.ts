/**
 * A processor's registers as they are saved: by their architectural names, so that every engine can go on from them.
 * What follows from them (execution mode, paging, pending interrupts, the TLB) is made anew.
 */

import type { Cpu } from "../../cpu/cpu.ts";
import {
  KERNEL_GS_BASE,
  MXCSR,
  Segment,
  SHADOW_RIP,
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
} from "../../cpu/state.ts";
import { Cr0, Cr4, Efer } from "../../cpu/system/control-bits.ts";
import { applyBreakpoints } from "../../cpu/system/debug-registers.ts";
import type { SegmentRegister } from "../../cpu/system/segment.ts";
import { isCanonical } from "../../cpu/system/stack.ts";
import type { SystemState, TableRegister } from "../../cpu/system/system-state.ts";
import { XCR0_SSE, XCR0_X87, XCR0_YMM } from "../../cpu/xsave.ts";
import { PHYSICAL_ADDRESS_BITS } from "../../mmu/page-table-walker.ts";
import { type SavedState, type SavedValue, StateError, StateReader } from "../saved-state.ts";

const VERSION = 1;
const REGISTERS = 16;
const SEGMENTS = 6;
const DEBUG_REGISTERS = 8;
const PDPTES = 4;
const XMM_BYTES = REGISTERS * XMM_STRIDE;
const X87_BYTES = 8 * X87_STRIDE;
const MOST_LIMIT = 0xffffffff;
const EFER_BITS = Efer.SCE | Efer.LME | Efer.LMA | Efer.NXE;
/** MXCSR's bits (Intel SDM vol. 1, 10.2.3). */
const MXCSR_BITS = 0xffff;

const unsigned = (value: number): bigint => BigInt.asUintN(64, BigInt(value));
const signed = (value: bigint): number => Number(BigInt.asIntN(64, value));

function saveSegment({ selector, base, limit, rights }: SegmentRegister): SavedState {
  return { version: 1, selector, base: unsigned(base), limit, rights: rights >>> 0 };
}

function restoreSegment(name: string, saved: SavedValue): SegmentRegister {
  const state = new StateReader(`the processor's ${name}`, saved, 1);
  return {
    selector: state.u16("selector"),
    base: signed(state.u64("base")),
    limit: state.integer("limit", MOST_LIMIT),
    rights: state.u32("rights"),
  };
}

function restoreTable(name: string, saved: SavedValue, table: TableRegister): void {
  const state = new StateReader(`the processor's ${name}`, saved, 1);
  table.base = signed(state.u64("base"));
  table.limit = state.u16("limit");
}

const saveTable = ({ base, limit }: TableRegister): SavedState => ({
  version: 1,
  base: unsigned(base),
  limit,
});

/** The registers that only RDMSR and WRMSR know. */
function saveModelRegisters({ model }: SystemState): SavedState {
  const { mtrr, ...others } = model;
  return {
    version: 1,
    ...others,
    lstar: unsigned(model.lstar),
    cstar: unsigned(model.cstar),
    sysenterEsp: unsigned(model.sysenterEsp),
    sysenterEip: unsigned(model.sysenterEip),
    syscallMask: model.syscallMask >>> 0,
    mtrr: [...mtrr].sort(([a], [b]) => a - b).map(([index, value]) => [index, value]),
  };
}

function restoreModelRegisters(system: SystemState, saved: SavedState): void {
  const state = new StateReader("the processor's model-specific registers", saved, 1);
  const tscOffset = state.time("tscOffset");
  if (!Number.isInteger(tscOffset))
    throw new StateError("the saved time-stamp counter is not a whole number");
  const mtrr = state.list("mtrr").map((item): [number, bigint] => {
    const entry = Array.isArray(item) ? item : [];
    const pair = new StateReader(
      "the processor's MTRRs",
      { version: 1, index: entry[0], value: entry[1] },
      1,
    );
    return [pair.integer("index", 0x2ff), pair.u64("value")];
  });
  const { model } = system;
  model.mtrr.clear();
  for (const [index, value] of mtrr) model.mtrr.set(index, value);
  Object.assign(model, {
    star: state.u64("star"),
    lstar: signed(state.u64("lstar")),
    cstar: signed(state.u64("cstar")),
    syscallMask: state.u32("syscallMask") | 0,
    sysenterCs: state.u32("sysenterCs"),
    sysenterEsp: signed(state.u64("sysenterEsp")),
    sysenterEip: signed(state.u64("sysenterEip")),
    tscAux: state.u32("tscAux"),
    tscOffset,
    pat: state.u64("pat"),
    miscEnable: state.u64("miscEnable"),
    specCtrl: state.u64("specCtrl"),
    mtrrDefault: state.u64("mtrrDefault"),
  });
}

function saveX87(cpu: Cpu): SavedState {
  return {
    version: 1,
    registers: cpu.stateBytes(X87, X87_BYTES).slice(),
    control: cpu.getI32(X87_CONTROL),
    status: cpu.getI32(X87_STATUS),
    top: cpu.getI32(X87_TOP),
    tags: cpu.getI32(X87_TAGS),
    opcode: cpu.getI32(X87_OPCODE),
    instruction: cpu.getU64(X87_INSTRUCTION),
    data: cpu.getU64(X87_DATA),
  };
}

function restoreX87(cpu: Cpu, saved: SavedState): void {
  const state = new StateReader("the processor's x87", saved, 1);
  cpu.stateBytes(X87, X87_BYTES).set(state.bytes("registers", X87_BYTES));
  cpu.setI32(X87_CONTROL, state.u16("control"));
  cpu.setI32(X87_STATUS, state.u16("status"));
  cpu.setI32(X87_TOP, state.integer("top", 7));
  cpu.setI32(X87_TAGS, state.u8("tags"));
  cpu.setI32(X87_OPCODE, state.integer("opcode", 0x7ff));
  cpu.setU64(X87_INSTRUCTION, state.u64("instruction"));
  cpu.setU64(X87_DATA, state.u64("data"));
}

export function saveProcessor(system: SystemState): SavedState {
  const { cpu, paging } = system;
  return {
    version: VERSION,
    general: Array.from({ length: REGISTERS }, (_, register) => cpu.gpr64(register)),
    rip: unsigned(cpu.rip),
    flags: cpu.rflags >>> 0,
    segments: system.segments.map(saveSegment),
    bases: Array.from({ length: SEGMENTS }, (_, segment) => unsigned(system.segmentBase(segment))),
    kernelGsBase: cpu.getU64(KERNEL_GS_BASE),
    gdtr: saveTable(system.gdtr),
    idtr: saveTable(system.idtr),
    ldtr: saveSegment(system.ldtr),
    tr: saveSegment(system.tr),
    cr0: system.cr0 >>> 0,
    cr2: unsigned(system.cr2),
    cr3: system.cr3,
    cr4: system.cr4 >>> 0,
    efer: system.efer,
    xcr0: system.xcr0,
    pdptes: [...paging.pdpteLow, ...paging.pdpteHigh].map((half) => half >>> 0),
    debug: system.debug.map(unsigned),
    privilege: system.cpl,
    vectors: cpu.stateBytes(XMM, XMM_BYTES).slice(),
    mxcsr: cpu.getI32(MXCSR),
    x87: saveX87(cpu),
    modelRegisters: saveModelRegisters(system),
    nmiPending: system.nmiPending,
    nmiBlocked: system.nmiBlocked,
    halted: system.halted,
    shadow: unsigned(cpu.getNumber(SHADOW_RIP)),
  };
}

function u64s(state: StateReader, name: string, length: number): bigint[] {
  return state
    .list(name, length)
    .map((value) => new StateReader("the processor", { version: 1, value }, 1).u64("value"));
}

/** Control registers that no processor can have: those that the rest of the machine relies on are checked. */
function checkControl(cr0: number, cr3: number, cr4: number, efer: number): void {
  const isPaging = (cr0 & Cr0.PG) !== 0;
  const isLong = (efer & Efer.LMA) !== 0;
  const isValid =
    (!isPaging || (cr0 & Cr0.PE) !== 0) &&
    (efer & ~EFER_BITS) === 0 &&
    isLong === (isPaging && (efer & Efer.LME) !== 0) &&
    (!isLong || (cr4 & Cr4.PAE) !== 0) &&
    cr3 < 2 ** PHYSICAL_ADDRESS_BITS;
  if (!isValid) throw new StateError("the processor: the saved control registers contradict each other");
}

/** Only FS and GS have bases of 64 bits, and only in long mode. */
function checkBase(base: number, isLong: boolean): void {
  if (!(isLong ? isCanonical(base) : base >= 0 && base <= MOST_LIMIT))
    throw new StateError("the processor: a saved segment base is not an address");
}

/**
 * The devices are restored before it: an interrupt may wait at its pin.
 * @throws StateError
 */
export function restoreProcessor(system: SystemState, saved: SavedState): void {
  const state = new StateReader("the processor", saved, VERSION);
  const { cpu, paging } = system;
  const cr0 = state.u32("cr0");
  const cr3 = state.integer("cr3", Number.MAX_SAFE_INTEGER);
  const cr4 = state.u32("cr4");
  const efer = state.u32("efer");
  checkControl(cr0, cr3, cr4, efer);
  const xcr0 = state.u8("xcr0");
  const isXcr0 = (xcr0 & XCR0_X87) !== 0 && (xcr0 & ~cpu.model.xcr0) === 0;
  if (!isXcr0 || ((xcr0 & XCR0_YMM) !== 0 && (xcr0 & XCR0_SSE) === 0))
    throw new StateError("the processor: the saved XCR0 has components that it has not got");

  system.reset();
  for (const [register, value] of u64s(state, "general", REGISTERS).entries()) cpu.setGpr64(register, value);
  cpu.rip = signed(state.u64("rip"));
  cpu.rflags = state.u32("flags");
  const isLong = (efer & Efer.LMA) !== 0;
  for (const [index, saved] of state.list("segments", SEGMENTS).entries()) {
    const segment = restoreSegment(`segment register ${index}`, saved);
    checkBase(segment.base, isLong && index >= Segment.FS);
    system.setSegment(index, segment);
  }
  for (const [index, value] of u64s(state, "bases", SEGMENTS).entries()) {
    const base = signed(value);
    checkBase(base, isLong && index >= Segment.FS);
    system.setSegmentBase(index, base);
  }
  cpu.setU64(KERNEL_GS_BASE, state.u64("kernelGsBase"));
  restoreTable("GDTR", state.state("gdtr"), system.gdtr);
  restoreTable("IDTR", state.state("idtr"), system.idtr);
  Object.assign(system.ldtr, restoreSegment("LDTR", state.state("ldtr")));
  Object.assign(system.tr, restoreSegment("TR", state.state("tr")));
  system.cr0 = cr0 | 0;
  system.cr2 = signed(state.u64("cr2"));
  system.cr3 = cr3;
  system.cr4 = cr4 | 0;
  system.efer = efer;
  system.xcr0 = xcr0;
  const pdptes = state.integers("pdptes", 2 * PDPTES, 0xffffffff);
  paging.pdpteLow.set(pdptes.slice(0, PDPTES));
  paging.pdpteHigh.set(pdptes.slice(PDPTES));
  for (const [index, value] of u64s(state, "debug", DEBUG_REGISTERS).entries())
    system.debug[index] = index < PDPTES ? signed(value) : Number(value & 0xffffffffn);
  cpu.stateBytes(XMM, XMM_BYTES).set(state.bytes("vectors", XMM_BYTES));
  cpu.setI32(MXCSR, state.u16("mxcsr") & MXCSR_BITS);
  restoreX87(cpu, state.state("x87"));
  restoreModelRegisters(system, state.state("modelRegisters"));
  system.nmiPending = state.boolean("nmiPending");
  system.nmiBlocked = state.boolean("nmiBlocked");
  system.halted = state.boolean("halted");
  system.setPrivilege(state.integer("privilege", 3));
  cpu.setNumber(SHADOW_RIP, signed(state.u64("shadow"))); // in the struct of that privilege level
  system.updatePaging();
  system.updateMode();
  applyBreakpoints(system);
  system.updateRequest();
  system.flushEverything();
}
