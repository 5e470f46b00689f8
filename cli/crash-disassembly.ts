/** The text of the code around a crash, for --verbose. */

import type { Disassembler } from "../kernel/sched/death-report.ts";

/** Loads the disassembler (70 ms), which is why only --verbose does. */
export async function createDisassembler(): Promise<Disassembler> {
  const { disassemble, formatInstruction } = await import("../debug/disassembly.ts");
  return (code, address) => {
    const instructions = [...disassemble(code, BigInt(address))];
    // The bytes end somewhere, most likely inside an instruction.
    while (instructions.length > 1 && instructions.at(-1)?.text === "(bad)") instructions.pop();
    return instructions.map((instruction) => `${formatInstruction(instruction)}\n`).join("");
  };
}

/** The text of single instructions, for the code that engines generate. */
export async function createInstructionText(): Promise<(code: Uint8Array, rip: number) => string> {
  const { disassemble } = await import("../debug/disassembly.ts");
  return (code, rip) => disassemble(code, BigInt(rip)).next().value?.text ?? "";
}
