/**
 * PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM (Intel SDM vol. 2, 4.1). Arguments 0 and 1 are the strings, argument 2 is the
 * immediate in its low byte, and for the explicit forms argument 3 the two lengths (i64 low: first, i64 high: second).
 */

import type { Cpu } from "../cpu.ts";
import { defineHelper } from "../helpers.ts";

/** Result slots: 0 the mask (16 bytes), 1 the index, 2 RFLAGS bits CF, ZF, SF, OF. */
function compareStrings(cpu: Cpu, explicit: boolean): void {
  const control = cpu.argumentI32(2);
  const words = (control & 1) !== 0;
  const signed = (control & 2) !== 0;
  const count = words ? 8 : 16;
  const a = elements(cpu.argumentBytes(0), words, signed);
  const b = elements(cpu.argumentBytes(1), words, signed);
  const lengths = cpu.argumentBytes(3);
  const view = new DataView(lengths.buffer, lengths.byteOffset, 16);
  const lengthA = explicit ? saturate(view.getBigInt64(0, true), count) : terminated(a);
  const lengthB = explicit ? saturate(view.getBigInt64(8, true), count) : terminated(b);

  let result = aggregate((control >> 2) & 3, a, lengthA, b, lengthB, count);
  const all = (1 << count) - 1;
  // Polarity: bit 4 negates, bit 5 only where the second string is valid.
  if ((control & 0x10) !== 0) result ^= (control & 0x20) !== 0 ? (1 << lengthB) - 1 : all;

  const mask = cpu.argumentBytes(0);
  const wide = (control & 0x40) !== 0;
  let index = count;
  if (result !== 0) index = wide ? 31 - Math.clz32(result) : 31 - Math.clz32(result & -result);
  if (wide) {
    const size = words ? 2 : 1;
    for (let byte = 0; byte < 16; byte++) mask[byte] = (result >> Math.floor(byte / size)) & 1 ? 0xff : 0;
  } else {
    mask.fill(0);
    mask[0] = result;
    mask[1] = result >> 8;
  }
  cpu.setResult(1, index);
  const flags =
    (result !== 0 ? 1 : 0) |
    (lengthB < count ? 0x40 : 0) |
    (lengthA < count ? 0x80 : 0) |
    ((result & 1) !== 0 ? 0x800 : 0);
  cpu.setResult(2, flags);
}

function elements(bytes: Uint8Array, words: boolean, signed: boolean): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const list: number[] = [];
  for (let index = 0; index < (words ? 8 : 16); index++) {
    if (words) list.push(signed ? view.getInt16(index * 2, true) : view.getUint16(index * 2, true));
    else list.push(signed ? view.getInt8(index) : view.getUint8(index));
  }
  return list;
}

/** The absolute value of a length register, at most the number of elements. */
function saturate(length: bigint, count: number): number {
  const absolute = length < 0n ? -length : length;
  return absolute > BigInt(count) ? count : Number(absolute);
}

function terminated(string: readonly number[]): number {
  const end = string.indexOf(0);
  return end < 0 ? string.length : end;
}

/** IntRes1 (SDM vol. 2, 4.1.3 and table 4-7 for elements beyond the ends). */
function aggregate(
  mode: number,
  a: readonly number[],
  lengthA: number,
  b: readonly number[],
  lengthB: number,
  count: number,
): number {
  let result = 0;
  for (let j = 0; j < count; j++) {
    let bit = false;
    switch (mode) {
      case 0: // equal any
        if (j < lengthB) for (let i = 0; i < lengthA; i++) bit ||= a[i] === b[j];
        break;
      case 1: // ranges
        if (j < lengthB) for (let i = 0; i + 1 < lengthA; i += 2) bit ||= a[i] <= b[j] && b[j] <= a[i + 1];
        break;
      case 2: // equal each
        if (j < lengthA && j < lengthB) bit = a[j] === b[j];
        else bit = j >= lengthA && j >= lengthB;
        break;
      default: // equal ordered: the first string stands in the second from j on
        bit = true;
        for (let i = 0; i < lengthA && i + j < count; i++) bit &&= i + j < lengthB && a[i] === b[i + j];
    }
    if (bit) result |= 1 << j;
  }
  return result;
}

defineHelper("pcmpestr", (cpu) => compareStrings(cpu, true));
defineHelper("pcmpistr", (cpu) => compareStrings(cpu, false));
