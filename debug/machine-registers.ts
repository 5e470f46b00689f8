/** All registers of a machine's processor, for people. */

import { Segment } from "../cpu/state.ts";
import type { Machine } from "../devices/machine/machine.ts";

const GPR_NAMES = [
  "RAX",
  "RCX",
  "RDX",
  "RBX",
  "RSP",
  "RBP",
  "RSI",
  "RDI",
  "R8",
  "R9",
  "R10",
  "R11",
  "R12",
  "R13",
  "R14",
  "R15",
];

const hex = (value: number | bigint, digits: number): string =>
  BigInt.asUintN(64, BigInt(value)).toString(16).padStart(digits, "0");

export function describeMachineRegisters(machine: Machine): string {
  const { cpu, system } = machine;
  const general = GPR_NAMES.map((name, index) => `${name.padEnd(3)} ${hex(cpu.gpr64(index), 16)}`);
  const rows: string[] = [];
  for (let index = 0; index < general.length; index += 4)
    rows.push(general.slice(index, index + 4).join("  "));
  rows.push(`RIP ${hex(cpu.rip, 16)}  RFLAGS ${hex(cpu.rflags, 8)}  CPL ${system.cpl}`);
  for (const [name, index] of Object.entries(Segment)) {
    const { selector, limit, rights } = system.segments[index];
    const base = system.segmentBase(index);
    rows.push(
      `${name}  ${hex(selector, 4)}  base ${hex(base, 16)}  limit ${hex(limit, 8)}  rights ${hex(rights, 8)}`,
    );
  }
  rows.push(
    `TR  ${hex(system.tr.selector, 4)}  base ${hex(system.tr.base, 16)}  limit ${hex(system.tr.limit, 8)}`,
  );
  rows.push(`GDT ${hex(system.gdtr.base, 16)}  limit ${hex(system.gdtr.limit, 4)}`);
  rows.push(`IDT ${hex(system.idtr.base, 16)}  limit ${hex(system.idtr.limit, 4)}`);
  rows.push(
    `CR0 ${hex(system.cr0 >>> 0, 8)}  CR2 ${hex(system.cr2, 16)}  CR3 ${hex(system.cr3, 16)}  CR4 ${hex(system.cr4, 8)}  EFER ${hex(system.efer, 8)}`,
  );
  return `${rows.join("\n")}\n`;
}
