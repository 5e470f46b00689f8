/** The memory map as text: /proc/self/maps, and reports of a program's death. */

import type { AddressSpace } from "./address-space.ts";
import type { MemoryOwner } from "./memory-owner.ts";
import { Prot, type Vma } from "./vma.ts";

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");

/** One line of proc(5) /proc/pid/maps. */
export function describeVma(vma: Vma): string {
  const rights =
    ((vma.prot & Prot.Read) !== 0 ? "r" : "-") +
    ((vma.prot & Prot.Write) !== 0 ? "w" : "-") +
    ((vma.prot & Prot.Exec) !== 0 ? "x" : "-") +
    (vma.shared ? "s" : "p");
  const stat = vma.file?.inode.stat();
  const device = stat === undefined ? "00:00" : `${hex(stat.dev >>> 8, 2)}:${hex(stat.dev & 0xff, 2)}`;
  const line = `${hex(vma.start, 8)}-${hex(vma.end, 8)} ${rights} ${hex(vma.file?.offset ?? 0, 8)} ${device} ${stat?.ino ?? 0} `;
  return vma.name === "" ? line : `${line.padEnd(73)}${vma.name}`;
}

/** What an application sees: its own areas and those of the kernel. */
export function describeMemory(space: AddressSpace, owner: MemoryOwner | undefined): string {
  let text = "";
  for (const vma of space.areas)
    if (vma.owner === owner || vma.owner === undefined) text += `${describeVma(vma)}\n`;
  return text;
}
