/** Text of machine code, written by iced-x86 in Intel syntax. */

import { Decoder, DecoderOptions, Formatter, FormatterSyntax, Instruction } from "iced-x86";

export interface DisassembledInstruction {
  address: bigint;
  bytes: Uint8Array;
  /** "mov rax, [rdi+8]", or "(bad)" where there is no instruction. */
  text: string;
}

/**
 * Disassembles code from its first byte to its last. Bytes that are no instruction come one at a time as
 * "(bad)", as objdump shows them.
 * @param address where the first byte lies in guest memory
 * @param bitness 64, 32 or 16: the mode that the code is for
 */
export function* disassemble(
  code: Uint8Array,
  address: bigint,
  bitness = 64,
): Generator<DisassembledInstruction> {
  const decoder = new Decoder(bitness, code, DecoderOptions.None);
  const formatter = new Formatter(FormatterSyntax.Intel);
  const instruction = new Instruction();
  formatter.hexPrefix = "0x";
  formatter.hexSuffix = "";
  formatter.uppercaseHex = false;
  formatter.spaceAfterOperandSeparator = true;
  try {
    decoder.ip = address;
    let offset = 0;
    while (offset < code.length) {
      decoder.decodeOut(instruction);
      const bad = instruction.isInvalid;
      const length = bad ? 1 : instruction.length;
      yield {
        address: address + BigInt(offset),
        bytes: code.subarray(offset, offset + length),
        text: bad ? "(bad)" : formatter.format(instruction),
      };
      offset += length;
      if (bad) {
        decoder.position = offset;
        decoder.ip = address + BigInt(offset);
      }
    }
  } finally {
    instruction.free();
    formatter.free();
    decoder.free();
  }
}

/** One line as objdump prints it: `  401000:	48 89 d8 	mov rax, rbx`. */
export function formatInstruction(instruction: DisassembledInstruction): string {
  const bytes = Array.from(instruction.bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return `${instruction.address.toString(16).padStart(8)}:\t${bytes.padEnd(30)}\t${instruction.text}`;
}
