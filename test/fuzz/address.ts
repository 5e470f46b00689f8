/** Chooses where a memory operand lies and how its address is put together. */

import { CODE, DATA, FS_BASE, GS_BASE, READ_ONLY, STACK } from "./arena.ts";
import { type Fields, type MemoryFields, NO_BASE, RIP_BASE } from "./encode.ts";
import type { Random } from "./random.ts";

const PAGE = 4096;
const FS_PREFIX = 0x64;
const GS_PREFIX = 0x65;
const ADDRESS_SIZE_PREFIX = 0x67;

/** Registers as the address chooser sees them: what they hold when the instruction begins, or could be made to hold. */
export interface AddressRegisters {
  /** Undefined if not known. */
  valueOf(register: number): bigint | undefined;
  /** Makes it hold a value. @returns false if it has another purpose */
  assign(register: number, value: bigint): boolean;
}

/** Where an access lies. */
export interface Target {
  readonly address: bigint;
  /** It is in writable memory, with all of its bytes. */
  readonly writable: boolean;
}

const WILD_ADDRESSES = [
  0n,
  0x8000_0000_0000n, // the lowest non-canonical address
  0x7fff_ffff_fff8n, // in reach of a canonical address below the hole
  0xffff_8000_0000_0000n,
  0xffff_7fff_ffff_fff9n,
  0xffff_ffff_ffff_fffcn, // wraps around
  0xffff_ffff_ffff_f000n,
];

/**
 * An address for `size` bytes: mostly in the data region, at times across pages, read-only or unmapped.
 * @param alignment what it must be a multiple of; misaligned addresses are rare then
 * @param risk how many in 100 accesses may fault
 */
export function chooseTarget(random: Random, size: number, alignment: number, risk: number): Target {
  if (random.chance(risk)) return riskyTarget(random, size, alignment);
  const mustAlign = alignment > 1;
  let address: number;
  if (random.chance(10) && !mustAlign && size > 1) {
    // Across the boundary of two writable pages.
    address = DATA.address + PAGE * random.between(1, 3) - random.between(1, Math.min(size - 1, PAGE));
  } else if (random.chance(5)) {
    // The last bytes of the last page, the first of the first.
    address = random.chance(50) ? DATA.address : DATA.address + DATA.size - size;
    if (mustAlign) address &= -alignment;
  } else {
    address = DATA.address + random.below(DATA.size - size);
    if (mustAlign) address &= -alignment;
    else if (random.chance(60)) address &= -Math.min(size, 16);
  }
  return { address: BigInt(address), writable: true };
}

function riskyTarget(random: Random, size: number, alignment: number): Target {
  const align = (address: number) => address & -alignment;
  const part = random.between(1, Math.max(1, size - 1));
  const at = (address: number, writable = false): Target => ({ address: BigInt(address), writable });
  // Large areas have no first byte to fault at, so none of them wraps around.
  switch (random.below(size > 64 ? 8 : 9)) {
    case 0:
      return at(align(READ_ONLY.address + random.below(PAGE - size)));
    case 1: // begins in read-only memory and ends in writable memory
      return at(READ_ONLY.address + PAGE - part);
    case 2: // begins in writable memory and ends in none
      return at(DATA.address + DATA.size - part);
    case 3: // the other way round
      return at(READ_ONLY.address - part);
    case 4: // no such memory
      return at(align(DATA.address + DATA.size + random.below(PAGE - size)));
    case 5: // misaligned for those that care
      return at(DATA.address + random.below(DATA.size - size), true);
    case 6: // code; far enough behind what is executed
      return at(align(CODE.address + CODE.size - 16 - size - random.below(512)), true);
    case 7:
      return at(align(STACK.address + random.below(STACK.size - size)), true);
    default: {
      const address = BigInt.asUintN(64, random.pick(WILD_ADDRESSES) + BigInt(random.between(-8, 8)));
      return { address: address & -BigInt(alignment), writable: false };
    }
  }
}

function fitsDisplacement(value: bigint): boolean {
  return value === BigInt.asIntN(32, value);
}

/**
 * Fills in the memory operand so that it means an address; segment and address-size prefixes are added to the fields.
 * @param codeAddress an address not far from the instruction
 */
export function aimAt(
  random: Random,
  target: bigint,
  fields: Fields,
  registers: AddressRegisters,
  codeAddress: number,
): void {
  let effective = target;
  if (random.chance(8)) {
    const useFs = random.chance(50);
    fields.prefixes.push(useFs ? FS_PREFIX : GS_PREFIX);
    effective = BigInt.asUintN(64, target - (useFs ? FS_BASE : GS_BASE));
  }
  fields.addressSize = 64;
  if (random.chance(10) && effective < 0x1_0000_0000n) {
    fields.prefixes.push(ADDRESS_SIZE_PREFIX);
    fields.addressSize = 32;
  }

  const { memory } = fields;
  memory.index = -1;
  memory.scale = random.below(4);
  const style = random.below(100);
  if (style >= 30 && baseAndIndex(random, effective, fields, registers)) return;

  const signed = BigInt.asIntN(64, effective);
  const reachesRip = fitsDisplacement(signed - BigInt(codeAddress) + 64n) && signed >= 0n;
  const isAbsolute = fitsDisplacement(signed) || (fields.addressSize === 32 && effective < 0x1_0000_0000n);
  if (reachesRip && (style < 18 || !isAbsolute)) {
    memory.base = RIP_BASE;
    memory.displacement = Number(signed);
  } else if (isAbsolute) {
    memory.base = NO_BASE;
    memory.displacement = Number(BigInt.asIntN(32, effective));
  } else if (!baseAndIndex(random, effective, fields, registers)) {
    // Out of reach for what registers there are: whatever address comes out then.
    memory.base = NO_BASE;
    memory.displacement = random.u32() | 0;
  }
}

function baseAndIndex(
  random: Random,
  effective: bigint,
  fields: Fields,
  registers: AddressRegisters,
): boolean {
  const { memory } = fields;
  const width = fields.addressSize;
  let indexed = 0n;
  if (random.chance(45)) {
    const index = random.below(16);
    if (index !== 4) {
      const known = registers.valueOf(index);
      const value = known ?? BigInt.asUintN(64, randomIndex(random));
      if (known !== undefined || registers.assign(index, value)) {
        memory.index = index;
        indexed = value << BigInt(memory.scale);
      }
    }
  }
  const first = random.below(16);
  for (let tries = 0; tries < 16; tries++) {
    const base = (first + tries) & 15;
    const known = registers.valueOf(base);
    if (known === undefined) {
      const displacement = randomDisplacement(random, memory);
      let value = BigInt.asUintN(width, effective - indexed - BigInt(displacement));
      // Only the low half of an address of 32 bits counts.
      if (width === 32) value |= BigInt(random.u32()) << 32n;
      if (!registers.assign(base, value)) continue;
      memory.displacement = displacement;
    } else {
      const displacement = BigInt.asIntN(width, effective - indexed - known);
      if (!fitsDisplacement(displacement)) continue;
      memory.displacement = Number(displacement);
      memory.displacementBytes = random.chance(70) ? 1 : 4;
    }
    memory.base = base;
    return true;
  }
  memory.index = -1;
  return false;
}

function randomIndex(random: Random): bigint {
  return random.chance(80) ? BigInt(random.between(-300, 300)) : random.u64();
}

function randomDisplacement(random: Random, memory: MemoryFields): number {
  switch (random.below(3)) {
    case 0:
      memory.displacementBytes = 0;
      return 0;
    case 1:
      memory.displacementBytes = 1;
      return random.between(-128, 127);
    default:
      memory.displacementBytes = 4;
      return random.chance(50) ? random.u32() | 0 : random.between(-5000, 5000);
  }
}
