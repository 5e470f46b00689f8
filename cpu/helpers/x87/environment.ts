/** The x87 environment and state: FNSTENV, FLDENV, FNSAVE, FRSTOR, FNINIT (Intel SDM vol. 1, 8.1.10). */

import type { Cpu } from "../../cpu.ts";
import { initializeFpu } from "../../fpu-reset.ts";
import { defineHelper } from "../../helpers.ts";
import { X87_CONTROL, X87_DATA, X87_INSTRUCTION, X87_OPCODE } from "../../state.ts";
import { unit } from "./arithmetic.ts";
import { Status } from "./unit.ts";

/** Writable bits of the control word; bit 6 always reads as 1. */
const CONTROL_BITS = 0x1f3f;
const CONTROL_FIXED = 0x0040;
const TOP_SHIFT = 11;

function setControl(cpu: Cpu, value: number): void {
  cpu.setI32(X87_CONTROL, (value & CONTROL_BITS) | CONTROL_FIXED);
  unit.attach(cpu).summarize();
}

/** The full tag word, by physical register: 0 valid, 1 zero, 2 special, 3 empty. */
function tagWord(): number {
  let word = 0;
  for (let physical = 0; physical < 8; physical++) {
    const index = (physical - unit.top) & 7;
    word |= tagOf(index) << (2 * physical);
  }
  return word;
}

function tagOf(index: number): number {
  if (unit.isEmpty(index)) return 3;
  const { significand, signExponent } = unit.raw(index);
  const exponent = signExponent & 0x7fff;
  if (exponent === 0 && significand === 0n) return 1;
  return exponent === 0 || exponent === 0x7fff || significand >> 63n === 0n ? 2 : 0;
}

/** 28 bytes, or 14 with 16-bit operand size. */
function environment(cpu: Cpu, narrow: boolean): Uint8Array {
  const bytes = new Uint8Array(narrow ? 14 : 28);
  const view = new DataView(bytes.buffer);
  const words = [
    cpu.getI32(X87_CONTROL),
    unit.status | (unit.top << TOP_SHIFT),
    tagWord(),
    cpu.getNumber(X87_INSTRUCTION),
    narrow ? 0 : (cpu.getI32(X87_OPCODE) & 0x7ff) << 16,
    cpu.getNumber(X87_DATA),
    0,
  ];
  words.forEach((word, index) => {
    if (narrow) view.setUint16(index * 2, word, true);
    else view.setUint32(index * 4, index < 3 ? 0xffff0000 | (word & 0xffff) : word, true);
  });
  // The upper halves of the selector words read as ones.
  if (!narrow) view.setUint32(24, 0xffff0000, true);
  return bytes;
}

function loadEnvironment(cpu: Cpu, bytes: Uint8Array, narrow: boolean): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (index: number) => view.getUint16(index * (narrow ? 2 : 4), true);
  const status = word(1);
  unit.attach(cpu);
  unit.top = (status >> TOP_SHIFT) & 7;
  unit.status = status & ~(7 << TOP_SHIFT);
  const tags = word(2);
  for (let physical = 0; physical < 8; physical++) {
    const index = (physical - unit.top) & 7;
    if (((tags >> (2 * physical)) & 3) === 3) unit.setEmpty(index);
    else unit.write(index, unit.raw(index));
  }
  cpu.setNumber(X87_INSTRUCTION, narrow ? word(3) : view.getUint32(12, true));
  cpu.setNumber(X87_DATA, narrow ? word(5) : view.getUint32(20, true));
  if (!narrow) cpu.setI32(X87_OPCODE, view.getUint16(18, true) & 0x7ff);
  setControl(cpu, word(0));
}

const REGISTER_BYTES = 10;

for (const narrow of [true, false]) {
  const suffix = narrow ? ".narrow" : ".wide";
  const size = narrow ? 14 : 28;
  defineHelper(`x87.fnstenv${suffix}`, (cpu) => {
    unit.attach(cpu);
    cpu.mmu.write(cpu.argument(0), environment(cpu, narrow));
    setControl(cpu, cpu.getI32(X87_CONTROL) | Status.EXCEPTIONS);
  });
  defineHelper(`x87.fldenv${suffix}`, (cpu) => {
    const bytes = new Uint8Array(size);
    cpu.mmu.read(cpu.argument(0), bytes);
    loadEnvironment(cpu, bytes, narrow);
  });
  defineHelper(`x87.fnsave${suffix}`, (cpu) => {
    unit.attach(cpu);
    const bytes = new Uint8Array(size + 8 * REGISTER_BYTES);
    bytes.set(environment(cpu, narrow));
    const view = new DataView(bytes.buffer);
    for (let index = 0; index < 8; index++) {
      const { significand, signExponent } = unit.raw(index);
      view.setBigUint64(size + index * REGISTER_BYTES, significand, true);
      view.setUint16(size + index * REGISTER_BYTES + 8, signExponent, true);
    }
    cpu.mmu.write(cpu.argument(0), bytes);
    initializeFpu(cpu);
  });
  defineHelper(`x87.frstor${suffix}`, (cpu) => {
    const bytes = new Uint8Array(size + 8 * REGISTER_BYTES);
    cpu.mmu.read(cpu.argument(0), bytes);
    loadEnvironment(cpu, bytes.subarray(0, size), narrow);
    const view = new DataView(bytes.buffer);
    for (let index = 0; index < 8; index++) {
      const empty = unit.isEmpty(index);
      unit.write(index, {
        significand: view.getBigUint64(size + index * REGISTER_BYTES, true),
        signExponent: view.getUint16(size + index * REGISTER_BYTES + 8, true),
      });
      if (empty) unit.setEmpty(index);
    }
  });
}

defineHelper("x87.fninit", (cpu) => initializeFpu(cpu));
