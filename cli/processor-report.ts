/** The registers of a machine's processor and the code it was at, for people. */

import { Segment, Vector } from "../cpu/state.ts";
import type { NotedTransfer } from "../cpu/system/branch-history.ts";
import { Rights } from "../cpu/system/segment.ts";
import { describeMachineRegisters } from "../debug/machine-registers.ts";
import type { Machine } from "../devices/machine/machine.ts";
import { Access } from "../mmu/translator.ts";

const CODE_BYTES = 48;

const hex = (value: number | bigint, digits: number): string =>
  BigInt.asUintN(64, BigInt(value)).toString(16).padStart(digits, "0");

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

/** Names of exceptions by vector (SDM vol. 3, table 6-1). */
const VECTOR_NAMES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(Vector).map(([name, vector]) => [vector, vector === Vector.NMI ? name : `#${name}`]),
);
const SHOWN_TRANSFERS = 16;

function describeTransfer({ from, to, vector, errorCode, isInterrupt }: NotedTransfer): string {
  const way = `${address(from)} -> ${address(to)}`;
  if (vector < 0) return way;
  const name = vector === Vector.NMI ? "NMI" : `interrupt ${hex(vector, 2)}`;
  const code = errorCode === undefined ? "" : `(${hex(errorCode, 4)})`;
  return `${way}  ${isInterrupt ? name : (VECTOR_NAMES[vector] ?? name)}${code}`;
}

const address = (value: number): string => (Number.isNaN(value) ? "?".padEnd(16) : hex(value, 16));

/** Where control came from: see cpu/system/branch-history.ts for what is noted. */
function transfers(machine: Machine): string {
  const noted = machine.cpu.history.latest(SHOWN_TRANSFERS);
  if (noted.length === 0) return "No branches yet.";
  const title = "Last branches (taken for the first time), exceptions and interrupts:";
  return [title, ...noted.map((transfer) => `  ${describeTransfer(transfer)}`)].join("\n");
}

export async function describeProcessor(machine: Machine): Promise<string> {
  return `${describeMachineRegisters(machine)}${transfers(machine)}\n${await code(machine)}`;
}
