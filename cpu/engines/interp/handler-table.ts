/**
 * Which handler executes which form: the contents of a custom section of the interpreter module, and its reader.
 */

import type { ConditionCode } from "../../ir/flags.ts";
import { ByteWriter } from "../../wasm/byte-writer.ts";
import { FORM_KEYS_PER_ROW } from "./forms.ts";

export const HANDLER_SECTION = "osv.handlers";

/** Instructions that fuse with a following conditional jump into one record. */
export const FUSABLE_FIRST: ReadonlySet<string> = new Set(["cmp", "test"]);
/** Conditions that follow from the operands without the stored flags: all but O, NO, P, NP. */
export const FUSABLE_CONDITIONS: readonly ConditionCode[] = [2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15];

export interface HandlerFacts {
  readonly transfers: boolean;
  readonly fallsThrough: boolean;
  readonly flagsRead: number;
  readonly flagsWritten: number;
  readonly observable: boolean;
}

const TRANSFERS = 1;
const FALLS_THROUGH = 2;
const OBSERVABLE = 4;

/** What moves where when the second instruction of a pair joins the record of the first (record.ts). */
export const PairBit = {
  /** One of the two has a memory operand: the second's registers and immediate stand behind the first's immediate. */
  Memory: 1,
  /** The second has an immediate, which must fit 32 bits. */
  Immediate: 2,
  /** The second needs the address of the next instruction. */
  NextRip: 4,
  /** The memory operand is the second's. */
  SecondMemory: 8,
  /** The second transfers control. */
  Transfers: 16,
  /** The second names registers. */
  Registers: 32,
} as const;
const PAIR_BITS = 64;

export interface PairEntry {
  /** Handlers of the two, and of both together. */
  readonly first: number;
  readonly second: number;
  readonly handler: number;
  /** {@link PairBit}s. */
  readonly bits: number;
}

export function encodeHandlerTable(table: {
  rows: number;
  facts: readonly HandlerFacts[];
  keys: readonly (readonly [key: number, handler: number])[];
  fused: readonly (readonly [first: number, condition: number, handler: number])[];
  pairs: readonly PairEntry[];
}): Uint8Array {
  const out = new ByteWriter().u32(table.rows).u32(table.facts.length);
  for (const facts of table.facts) {
    out.byte(facts.flagsRead | (facts.flagsWritten << 4));
    out.byte(
      (facts.transfers ? TRANSFERS : 0) |
        (facts.fallsThrough ? FALLS_THROUGH : 0) |
        (facts.observable ? OBSERVABLE : 0),
    );
  }
  out.u32(table.keys.length);
  for (const [key, handler] of table.keys) out.u32(key).u32(handler);
  out.u32(table.fused.length);
  for (const [first, condition, handler] of table.fused) out.u32(first).u32(condition).u32(handler);
  out.u32(table.pairs.length);
  for (const { first, second, handler, bits } of table.pairs)
    out.u32(first).u32(second).u32(handler).u32(bits);
  return out.toBytes();
}

/** The decoded section; lookups are plain array accesses. */
export class HandlerTable {
  /** Handler by form key; 0 = none. */
  private readonly byKey: Uint16Array;
  private readonly flags: Uint8Array;
  private readonly bits: Uint8Array;
  /** Fused handler by first handler × 16 + condition; 0 = none. */
  private readonly fused: Uint16Array;
  /** Handler × 64 + {@link PairBit}s, by first handler × 65536 + second. */
  private readonly pairs = new Map<number, number>();
  private readonly isFirstOfPair: Uint8Array;

  constructor(bytes: Uint8Array) {
    const reader = new LebReader(bytes);
    const rows = reader.u32();
    const count = reader.u32();
    this.byKey = new Uint16Array(rows * FORM_KEYS_PER_ROW);
    this.flags = new Uint8Array(count);
    this.bits = new Uint8Array(count);
    this.fused = new Uint16Array(count * 16);
    for (let index = 0; index < count; index++) {
      this.flags[index] = reader.byte();
      this.bits[index] = reader.byte();
    }
    for (let left = reader.u32(); left > 0; left--) {
      const key = reader.u32();
      this.byKey[key] = reader.u32();
    }
    for (let left = reader.u32(); left > 0; left--) {
      const first = reader.u32();
      const condition = reader.u32();
      this.fused[first * 16 + condition] = reader.u32();
    }
    this.isFirstOfPair = new Uint8Array(count);
    for (let left = reader.u32(); left > 0; left--) {
      const first = reader.u32();
      const second = reader.u32();
      const handler = reader.u32();
      this.pairs.set(first * 65536 + second, handler * PAIR_BITS + reader.u32());
      this.isFirstOfPair[first] = 1;
    }
  }

  handler(key: number): number {
    return this.byKey[key];
  }

  fusedHandler(first: number, condition: number): number {
    return this.fused[first * 16 + condition];
  }

  /** Handler × 64 + {@link PairBit}s of the handler that executes both, or 0. */
  pair(first: number, second: number): number {
    return this.isFirstOfPair[first] === 0 ? 0 : (this.pairs.get(first * 65536 + second) ?? 0);
  }

  flagsRead(handler: number): number {
    return this.flags[handler] & 15;
  }

  flagsWritten(handler: number): number {
    return this.flags[handler] >> 4;
  }

  transfers(handler: number): boolean {
    return (this.bits[handler] & TRANSFERS) !== 0;
  }

  fallsThrough(handler: number): boolean {
    return (this.bits[handler] & FALLS_THROUGH) !== 0;
  }

  observable(handler: number): boolean {
    return (this.bits[handler] & OBSERVABLE) !== 0;
  }
}

class LebReader {
  private at = 0;
  constructor(private readonly bytes: Uint8Array) {}

  byte(): number {
    return this.bytes[this.at++];
  }

  u32(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes[this.at++];
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }
}
