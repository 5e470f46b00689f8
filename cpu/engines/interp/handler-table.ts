/**
 * Which handler executes which form: the contents of a custom section of the interpreter module, and its reader.
 */

import type { ConditionCode } from "../../ir/flags.ts";
import { ByteWriter } from "../../wasm/byte-writer.ts";
import { FLAGS_DEAD } from "./forms.ts";

export const HANDLER_SECTION = "osv.handlers";
/** In the module with the handlers of pairs. */
export const PAIR_SECTION = "osv.pairs";

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

/*
 * The sections are arrays of little-endian numbers that are used where they are: nothing is parsed at start. A head of
 * 32-bit numbers tells how many there are; then come the 32-bit arrays, the 16-bit ones and the bytes. Keys are in
 * ascending order.
 */
const HEAD = ["parts", "handlers", "keys", "fused"] as const;

/** @param table `starts` is the first handler of each part */
export function encodeHandlerTable(table: {
  starts: readonly number[];
  facts: readonly HandlerFacts[];
  keys: readonly (readonly [key: number, handler: number])[];
  fused: readonly (readonly [first: number, condition: number, handler: number])[];
}): Uint8Array {
  const keys = table.keys.toSorted(([a], [b]) => a - b);
  const fused = table.fused
    .map(([first, condition, handler]) => [first * 16 + condition, handler] as const)
    .sort(([a], [b]) => a - b);
  const words = Uint32Array.from([
    ...[table.starts, table.facts, keys, fused].map(({ length }) => length),
    ...table.starts,
    ...keys.map(([key]) => key),
    ...fused.map(([key]) => key),
  ]);
  const halves = Uint16Array.from([...keys, ...fused].map(([, handler]) => handler));
  const flags = Uint8Array.from(
    table.facts,
    ({ flagsRead, flagsWritten }) => flagsRead | (flagsWritten << 4),
  );
  const traits = Uint8Array.from(
    table.facts,
    ({ transfers, fallsThrough, observable }) =>
      (transfers ? TRANSFERS : 0) | (fallsThrough ? FALLS_THROUGH : 0) | (observable ? OBSERVABLE : 0),
  );
  const out = new ByteWriter();
  for (const array of [words, halves]) out.bytes(new Uint8Array(array.buffer));
  return out.bytes(flags).bytes(traits).toBytes();
}

/** @param handlers how many there are, those of pairs included */
export function encodePairTable(entries: readonly PairEntry[], handlers: number): Uint8Array {
  // Forms with the same handler may make the same pair more than once.
  const pairOfKey = new Map(entries.map((pair) => [pairKey(pair.first, pair.second), pair]));
  const pairs = [...pairOfKey].sort(([a], [b]) => a - b);
  const isFirst = new Uint8Array(handlers);
  for (const { first } of entries) isFirst[first] = 1;
  const words = Uint32Array.from([pairs.length, handlers, ...pairs.map(([key]) => key)]);
  const halves = Uint16Array.from(pairs.map(([, { handler }]) => handler));
  const out = new ByteWriter();
  for (const array of [words, halves]) out.bytes(new Uint8Array(array.buffer));
  return out
    .bytes(isFirst)
    .bytes(pairs.map(([, { bits }]) => bits))
    .toBytes();
}

function pairKey(first: number, second: number): number {
  return first * 65536 + second;
}

/** The forms in use at a time are some hundreds of 16,000: a search among all takes long. */
const RECENT_BITS = 10;
const KEY_HASH = 0x9e3779b1;

/** The sections as the engine uses them. */
export class HandlerTable {
  /** First handler of each part (parts.ts). */
  readonly starts: Uint32Array;
  private readonly keys: Uint32Array;
  private readonly keyHandlers: Uint16Array;
  /** First handler × 16 + condition. */
  private readonly fusedKeys: Uint32Array;
  private readonly fusedHandlers: Uint16Array;
  private readonly flags: Uint8Array;
  private readonly traits: Uint8Array;
  /** What {@link handlers} was asked last, by hash of the key. */
  private readonly recentKeys = new Int32Array(1 << RECENT_BITS).fill(-1);
  private readonly recentHandlers = new Int32Array(1 << RECENT_BITS);
  private pairKeys = new Uint32Array(0);
  private pairHandlers = new Uint16Array(0);
  private pairBits = new Uint8Array(0);
  private isFirstOfPair = new Uint8Array(0);

  constructor(section: ArrayBuffer) {
    const [parts, handlers, keys, fused] = new Uint32Array(section, 0, HEAD.length);
    let at = HEAD.length * 4;
    const words = (count: number) => {
      at += count * 4;
      return new Uint32Array(section, at - count * 4, count);
    };
    const halves = (count: number) => {
      at += count * 2;
      return new Uint16Array(section, at - count * 2, count);
    };
    const bytes = (count: number) => {
      at += count;
      return new Uint8Array(section, at - count, count);
    };
    this.starts = words(parts);
    this.keys = words(keys);
    this.fusedKeys = words(fused);
    this.keyHandlers = halves(keys);
    this.fusedHandlers = halves(fused);
    this.flags = bytes(handlers);
    this.traits = bytes(handlers);
  }

  /** From now on {@link pair} knows them. */
  addPairs(section: ArrayBuffer): void {
    const [pairs, handlers] = new Uint32Array(section, 0, 2);
    let at = 8;
    this.pairKeys = new Uint32Array(section, at, pairs);
    at += pairs * 4;
    this.pairHandlers = new Uint16Array(section, at, pairs);
    at += pairs * 2;
    this.isFirstOfPair = new Uint8Array(section, at, handlers);
    at += handlers;
    this.pairBits = new Uint8Array(section, at, pairs);
  }

  /** How many handlers there are in all parts. */
  get size(): number {
    return this.flags.length;
  }

  /** Handler of a form's key; 0 = none. */
  handler(key: number): number {
    const index = indexOf(this.keys, key);
    return index < 0 ? 0 : this.keyHandlers[index];
  }

  /** Handler of a form's key, and in the upper half of the number that of the form whose flags nobody reads; 0 = none. */
  handlers(key: number): number {
    const place = Math.imul(key, KEY_HASH) >>> (32 - RECENT_BITS);
    if (this.recentKeys[place] === key) return this.recentHandlers[place];
    const found = this.handler(key) | (this.handler(key + FLAGS_DEAD) << 16);
    this.recentKeys[place] = key;
    this.recentHandlers[place] = found;
    return found;
  }

  /** Handler of a comparison with a conditional jump behind it; 0 = none. */
  fusedHandler(first: number, condition: number): number {
    const index = indexOf(this.fusedKeys, first * 16 + condition);
    return index < 0 ? 0 : this.fusedHandlers[index];
  }

  /** Handler × 64 + {@link PairBit}s of the handler that executes both, or 0. */
  pair(first: number, second: number): number {
    if (!this.isFirstOfPair[first]) return 0;
    const index = indexOf(this.pairKeys, pairKey(first, second));
    return index < 0 ? 0 : this.pairHandlers[index] * PAIR_BITS + this.pairBits[index];
  }

  /** The flags that a handler reads, and << 4 those that it writes. */
  flagsOf(handler: number): number {
    return this.flags[handler];
  }

  transfers(handler: number): boolean {
    return (this.traits[handler] & TRANSFERS) !== 0;
  }

  fallsThrough(handler: number): boolean {
    return (this.traits[handler] & FALLS_THROUGH) !== 0;
  }

  observable(handler: number): boolean {
    return (this.traits[handler] & OBSERVABLE) !== 0;
  }
}

/** Index of a number among ascending ones, or -1. */
function indexOf(sorted: Uint32Array, wanted: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return sorted[low] === wanted ? low : -1;
}
