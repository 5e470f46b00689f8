/** MOV to and from control and debug registers, LMSW, CLTS, XSETBV: Intel SDM vol. 3, 2.5 and 4.1. */

import { PHYSICAL_ADDRESS_BITS } from "../../mmu/page-table-walker.ts";
import { GuestException } from "../helpers.ts";
import { Segment, Vector } from "../state.ts";
import { Cr0, Cr4, Efer } from "./control-bits.ts";
import { Rights, SystemType, typeOf } from "./segment.ts";
import { isCanonical } from "./stack.ts";
import type { SystemState } from "./system-state.ts";

const refused = (): GuestException => new GuestException(Vector.GP, 0);

const CR0_BITS =
  Cr0.PE | Cr0.MP | Cr0.EM | Cr0.TS | Cr0.ET | Cr0.NE | Cr0.WP | Cr0.AM | Cr0.NW | Cr0.CD | Cr0.PG;
/** A change of one of these makes translations invalid, global ones too (SDM vol. 3, 4.10.4.1). */
const CR0_PAGING = Cr0.PG | Cr0.WP | Cr0.PE;
const CR4_PAGING = Cr4.PAE | Cr4.PSE | Cr4.PGE | Cr4.SMEP | Cr4.SMAP | Cr4.PCIDE;
/** Paging bits that change what PDPTEs are loaded. */
const CR4_PDPTE = Cr4.PAE | Cr4.PSE | Cr4.PGE | Cr4.SMEP;

const CR4_ALWAYS =
  Cr4.TSD | Cr4.DE | Cr4.PSE | Cr4.PAE | Cr4.MCE | Cr4.PGE | Cr4.PCE | Cr4.OSFXSR | Cr4.OSXMMEXCPT;
const CR4_OF_FEATURE: readonly (readonly [feature: string, bit: number])[] = [
  ["umip", Cr4.UMIP],
  ["fsgsbase", Cr4.FSGSBASE],
  ["pcid", Cr4.PCIDE],
  ["xsave", Cr4.OSXSAVE],
  ["smep", Cr4.SMEP],
  ["smap", Cr4.SMAP],
];

function cr4Bits(features: ReadonlySet<string>): number {
  return CR4_OF_FEATURE.reduce(
    (bits, [feature, bit]) => (features.has(feature) ? bits | bit : bits),
    CR4_ALWAYS as number,
  );
}

export function readControl(system: SystemState, register: number): number {
  switch (register) {
    case 0:
      return system.cr0 >>> 0;
    case 2:
      return system.cr2;
    case 3:
      return system.cr3;
    case 4:
      return system.cr4 >>> 0;
    default:
      return system.platform.taskPriority;
  }
}

/** @param value 64 bits; outside of 64-bit mode the upper half is 0 */
export function writeControl(system: SystemState, register: number, value: bigint): void {
  switch (register) {
    case 0:
      if (value >> 32n !== 0n) throw refused();
      writeCr0(system, Number(value) | 0);
      break;
    case 2:
      system.cr2 = Number(BigInt.asIntN(64, value));
      break;
    case 3:
      writeCr3(system, value);
      break;
    case 4:
      if (value >> 32n !== 0n) throw refused();
      writeCr4(system, Number(value) | 0);
      break;
    default:
      if (value > 15n) throw refused();
      system.platform.taskPriority = Number(value);
  }
}

export function writeCr0(system: SystemState, value: number): void {
  const next = (value & CR0_BITS) | Cr0.ET;
  const isPaging = (next & Cr0.PG) !== 0;
  if (isPaging && (next & Cr0.PE) === 0) throw refused();
  if ((next & Cr0.NW) !== 0 && (next & Cr0.CD) === 0) throw refused();
  const wasPaging = (system.cr0 & Cr0.PG) !== 0;
  let { efer } = system;
  if (isPaging && !wasPaging) {
    if ((efer & Efer.LME) !== 0) {
      const isReady =
        (system.cr4 & Cr4.PAE) !== 0 &&
        (system.segments[Segment.CS].rights & Rights.L) === 0 &&
        typeOf(system.tr.rights) !== SystemType.BusyTss16;
      if (!isReady) throw refused();
      efer |= Efer.LMA;
    } else if ((system.cr4 & Cr4.PAE) !== 0) loadPdptes(system, system.cr3);
  } else if (!isPaging && wasPaging && (efer & Efer.LMA) !== 0) {
    if (system.is64Bit || (system.cr4 & Cr4.PCIDE) !== 0) throw refused();
    efer &= ~Efer.LMA;
  }
  const changed = system.cr0 ^ next;
  system.cr0 = next;
  system.efer = efer;
  system.updatePaging();
  if ((changed & CR0_PAGING) !== 0) system.flushEverything();
  system.updateMode();
}

/** LMSW: the low four bits; PE can be set only. */
export function loadStatusWord(system: SystemState, value: number): void {
  writeCr0(system, (system.cr0 & ~0xe) | (value & 0xf));
}

/** With CR4.PCIDE: translations of the new PCID are kept. Ours are always dropped, which software cannot tell. */
const CR3_KEEP = 1n << 63n;
/** The PCID in CR3. */
const CR3_PCID = 0xfff;

function writeCr3(system: SystemState, written: bigint): void {
  const value = (system.cr4 & Cr4.PCIDE) !== 0 ? written & ~CR3_KEEP : written;
  if (system.isLong) {
    if (value >> BigInt(PHYSICAL_ADDRESS_BITS) !== 0n) throw refused();
  } else if (system.paging.mode === "pae") loadPdptes(system, Number(value));
  system.cr3 = Number(value);
  system.updatePaging();
  system.flushAddressSpace();
}

/** PAE paging keeps the four entries of its top level in registers: SDM vol. 3, 4.4.1. */
export function loadPdptes(system: SystemState, cr3: number): void {
  const { paging, cpu } = system;
  const table = (cr3 & 0xffffffe0) >>> 0;
  const words = new Int32Array(8);
  if (table + 32 <= cpu.ram.length) {
    const view = new DataView(cpu.ram.buffer, table, 32);
    for (let index = 0; index < 8; index++) words[index] = view.getInt32(index * 4, true);
  }
  for (let index = 0; index < 4; index++) {
    const isPresent = (words[index * 2] & 1) !== 0;
    const high = words[index * 2 + 1] >>> 0;
    const isReserved = (words[index * 2] & 0x1e6) !== 0 || high >= 2 ** (PHYSICAL_ADDRESS_BITS - 32);
    if (isPresent && isReserved) throw refused();
  }
  for (let index = 0; index < 4; index++) {
    paging.pdpteLow[index] = words[index * 2];
    paging.pdpteHigh[index] = words[index * 2 + 1];
  }
}

function writeCr4(system: SystemState, value: number): void {
  if ((value & ~cr4Bits(system.features)) !== 0) throw refused();
  if (system.isLong && (value & Cr4.PAE) === 0) throw refused();
  const changed = system.cr4 ^ value;
  const startsPcid = (changed & value & Cr4.PCIDE) !== 0;
  if (startsPcid && (!system.isLong || system.cr3 % (CR3_PCID + 1) !== 0)) throw refused();
  const isPae = (system.cr0 & Cr0.PG) !== 0 && !system.isLong && (value & Cr4.PAE) !== 0;
  if (isPae && (changed & CR4_PDPTE) !== 0) loadPdptes(system, system.cr3);
  system.cr4 = value;
  system.updatePaging();
  if ((changed & CR4_PAGING) !== 0) system.flushEverything();
  system.updateMode();
}

/**
 * INVPCID: SDM vol. 2. Only translations of the current PCID exist, so that the others need no flush.
 * @param linear what type 0 is about
 */
export function invalidatePcid(system: SystemState, type: number, pcid: bigint, linear: number): void {
  if (type > 3 || pcid > BigInt(CR3_PCID)) throw refused();
  const isOfOne = type === 0 || type === 1;
  if (isOfOne && pcid !== 0n && (system.cr4 & Cr4.PCIDE) === 0) throw refused();
  if (type === 0) {
    if (system.is64Bit && !isCanonical(linear)) throw refused();
    system.flushPage(linear);
  } else if (type === 2) system.flushEverything();
  else system.flushAddressSpace();
}

/** XSETBV: x87 state always, AVX only with SSE. */
export function writeXcr0(system: SystemState, index: number, value: bigint): void {
  const known = BigInt(system.cpu.model.xcr0);
  const isValid =
    (value & 1n) !== 0n && (value & ~known) === 0n && ((value & 4n) === 0n || (value & 2n) !== 0n);
  if (index !== 0 || !isValid) throw refused();
  system.xcr0 = Number(value);
  system.updateMode();
}
