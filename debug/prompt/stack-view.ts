/** The stack as words, with what they may point to. */

import { hexAddress } from "../numbers.ts";
import type { Debugger } from "./debugger.ts";

const LEAST_STRING = 4;
const MOST_STRING = 40;

/** What a word may mean: a symbol, text, or another word that it leads to. */
function meaningOf(debug: Debugger, value: bigint, depth = 0): string {
  const address = Number(BigInt.asIntN(64, value));
  if (value < 0x1000n) return "";
  const bytes = debug.target.readMemory(address, MOST_STRING + 1);
  if (bytes.length === 0) return "";
  const symbol = debug.files.at(address);
  if (symbol !== undefined) {
    const name = debug.files.describe(address) ?? "";
    return debug.style.paint(`<${name}>`, symbol.isCode ? "green" : "magenta");
  }
  let length = 0;
  while (length < bytes.length && bytes[length] >= 0x20 && bytes[length] < 0x7f) length++;
  if (length >= LEAST_STRING) {
    const text = JSON.stringify(String.fromCharCode(...bytes.subarray(0, Math.min(length, MOST_STRING))));
    return debug.style.paint(length > MOST_STRING ? `${text}…` : text, "yellow");
  }
  const size = debug.target.bitness === 64 ? 8 : 4;
  if (depth > 0 || bytes.length < size) return "";
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const next = size === 8 ? view.getBigUint64(0, true) : BigInt(view.getUint32(0, true));
  const further = meaningOf(debug, next, depth + 1);
  return `${hexAddress(next, 2 * size)}${further === "" ? "" : ` → ${further}`}`;
}

/** Prints so many words from an address on. @returns the address behind them */
export function showStack(debug: Debugger, start: number, count: number): number {
  const size = debug.target.bitness === 64 ? 8 : 4;
  const { rsp, rbp } = debug.control.stack;
  const bytes = debug.target.readMemory(start, count * size);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  let at = start;
  for (; at + size <= start + bytes.length; at += size) {
    const offset = at - start;
    const value = size === 8 ? view.getBigUint64(offset, true) : BigInt(view.getUint32(offset, true));
    const place = at >= rsp ? `rsp+${(at - rsp).toString(16).padStart(3, "0")}` : "";
    const mark = at === rbp ? "rbp" : "";
    const meaning = meaningOf(debug, value);
    const line = `${debug.style.paint(place.padEnd(7), "cyan")} ${mark.padEnd(3)} ${hexAddress(at, 2 * size)}  ${hexAddress(value, 2 * size)}`;
    debug.print(`${meaning === "" ? line : `${line}  → ${meaning}`}\n`);
  }
  return at;
}
