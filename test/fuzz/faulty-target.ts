/** A target with a known bug, to prove that the fuzzer finds bugs: the host CPU with other code than it was given. */

import { createInstruction, DecodeResult, Decoder } from "../../cpu/decoder/decoder.ts";
import { CODE } from "./arena.ts";
import { Case, type FinalState } from "./case.ts";
import type { Target } from "./target.ts";

export class FaultyTarget implements Target {
  readonly name = "faulty";
  private readonly altered: Case[] = [];
  private readonly decoder = new Decoder();
  private readonly instruction = createInstruction();

  /**
   * @param sound what runs the altered code
   * @param mnemonic the instruction with the bug
   * @param xor changes its opcode byte: the bug
   */
  constructor(
    private readonly sound: Target,
    private readonly mnemonic: string,
    private readonly xor: number,
  ) {}

  async run(cases: readonly Case[], results: readonly FinalState[], count: number): Promise<void> {
    while (this.altered.length < count) this.altered.push(new Case());
    for (let index = 0; index < count; index++) {
      this.altered[index].copyFrom(cases[index]);
      this.alter(this.altered[index]);
    }
    await this.sound.run(this.altered, results, count);
  }

  close(): void {}

  private alter(initial: Case): void {
    initial.forEachPatch((address, bytes) => {
      if (address < CODE.address) return;
      for (let at = 0; at < bytes.length; ) {
        if (this.decoder.decode(bytes, at, bytes.length, this.instruction) !== DecodeResult.Ok) return;
        const { row, length } = this.instruction;
        if (row.mnemonic === this.mnemonic) this.alterInstruction(bytes, at, length, row.opcode);
        at += length;
      }
    });
  }

  private alterInstruction(bytes: Uint8Array, start: number, length: number, opcode: number): void {
    const at = bytes.indexOf(opcode, start);
    if (at < 0 || at >= start + length) return;
    bytes[at] ^= this.xor;
    const result = this.decoder.decode(bytes, start, bytes.length, this.instruction);
    if (result !== DecodeResult.Ok || this.instruction.length !== length) bytes[at] ^= this.xor;
  }
}
