/** Linux' System.map and /proc/kallsyms: `ffffffff81000000 T startup_64`, one symbol a line. */

import type { ProgramSymbol } from "./symbol-table.ts";

const LINE = /^([0-9a-f]{8,16}) ([a-z?]) (\S+)(?:\s+\[(\S+)\])?$/gim;

export function isSystemMap(text: string): boolean {
  return /^[0-9a-f]{8,16} [a-z?] \S+/i.test(text);
}

export function readSystemMap(text: string): ProgramSymbol[] {
  const symbols: ProgramSymbol[] = [];
  for (const [, digits, type, name] of text.matchAll(LINE)) {
    // Absolute symbols are numbers and offsets in the per-CPU area.
    if (type.toLowerCase() === "a") continue;
    const address = Number(BigInt.asIntN(64, BigInt(`0x${digits}`)));
    symbols.push({ name, address, size: 0, isCode: type.toLowerCase() === "t" });
  }
  return symbols;
}
