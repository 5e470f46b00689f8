/** The text of the code around a crash, for --verbose. */

import type { DisassembledInstruction } from "../debug/disassembly.ts";
import type { Disassembler } from "../kernel/sched/death-report.ts";

/** Instructions in front of the one at RIP that are shown. */
const SHOWN_BEFORE = 4;

/** Loads the disassembler (70 ms), which is why only --verbose does. */
export async function createDisassembler(): Promise<Disassembler> {
  const { disassemble, formatInstruction } = await import("../debug/disassembly.ts");
  return (code, address, rip) => {
    const from = (offset: number): DisassembledInstruction[] => [
      ...disassemble(code.subarray(offset), BigInt(address + offset)),
    ];
    let instructions = from(rip - address);
    // What is in front is known to be code if it leads to RIP: the longest way that does is most likely the right one.
    for (let offset = 0; address + offset < rip; offset++) {
      const candidate = from(offset);
      const index = candidate.findIndex((instruction) => instruction.address === BigInt(rip));
      if (index < 0 || candidate.slice(0, index).some(({ text }) => text === "(bad)")) continue;
      instructions = candidate.slice(Math.max(0, index - SHOWN_BEFORE));
      break;
    }
    // The bytes end somewhere, most likely inside an instruction.
    while (instructions.length > 1 && instructions.at(-1)?.text === "(bad)") instructions.pop();
    const mark = (instruction: DisassembledInstruction): string =>
      instruction.address === BigInt(rip) ? "=> " : "   ";
    return instructions.map((each) => `${mark(each)}${formatInstruction(each)}\n`).join("");
  };
}

/** The text of single instructions, for the code that engines generate. */
export async function createInstructionText(): Promise<(code: Uint8Array, rip: number) => string> {
  const { disassemble } = await import("../debug/disassembly.ts");
  return (code, rip) => disassemble(code, BigInt(rip)).next().value?.text ?? "";
}
