/** What there is to ask of a whole machine besides registers and memory. */

import type { Machine } from "../devices/machine/machine.ts";
import { hexDump } from "./hex-dump.ts";
import { describeMachineRegisters } from "./machine-registers.ts";
import { parseNumber } from "./numbers.ts";
import { describeEntry, mappedRanges, walkPages } from "./page-walk.ts";
import type { MonitorCommand } from "./target.ts";

/** A guest can map pages for ever. */
const MOST_RANGES = 500;
const MOST_BYTES = 65536;

const hex = (value: number | bigint, digits = 16): string =>
  BigInt.asUintN(64, BigInt(value)).toString(16).padStart(digits, "0");

/** The entries that lead to an address, and what it leads to. */
export function describeWalk(machine: Machine, address: number): string {
  const { system, cpu } = machine;
  const { paging } = system;
  const walk = walkPages(cpu.ram, paging, address);
  const lines = [
    `${hex(address)}: ${paging.mode === "none" ? "no paging" : `${paging.mode} paging, CR3 ${hex(system.cr3)}`}`,
  ];
  for (const { name, at, entry } of walk.steps)
    lines.push(`  ${name.padEnd(6)} at ${hex(at, 9)}: ${hex(entry)}  ${describeEntry(entry)}`);
  if (walk.physical === undefined) lines.push("  not mapped");
  else {
    const rights = `r${walk.writable ? "w" : "-"}${walk.executable ? "x" : "-"} ${walk.user ? "user" : "supervisor"}`;
    lines.push(`  physical ${hex(walk.physical, 9)}, page of ${describeSize(walk.pageSize)}, ${rights}`);
  }
  return `${lines.join("\n")}\n`;
}

export function describeSize(bytes: number): string {
  const rounded = (value: number): string => String(Number(value.toFixed(2)));
  if (bytes >= 2 ** 30) return `${rounded(bytes / 2 ** 30)} GiB`;
  if (bytes >= 2 ** 20) return `${rounded(bytes / 2 ** 20)} MiB`;
  return `${bytes / 1024} KiB`;
}

/** Which addresses are mapped, and with which rights. */
export function describeMappings(machine: Machine): string {
  const { paging } = machine.system;
  if (paging.mode === "none") return "no paging\n";
  const lines: string[] = [];
  for (const { start, end, walk } of mappedRanges(machine.cpu.ram, paging)) {
    if (lines.length === MOST_RANGES) {
      lines.push(`… and more (the first ${MOST_RANGES} are shown)`);
      break;
    }
    const rights = `${walk.user ? "u" : "-"}r${walk.writable ? "w" : "-"}${walk.executable ? "x" : "-"}`;
    lines.push(`${hex(start)}-${hex(end)} ${rights} ${describeSize(end - start)}`);
  }
  return `${lines.join("\n")}\n`;
}

/** What the software TLB holds in its two views. */
function describeTlb(machine: Machine): string {
  const { mmu } = machine.cpu;
  const lines = mmu.views.map(({ tlb }, index) => {
    let count = 0;
    for (const _entry of tlb.entries()) count++;
    return `${index === 0 ? "supervisor" : "user"}: ${count} pages\n`;
  });
  for (const [index, { tlb }] of mmu.views.entries()) {
    let shown = 0;
    for (const { page, linear, rights } of tlb.entries()) {
      if (shown++ === MOST_RANGES) {
        lines.push("  …\n");
        break;
      }
      const text = `${(rights & 1) !== 0 ? "r" : "-"}${(rights & 2) !== 0 ? "w" : "-"}${(rights & 4) !== 0 ? "x" : "-"}`;
      lines.push(`  ${index === 0 ? "s" : "u"} ${hex(page)} → ${hex(linear, 9)} ${text}\n`);
    }
  }
  return lines.join("");
}

/** A table register's entries: a descriptor table, or the interrupt gates. */
function describeGates(machine: Machine): string {
  const { system, cpu } = machine;
  const { base, limit } = system.idtr;
  const size = system.isLong ? 16 : 8;
  const lines: string[] = [];
  for (let vector = 0; vector < 256 && (vector + 1) * size - 1 <= limit; vector++) {
    const bytes = new Uint8Array(size);
    let isThere = true;
    for (let byte = 0; byte < size; byte++) {
      const physical = walkPages(cpu.ram, system.paging, base + vector * size + byte).physical;
      if (physical === undefined || physical >= cpu.ram.length) isThere = false;
      else bytes[byte] = cpu.ram[physical];
    }
    if (!isThere) break;
    const view = new DataView(bytes.buffer);
    if ((view.getUint8(5) & 0x80) === 0) continue;
    let offset = BigInt(view.getUint16(0, true) | 0) | (BigInt(view.getUint16(6, true)) << 16n);
    if (size === 16) offset |= BigInt(view.getUint32(8, true)) << 32n;
    const type = view.getUint8(5) & 15;
    const kind = type === 14 ? "interrupt" : type === 15 ? "trap" : `type ${type}`;
    const stack = size === 16 && (view.getUint8(4) & 7) !== 0 ? ` IST ${view.getUint8(4) & 7}` : "";
    lines.push(
      `${hex(vector, 2)}: ${hex(view.getUint16(2, true), 4)}:${hex(offset)} ${kind} DPL ${(view.getUint8(5) >> 5) & 3}${stack}`,
    );
  }
  return lines.length === 0 ? "no gates\n" : `${lines.join("\n")}\n`;
}

function describeStatistics(machine: Machine): string {
  const { processor, cpu, statistics } = machine;
  const exceptions = Object.entries(processor.statistics.exceptions)
    .map(([vector, count]) => `${vector}: ${count}`)
    .join(", ");
  return [
    `instructions  ${processor.instructionsExecuted.toLocaleString("en")}`,
    `guest time    ${(machine.clock.now() / 1e9).toFixed(6)} s`,
    `interrupts    ${processor.statistics.interrupts.toLocaleString("en")}`,
    `exceptions    ${exceptions || "none"}`,
    `TLB misses    ${cpu.mmu.misses.toLocaleString("en")}`,
    `halts         ${statistics.halts.toLocaleString("en")}`,
    "",
  ].join("\n");
}

function memoryCommand(machine: Machine): MonitorCommand {
  return {
    usage: "xp ADDRESS [LENGTH]",
    description: "physical memory",
    run: ([addressText = "", lengthText = "64"]) => {
      const address = parseNumber(addressText);
      const length = parseNumber(lengthText);
      if (address === undefined || length === undefined) return "usage: xp ADDRESS [LENGTH]\n";
      const { ram } = machine.cpu;
      const start = Number(address);
      const count = Math.min(Number(length), MOST_BYTES);
      if (!(start >= 0 && start < ram.length)) return `there is no RAM at ${hex(address, 9)}\n`;
      return hexDump(ram.subarray(start, Math.min(ram.length, start + count)), start);
    },
  };
}

function addressCommand(
  usage: string,
  description: string,
  run: (address: number) => string,
): MonitorCommand {
  return {
    usage,
    description,
    run: ([text = ""]) => {
      const address = parseNumber(text);
      return address === undefined ? `usage: ${usage}\n` : run(Number(BigInt.asIntN(64, address)));
    },
  };
}

function plain(usage: string, description: string, run: () => string): MonitorCommand {
  return { usage, description, run };
}

export function machineMonitor(machine: Machine): ReadonlyMap<string, MonitorCommand> {
  return new Map([
    [
      "registers",
      plain("registers", "all registers, those of the system too", () => describeMachineRegisters(machine)),
    ],
    [
      "walk",
      addressCommand("walk ADDRESS", "the page-table entries that lead to an address", (address) =>
        describeWalk(machine, address),
      ),
    ],
    ["xp", memoryCommand(machine)],
    [
      "info mem",
      plain("info mem", "which addresses are mapped, and with which rights", () => describeMappings(machine)),
    ],
    ["info tlb", plain("info tlb", "what the software TLB holds", () => describeTlb(machine))],
    [
      "info idt",
      plain("info idt", "the gates of the interrupt descriptor table", () => describeGates(machine)),
    ],
    [
      "info statistics",
      plain("info statistics", "instructions, interrupts, exceptions so far", () =>
        describeStatistics(machine),
      ),
    ],
    [
      "nmi",
      plain("nmi", "requests a non-maskable interrupt", () => {
        machine.system.requestNmi();
        return "";
      }),
    ],
  ]);
}
