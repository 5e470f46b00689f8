/** RDMSR and WRMSR: Intel SDM vol. 4, chapter 2. An unknown register raises #GP. */

import { PHYSICAL_ADDRESS_BITS } from "../../mmu/page-table-walker.ts";
import { GuestException } from "../helpers.ts";
import { KERNEL_GS_BASE, Segment, Vector } from "../state.ts";
import { Cr0, Efer } from "./control-bits.ts";
import { isCanonical } from "./stack.ts";
import type { SystemState } from "./system-state.ts";

const Msr = {
  IA32_TIME_STAMP_COUNTER: 0x10,
  IA32_PLATFORM_ID: 0x17,
  IA32_FEATURE_CONTROL: 0x3a,
  IA32_TSC_ADJUST: 0x3b,
  IA32_BIOS_SIGN_ID: 0x8b,
  IA32_MTRRCAP: 0xfe,
  IA32_SPEC_CTRL: 0x48,
  IA32_PRED_CMD: 0x49,
  IA32_ARCH_CAPABILITIES: 0x10a,
  IA32_SYSENTER_CS: 0x174,
  IA32_SYSENTER_ESP: 0x175,
  IA32_SYSENTER_EIP: 0x176,
  IA32_MCG_CAP: 0x179,
  IA32_MCG_STATUS: 0x17a,
  IA32_MISC_ENABLE: 0x1a0,
  IA32_DEBUGCTL: 0x1d9,
  IA32_PAT: 0x277,
  IA32_MTRR_DEF_TYPE: 0x2ff,
  IA32_EFER: 0xc0000080,
  IA32_STAR: 0xc0000081,
  IA32_LSTAR: 0xc0000082,
  IA32_CSTAR: 0xc0000083,
  IA32_FMASK: 0xc0000084,
  IA32_FS_BASE: 0xc0000100,
  IA32_GS_BASE: 0xc0000101,
  IA32_KERNEL_GS_BASE: 0xc0000102,
  IA32_TSC_AUX: 0xc0000103,
} as const;

/** Eight variable ranges, fixed ranges, write combining (SDM vol. 3, figure 12-5). */
const MTRR_CAPABILITIES = 0x508n;
/** Variable ranges: base and mask of each. Fixed ranges: 64K, 16K, 4K. */
const MTRR_VARIABLE = 0x200;
const MTRR_VARIABLE_END = 0x210;
const MTRR_FIXED = new Set([0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f]);
const EFER_BITS = Efer.SCE | Efer.LME | Efer.LMA | Efer.NXE;
/**
 * Nothing here is executed speculatively, so systems need none of their defences (SDM vol. 4, table 2-2, 10AH): RDCL_NO,
 * IBRS_ALL, SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, IF_PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO, PSDP_NO, BHI_NO,
 * PBRSB_NO, GDS_NO, RFDS_NO, ITS_NO. Linux then keeps one page table for user and kernel and makes plain indirect calls.
 */
const ARCH_CAPABILITIES = [0, 1, 3, 4, 5, 6, 8, 13, 14, 15, 20, 24, 26, 27, 62].reduce(
  (bits, bit) => bits | (1n << BigInt(bit)),
  0n,
);
/** IBRS, STIBP, SSBD, BHI_DIS_S. */
const SPEC_CTRL_BITS = 0x407n;
/** Microcode revision, in the upper half. */
const MICROCODE = 0x38n << 32n;

/** Fast strings; everything else says what there is. */
const MISC_ENABLE_WRITABLE = 1n;
/** LBR, BTF. */
const DEBUGCTL_BITS = 3n;
/** Type, fixed ranges enabled, MTRRs enabled. */
const MTRR_DEFAULT_BITS = 0xcffn;

const isMtrr = (index: number): boolean =>
  (index >= MTRR_VARIABLE && index < MTRR_VARIABLE_END) || MTRR_FIXED.has(index);
const refused = (): GuestException => new GuestException(Vector.GP, 0);

export function readModelRegister(system: SystemState, index: number): bigint {
  const { model, cpu } = system;
  switch (index) {
    case Msr.IA32_TIME_STAMP_COUNTER:
      return BigInt(Math.floor(cpu.host.timeStampCounter() + model.tscOffset));
    case Msr.IA32_TSC_ADJUST:
      return BigInt.asUintN(64, BigInt(model.tscOffset));
    case Msr.IA32_PLATFORM_ID:
    case Msr.IA32_MCG_CAP:
    case Msr.IA32_MCG_STATUS:
      return 0n;
    case Msr.IA32_FEATURE_CONTROL:
      return 1n; // locked, everything off
    case Msr.IA32_BIOS_SIGN_ID:
      return MICROCODE;
    case Msr.IA32_MTRRCAP:
      return MTRR_CAPABILITIES;
    case Msr.IA32_SPEC_CTRL:
      return model.specCtrl;
    case Msr.IA32_ARCH_CAPABILITIES:
      return ARCH_CAPABILITIES;
    case Msr.IA32_MTRR_DEF_TYPE:
      return model.mtrrDefault;
    case Msr.IA32_SYSENTER_CS:
      return BigInt(model.sysenterCs);
    case Msr.IA32_SYSENTER_ESP:
      return unsigned(model.sysenterEsp);
    case Msr.IA32_SYSENTER_EIP:
      return unsigned(model.sysenterEip);
    case Msr.IA32_MISC_ENABLE:
      return model.miscEnable;
    case Msr.IA32_DEBUGCTL:
      return 0n;
    case Msr.IA32_PAT:
      return model.pat;
    case Msr.IA32_EFER:
      return BigInt(system.efer);
    case Msr.IA32_STAR:
      return model.star;
    case Msr.IA32_LSTAR:
      return unsigned(model.lstar);
    case Msr.IA32_CSTAR:
      return unsigned(model.cstar);
    case Msr.IA32_FMASK:
      return BigInt(model.syscallMask >>> 0);
    case Msr.IA32_FS_BASE:
      return unsigned(system.segmentBase(Segment.FS));
    case Msr.IA32_GS_BASE:
      return unsigned(system.segmentBase(Segment.GS));
    case Msr.IA32_KERNEL_GS_BASE:
      return cpu.getU64(KERNEL_GS_BASE);
    case Msr.IA32_TSC_AUX:
      return BigInt(model.tscAux);
  }
  if (isMtrr(index)) return model.mtrr.get(index) ?? 0n;
  const foreign = system.platform.readMsr(index);
  if (foreign === undefined) throw refused();
  return foreign;
}

export function writeModelRegister(system: SystemState, index: number, value: bigint): void {
  const { model, cpu } = system;
  switch (index) {
    case Msr.IA32_TIME_STAMP_COUNTER:
      model.tscOffset = Number(value) - Math.floor(cpu.host.timeStampCounter());
      return;
    case Msr.IA32_TSC_ADJUST:
      model.tscOffset = Number(BigInt.asIntN(64, value));
      return;
    case Msr.IA32_BIOS_SIGN_ID:
    case Msr.IA32_MCG_STATUS:
      return;
    case Msr.IA32_SPEC_CTRL:
      if ((value & ~SPEC_CTRL_BITS) !== 0n) throw refused();
      model.specCtrl = value;
      return;
    case Msr.IA32_PRED_CMD: // IBPB: there is no predictor to flush
      if ((value & ~1n) !== 0n) throw refused();
      return;
    case Msr.IA32_MTRR_DEF_TYPE:
      if ((value & ~MTRR_DEFAULT_BITS) !== 0n || !isMemoryType(value & 0xffn)) throw refused();
      model.mtrrDefault = value;
      return;
    case Msr.IA32_SYSENTER_CS:
      model.sysenterCs = Number(value & 0xffffffffn);
      return;
    case Msr.IA32_SYSENTER_ESP:
      model.sysenterEsp = canonical(value);
      return;
    case Msr.IA32_SYSENTER_EIP:
      model.sysenterEip = canonical(value);
      return;
    case Msr.IA32_MISC_ENABLE:
      if (((value ^ model.miscEnable) & ~MISC_ENABLE_WRITABLE) !== 0n) throw refused();
      model.miscEnable = value;
      return;
    case Msr.IA32_DEBUGCTL: // LBR and BTF are taken and do nothing, as under KVM without performance monitoring
      if ((value & ~DEBUGCTL_BITS) !== 0n) throw refused();
      return;
    case Msr.IA32_PAT:
      model.pat = checkedPat(value);
      return;
    case Msr.IA32_EFER:
      writeEfer(system, value);
      return;
    case Msr.IA32_STAR:
      model.star = value;
      return;
    case Msr.IA32_LSTAR:
      model.lstar = canonical(value);
      return;
    case Msr.IA32_CSTAR:
      model.cstar = canonical(value);
      return;
    case Msr.IA32_FMASK:
      model.syscallMask = Number(value & 0xffffffffn) | 0;
      return;
    case Msr.IA32_FS_BASE:
      system.setSegmentBase(Segment.FS, canonical(value));
      return;
    case Msr.IA32_GS_BASE:
      system.setSegmentBase(Segment.GS, canonical(value));
      return;
    case Msr.IA32_KERNEL_GS_BASE:
      canonical(value);
      cpu.setU64(KERNEL_GS_BASE, value);
      return;
    case Msr.IA32_TSC_AUX:
      if (value >> 32n !== 0n) throw refused();
      model.tscAux = Number(value);
      return;
  }
  if (isMtrr(index)) model.mtrr.set(index, checkedMtrr(index, value));
  else if (!system.platform.writeMsr(index, value)) throw refused();
}

function writeEfer(system: SystemState, value: bigint): void {
  if ((value & ~BigInt(EFER_BITS)) !== 0n) throw refused();
  const next = Number(value);
  const isPaging = (system.cr0 & Cr0.PG) !== 0;
  if (isPaging && ((next ^ system.efer) & Efer.LME) !== 0) throw refused();
  const changed = (next ^ system.efer) & Efer.NXE;
  // LMA follows from LME and paging; what is written to it is ignored.
  system.efer = (next & ~Efer.LMA) | (system.efer & Efer.LMA);
  system.updatePaging();
  if (changed !== 0) system.flushEverything();
  system.updateMode();
}

/** Memory types of MTRRs: UC, WC, WT, WP, WB (SDM vol. 3, table 12-2). */
function isMemoryType(type: bigint): boolean {
  return type <= 1n || (type >= 4n && type <= 6n);
}

const PHYSICAL = (1n << BigInt(PHYSICAL_ADDRESS_BITS)) - 1n;

/** Variable ranges: base with type, mask with the valid bit; fixed ones: eight types. */
function checkedMtrr(index: number, value: bigint): bigint {
  if (MTRR_FIXED.has(index)) {
    for (let entry = 0n; entry < 64n; entry += 8n)
      if (!isMemoryType((value >> entry) & 0xffn)) throw refused();
    return value;
  }
  const isMask = (index & 1) !== 0;
  const reserved = isMask ? 0x7ffn : 0xf00n;
  if ((value & ~PHYSICAL) !== 0n || (value & reserved) !== 0n) throw refused();
  if (!isMask && !isMemoryType(value & 0xffn)) throw refused();
  return value;
}

/** Memory types 2 and 3 are reserved (SDM vol. 3, table 12-10). */
function checkedPat(value: bigint): bigint {
  for (let entry = 0n; entry < 64n; entry += 8n) {
    const type = (value >> entry) & 0xffn;
    if (type > 7n || type === 2n || type === 3n) throw refused();
  }
  return value;
}

const unsigned = (address: number): bigint => BigInt.asUintN(64, BigInt(address));

function canonical(value: bigint): number {
  const address = Number(BigInt.asIntN(64, value));
  if (!isCanonical(address)) throw refused();
  return address;
}
