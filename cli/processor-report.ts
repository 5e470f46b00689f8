/** The registers of a machine's processor and the code it was at, for people. */

import { Segment } from "../cpu/state.ts";
import { Rights } from "../cpu/system/segment.ts";
import type { Machine } from "../devices/machine/machine.ts";
import { Access } from "../mmu/translator.ts";

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
const CODE_BYTES = 48;

const hex = (value: number | bigint, digits: number): string =>
  BigInt.asUintN(64, BigInt(value)).toString(16).padStart(digits, "0");

function registers(machine: Machine): string {
  const { cpu, system } = machine;
  const general = GPR_NAMES.map((name, index) => `${name.padEnd(3)} ${hex(cpu.gpr64(index), 16)}`);
  const rows: string[] = [];
  for (let index = 0; index < general.length; index += 4)
    rows.push(general.slice(index, index + 4).join("  "));
  rows.push(`RIP ${hex(cpu.rip, 16)}  RFLAGS ${hex(cpu.rflags, 8)}  CPL ${system.cpl}`);
  for (const [name, index] of Object.entries(Segment)) {
    const { selector, base, limit, rights } = system.segments[index];
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
    `CR0 ${hex(system.cr0, 8)}  CR2 ${hex(system.cr2, 16)}  CR3 ${hex(system.cr3, 16)}  CR4 ${hex(system.cr4, 8)}  EFER ${hex(system.efer, 8)}`,
  );
  return rows.join("\n");
}

/** The instructions at RIP, or a sentence why they cannot be shown. */
async function code(machine: Machine): Promise<string> {
  const { cpu, system } = machine;
  const address = cpu.rip + (system.is64Bit ? 0 : system.segments[Segment.CS].base);
  const translation = { physicalPage: 0, rights: 0, errorCode: 0, attributes: 0 };
  if (!system.walker.translate(address, Access.Execute, translation)) return "(no code is mapped at RIP)";
  const physical = translation.physicalPage + (((address % 4096) + 4096) % 4096);
  const end = Math.min(physical + CODE_BYTES, translation.physicalPage + 4096, cpu.ram.length);
  if (physical >= end) return "(RIP points outside of RAM)";
  const bitness = system.is64Bit ? 64 : (system.segments[Segment.CS].rights & Rights.DB) !== 0 ? 32 : 16;
  const { disassemble, formatInstruction } = await import("../debug/disassembly.ts");
  const instructions = [...disassemble(cpu.ram.slice(physical, end), BigInt(address), bitness)];
  // The bytes end somewhere, most likely inside an instruction.
  while (instructions.length > 1 && instructions.at(-1)?.text === "(bad)") instructions.pop();
  return instructions.map(formatInstruction).join("\n");
}

export async function describeProcessor(machine: Machine): Promise<string> {
  return `${registers(machine)}\n${await code(machine)}`;
}
