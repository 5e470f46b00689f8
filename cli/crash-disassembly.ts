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
