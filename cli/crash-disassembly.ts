/** The text of the code around a crash, for --verbose. */

import type { Disassembler } from "../kernel/sched/death-report.ts";

/** Loads the disassembler (70 ms), which is why only --verbose does. */
export async function createDisassembler(): Promise<Disassembler> {
  const { disassemble, formatInstruction } = await import("../debug/disassembly.ts");
  return (code, address) => {
    let text = "";
    for (const instruction of disassemble(code, BigInt(address)))
      text += `${formatInstruction(instruction)}\n`;
    return text;
  };
}
