/**
 * The argument slots of helpers (cpu/cpu.ts) as lanes of every width: slot s begins at element s × lanes per vector. The
 * state is little-endian, as every host with WebAssembly SIMD is.
 */

import type { Cpu } from "../cpu.ts";
import { HELPER_ARGUMENTS } from "../state.ts";

const SLOTS = 8;
const SLOT_BYTES = 16;

/** Elements of a slot. */
export const BYTES = SLOT_BYTES;
export const WORDS = SLOT_BYTES / 2;
export const DWORDS = SLOT_BYTES / 4;
export const QUADWORDS = SLOT_BYTES / 8;

/** Live views; helpers attach them once to each CPU instead of making views for each access. */
export class ArgumentLanes {
  /** @param first number of the slot that begins at element 0 */
  constructor(private readonly first = 0) {}

  u8 = new Uint8Array(0);
  u16 = new Uint16Array(0);
  u32 = new Uint32Array(0);
  i32 = new Int32Array(0);
  u64 = new BigUint64Array(0);
  i64 = new BigInt64Array(0);
  private cpu: Cpu | undefined;
  private base = 0;

  attach(cpu: Cpu): this {
    if (cpu !== this.cpu || cpu.base !== this.base) this.bind(cpu);
    return this;
  }

  private bind(cpu: Cpu): void {
    const { buffer } = cpu.memory;
    const start = cpu.base + HELPER_ARGUMENTS + this.first * SLOT_BYTES;
    const slots = SLOTS - this.first;
    this.cpu = cpu;
    this.base = cpu.base;
    this.u8 = new Uint8Array(buffer, start, slots * BYTES);
    this.u16 = new Uint16Array(buffer, start, slots * WORDS);
    this.u32 = new Uint32Array(buffer, start, slots * DWORDS);
    this.i32 = new Int32Array(buffer, start, slots * DWORDS);
    this.u64 = new BigUint64Array(buffer, start, slots * QUADWORDS);
    this.i64 = new BigInt64Array(buffer, start, slots * QUADWORDS);
  }
}
