/** What is said about a program that dies of a signal: registers, code around RIP, and the memory map. */

import { Register } from "../../cpu/state.ts";
import type { Kernel } from "../kernel.ts";
import { describeMemory } from "../mm/describe.ts";
import {
  SIGBUS,
  SIGFPE,
  SIGILL,
  SIGNAL_DESCRIPTIONS,
  SIGSEGV,
  SIGTRAP,
  SiCode,
  signalName,
} from "./signal-numbers.ts";
import type { SignalInfo } from "./signals.ts";
import type { Thread } from "./thread.ts";

/**
 * Text of the instructions around RIP; given by whoever has a disassembler.
 * @param code begins at `address`, which may be in the middle of an instruction in front of the one at `rip`
 */
export type Disassembler = (code: Uint8Array, address: number, rip: number) => string;

/** How many bytes of code are shown, at most: from RIP on, and in front of it. */
const CODE_BYTES = 48;
const CODE_BEFORE = 32;

const hex = (value: bigint | number): string => {
  const bits = typeof value === "bigint" ? value : BigInt.asUintN(64, BigInt(value));
  return bits.toString(16).padStart(16, "0");
};

/** The registers, four in a line. */
export function describeRegisters(kernel: Kernel, thread: Thread): string {
  const registers = kernel.scheduler.registersOf(thread);
  const items = Object.entries(Register).map(
    ([name, index]) => `${name.padEnd(3)} ${hex(registers.bits(index))}`,
  );
  items.push(`RIP ${hex(registers.ripBits)}`, `FS  ${hex(registers.fsBase)}`, `GS  ${hex(registers.gsBase)}`);
  let text = "";
  for (let index = 0; index < items.length; index += 4)
    text += `${items.slice(index, index + 4).join("  ")}\n`;
  return text;
}

function describeCode(kernel: Kernel, thread: Thread, disassemble: Disassembler | undefined): string {
  const { rip } = kernel.scheduler.registersOf(thread);
  let length = CODE_BYTES;
  while (length > 0 && !kernel.memory.check(rip, length, false)) length--;
  if (length === 0) return "no code at RIP\n";
  let before = CODE_BEFORE;
  while (before > 0 && !kernel.memory.check(rip - before, before, false)) before--;
  const code = kernel.memory.read(rip - before, before + length);
  if (disassemble !== undefined) return disassemble(code, rip - before, rip);
  return `code: ${[...code].map((byte) => byte.toString(16).padStart(2, "0")).join(" ")}\n`;
}

/** One line about a fatal signal. */
export function describeDeath(thread: Thread, signal: number, info: SignalInfo): string {
  const { application } = thread;
  const what = SIGNAL_DESCRIPTIONS[signal] ?? signalName(signal);
  const fault = [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP].includes(signal) && info.code > 0;
  const short = (value: bigint | number): string => `0x${hex(value).replace(/^0+(?=.)/, "")}`;
  let where = "";
  // The processor does not say what was wrong with an access that it finds improper (#GP): only where.
  if (fault && info.code === SiCode.KERNEL)
    where = ` by the instruction at ${short(thread.kernel.scheduler.registersOf(thread).ripBits)}`;
  else if (fault && info.address !== undefined) where = ` at address ${short(info.address)}`;
  return `${application.name} (pid ${application.pid}, thread ${thread.tid}): ${what} (${signalName(signal)})${where}`;
}

/** Everything, over several lines. */
export function reportDeath(kernel: Kernel, thread: Thread, disassemble: Disassembler | undefined): string {
  return (
    describeRegisters(kernel, thread) +
    describeCode(kernel, thread, disassemble) +
    describeMemory(kernel.space, thread.application.image)
  );
}
