/** `osv-vm disasm FILE`: the code of an ELF file as text, in the layout of objdump -d. */

import { readFileSync } from "node:fs";
import { type DisassembledInstruction, disassemble, formatInstruction } from "../debug/disassembly.ts";
import { type CodeRange, ElfCodeError, readElfCode } from "../debug/elf-code.ts";
import { CommandError } from "./command-error.ts";
import { describeFileError } from "./file-error.ts";

/** Text is written in pieces of about this many characters, so that `| head` need not wait for the whole. */
const PIECE = 1 << 16;

function parseAddress(option: string, text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  if (!/^(0x[0-9a-f]+|\d+)$/i.test(text)) {
    throw new CommandError(`disasm: ${option} ${text}: is no address; write 0x401000`);
  }
  return BigInt(text);
}

function clip(range: CodeRange, start: bigint | undefined, end: bigint | undefined): CodeRange {
  const size = BigInt(range.bytes.length);
  const from = start !== undefined && start > range.address ? start - range.address : 0n;
  const to = end !== undefined && end < range.address + size ? end - range.address : size;
  if (from >= to) return { ...range, bytes: new Uint8Array() };
  return {
    name: range.name,
    address: range.address + from,
    bytes: range.bytes.subarray(Number(from), Number(to)),
  };
}

/** Waits while standard output is full. */
async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await new Promise((resolve) => process.stdout.once("drain", resolve));
}

/**
 * @returns the exit status
 * @throws CommandError for a file without x86-64 code
 */
export async function disasm(file: string, options: { start?: string; end?: string }): Promise<number> {
  const start = parseAddress("--start", options.start);
  const end = parseAddress("--end", options.end);
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0); // `| head` has seen enough
    throw error;
  });
  const code = (() => {
    try {
      return readElfCode(readFileSync(file));
    } catch (error) {
      if (error instanceof ElfCodeError) throw new CommandError(`disasm: ${file}: ${error.message}`);
      throw describeFileError(`disasm: ${file}`, error);
    }
  })();
  let text = "";
  const flush = async (instruction?: DisassembledInstruction) => {
    if (instruction !== undefined && text.length < PIECE) return;
    await write(text);
    text = "";
  };
  for (const range of code.ranges.map((whole) => clip(whole, start, end))) {
    if (range.bytes.length === 0) continue;
    text += `\nDisassembly of section ${range.name}:\n`;
    for (const instruction of disassemble(range.bytes, range.address)) {
      const symbol = code.symbols.get(instruction.address);
      if (symbol !== undefined)
        text += `\n${instruction.address.toString(16).padStart(16, "0")} <${symbol}>:\n`;
      text += `${formatInstruction(instruction)}\n`;
      await flush(instruction);
    }
  }
  await flush();
  return 0;
}
