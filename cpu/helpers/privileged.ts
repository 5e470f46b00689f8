/** What operating systems' instructions do; definitions/privileged.ts has the instructions. */

import type { Cpu } from "../cpu.ts";
import { defineHelper, GuestException } from "../helpers.ts";
import { ExceptionSource, FLAGS_OTHER, Flag, Register, Vector } from "../state.ts";
import { Cr0, Cr4 } from "../system/control-bits.ts";
import {
  invalidatePcid,
  loadStatusWord,
  readControl,
  writeControl,
  writeCr0,
  writeXcr0,
} from "../system/control-registers.ts";
import { notePort, readDebug, writeDebug } from "../system/debug-registers.ts";
import { loadLocalTable, loadTaskRegister } from "../system/descriptor-tables.ts";
import { farCall, farJump, farReturn, interruptReturn } from "../system/far-transfers.ts";
import { systemEnter, systemExit, systemReturn } from "../system/fast-calls.ts";
import { requirePort } from "../system/io-permission.ts";
import { readModelRegister, writeModelRegister } from "../system/model-specific-registers.ts";
import { guardedAddress } from "../system/segment-checks.ts";
import { isCanonical, readMemory } from "../system/stack.ts";
import type { SystemState } from "../system/system-state.ts";

type SystemHelper = (system: SystemState, cpu: Cpu) => void;
type OperandSize = 16 | 32 | 64;

/** A helper that exists on a whole PC; user code of the OSv kernel gets #GP(0). */
function defineSystemHelper(name: string, helper: SystemHelper): void {
  defineHelper(name, (cpu) => {
    if (cpu.system === undefined) throw new GuestException(Vector.GP, 0);
    helper(cpu.system, cpu);
  });
}

/** For CPL 0. */
function definePrivileged(name: string, helper: SystemHelper): void {
  defineSystemHelper(name, (system, cpu) => {
    if (system.cpl !== 0) throw new GuestException(Vector.GP, 0);
    helper(system, cpu);
  });
}

const operandSize = (cpu: Cpu, slot: number): OperandSize => cpu.argumentI32(slot) as OperandSize;
/** An unsigned 64-bit argument; outside of 64-bit mode registers have 32 bits. */
const registerArgument = (system: SystemState, cpu: Cpu, slot: number): bigint =>
  system.is64Bit ? cpu.argument64(slot) : cpu.argument64(slot) & 0xffffffffn;

defineHelper("requireAlone", (cpu) => {
  if (cpu.system !== undefined) cpu.requireAlone();
});

defineHelper("endUserAccess", (cpu) => cpu.system?.checkUserAccess());

// ---- control, debug and model-specific registers ----

definePrivileged("readControl", (system, cpu) => cpu.setResult(0, readControl(system, cpu.argumentI32(0))));
definePrivileged("writeControl", (system, cpu) =>
  writeControl(system, cpu.argumentI32(0), registerArgument(system, cpu, 1)),
);
definePrivileged("readDebug", (system, cpu) => cpu.setResult(0, readDebug(system, cpu.argumentI32(0))));
definePrivileged("writeDebug", (system, cpu) =>
  writeDebug(system, cpu.argumentI32(0), registerArgument(system, cpu, 1)),
);
definePrivileged("lmsw", (system, cpu) => loadStatusWord(system, cpu.argumentI32(0)));
definePrivileged("clts", (system) => writeCr0(system, system.cr0 & ~Cr0.TS));
definePrivileged("rdmsr", (system, cpu) =>
  cpu.setResult64(0, readModelRegister(system, cpu.argumentI32(0) >>> 0)),
);
definePrivileged("wrmsr", (system, cpu) =>
  writeModelRegister(system, cpu.argumentI32(0) >>> 0, cpu.argument64(1)),
);
definePrivileged("xsetbv", (system, cpu) => writeXcr0(system, cpu.argumentI32(0), cpu.argument64(1)));

definePrivileged("invlpg", (system, cpu) => {
  const address = cpu.argument(0);
  if (isCanonical(address)) system.flushPage(address);
});

/** Slots: 0 the type in a register, 1 address of the descriptor: PCID, then a linear address, 8 bytes each. */
definePrivileged("invpcid", (system, cpu) => {
  const address = cpu.argument(1);
  const descriptor = new Uint8Array(16);
  if (system.is64Bit && !(isCanonical(address) && isCanonical(address + 15)))
    throw new GuestException(Vector.GP, 0);
  cpu.mmu.read(address, descriptor);
  const view = new DataView(descriptor.buffer);
  const type = registerArgument(system, cpu, 0);
  const linear = Number(view.getBigInt64(8, true));
  invalidatePcid(system, type > 3n ? 4 : Number(type), view.getBigUint64(0, true), linear);
});

// ---- descriptor tables ----

/** Bytes of a pseudo-descriptor behind the limit. */
const baseBytes = (system: SystemState): 4 | 8 => (system.is64Bit ? 8 : 4);

definePrivileged("loadTable", (system, cpu) => {
  const address = cpu.argument(1);
  const limit = readMemory(system, address, 2);
  const base = readMemory(system, address + 2, baseBytes(system));
  if (!isCanonical(base)) throw new GuestException(Vector.GP, 0);
  const table = cpu.argumentI32(0) === 0 ? system.gdtr : system.idtr;
  table.limit = limit;
  // With 16-bit operands the base has 24 bits.
  table.base = cpu.argumentI32(2) === 16 && !system.is64Bit ? base & 0xffffff : base;
});

/** User code may not read them if CR4.UMIP is set. */
function defineReader(name: string, helper: SystemHelper): void {
  defineSystemHelper(name, (system, cpu) => {
    if (system.cpl === 3 && (system.cr4 & Cr4.UMIP) !== 0) throw new GuestException(Vector.GP, 0);
    helper(system, cpu);
  });
}

defineReader("storeTable", (system, cpu) => {
  const address = cpu.argument(1);
  const { base, limit } = cpu.argumentI32(0) === 0 ? system.gdtr : system.idtr;
  const bytes = new Uint8Array(2 + baseBytes(system));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, limit, true);
  view.setUint32(2, base >>> 0, true);
  if (bytes.length > 6) view.setInt32(6, Math.floor(base / 0x100000000), true);
  if (system.is64Bit && !(isCanonical(address) && isCanonical(address + 9)))
    throw new GuestException(Vector.GP, 0);
  cpu.mmu.write(address, bytes);
});
defineReader("sldt", (system, cpu) => cpu.setResult(0, system.ldtr.selector));
defineReader("str", (system, cpu) => cpu.setResult(0, system.tr.selector));
defineReader("smsw", (system, cpu) => cpu.setResult(0, system.cr0 >>> 0));

/** LLDT, LTR. */
for (const [name, load] of [
  ["lldt", loadLocalTable],
  ["ltr", loadTaskRegister],
] as const) {
  defineSystemHelper(name, (system, cpu) => {
    if (system.cpl !== 0) throw new GuestException(Vector.GP, 0);
    load(system, cpu.argumentI32(0));
  });
}

// ---- far transfers; they leave the engine, and may have changed the state struct in use ----

defineSystemHelper("interruptReturn", (system, cpu) =>
  interruptReturn(system, operandSize(cpu, 0), cpu.whereabouts?.nextRip ?? 0),
);
defineSystemHelper("farReturn", (system, cpu) =>
  farReturn(system, operandSize(cpu, 0), cpu.argumentI32(1) & 0xffff),
);
defineSystemHelper("farJump", (system, cpu) => {
  farJump(system, cpu.argumentI32(0) & 0xffff, cpu.argument(1), cpu.whereabouts?.nextRip ?? 0);
});
defineSystemHelper("farCall", (system, cpu) => {
  const next = cpu.whereabouts?.nextRip ?? 0;
  farCall(system, cpu.argumentI32(0) & 0xffff, cpu.argument(1), next, operandSize(cpu, 2));
});
defineSystemHelper("systemReturn", (system, cpu) => systemReturn(system, operandSize(cpu, 0)));
defineSystemHelper("systemEnter", (system) => systemEnter(system));
defineSystemHelper("systemExit", (system, cpu) => systemExit(system, operandSize(cpu, 0)));

/** INTO: the trap is delivered when the instruction is complete. Slot 0: OF. */
defineSystemHelper("into", (system, cpu) => {
  if (cpu.argumentI32(0) === 0) return;
  const source = ExceptionSource.Breakpoint;
  system.afterInstruction = { vector: Vector.OF, errorCode: undefined, address: 0, source };
});

// ---- ports ----

type PortSize = 1 | 2 | 4;
const portSize = (cpu: Cpu, slot: number): PortSize => cpu.argumentI32(slot) as PortSize;

defineSystemHelper("portIn", (system, cpu) => {
  const port = cpu.argumentI32(0) & 0xffff;
  const size = portSize(cpu, 1);
  requirePort(system, port, size);
  notePort(system, port, size);
  cpu.setResult(0, system.platform.bus.readPort(port, size));
});

defineSystemHelper("portOut", (system, cpu) => {
  const port = cpu.argumentI32(0) & 0xffff;
  const size = portSize(cpu, 1);
  requirePort(system, port, size);
  notePort(system, port, size);
  const value = cpu.argumentI32(2) >>> 0;
  system.platform.bus.writePort(port, size, size === 4 ? value : value & (2 ** (8 * size) - 1));
});

/** Iterations of REP INS and REP OUTS before there is a look around. */
const MOST_ITERATIONS = 4096;

/** The part of a register that addresses and counts use, and how it is written. */
function indexRegister(cpu: Cpu, register: number, bits: number): number {
  const value = cpu.gpr(register);
  return bits === 64 ? value : bits === 32 ? value >>> 0 : value & 0xffff;
}

function writeIndexRegister(cpu: Cpu, register: number, bits: number, value: number): void {
  if (bits === 64) cpu.setGpr(register, value);
  else if (bits === 32) cpu.setGpr(register, value >>> 0);
  else {
    const old = cpu.gpr64(register);
    cpu.setGpr64(register, (old & ~0xffffn) | BigInt(value & 0xffff));
  }
}

/** INS and OUTS. @param transfer moves one element from or to a linear address */
function portString(
  system: SystemState,
  cpu: Cpu,
  register: number,
  transfer: (port: number, address: number, size: PortSize) => void,
): void {
  const size = portSize(cpu, 0);
  const bits = cpu.argumentI32(1);
  const isRepeated = cpu.argumentI32(2) !== 0;
  const base = cpu.argument(3);
  const port = cpu.gpr(Register.RDX) & 0xffff;
  requirePort(system, port, size);
  notePort(system, port, size);
  const step = (cpu.getI32(FLAGS_OTHER) & Flag.DF) !== 0 ? -size : size;
  for (let done = 0; done < MOST_ITERATIONS; done++) {
    const count = isRepeated ? indexRegister(cpu, Register.RCX, bits) : 1;
    if (count === 0) return;
    const offset = indexRegister(cpu, register, bits);
    const address = system.is64Bit ? base + offset : guardedAddress(base, offset, bits);
    if (system.is64Bit && !(isCanonical(address) && isCanonical(address + size - 1)))
      throw new GuestException(Vector.GP, 0);
    transfer(port, address, size);
    writeIndexRegister(cpu, register, bits, offset + step);
    if (!isRepeated) return;
    writeIndexRegister(cpu, Register.RCX, bits, count - 1);
  }
  cpu.isIncomplete = indexRegister(cpu, Register.RCX, bits) !== 0;
}

const element = new Uint8Array(4);
const elementView = new DataView(element.buffer);

defineSystemHelper("portInString", (system, cpu) => {
  cpu.requireAlone();
  portString(system, cpu, Register.RDI, (port, address, size) => {
    // A fault must not have taken anything from the device.
    cpu.mmu.probe(address, size);
    elementView.setUint32(0, system.platform.bus.readPort(port, size), true);
    cpu.mmu.write(address, element.subarray(0, size));
  });
});

defineSystemHelper("portOutString", (system, cpu) => {
  cpu.requireAlone();
  portString(system, cpu, Register.RSI, (port, address, size) => {
    elementView.setUint32(0, 0, true);
    cpu.mmu.read(address, element.subarray(0, size));
    system.platform.bus.writePort(port, size, elementView.getUint32(0, true));
  });
});
