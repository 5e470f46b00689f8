/** What the JavaScript of blocks calls: state, vectors, guest memory. */

import { TLB_ADDEND, TLB_ENTRIES, TLB_ENTRY_SHIFT, TLB_READ, TLB_WRITE } from "../../../mmu/tlb.ts";
import { PAGE_SHIFT, PAGE_SIZE } from "../../../mmu/translator.ts";
import type { Cpu } from "../../cpu.ts";
import { GuestException } from "../../helpers.ts";
import { STATE_SIZE, TLB } from "../../state.ts";
import * as scalar from "./scalar.ts";
import { SHAPES, V128, ZERO } from "./vector.ts";

/** Addresses from ±2^47 on are not canonical. */
const CANONICAL_LIMIT = 0x800000000000;
const INDEX_MASK = TLB_ENTRIES - 1;
const WORD_SHIFT = TLB_ENTRY_SHIFT - 2;

/** An access to an address that is not canonical: #GP or #SS, which only the instruction tells. */
export class NonCanonicalAccess extends Error {
  constructor(readonly access: "read" | "write") {
    super(`${access} of an address that is not canonical`);
    this.name = "NonCanonicalAccess";
  }
}

/** How a block's function leaves other than by returning the address to go on at: each returns NaN. */
export interface Leaving {
  /** Something was thrown while the instruction at `rip` was executed: nothing of it has happened. */
  fault(error: unknown, rip: number): number;
  /** The instruction before `next` ends the run. */
  exit(reason: number, next: number): number;
  /** The code has changed: what is at `rip` has to be translated anew. */
  interrupted(rip: number): number;
}

export type Runtime = Readonly<Record<string, unknown>>;

export function createRuntime(cpu: Cpu, leaving: Leaving): Runtime {
  return { ...stateAccess(cpu), ...guestMemory(cpu), ...leaving, ...scalar, ...SHAPES, V128, ZERO, raise };
}

function raise(vector: number, error: number): never {
  throw new GuestException(vector, error);
}

function stateAccess(cpu: Cpu) {
  const { buffer } = cpu.memory;
  const { base } = cpu;
  const i32 = new Int32Array(buffer, base, STATE_SIZE / 4);
  return {
    r64: new BigUint64Array(buffer, base, STATE_SIZE / 8),
    i32,
    u16: new Uint16Array(buffer, base, STATE_SIZE / 2),
    f64: new Float64Array(buffer, base, STATE_SIZE / 8),
    f32: new Float32Array(buffer, base, STATE_SIZE / 4),
    /** The 16 bytes at a quadword of the state. */
    vectorAt(quadword: number): V128 {
      const at = 2 * quadword;
      return new V128(i32[at], i32[at + 1], i32[at + 2], i32[at + 3]);
    },
    setVector(quadword: number, { d0, d1, d2, d3 }: V128): void {
      const at = 2 * quadword;
      i32[at] = d0;
      i32[at + 1] = d1;
      i32[at + 2] = d2;
      i32[at + 3] = d3;
    },
  };
}

/** Addresses are BigInts, right modulo 2^64. */
function guestMemory(cpu: Cpu) {
  const { mmu } = cpu;
  const { buffer } = cpu.memory;
  const view = new DataView(buffer);
  const tlb = new Int32Array(buffer, cpu.base + TLB, (TLB_ENTRIES << TLB_ENTRY_SHIFT) >> 2);
  const wide = new BigUint64Array(1);
  const halves = new Int32Array(wide.buffer);
  const { scratch } = mmu;

  /** Where an access that the TLB knows goes; -1 if it does not know. */
  const lookUp = (address: bigint, bytes: number, tag: number): number => {
    wide[0] = address;
    const low = halves[0];
    const entry = ((low >>> PAGE_SHIFT) & INDEX_MASK) << WORD_SHIFT;
    const page = (low + bytes - 1) & -PAGE_SIZE;
    if (tlb[entry + tag] !== page || tlb[entry + tag + 1] !== halves[1]) return -1;
    return (low + tlb[entry + (TLB_ADDEND >> 2)]) >>> 0;
  };
  const canonical = (address: bigint, bytes: number, access: "read" | "write"): number => {
    const number = Number(BigInt.asIntN(64, address));
    if (number > CANONICAL_LIMIT - bytes || number < -CANONICAL_LIMIT) throw new NonCanonicalAccess(access);
    return number;
  };
  const forReading = (address: bigint, bytes: number): number => {
    const place = lookUp(address, bytes, TLB_READ >> 2);
    return place >= 0 ? place : mmu.load(canonical(address, bytes, "read"), bytes);
  };
  /** Where to write; the scratch bytes if the Mmu has to see it: then {@link wrote} follows. */
  const forWriting = (address: bigint, bytes: number): number => {
    const place = lookUp(address, bytes, TLB_WRITE >> 2);
    return place >= 0 ? place : scratch;
  };
  const wrote = (place: number, address: bigint, bytes: number): void => {
    if (place === scratch) mmu.store(canonical(address, bytes, "write"), bytes);
  };
  const committed = (place: number): void => {
    if (place === scratch) mmu.commit();
  };

  const read8 = (place: number) => BigInt(view.getUint8(place));
  const read16 = (place: number) => BigInt(view.getUint16(place, true));
  const read32 = (place: number) => BigInt(view.getUint32(place, true));
  const read64 = (place: number) => view.getBigUint64(place, true);
  const readVector = (place: number) =>
    new V128(
      view.getInt32(place, true),
      view.getInt32(place + 4, true),
      view.getInt32(place + 8, true),
      view.getInt32(place + 12, true),
    );
  const { low32 } = scalar;
  const write8 = (place: number, value: bigint) => view.setInt8(place, low32(value));
  const write16 = (place: number, value: bigint) => view.setInt16(place, low32(value), true);
  const write32 = (place: number, value: bigint) => view.setInt32(place, low32(value), true);
  const write64 = (place: number, value: bigint) => view.setBigUint64(place, value, true);
  const writeSingle = (place: number, bits: number) => view.setInt32(place, bits, true);
  const writeVector = (place: number, { d0, d1, d2, d3 }: V128) => {
    view.setInt32(place, d0, true);
    view.setInt32(place + 4, d1, true);
    view.setInt32(place + 8, d2, true);
    view.setInt32(place + 12, d3, true);
  };

  return {
    load8: (address: bigint) => read8(forReading(address, 1)),
    load16: (address: bigint) => read16(forReading(address, 2)),
    load32: (address: bigint) => read32(forReading(address, 4)),
    load64: (address: bigint) => read64(forReading(address, 8)),
    /** The bits of an f32. */
    loadSingle: (address: bigint) => view.getInt32(forReading(address, 4), true),
    loadVector: (address: bigint) => readVector(forReading(address, 16)),

    store8(address: bigint, value: bigint): void {
      const place = forWriting(address, 1);
      write8(place, value);
      wrote(place, address, 1);
    },
    store16(address: bigint, value: bigint): void {
      const place = forWriting(address, 2);
      write16(place, value);
      wrote(place, address, 2);
    },
    store32(address: bigint, value: bigint): void {
      const place = forWriting(address, 4);
      write32(place, value);
      wrote(place, address, 4);
    },
    store64(address: bigint, value: bigint): void {
      const place = forWriting(address, 8);
      write64(place, value);
      wrote(place, address, 8);
    },
    storeSingle(address: bigint, bits: number): void {
      const place = forWriting(address, 4);
      writeSingle(place, bits);
      wrote(place, address, 4);
    },
    storeVector(address: bigint, value: V128): void {
      const place = forWriting(address, 16);
      writeVector(place, value);
      wrote(place, address, 16);
    },
    probeWrite: (address: bigint, bytes: number) => mmu.probe(canonical(address, bytes, "write"), bytes),

    /** Where bytes are that are read and then written; a read… and a commit… follow. */
    modify(address: bigint, bytes: number): number {
      const place = lookUp(address, bytes, TLB_WRITE >> 2);
      return place >= 0 ? place : mmu.modify(canonical(address, bytes, "read"), bytes);
    },
    read8,
    read16,
    read32,
    read64,
    readVector,
    readSingle: (place: number) => view.getInt32(place, true),
    commit8(place: number, value: bigint): void {
      write8(place, value);
      committed(place);
    },
    commit16(place: number, value: bigint): void {
      write16(place, value);
      committed(place);
    },
    commit32(place: number, value: bigint): void {
      write32(place, value);
      committed(place);
    },
    commit64(place: number, value: bigint): void {
      write64(place, value);
      committed(place);
    },
    commitSingle(place: number, bits: number): void {
      writeSingle(place, bits);
      committed(place);
    },
    commitVector(place: number, value: V128): void {
      writeVector(place, value);
      committed(place);
    },
  };
}
