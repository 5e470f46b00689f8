/** The stack as far transfers use it: pointers of 16, 32 and 64 bits. */

import { GuestException } from "../helpers.ts";
import { Register, Segment, Vector } from "../state.ts";
import { Rights } from "./segment.ts";
import { isInLimit } from "./segment-checks.ts";
import type { SystemState } from "./system-state.ts";

const CANONICAL_LIMIT = 0x800000000000;

export function isCanonical(address: number): boolean {
  return address < CANONICAL_LIMIT && address >= -CANONICAL_LIMIT;
}

/** What limits the stack pointer: 64-bit mode, or the B flag of SS. */
export function stackMask(system: SystemState): number | undefined {
  if (system.is64Bit) return undefined;
  return (system.segments[Segment.SS].rights & Rights.DB) !== 0 ? 0xffffffff : 0xffff;
}

/** RSP, ESP or SP. */
export function stackPointer(system: SystemState): number {
  const rsp = system.cpu.gpr(Register.RSP);
  const mask = stackMask(system);
  return mask === undefined ? rsp : (rsp & mask) >>> 0;
}

export function writeStackPointer(system: SystemState, value: number): void {
  const { cpu } = system;
  const mask = stackMask(system);
  if (mask === undefined) cpu.setGpr(Register.RSP, value);
  else if (mask === 0xffff) {
    const old = cpu.gpr(Register.RSP);
    cpu.setGpr(Register.RSP, old - (((old % 0x10000) + 0x10000) % 0x10000) + (value & 0xffff));
  } else cpu.setGpr(Register.RSP, value >>> 0);
}

/** Reads words upwards from the stack pointer without moving it. */
export class StackReader {
  private offset = 0;
  private readonly base: number;
  private readonly mask: number | undefined;
  private readonly start: number;

  constructor(
    private readonly system: SystemState,
    private readonly bytes: 2 | 4 | 8,
  ) {
    this.mask = stackMask(system);
    this.base = this.mask === undefined ? 0 : system.segments[Segment.SS].base;
    this.start = stackPointer(system);
  }

  /** The next word, as a signed number of 64 bits or an unsigned one of fewer. @throws PageFault, GuestException */
  pop(): number {
    const value = readMemory(this.system, this.address(), this.bytes, Vector.SS);
    this.offset += this.bytes;
    return value;
  }

  /** Where the pointer is now, to be written back. */
  get pointer(): number {
    const pointer = this.start + this.offset;
    return this.mask === undefined ? pointer : (pointer & this.mask) >>> 0;
  }

  skip(bytes: number): void {
    this.offset += bytes;
  }

  private address(): number {
    const { system, pointer } = this;
    if (this.mask === undefined) return pointer;
    if (!isInLimit(system.segments[Segment.SS], pointer, this.bytes)) throw new GuestException(Vector.SS, 0);
    return (this.base + pointer) >>> 0;
  }
}

const scratch = new DataView(new ArrayBuffer(8));
const scratchBytes = new Uint8Array(scratch.buffer);

/** Reads a word at a linear address, with the rights of the current privilege level. */
export function readMemory(
  system: SystemState,
  address: number,
  bytes: 2 | 4 | 8,
  vector: number = Vector.GP,
): number {
  if (system.is64Bit && !(isCanonical(address) && isCanonical(address + bytes - 1)))
    throw new GuestException(vector, 0);
  system.cpu.mmu.read(address, scratchBytes.subarray(0, bytes));
  switch (bytes) {
    case 2:
      return scratch.getUint16(0, true);
    case 4:
      return scratch.getUint32(0, true);
    default:
      return scratch.getInt32(4, true) * 0x100000000 + scratch.getUint32(0, true);
  }
}
