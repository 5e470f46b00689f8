/** The processor as the BIOS sees it. */

import { Flag, Register, Segment } from "../../cpu/state.ts";
import { Rights } from "../../cpu/system/segment.ts";
import type { SystemState } from "../../cpu/system/system-state.ts";
import type { BiosProcessor, BiosRegister, BiosSegment } from "../bios/bios-processor.ts";

const REGISTERS: Readonly<Record<BiosRegister, number>> = {
  ax: Register.RAX,
  cx: Register.RCX,
  dx: Register.RDX,
  bx: Register.RBX,
  sp: Register.RSP,
  bp: Register.RBP,
  si: Register.RSI,
  di: Register.RDI,
};
const SEGMENTS: Readonly<Record<BiosSegment, number>> = {
  cs: Segment.CS,
  ss: Segment.SS,
  ds: Segment.DS,
  es: Segment.ES,
};
const LIMIT = 0xffff;
const RIGHTS = Rights.P | Rights.S | Rights.WritableOrReadable | Rights.Accessed;
/** EFLAGS.VM */
const VM = 1 << 17;

export class RealModeProcessor implements BiosProcessor {
  constructor(private readonly system: SystemState) {}

  get isRealMode(): boolean {
    return !this.system.isProtected && (this.system.cpu.rflags & VM) === 0;
  }

  get nextAddress(): number {
    return this.base("cs") + this.system.cpu.rip;
  }

  get16(register: BiosRegister): number {
    return this.get32(register) & 0xffff;
  }

  set16(register: BiosRegister, value: number): void {
    this.set32(register, (this.get32(register) & 0xffff0000) | (value & 0xffff));
  }

  get32(register: BiosRegister): number {
    return Number(this.system.cpu.gpr64(REGISTERS[register]) & 0xffffffffn);
  }

  set32(register: BiosRegister, value: number): void {
    this.system.cpu.setGpr64(REGISTERS[register], BigInt(value >>> 0));
  }

  selector(segment: BiosSegment): number {
    return this.system.segments[SEGMENTS[segment]].selector;
  }

  base(segment: BiosSegment): number {
    return this.system.segments[SEGMENTS[segment]].base;
  }

  setSegment(segment: BiosSegment, selector: number): void {
    const { system } = this;
    const before = system.segments[SEGMENTS[segment]];
    // Real mode changes the base only; a data segment keeps a limit of 4 GiB if a program has given it one.
    const { limit, rights } = before;
    system.setSegment(SEGMENTS[segment], { selector, base: selector * 16, limit, rights });
  }

  jump(selector: number, offset: number): void {
    const { system } = this;
    system.setSegment(Segment.CS, {
      selector,
      base: selector * 16,
      limit: LIMIT,
      rights: RIGHTS | Rights.Code,
    });
    system.cpu.rip = offset;
    system.updateMode();
  }

  enableInterrupts(): void {
    this.system.cpu.rflags |= Flag.IF;
  }
}
