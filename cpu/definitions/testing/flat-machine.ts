/** A processor with the interpreter and 1 MiB of memory that user code sees as it is, for tests of instructions. */

import { Access, type Translation, type Translator } from "../../../mmu/translator.ts";
import { Cpu } from "../../cpu.ts";
import type { Exit } from "../../engine.ts";
import { generateInterpreter } from "../../engines/interp/build.ts";
import { InterpreterEngine } from "../../engines/interp/engine.ts";
import type { InterpreterCode } from "../../engines/interp/parts.ts";
import { EXCEPTION_ERROR, EXCEPTION_VECTOR } from "../../state.ts";

const RAM_SIZE = 1 << 20;
/** Where {@link FlatMachine.run} puts code. */
export const CODE = 0x1000;

class FlatTranslator implements Translator {
  translate(virtual: number, access: Access, out: Translation): boolean {
    if (virtual < CODE || virtual >= RAM_SIZE) {
      out.errorCode = access === Access.Write ? 6 : 4;
      return false;
    }
    out.physicalPage = virtual - (virtual % 4096);
    out.rights = Access.Read | Access.Write | Access.Execute;
    return true;
  }
}

let code: InterpreterCode | undefined;

export class FlatMachine {
  /** What RDTSC answers. */
  readonly timeStampCounter = 0x12_3456_789a;
  readonly cpu: Cpu;
  private readonly engine: InterpreterEngine;

  constructor() {
    code ??= generateInterpreter();
    this.cpu = new Cpu({
      ramSize: RAM_SIZE,
      translator: new FlatTranslator(),
      host: { timeStampCounter: () => this.timeStampCounter, random: (bytes) => bytes.fill(0xa5) },
    });
    this.engine = new InterpreterEngine(this.cpu, code, { pairsAfter: 0 });
  }

  /** Runs instructions given in hexadecimal. */
  run(code: string, instructions = 1): Exit {
    const bytes = code.split(" ").map((byte) => Number.parseInt(byte, 16));
    this.cpu.mmu.write(CODE, Uint8Array.from(bytes));
    this.cpu.rip = CODE;
    return this.engine.run(instructions);
  }

  get exception(): { vector: number; error: number } {
    return { vector: this.cpu.getI32(EXCEPTION_VECTOR), error: this.cpu.getI32(EXCEPTION_ERROR) };
  }
}
