/**
 * PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM (Intel SDM vol. 2, 4.1). Arguments 0 and 1 are the strings, argument 2 is the
 * immediate in its low byte, and for the explicit forms argument 3 the two lengths (i64 low: first, i64 high: second).
 */

import type { Cpu } from "../cpu.ts";
import { defineHelper } from "../helpers.ts";
import { ArgumentLanes, BYTES, DWORDS, QUADWORDS } from "./argument-lanes.ts";

/** The immediate (SDM vol. 2, 4.1.1 to 4.1.5). */
const Control = {
  Words: 0x01,
  Signed: 0x02,
  /** Bits 2…3: how the strings are compared. */
  Aggregation: 0x0c,
  Negate: 0x10,
  /** Negate only where the second string is valid. */
  Masked: 0x20,
  /** The index of the last match; a mask of whole elements. */
  Most: 0x40,
} as const;
const Aggregation = { EqualAny: 0x00, Ranges: 0x04, EqualEach: 0x08, EqualOrdered: 0x0c } as const;

const lanes = new ArgumentLanes();
/** The elements of the strings. */
const first = new Int32Array(BYTES);
const second = new Int32Array(BYTES);

/** Result slots: 0 the mask (16 bytes), 1 the index, 2 RFLAGS bits CF, ZF, SF, OF. */
function compareStrings(cpu: Cpu, explicit: boolean): void {
  const { u8, i32, i64 } = lanes.attach(cpu);
  const control = i32[2 * DWORDS];
  const count = (control & Control.Words) !== 0 ? 8 : 16;
  readElements(u8, 0, control, first);
  readElements(u8, BYTES, control, second);
  const lengths = 3 * QUADWORDS;
  const firstLength = explicit ? saturate(i64[lengths], count) : terminated(first, count);
  const secondLength = explicit ? saturate(i64[lengths + 1], count) : terminated(second, count);

  let result = aggregate(control & Control.Aggregation, firstLength, secondLength, count);
  if ((control & Control.Negate) !== 0) {
    result ^= (1 << ((control & Control.Masked) !== 0 ? secondLength : count)) - 1;
  }
  const most = (control & Control.Most) !== 0;
  i32.fill(0, 0, DWORDS);
  if (!most) i32[0] = result;
  else {
    const shift = count === 8 ? 1 : 0;
    for (let byte = 0; byte < BYTES; byte++) u8[byte] = -((result >> (byte >> shift)) & 1);
  }
  let index = count;
  if (result !== 0) index = 31 - Math.clz32(most ? result : result & -result);
  cpu.setResult(1, index);
  i32[2 * DWORDS] =
    (result !== 0 ? 0x001 : 0) |
    (secondLength < count ? 0x040 : 0) |
    (firstLength < count ? 0x080 : 0) |
    ((result & 1) !== 0 ? 0x800 : 0);
}

function readElements(bytes: Uint8Array, start: number, control: number, into: Int32Array): void {
  const unused = (control & Control.Words) !== 0 ? 16 : 24;
  const signed = (control & Control.Signed) !== 0;
  for (let index = 0; index < BYTES; index++) {
    let value = bytes[start + index];
    if (unused === 16) {
      if (index === 8) return;
      value = bytes[start + 2 * index] | (bytes[start + 2 * index + 1] << 8);
    }
    into[index] = signed ? (value << unused) >> unused : value;
  }
}

/** The absolute value of a length register, at most the number of elements. */
function saturate(length: bigint, count: number): number {
  const absolute = length < 0n ? -length : length;
  return absolute > BigInt(count) ? count : Number(absolute);
}

function terminated(string: Int32Array, count: number): number {
  let length = 0;
  while (length < count && string[length] !== 0) length++;
  return length;
}

/** IntRes1 (SDM vol. 2, 4.1.3 and table 4-7 for elements beyond the ends). */
function aggregate(kind: number, firstLength: number, secondLength: number, count: number): number {
  switch (kind) {
    case Aggregation.EqualAny:
      return equalAny(firstLength, secondLength);
    case Aggregation.Ranges:
      return inRanges(firstLength, secondLength);
    case Aggregation.EqualEach:
      return equalEach(firstLength, secondLength, count);
    default:
      return equalOrdered(firstLength, secondLength, count);
  }
}

/** Elements of the second string that occur in the first. */
function equalAny(firstLength: number, secondLength: number): number {
  let result = 0;
  for (let j = 0; j < secondLength; j++) {
    const element = second[j];
    for (let i = 0; i < firstLength; i++) {
      if (first[i] !== element) continue;
      result |= 1 << j;
      break;
    }
  }
  return result;
}

/** Elements of the second string within one of the pairs of bounds in the first. */
function inRanges(firstLength: number, secondLength: number): number {
  let result = 0;
  for (let j = 0; j < secondLength; j++) {
    const element = second[j];
    for (let i = 0; i + 1 < firstLength; i += 2) {
      if (first[i] > element || element > first[i + 1]) continue;
      result |= 1 << j;
      break;
    }
  }
  return result;
}

/** Elements that are the same in both; behind both ends they are. */
function equalEach(firstLength: number, secondLength: number, count: number): number {
  const common = Math.min(firstLength, secondLength);
  let result = ((1 << count) - 1) & -(1 << Math.max(firstLength, secondLength));
  for (let j = 0; j < common; j++) if (first[j] === second[j]) result |= 1 << j;
  return result;
}

/** Places of the second string where the first stands, as far as there is room for it. */
function equalOrdered(firstLength: number, secondLength: number, count: number): number {
  let result = 0;
  for (let j = 0; j < count; j++) {
    let i = 0;
    while (i < firstLength && i + j < secondLength && first[i] === second[i + j]) i++;
    // It ended, or it reached the end of the vector (not of the string).
    if (i === firstLength || i + j === count) result |= 1 << j;
  }
  return result;
}

defineHelper("pcmpestr", (cpu) => compareStrings(cpu, true));
defineHelper("pcmpistr", (cpu) => compareStrings(cpu, false));
