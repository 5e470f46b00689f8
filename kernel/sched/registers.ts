/** Named access to a register context: the live CPU state, or the saved context of a thread (same layout). */

import { GPR, RIP, SEGMENT_BASE, Segment } from "../../cpu/state.ts";

export class Registers {
  constructor(readonly view: DataView) {}

  /** A general register (cpu/state.ts `Register`) as a signed number: exact for addresses and counts. */
  get(register: number): number {
    return this.number(GPR + register * 8);
  }
  set(register: number, value: number): void {
    this.setNumber(GPR + register * 8, value);
  }
  /** The exact bits. */
  bits(register: number): bigint {
    return this.view.getBigUint64(GPR + register * 8, true);
  }
  setBits(register: number, value: bigint): void {
    this.view.setBigUint64(GPR + register * 8, value, true);
  }

  get rip(): number {
    return this.number(RIP);
  }
  set rip(value: number) {
    this.setNumber(RIP, value);
  }
  get ripBits(): bigint {
    return this.view.getBigUint64(RIP, true);
  }
  set ripBits(value: bigint) {
    this.view.setBigUint64(RIP, value, true);
  }

  get fsBase(): number {
    return this.number(SEGMENT_BASE + Segment.FS * 8);
  }
  set fsBase(value: number) {
    this.setNumber(SEGMENT_BASE + Segment.FS * 8, value);
  }
  get gsBase(): number {
    return this.number(SEGMENT_BASE + Segment.GS * 8);
  }
  set gsBase(value: number) {
    this.setNumber(SEGMENT_BASE + Segment.GS * 8, value);
  }

  private number(offset: number): number {
    return this.view.getInt32(offset + 4, true) * 2 ** 32 + this.view.getUint32(offset, true);
  }
  private setNumber(offset: number, value: number): void {
    this.view.setInt32(offset, value | 0, true);
    this.view.setInt32(offset + 4, Math.floor(value / 2 ** 32) | 0, true);
  }
}
